-- Unbound's queries and replies -> OCSF 1.5.0 DNS Activity. A log file of Unbound's own has seconds in place of a header.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    4003                                                            AS class_uid,
    CASE WHEN r.rcode IS NULL THEN 1 ELSE 2 END                     AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE WHEN r.rcode IS NULL THEN 0 WHEN r.rcode IN ('NOERROR', 'NXDOMAIN') THEN 1 ELSE 2 END AS status_id,
    r.message                                                       AS message,
    coalesce(r.epoch, r.time)                                       AS "metadata.original_time",
    'NLnet Labs'                                                    AS "metadata.product.vendor_name",
    'Unbound'                                                       AS "metadata.product.name",
    r.kind                                                          AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    coalesce(nullif(rtrim(r.name, '.'), ''), '.')                   AS "query.hostname",
    r.class                                                         AS "query.class",
    r.type                                                          AS "query.type",
    r.rcode                                                         AS "rcode",
    list_position(['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'], r.rcode) - 1 AS "rcode_id",
    CASE WHEN is_ip(r.client) THEN r.client END                     AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.client) THEN r.client END                 AS "src_endpoint.svc_name?",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    unmapped_fields(json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'program', r.program, 'pid', coalesce(r.pid, r.procid),
        'msgid', r.msgid, 'structured_data', r.structured_data, 'thread', r.thread, 'name', r.name, 'duration', r.duration, 'cached', r.cached, 'size', r.size,
        'client', CASE WHEN NOT is_ip(r.client) THEN r.client END, 'time', CASE WHEN r.epoch IS NOT NULL THEN r.time END
    ))                                                              AS unmapped
FROM (SELECT *, coalesce(epoch_time(r.epoch), syslog_time(r.time, envelope, key_time)) AS moment FROM records)
