-- Syslog messages of any program -> OCSF 1.5.0 Base Event: what they mean, only a person knows.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    0                                                               AS class_uid,
    0                                                               AS activity_id,
    coalesce(syslog_severity(r.pri), 0)                             AS severity_id,
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'Syslog'                                                        AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    [' ' || r.host, ' ' || r.message]                               AS entity_texts,
    syslog_fields(r.pri, r.syslog_version, r.pid, r.procid, r.msgid, r.structured_data) AS unmapped
FROM (SELECT *, syslog_time(r.time, envelope, key_time) AS moment FROM records)
