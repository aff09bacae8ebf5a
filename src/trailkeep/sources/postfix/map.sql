-- Postfix -> OCSF 1.5.0: Email Activity where sender or recipient is named, Authentication of SASL, Network Activity of
-- clients that come and go, Base Event of the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE
        WHEN is_auth THEN 3002
        WHEN sender IS NOT NULL OR recipient IS NOT NULL THEN 4009
        WHEN address IS NOT NULL THEN 4001
        ELSE 0
    END                                                             AS class_uid,
    CASE
        WHEN is_auth THEN 1
        WHEN sender IS NOT NULL OR recipient IS NOT NULL
            THEN CASE WHEN r.program LIKE '%/smtp' THEN 1 WHEN r.program LIKE '%/qmgr' THEN 4 ELSE 2 END
        WHEN address IS NULL THEN 0
        WHEN starts_with(r.message, 'connect from') THEN 1
        WHEN regexp_matches(r.message, '^(?:disconnect from|lost connection|timeout)') THEN 2
        ELSE 6
    END                                                             AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE
        WHEN regexp_matches(r.message, 'reject: |authentication failed|status=(?:bounced|deferred|expired|undeliverable)') THEN 2
        WHEN regexp_matches(r.message, 'status=(?:sent|deliverable)|sasl_username=|queue active') THEN 1
        ELSE 0
    END                                                             AS status_id,
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'Postfix'                                                       AS "metadata.product.vendor_name",
    'Postfix'                                                       AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    coalesce(part_of(r.message, 'status=(\w+)'), part_of(r.message, 'reject: [^:]* from \S+: (\d{3})')) AS status_code,
    coalesce(part_of(r.message, 'status=\w+ \((.*)\)'), part_of(r.message, 'reject: [^:]* from \S+ (.*?);')) AS status_detail,
    nullif(r.queue_id, 'NOQUEUE')                                   AS "message_trace_uid",
    nullif(r.queue_id, 'NOQUEUE')                                   AS "metadata.correlation_uid",
    CASE WHEN r.program LIKE '%/smtp' THEN 2 WHEN r.program LIKE '%/smtpd' THEN 1 ELSE 0 END AS "direction_id",
    sender                                                          AS "email.from",
    CASE WHEN recipient IS NOT NULL THEN [recipient] END            AS "email.to",
    TRY_CAST(part_of(r.message, ' size=(\d+)') AS INTEGER)          AS "email.size",
    part_of(r.message, ' proto=(\w+)')                              AS "protocol_name",
    login                                                           AS principal,
    login                                                           AS "user.name",
    CASE WHEN is_auth THEN 'unknown' END                            AS "user.name?",
    r.program                                                       AS "service.name",
    part_of(r.message, '(?:SASL |sasl_method=)([A-Z0-9-]+)')        AS "auth_protocol",
    CASE WHEN is_auth THEN 99 END                                   AS "auth_protocol_id",
    CASE WHEN is_ip(address) THEN address END                       AS "src_endpoint.ip",
    nullif(part_of(r.message, '(?:from |client=|warning: )([^\s\[]+)\['), 'unknown') AS "src_endpoint.domain",
    port(part_of(r.message, '(?:from |client=|warning: )\S+\]:(\d+)')) AS "src_endpoint.port",
    CASE WHEN is_ip(part_of(r.message, ' relay=[^\s\[]+\[([^\]]+)\]')) THEN part_of(r.message, ' relay=[^\s\[]+\[([^\]]+)\]') END AS "dst_endpoint.ip",
    part_of(r.message, ' relay=([^\s\[,]+)\[')                      AS "dst_endpoint.domain",
    port(part_of(r.message, ' relay=\S+\]:(\d+)'))                  AS "dst_endpoint.port",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    unmapped_fields(json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'pid', coalesce(r.pid, r.procid), 'msgid', r.msgid,
        'structured_data', r.structured_data, 'queue_id', CASE WHEN r.queue_id = 'NOQUEUE' THEN r.queue_id END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        syslog_time(r.time, envelope, key_time) AS moment,
        CASE WHEN regexp_full_match(part_of(r.message, '\bfrom=<([^>]*)>'), '[A-Za-z0-9!#$%&''*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+')
            THEN part_of(r.message, '\bfrom=<([^>]*)>') END AS sender,
        CASE WHEN regexp_full_match(part_of(r.message, '\bto=<([^>]*)>'), '[A-Za-z0-9!#$%&''*+/=?^_`{|}~.-]+@[A-Za-z0-9-]+\.[A-Za-z0-9.-]+')
            THEN part_of(r.message, '\bto=<([^>]*)>') END AS recipient,
        part_of(r.message, '(?:from |client=|warning: )[^\s\[]+\[([^\]]+)\]') AS address,
        part_of(r.message, 'sasl_username=([^\s,]+)') AS login,
        regexp_matches(r.message, 'SASL \S+ authentication (?:failed|aborted)|sasl_username=') AS is_auth
    FROM records
)
