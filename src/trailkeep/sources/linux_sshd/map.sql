-- OpenSSH server -> OCSF 1.5.0: Authentication where somebody tried to sign in or left, Network Activity of connections
-- that never came to that, Base Event of the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN user_name IS NOT NULL THEN 3002 WHEN address IS NOT NULL THEN 4001 ELSE 0 END AS class_uid,
    CASE
        WHEN user_name IS NOT NULL THEN CASE WHEN is_end AND NOT is_early THEN 2 ELSE 1 END
        WHEN address IS NULL THEN 0
        WHEN starts_with(r.message, 'Connection from') THEN 1
        WHEN is_end THEN 2
        ELSE 4
    END                                                             AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE
        WHEN starts_with(r.message, 'Accepted') THEN 1
        WHEN user_name IS NOT NULL AND NOT starts_with(r.message, 'Disconnected') AND NOT starts_with(r.message, 'Postponed')
            AND NOT starts_with(r.message, 'Starting') OR is_early THEN 2
        ELSE 0
    END                                                             AS status_id,
    part_of(r.message, '(invalid user|illegal user|Invalid user|maximum authentication attempts|not allowed because .*)')
                                                                    AS status_detail,
    part_of(r.message, '^((?:Accepted|Failed|Postponed|Partial) \S+|Invalid user|Disconnected|Received disconnect|Connection [a-z]+'
        || '|Disconnecting|User|Did not receive|error: maximum|fatal|error)') AS "metadata.event_code",
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'OpenBSD'                                                       AS "metadata.product.vendor_name",
    'OpenSSH'                                                       AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",

    user_name                                                       AS principal,
    user_name                                                       AS "user.name",
    r.program                                                       AS "service.name",
    CASE WHEN user_name IS NOT NULL THEN true END                   AS is_remote,
    part_of(r.message, '^(?:Accepted|Failed|Postponed|Partial) (\S+) for') AS auth_protocol,
    CASE WHEN regexp_matches(r.message, '^(?:Accepted|Failed|Postponed|Partial) \S+ for') THEN 99 END AS auth_protocol_id,
    CASE WHEN is_ip(address) THEN address END                       AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(address) THEN address END                   AS "src_endpoint.domain",
    port(coalesce(part_of(r.message, '^Connection from \S+ port (\d+)'), part_of(r.message, '^.* port (\d+)')))                AS "src_endpoint.port",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    syslog_fields(r.pri, r.syslog_version, r.pid, r.procid, r.msgid, r.structured_data) AS unmapped
FROM (
    SELECT
        *,
        syslog_time(r.time, envelope, key_time) AS moment,
        -- A name may hold anything, ` from ` too: the last address is the true one.
        coalesce(
            part_of(r.message, '^(?:Accepted|Failed|Postponed|Partial) \S+ for (?:(?:invalid|illegal) user )?(.*) from '),
            part_of(r.message, '(?:invalid|illegal|authenticating|Invalid|Illegal) user (.*?)(?: from)? \S+ port \d+'),
            part_of(r.message, '^(?:Invalid|Illegal) user (.*) from \S+'),
            part_of(r.message, '^(?:Disconnected from|Starting session: .* for) (?:user )?(.*?)(?: from)? \S+ port \d+'),
            part_of(r.message, '(?:exceeded|authentication failures) for (?:(?:invalid|illegal) user )?(.*?) (?:from |\[)'),
            part_of(r.message, '^User (\S+) ')
        ) AS user_name,
        CASE WHEN NOT starts_with(r.message, 'Server') THEN coalesce(
            part_of(r.message, '^Connection from (\S+) port \d+'),
            part_of(r.message, '^.* (\S+) port \d+'),
            part_of(r.message, '(?:from|by|with) (\S*[.:][^\s:]\S*?):?(?: |$)')
        ) END AS address,
        regexp_matches(r.message, '^(?:Disconnect|Received disconnect|Connection (?:closed|reset)|Close session)') AS is_end,
        ends_with(r.message, '[preauth]') AS is_early
    FROM records
)
