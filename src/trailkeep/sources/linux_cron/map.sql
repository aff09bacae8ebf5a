-- cron -> OCSF 1.5.0: Process Activity of the commands that it runs, Base Event of the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN r.action = 'CMD' THEN 1007 ELSE 0 END                 AS class_uid,
    CASE WHEN r.action = 'CMD' THEN 1 WHEN r.action = '' THEN 0 ELSE 99 END AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    r.message                                                       AS message,
    r.time                                                          AS "metadata.original_time",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'cron'                                                          AS "metadata.product.name",
    r.program                                                       AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    r.action                                                        AS "metadata.event_code",
    nullif(r.user, 'CRON')                                          AS principal,
    nullif(r.user, 'CRON')                                          AS "actor.user.name",
    r.command                                                       AS "process.cmd_line",
    r.user                                                          AS "process.user.name",
    TRY_CAST(coalesce(r.pid, r.procid) AS INTEGER)                  AS "process.pid",
    CASE WHEN TRY_CAST(coalesce(r.pid, r.procid) AS INTEGER) IS NULL THEN 'unknown' END AS "process.uid?",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    unmapped_fields(json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'pid', coalesce(r.pid, r.procid), 'msgid', r.msgid,
        'structured_data', r.structured_data, 'command', r.command,
        'user', r.user
    ))                                                              AS unmapped
FROM (SELECT *, syslog_time(r.time, envelope, key_time) AS moment FROM records)
