-- What map.sql files of hosts and devices share beside macros.sql: readings of syslog, of the audit daemon, of CEF and LEEF, of
-- Windows events; none can raise.

-- The time of a syslog header: ISO 8601, or month and day with or without a year, taken for UTC.
CREATE OR REPLACE TEMP MACRO syslog_time(moment, envelope, key_time) AS coalesce(
    iso_time(replace(moment, ',', '.')),
    calendar_time(try_strptime(moment, '%b %d %Y %H:%M:%S')::TIMESTAMPTZ),
    yearless_time(moment, '%b %d %H:%M:%S', handed_over(envelope, key_time)),
    yearless_time(moment, '%b %d %H:%M:%S.%f', handed_over(envelope, key_time)));

-- OCSF's severity_id of a syslog priority; null where there is none.
CREATE OR REPLACE TEMP MACRO syslog_severity(pri) AS CASE
    WHEN TRY_CAST(pri AS INTEGER) IS NULL THEN NULL
    ELSE [6, 5, 5, 4, 3, 1, 1, 1][TRY_CAST(pri AS INTEGER) % 8 + 1]
END;

-- The first group of `pattern` in a text; null where it is not found or empty.
CREATE OR REPLACE TEMP MACRO part_of(line, pattern) AS nullif(regexp_extract(line, pattern, 1), '');

-- What of a syslog header has no place in OCSF, as `unmapped`.
CREATE OR REPLACE TEMP MACRO syslog_fields(pri, version, pid, procid, msgid, structured_data) AS unmapped_fields(json_object(
    'pri', pri, 'syslog_version', version, 'pid', coalesce(pid, procid), 'msgid', msgid, 'structured_data', structured_data));

-- The provider of the cloud whose account or region an envelope names, or null.
CREATE OR REPLACE TEMP MACRO envelope_cloud(envelope) AS CASE
    WHEN coalesce(json_extract_string(envelope, '$.account'), json_extract_string(envelope, '$.region')) IS NOT NULL THEN 'AWS'
END;

-- The OCSF profiles of an event of a host that may have come in an envelope, which says whose account it was.
CREATE OR REPLACE TEMP MACRO host_profiles(host, envelope) AS list_concat(
    CASE WHEN envelope_cloud(envelope) IS NULL THEN [] ELSE ['cloud'] END,
    CASE WHEN host IS NULL THEN [] ELSE ['host'] END,
    ['datetime']);

-- The time of a line of BIND's, `04-May-2026 09:41:02.250`, taken for UTC; or null.
CREATE OR REPLACE TEMP MACRO named_time(moment) AS
    calendar_time(try_strptime(moment, '%d-%b-%Y %H:%M:%S.%f')::TIMESTAMPTZ);

-- Keys and their values, lists of texts of one length, as a JSON object; a key that comes twice stands in it twice.
CREATE OR REPLACE TEMP MACRO json_pairs(keys, texts) AS CAST('{' || array_to_string(list_transform(list_zip(keys, texts),
    lambda pair: to_json(pair[1])::VARCHAR || ':' || to_json(pair[2])::VARCHAR), ',') || '}' AS JSON);

-- The fields of a line of the audit daemon, as a JSON object; texts in quotes keep them, so that others are known for hex.
CREATE OR REPLACE TEMP MACRO audit_plain(line) AS regexp_replace(regexp_replace(line, '\b(old|new) (auid|ses)=', '\1-\2=', 'g'),
    chr(29) || '|msg=''|''(?:\s|' || chr(29) || '|$)', ' ', 'g');
CREATE OR REPLACE TEMP MACRO audit_fields(line) AS json_pairs(
    regexp_extract_all(audit_plain(line), '([A-Za-z][\w-]*)=("[^"]*"|\S*)', 1),
    regexp_extract_all(audit_plain(line), '([A-Za-z][\w-]*)=("[^"]*"|\S*)', 2));

-- A value of the audit daemon: without its quotes; null for `?`, `(null)` and the like.
CREATE OR REPLACE TEMP MACRO audit_value(word) AS CASE
    WHEN starts_with(word, '"') THEN nullif(trim(word, '"'), '')
    WHEN word NOT IN ('', '?', '(null)', '(none)', 'unset', '4294967295', '-1') THEN word
END;

-- The same of a field that the daemon writes in hex where it holds more than plain words.
CREATE OR REPLACE TEMP MACRO audit_text(word) AS CASE
    WHEN regexp_full_match(word, '(?:[0-9A-F]{2})+') THEN coalesce(replace(try(decode(unhex(word))), chr(0), ' '), word)
    ELSE audit_value(word)
END;

-- `key=value key=value` as CEF has it -> a JSON object of texts: a value goes on to the next key, and a backslash stands
-- before what would end it.
CREATE OR REPLACE TEMP MACRO cef_pairs(extension) AS string_split(
    regexp_replace(trim(extension), '(?:^|\s+)([A-Za-z0-9_.\[\]-]+)=', chr(30) || '\1=', 'g'), chr(30))[2:];
CREATE OR REPLACE TEMP MACRO cef_plain(escaped) AS
    replace(replace(replace(replace(replace(replace(escaped, '\\', chr(31)), '\=', '='), '\|', '|'), '\n', chr(10)), '\r', chr(13)),
        chr(31), '\');
CREATE OR REPLACE TEMP MACRO split_pairs(pairs) AS json_pairs(
    list_transform(pairs, lambda pair: trim(split_part(pair, '=', 1))),
    list_transform(pairs, lambda pair: cef_plain(pair[instr(pair, '=') + 1:])));

-- The character that LEEF names as what stands between attributes: itself, or `x5E`, `0x5E`; else a tab.
CREATE OR REPLACE TEMP MACRO leef_delimiter(name) AS CASE
    WHEN regexp_full_match(name, '0?x[0-9A-Fa-f]{1,4}') THEN chr(('0x' || regexp_extract(name, 'x(.*)', 1))::INTEGER)
    ELSE coalesce(name, chr(9))
END;

-- Attributes of LEEF; where the delimiter is in none of them, they are taken for pairs as in CEF.
CREATE OR REPLACE TEMP MACRO leef_pairs(attributes, delimiter) AS CASE
    WHEN contains(attributes, delimiter) OR NOT regexp_matches(attributes, '\s[A-Za-z0-9_.-]+=')
        THEN list_filter(string_split(attributes, delimiter), lambda pair: contains(pair, '='))
    ELSE cef_pairs(attributes)
END;

-- The time that a device writes: milliseconds since 1970, ISO 8601 or `May 04 2026 10:00:00.123 UTC`; or null.
CREATE OR REPLACE TEMP MACRO device_time(moment) AS coalesce(
    epoch_ms_time(moment), iso_time(moment),
    calendar_time(try_strptime(regexp_extract(moment, '^[A-Z][a-z]{2} \d{1,2} \d{4} \d\d:\d\d:\d\d'), '%b %d %Y %H:%M:%S')::TIMESTAMPTZ));

-- OCSF's severity_id of ten levels, or of their names.
CREATE OR REPLACE TEMP MACRO severity_of_ten(level) AS CASE
    WHEN TRY_CAST(level AS INTEGER) IS NOT NULL
        THEN CASE WHEN TRY_CAST(level AS INTEGER) >= 9 THEN 5 WHEN TRY_CAST(level AS INTEGER) >= 7 THEN 4
            WHEN TRY_CAST(level AS INTEGER) >= 4 THEN 3 WHEN TRY_CAST(level AS INTEGER) >= 1 THEN 2 ELSE 1 END
    ELSE coalesce(MAP {'low': 2, 'medium': 3, 'high': 4, 'very-high': 5, 'critical': 5}[lower(level)], 0)
END;

-- The class of what a security device reports, told by its words: a finding, a sign-in, a connection, or none of these.
CREATE OR REPLACE TEMP MACRO device_class(kind, product, has_user, has_address) AS CASE
    WHEN regexp_matches(lower(kind), '\b(?:log[io]n|log-?o(?:n|ff|ut)|sign-?in|authentic|login_|_login)') AND has_user THEN 3002
    WHEN regexp_matches(lower(kind), 'malware|virus|trojan|intrusion|exploit|threat|attack|ransom|dlp|data loss|botnet|spyware')
        OR regexp_matches(lower(product), 'antivirus|anti-?malware|endpoint|intrusion|\b(?:ips|ids|dlp|edr)\b|data loss') THEN 2004
    WHEN has_address AND (regexp_matches(lower(product), 'firewall|\b(?:asa|fw)\b|pan-os|forti|vpn-1|srx|gateway')
        OR regexp_matches(lower(kind), 'firewall|traffic|connection|session|flow')) THEN 4001
    ELSE 0
END;

-- OCSF's action_id of a word for what a device did: 1 allowed, 2 denied; else null.
CREATE OR REPLACE TEMP MACRO device_action(word) AS CASE
    WHEN regexp_matches(lower(word), 'block|den(?:y|ied)|drop|reject|reset|prevent|quarantin|clean|delete|fail') THEN 2
    WHEN regexp_matches(lower(word), 'allow|permit|accept|pass|success|detect') THEN 1
END;

-- The text of XML, its entities read.
CREATE OR REPLACE TEMP MACRO xml_text(escaped) AS replace(replace(replace(replace(replace(
    escaped, '&lt;', '<'), '&gt;', '>'), '&quot;', '"'), '&apos;', ''''), '&amp;', '&');

-- A Windows event as a flat JSON object of its data and of EventID, Channel, Computer, Provider, At and Level. It may be
-- XML, JSON of Winlogbeat (`winlog`), of Get-WinEvent (`Id`, with unnamed Properties) or of others, which is flat.
CREATE OR REPLACE TEMP MACRO windows_xml(event) AS json_pairs(
    list_concat(['EventID', 'Channel', 'Computer', 'Provider', 'At', 'Level', 'RecordID'],
        regexp_extract_all(event, '<Data Name=[''"]([^''"]+)[''"]>([^<]*)<', 1)),
    list_transform(list_concat([
        part_of(event, '<EventID[^>]*>(\d+)<'), part_of(event, '<Channel>([^<]*)<'), part_of(event, '<Computer>([^<]*)<'),
        part_of(event, '<Provider[^>]* Name=[''"]([^''"]*)'), part_of(event, '<TimeCreated[^>]* SystemTime=[''"]([^''"]*)'),
        part_of(event, '<Level>(\d+)<'), part_of(event, '<EventRecordID>(\d+)<')
    ], regexp_extract_all(event, '<Data Name=[''"]([^''"]+)[''"]>([^<]*)<', 2)), lambda value: xml_text(value)));
CREATE OR REPLACE TEMP MACRO windows_property(event, number) AS
    json_extract_string(event, '$.Properties[' || number || '].Value');
CREATE OR REPLACE TEMP MACRO windows_json(event) AS CASE
    WHEN json_type(event, '$.winlog') = 'OBJECT' THEN json_merge_patch(
        coalesce(json_extract(event, '$.winlog.event_data'), json_extract(event, '$.winlog.user_data'), '{}'::JSON),
        json_object('EventID', json_extract_string(event, '$.winlog.event_id'),
            'Channel', json_extract_string(event, '$.winlog.channel'),
            'Computer', json_extract_string(event, '$.winlog.computer_name'),
            'Provider', json_extract_string(event, '$.winlog.provider_name'),
            'At', json_extract_string(event, '$."@timestamp"'), 'Level', json_extract_string(event, '$.log.level'),
            'Outcome', json_extract_string(event, '$.winlog.keywords'), 'Message', json_extract_string(event, '$.message')))
    WHEN json_extract_string(event, '$.Id') IS NOT NULL THEN json_merge_patch(
        CASE json_extract_string(event, '$.Id')
            WHEN '4624' THEN json_object('TargetUserName', windows_property(event, 5), 'LogonType', windows_property(event, 8),
                'IpAddress', windows_property(event, 18))
            WHEN '4625' THEN json_object('TargetUserName', windows_property(event, 5), 'LogonType', windows_property(event, 10),
                'IpAddress', windows_property(event, 19))
            ELSE '{}'::JSON
        END,
        json_object('EventID', json_extract_string(event, '$.Id'), 'Channel', json_extract_string(event, '$.LogName'),
            'Computer', json_extract_string(event, '$.MachineName'), 'Provider', json_extract_string(event, '$.ProviderName'),
            'At', coalesce(json_extract_string(event, '$.TimeCreated.value'), json_extract_string(event, '$.TimeCreated')),
            'Level', json_extract_string(event, '$.LevelDisplayName'), 'Message', json_extract_string(event, '$.Message')))
    ELSE json_merge_patch(event, json_object(
        'Computer', coalesce(json_extract_string(event, '$.Hostname'), json_extract_string(event, '$.Computer')),
        'Provider', coalesce(json_extract_string(event, '$.SourceName'), json_extract_string(event, '$.Provider')),
        'At', coalesce(json_extract_string(event, '$.EventTime'), json_extract_string(event, '$.TimeCreated'),
            json_extract_string(event, '$.TimeGenerated')),
        'Level', coalesce(json_extract_string(event, '$.Severity'), json_extract_string(event, '$.Level')),
        'Outcome', json_extract_string(event, '$.EventType')))
END;
CREATE OR REPLACE TEMP MACRO windows_event(event) AS
    CASE WHEN starts_with(event, '<') THEN windows_xml(event) ELSE windows_json(event) END;

-- The number that Windows writes, in hex or not; else null.
CREATE OR REPLACE TEMP MACRO windows_number(digits) AS TRY_CAST(digits AS INTEGER);

-- The value of a field of a Windows event; null where that is nothing, or `-`.
CREATE OR REPLACE TEMP MACRO windows_text(text) AS nullif(nullif(trim(text), ''), '-');
