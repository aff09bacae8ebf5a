-- What map.sql files and queries share: tests and readings of text, none of which can raise.

-- True for an IPv4 or IPv6 address as OCSF's ip_t has it (no leading zeros, no mask); false, never null, otherwise.
CREATE OR REPLACE TEMP MACRO is_ip(address) AS CASE
    WHEN address IS NULL THEN false
    WHEN regexp_full_match(address, '(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)') THEN true
    -- Without `::` there are eight groups; most of what is no address ends here.
    WHEN NOT contains(address, '::') THEN regexp_full_match(address, '(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}')
    ELSE regexp_full_match(address,
        '(?:[0-9A-Fa-f]{1,4}:){7}:'
        || '|(?:[0-9A-Fa-f]{1,4}:){6}:[0-9A-Fa-f]{1,4}'
        || '|(?:[0-9A-Fa-f]{1,4}:){5}(?::[0-9A-Fa-f]{1,4}){1,2}'
        || '|(?:[0-9A-Fa-f]{1,4}:){4}(?::[0-9A-Fa-f]{1,4}){1,3}'
        || '|(?:[0-9A-Fa-f]{1,4}:){3}(?::[0-9A-Fa-f]{1,4}){1,4}'
        || '|(?:[0-9A-Fa-f]{1,4}:){2}(?::[0-9A-Fa-f]{1,4}){1,5}'
        || '|(?:[0-9A-Fa-f]{1,4}:)(?::[0-9A-Fa-f]{1,4}){1,6}'
        || '|:(?::[0-9A-Fa-f]{1,4}){1,7}'
        || '|(?:[0-9A-Fa-f]{1,4}:){1,7}:'
        || '|::'
        || '|::(?:[Ff]{4}:)?(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)\.){3}(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)')
END;

-- Why a time cannot be an event's, or null. AWS has no logs from before 2006; two days allow for clocks that run ahead.
CREATE OR REPLACE TEMP MACRO time_fault(moment, field) AS CASE
    WHEN moment IS NULL THEN 'no ' || field || ' that can be read as a time'
    WHEN moment < TIMESTAMPTZ '2006-01-01 00:00:00+00' THEN field || ' is before 2006'
    WHEN epoch_us(moment) > epoch_us(current_timestamp) + 172_800_000_000 THEN field || ' is in the future'
END;

-- A time that any calendar can hold, or null ('infinity' and the year 294247 are times to DuckDB).
CREATE OR REPLACE TEMP MACRO calendar_time(moment) AS
    CASE WHEN moment BETWEEN TIMESTAMPTZ '0001-01-02 00:00:00+00' AND TIMESTAMPTZ '9999-12-30 00:00:00+00' THEN moment END;

-- ISO 8601 text, UTC where it names no offset -> time, or null.
CREATE OR REPLACE TEMP MACRO iso_time(iso) AS calendar_time(TRY_CAST(iso AS TIMESTAMPTZ));

-- Time as the Common Log Format has it, `10/Oct/2000:13:55:36 -0700` -> time, or null.
CREATE OR REPLACE TEMP MACRO clf_time(clf) AS calendar_time(try_strptime(clf, '%d/%b/%Y:%H:%M:%S %z'));

-- Time as HTTP headers have it, `Sun, 06 Nov 1994 08:49:37 GMT` -> time, or null.
CREATE OR REPLACE TEMP MACRO http_time(words) AS
    calendar_time(try_strptime(replace(words, 'GMT', '+0000'), '%a, %d %b %Y %H:%M:%S %z'));

-- Time as Java writes it for people in the USA, `Nov 6, 1994, 8:49:37 AM`, in UTC -> time, or null.
CREATE OR REPLACE TEMP MACRO us_time(words) AS
    calendar_time(try_strptime(replace(words, chr(8239), ' ') || ' +0000', '%b %d, %Y, %I:%M:%S %p %z'));

-- Epoch seconds in text -> time; null where it is no number or out of range.
CREATE OR REPLACE TEMP MACRO epoch_time(seconds) AS calendar_time(try(to_timestamp(TRY_CAST(seconds AS DOUBLE))));

-- Epoch milliseconds in text -> time; null where it is no number or out of range.
CREATE OR REPLACE TEMP MACRO epoch_ms_time(milliseconds) AS
    calendar_time(try(make_timestamptz(TRY_CAST(milliseconds AS BIGINT) * 1000)));

-- ISO 8601 text (a comma before the fraction, as Python writes it, will do), or an epoch in seconds, milliseconds,
-- microseconds or nanoseconds, told by its size -> time, or null.
CREATE OR REPLACE TEMP MACRO any_time(text) AS CASE
    WHEN TRY_CAST(text AS DOUBLE) IS NULL THEN iso_time(replace(text, ',', '.'))
    WHEN TRY_CAST(text AS DOUBLE) < 1e11 THEN epoch_time(text)
    WHEN TRY_CAST(text AS DOUBLE) < 1e14
        THEN calendar_time(try(make_timestamptz(TRY_CAST(TRY_CAST(text AS DOUBLE) * 1000 AS BIGINT))))
    WHEN TRY_CAST(text AS DOUBLE) < 1e17 THEN calendar_time(try(make_timestamptz(TRY_CAST(text AS BIGINT))))
    ELSE calendar_time(try(make_timestamptz(TRY_CAST(text AS BIGINT) // 1000)))
END;
-- A time of an OCSF event: its number, milliseconds or (as some write it) seconds since 1970, else one of its texts.
CREATE OR REPLACE TEMP MACRO ocsf_time(number, words) AS coalesce(
    CASE WHEN abs(TRY_CAST(number AS DOUBLE)) < 1e11 THEN epoch_time(number) ELSE epoch_ms_time(number) END,
    iso_time(number), iso_time(words));

-- Epoch nanoseconds in text -> time; null where it is no number or out of range.
CREATE OR REPLACE TEMP MACRO epoch_ns_time(nanoseconds) AS
    calendar_time(try(make_timestamptz(TRY_CAST(nanoseconds AS BIGINT) // 1000)));

-- When a record was handed over, as far as anybody says so: its wrap, the key of its object; else now.
CREATE OR REPLACE TEMP MACRO handed_over(envelope, key_time) AS coalesce(
    epoch_ms_time(json_extract_string(envelope, '$.time')), iso_time(json_extract_string(envelope, '$.time')), key_time,
    current_timestamp);

-- Such a time so many years after that of `reference`, microseconds; null where that is more than two days after it.
CREATE OR REPLACE TEMP MACRO time_in_year(years, text, format, reference) AS make_timestamptz(nullif(least(epoch_us(
    try_strptime((year(make_timestamp(reference)) + years) || ' ' || text, '%Y ' || format)), reference + 172_800_000_001),
    reference + 172_800_000_001));

-- A time whose text has no year -> time in UTC, or null: in the latest year that puts it no more than two days after
-- `reference`. `format` is the rest of the text's, as strptime has it.
CREATE OR REPLACE TEMP MACRO yearless_time(text, format, reference) AS coalesce(
    time_in_year(1, text, format, epoch_us(reference)), time_in_year(0, text, format, epoch_us(reference)),
    time_in_year(-1, text, format, epoch_us(reference)), time_in_year(-2, text, format, epoch_us(reference)),
    time_in_year(-3, text, format, epoch_us(reference)), time_in_year(-4, text, format, epoch_us(reference)));

-- `key=value key="quoted \"value\""` -> a JSON object of texts; text that is no pair is left out.
CREATE OR REPLACE TEMP MACRO logfmt(text) AS coalesce(try(to_json(map(
    regexp_extract_all(text, '([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)', 1),
    list_transform(regexp_extract_all(text, '([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|\S*)', 2), lambda value:
        CASE WHEN starts_with(value, '"') THEN replace(replace(value[2:-2], '\"', '"'), '\\', '\') ELSE value END)
))), '{}'::JSON);

-- A request's method as OCSF 1.5.0 knows them, or null.
CREATE OR REPLACE TEMP MACRO http_method(method) AS
    CASE WHEN method IN ('CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST', 'PUT', 'TRACE') THEN method END;

-- A port number, or null.
CREATE OR REPLACE TEMP MACRO port(digits) AS
    CASE WHEN TRY_CAST(digits AS INTEGER) BETWEEN 0 AND 65535 THEN TRY_CAST(digits AS INTEGER) END;

-- A number of bytes, or null (load balancers write -1 where they did not count).
CREATE OR REPLACE TEMP MACRO byte_count(digits) AS
    CASE WHEN TRY_CAST(digits AS BIGINT) >= 0 THEN TRY_CAST(digits AS BIGINT) END;

-- An ARN without the object key that an S3 ARN may carry, and without punctuation of the sentence around it.
CREATE OR REPLACE TEMP MACRO arn_entity(arn) AS CASE
    WHEN contains(arn, ':s3:::') THEN split_part(split_part(arn, '/', 1), ' ', 1)
    ELSE rtrim(arn, '.,;:)''')
END;

-- The region an ARN names, or null.
CREATE OR REPLACE TEMP MACRO arn_region(arn) AS
    CASE WHEN starts_with(arn, 'arn:') THEN nullif(split_part(arn, ':', 4), '') END;

-- The account an ARN names, or null.
CREATE OR REPLACE TEMP MACRO arn_account(arn) AS
    CASE WHEN starts_with(arn, 'arn:') AND length(split_part(arn, ':', 5)) = 12 THEN split_part(arn, ':', 5) END;

-- The user, role, bucket or instance an ARN names, or null.
CREATE OR REPLACE TEMP MACRO arn_name(arn) AS CASE
    WHEN NOT starts_with(arn, 'arn:') THEN NULL
    WHEN contains(arn, ':s3:::') THEN nullif(split_part(arn, ':', 6), '')
    WHEN contains(arn, ':assumed-role/') OR contains(arn, ':federated-user/') THEN nullif(split_part(arn, '/', 2), '')
    WHEN contains(arn, ':role/') OR contains(arn, ':user/') OR contains(arn, ':instance/')
        THEN nullif(nullif(split_part(arn, '/', -1), '*'), '')
END;

-- Tokens of JSON text that may be entities: ARNs, access keys, instances, accounts, names under keys that hold such
-- names, addresses. An object key with its value is one token, and so is an S3 ARN with its key, so that nothing inside
-- them is taken for an entity. Backslashes allow for JSON inside JSON strings (policy documents).
CREATE OR REPLACE TEMP MACRO entity_tokens(json_text) AS regexp_extract_all(json_text,
    '"(?:[kK]ey|objectKey|[pP]refix|[mM]arker|key-marker|start-after)":"(?:[^"\\]|\\.)*"'
    || '|arn:aws[a-z-]*:s3:::[^"\\]*'
    || '|arn:aws[^"\\\s]*'
    || '|(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}'
    || '|\bm?i-[0-9a-f]{8}(?:[0-9a-f]{9})?\b'
    || '|"\d{12}\\*"'
    || '|"(?:userName|UserName|username|newUserName|roleName|RoleName|bucketName|BucketName|bucket|Bucket|s3BucketName'
    || '|S3BucketName|s3Bucket)\\*": ?\\*"[^"\\]+'
    || '|\b\d{1,3}(?:\.\d{1,3}){3}\b'
    || '|["\s,][0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*');

-- A token of no ARN as an entity; null for what is none. Only object keys and accounts end in a quote; only names have
-- a `":`; only addresses have a colon or a dot.
CREATE OR REPLACE TEMP MACRO token_entity(token) AS CASE
    WHEN ends_with(token, '"') THEN CASE WHEN regexp_full_match(token, '"\d{12}\\*"') THEN token[2:13] END
    WHEN contains(token, '":') THEN split_part(token, '"', -1)
    WHEN NOT contains(token, ':') AND NOT contains(token, '.') THEN token
    WHEN is_ip(ltrim(token, '", ')) THEN ltrim(token, '", ')
END;

-- The entity that a token of entity_tokens is; null or empty where it is none.
CREATE OR REPLACE TEMP MACRO entity_in(token) AS
    CASE WHEN starts_with(token, 'arn:') THEN arn_entity(token) ELSE token_entity(token) END;

-- A time as RFC 3339 text in UTC, with a fraction of a second only where it has one.
CREATE OR REPLACE TEMP MACRO rfc3339(moment) AS
    regexp_replace(strftime(moment AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f'), '\.?0+$', '') || 'Z';

-- A field of a line: what the group of this number matched; null where that is nothing, or `-`.
CREATE OR REPLACE TEMP MACRO line_text(line, pattern, number) AS
    nullif(nullif(regexp_extract(line, pattern, number), ''), '-');

-- The text at a path of plain keys, or, as some APIs answer, at the same with a capital first letter in each.
CREATE OR REPLACE TEMP MACRO json_cased(doc, path) AS coalesce(json_extract_string(doc, path), json_extract_string(doc,
    array_to_string(list_transform(string_split(path, '.'), lambda key: upper(key[1]) || key[2:]), '.')));

-- What of JSON records has no place in OCSF: a record is merged (RFC 7396) with patches that take its mapped fields out.
-- The patch that takes these fields out; null among the names is none.
CREATE OR REPLACE TEMP MACRO without_fields(names) AS
    '{' || array_to_string(list_transform(list_filter(names, lambda n: n IS NOT NULL),
        lambda n: to_json(n)::VARCHAR || ':null'), ',') || '}';

-- The patch that takes fields out of the object under `field`, and that object itself where nothing else is in it. A
-- value that is no object stays.
CREATE OR REPLACE TEMP MACRO without_inner(doc, field, names) AS CASE
    WHEN coalesce(try(json_type(doc, '$.' || field)), '') <> 'OBJECT' THEN '{}'
    WHEN list_has_all(names, try(json_keys(doc, '$.' || field))) THEN without_fields([field])
    ELSE '{' || to_json(field)::VARCHAR || ':' || without_fields(names) || '}'
END;

-- What patches have left of a record as `unmapped`; null where that is nothing.
CREATE OR REPLACE TEMP MACRO leftover(patched) AS nullif(patched::VARCHAR, '{}')::JSON;

-- Text that says something; null where it is empty or `-`.
CREATE OR REPLACE TEMP MACRO said(text) AS nullif(nullif(text, ''), '-');

-- The top-level fields of a JSON record that say nothing: empty text or `-`.
CREATE OR REPLACE TEMP MACRO blank_fields(doc) AS list_filter(json_keys(doc), lambda name:
    json_extract_string(doc, '/' || replace(replace(name, '~', '~0'), '/', '~1')) IN ('', '-'));

-- The name of a field that counts where `first` says nothing.
CREATE OR REPLACE TEMP MACRO unless(first, name) AS CASE WHEN said(first) IS NULL THEN name END;

-- URL-encoded text decoded once, or as it is where it cannot be.
CREATE OR REPLACE TEMP MACRO url_decoded(encoded) AS coalesce(try(url_decode(encoded)), encoded);

-- The URL that a viewer asked CloudFront for, put together of its parts; null where there are none.
CREATE OR REPLACE TEMP MACRO viewer_url(scheme, host, path, query) AS
    nullif(coalesce(scheme || '://' || host, '') || coalesce(path, '') || coalesce('?' || query, ''), '');

-- The addresses in an X-Forwarded-For header. Between them stand a comma and a space, which CloudFront writes as \x20 or
-- %20.
CREATE OR REPLACE TEMP MACRO forwarded_ips(header) AS
    list_filter(regexp_split_to_array(header, ',|\\x20|%20| '), lambda address: is_ip(address));

-- The activity of OCSF's HTTP Activity that a method is.
CREATE OR REPLACE TEMP MACRO http_activity(method) AS CASE method
    WHEN 'CONNECT' THEN 1 WHEN 'DELETE' THEN 2 WHEN 'GET' THEN 3 WHEN 'HEAD' THEN 4 WHEN 'OPTIONS' THEN 5
    WHEN 'POST' THEN 6 WHEN 'PUT' THEN 7 WHEN 'TRACE' THEN 8 ELSE CASE WHEN method IS NULL THEN 0 ELSE 99 END
END;

-- OCSF's status_id of an HTTP status code, which is text; 000 stands for a connection that the client gave up.
CREATE OR REPLACE TEMP MACRO http_outcome(code) AS
    CASE WHEN code >= '400' THEN 2 WHEN code >= '100' THEN 1 ELSE 0 END;

-- The parts of a request line, `GET /path HTTP/1.1`; each null where it is `-`, and all where the line is none.
CREATE OR REPLACE TEMP MACRO request_part(line, number) AS
    nullif(nullif(regexp_extract(line, '^([A-Z_a-z-]+) (.*?)(?: (HTTP/[0-9.]+|-) ?)?$', number), ''), '-');
CREATE OR REPLACE TEMP MACRO request_method(line) AS request_part(line, 1);
CREATE OR REPLACE TEMP MACRO request_url(line) AS request_part(line, 2);
CREATE OR REPLACE TEMP MACRO request_version(line) AS request_part(line, 3);

-- A request line that OCSF cannot hold in its parts: of a method that it does not list, or no such line. Else null.
CREATE OR REPLACE TEMP MACRO odd_request(line) AS
    CASE WHEN request_url(line) IS NULL OR http_activity(request_method(line)) IN (0, 99) THEN trim(line) END;

-- What of a text line has no place in OCSF, as `unmapped`; `object` is a JSON object whose nulls are left out.
CREATE OR REPLACE TEMP MACRO unmapped_fields(object) AS
    nullif(CAST(json_object('fields', json_merge_patch('{}', object)) AS VARCHAR), '{"fields":{}}');

-- The level of a log line, where it plainly names one: in JSON, as in `level=error`, or in capitals among its first five
-- words. Else null.
CREATE OR REPLACE TEMP MACRO log_level(line) AS lower(coalesce(
    nullif(regexp_extract(line, '"(?i:level|severity|levelname|log_level|log\.level)"\s*:\s*"([A-Za-z]+)"', 1), ''),
    nullif(regexp_extract(line, '(?:^|\s)(?:level|severity|lvl)="?([A-Za-z]+)', 1), ''),
    nullif(regexp_extract(line, '^(?:\S+\s+){0,4}?[\[(<]?(TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|ALERT|FATAL'
        || '|EMERGENCY|SEVERE)(?:[\s:|,)>\]]|$)', 1), '')
));

-- OCSF's severity_id of a level; 0 where it is none.
CREATE OR REPLACE TEMP MACRO level_severity(level) AS CASE
    WHEN lower(level) IN ('trace', 'debug', 'info', 'information', 'informational', 'notice') THEN 1
    WHEN lower(level) IN ('warn', 'warning') THEN 3
    WHEN lower(level) IN ('error', 'err', 'severe') THEN 4
    WHEN lower(level) IN ('critical', 'crit', 'alert') THEN 5
    WHEN lower(level) IN ('fatal', 'emergency', 'emerg', 'panic') THEN 6
    ELSE 0
END;

-- The activity of OCSF's Datastore Activity that an SQL statement or command is; 4 (Query) where its verb is none of these.
CREATE OR REPLACE TEMP MACRO sql_activity(statement) AS coalesce(MAP {
    'SELECT': 1, 'READ': 1, 'UPDATE': 2, 'ALTER': 2, 'GRANT': 2, 'REVOKE': 2, 'RENAME': 2, 'INSERT': 5, 'REPLACE': 5, 'LOAD': 5,
    'COPY': 5, 'MERGE': 5, 'WRITE': 5, 'CREATE': 6, 'DELETE': 7, 'DROP': 7, 'TRUNCATE': 7, 'SHOW': 8, 'DESCRIBE': 8, 'DESC': 8
}[upper(regexp_extract(statement, '^[\s(''"]*(?:/\*(?s:.*?)\*/\s*)*([A-Za-z]+)', 1))], 4);

-- OCSF's severity_id of a severityNumber of OpenTelemetry (or its name in protobuf); null where none is given.
CREATE OR REPLACE TEMP MACRO otel_severity(number) AS CASE
    WHEN TRY_CAST(number AS INTEGER) BETWEEN 1 AND 12 THEN 1
    WHEN TRY_CAST(number AS INTEGER) BETWEEN 13 AND 16 THEN 3
    WHEN TRY_CAST(number AS INTEGER) BETWEEN 17 AND 20 THEN 4
    WHEN TRY_CAST(number AS INTEGER) BETWEEN 21 AND 24 THEN 6
    WHEN starts_with(number, 'SEVERITY_NUMBER_')
        THEN nullif(level_severity(regexp_replace(number, '^SEVERITY_NUMBER_|\d$', '', 'g')), 0)
END;

-- Rules read JSON through these; `doc` is JSON as DuckDB writes it, so a key stands in it as it is.
-- The text of a JSON value: of a string its content; null for null and for arrays.
CREATE OR REPLACE TEMP MACRO json_text(doc) AS CASE
    WHEN starts_with(doc, '"') THEN json_extract_string(doc, '$')
    WHEN NOT starts_with(doc, '[') AND doc <> 'null' THEN doc
END;

-- The texts of an array's members, and of their members where they are arrays; null for anything else.
CREATE OR REPLACE TEMP MACRO json_members(doc) AS CASE WHEN starts_with(doc, '[') THEN list_filter(
    list_concat(json_extract_string(doc, '$[*]'), json_extract_string(doc, '$[*][*]')), lambda v: v IS NOT NULL)
END;

-- All texts of a JSON value, as a list.
CREATE OR REPLACE TEMP MACRO json_texts(doc) AS
    coalesce(json_members(doc), list_filter([json_text(doc)], lambda v: v IS NOT NULL));

-- What each of `docs`, or each member of those that are arrays, has under `key`.
CREATE OR REPLACE TEMP MACRO json_step(docs, key) AS flatten(list_transform(docs, lambda x:
    CASE WHEN json_type(x) = 'ARRAY'
        THEN list_concat(json_extract(x, '$[*]."' || key || '"'), json_extract(x, '$[*][*]."' || key || '"'))
        ELSE [json_extract(x, '$."' || key || '"')] END));

-- The members of those of `docs` that are arrays, the others as they are.
CREATE OR REPLACE TEMP MACRO json_opened(docs) AS flatten(list_transform(docs, lambda x:
    CASE WHEN json_type(x) = 'ARRAY' THEN json_extract(x, '$[*]') ELSE [x] END));

-- `direct` if there is such a value; else, where `doc` has arrays that may lead to its last key, `found` as one array.
CREATE OR REPLACE TEMP MACRO json_below(direct, doc, last_key, found) AS CAST(coalesce(direct,
    CASE WHEN contains(doc, '"' || last_key || '":') AND contains(doc, '[') THEN to_json(json_opened(found)) END
) AS VARCHAR);
