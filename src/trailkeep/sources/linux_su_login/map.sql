-- su, login, logind and PAM of any program -> OCSF 1.5.0: Authentication, Account Change of new passwords, Base Event of the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE
        WHEN is_password THEN 3001
        WHEN is_failure OR is_end OR user_name IS NOT NULL THEN 3002
        ELSE 0
    END                                                             AS class_uid,
    CASE WHEN is_password THEN 3 WHEN is_failure THEN 1 WHEN is_end THEN 2 WHEN user_name IS NOT NULL THEN 1 ELSE 0 END AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE WHEN is_failure THEN 2 WHEN is_end OR is_password OR user_name IS NOT NULL THEN 1 ELSE 0 END AS status_id,
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'Linux'                                                         AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    part_of(r.message, '^(pam_\w+\([^)]*\))')                       AS "metadata.event_code",
    coalesce(actor_name, user_name)                                 AS principal,
    actor_name                                                      AS "actor.user.name",
    part_of(r.message, ' (?:on|ON|tty=)[ '']*((?:/dev/)?(?:pts|tty)[^\s'']*)') AS "actor.session.terminal",
    user_name                                                       AS "user.name",
    CASE WHEN is_failure OR is_end THEN 'unknown' END               AS "user.name?",
    part_of(r.message, ' for user [^\s(]+\(uid=(\d+)\)')            AS "user.uid?",
    coalesce(part_of(r.message, '^pam_\w+\(([^:)]+)'), r.program)   AS "service.name",
    'unknown'                                                       AS "service.name?",
    part_of(r.message, '[Ss]ession (\S+) (?:of|logged)|^Removed session (\d+)') AS "session.uid",
    CASE WHEN is_ip(address) THEN address END                       AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(address) THEN address END                   AS "src_endpoint.domain",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    syslog_fields(r.pri, r.syslog_version, r.pid, r.procid, r.msgid, r.structured_data) AS unmapped
FROM (
    SELECT
        *,
        syslog_time(r.time, envelope, key_time) AS moment,
        coalesce(
            part_of(r.message, '(?: for user | su for |\(to )([^\s()]+)'),
            part_of(r.message, ' FOR ''?([^'',]+)'),
            part_of(r.message, ' BY (\S+)'),
            part_of(r.message, ' of user (\S+?)\.?$'),
            part_of(r.message, '[ ;]user=(\S+)'),
            part_of(r.message, '^[+-] \S+ [^\s:]+:(\S+)$'),
            part_of(r.message, ' password changed for (\S+)'),
            CASE WHEN starts_with(r.message, 'ROOT LOGIN') THEN 'root' END
        ) AS user_name,
        coalesce(
            part_of(r.message, ' by ([^\s(]+)'),
            part_of(r.message, '\(to \S+\) (\S+)'),
            part_of(r.message, '^[+-] \S+ ([^\s:]+):\S+$'),
            part_of(r.message, '[ ;]ruser=(\S+)'),
            part_of(r.message, '[ ;]logname=(\S+)')
        ) AS actor_name,
        coalesce(part_of(r.message, '[ ;]rhost=(\S+)'), part_of(r.message, ' FROM ''?([^\s'',]+)')) AS address,
        regexp_matches(r.message, '(?i)\bfail|^- |user unknown|denied|locked|not allowed|expired') AS is_failure,
        regexp_matches(r.message, 'session closed|^Removed session|logged out') AS is_end,
        contains(r.message, 'password changed for') AS is_password
    FROM records
)
