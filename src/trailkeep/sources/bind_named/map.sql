-- BIND's lines of clients -> OCSF 1.5.0 DNS Activity. A log file of BIND's own has its own time in place of a header.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    4003                                                            AS class_uid,
    CASE WHEN starts_with(r.what, 'query: ') THEN 1 WHEN starts_with(r.what, 'query') THEN 2 ELSE 99 END AS activity_id,
    coalesce(syslog_severity(r.pri), 1)                             AS severity_id,
    CASE WHEN refused OR rcode IS NOT NULL THEN 2 ELSE 0 END        AS status_id,
    r.message                                                       AS message,
    coalesce(r.named_time, r.time)                                  AS "metadata.original_time",
    'ISC'                                                           AS "metadata.product.vendor_name",
    'BIND'                                                          AS "metadata.product.name",
    r.category                                                      AS "metadata.product.feature.name",
    host_profiles(r.host, envelope)                                 AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    CASE WHEN refused OR rcode IS NOT NULL THEN r.what END          AS status_detail,
    coalesce(nullif(rtrim(coalesce(query_name, r.name), '.'), ''), '.') AS "query.hostname",
    coalesce(part_of(r.what, '^query: \S+ (\S+)'), part_of(r.what, '''[^''/]+/[^''/]+/([^''/]+)'''), part_of(r.what, ' for [^\s/]+/([^\s/]+)/')) AS "query.class",
    coalesce(part_of(r.what, '^query: \S+ \S+ (\S+)'), part_of(r.what, '''[^''/]+/([^''/]+)/[^''/]+'''), part_of(r.what, ' for [^\s/]+/[^\s/]+/([^\s/]+)')) AS "query.type",
    CASE WHEN refused THEN 5 ELSE list_position(['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'], rcode) - 1 END AS "rcode_id",
    rcode                                                           AS "rcode",
    CASE WHEN is_ip(r.client) THEN r.client END                     AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.client) THEN r.client END                 AS "src_endpoint.svc_name?",
    port(r.port)                                                    AS "src_endpoint.port",
    CASE WHEN is_ip(part_of(r.what, ' \(([0-9A-Fa-f.:]+)\)$')) THEN part_of(r.what, ' \(([0-9A-Fa-f.:]+)\)$') END AS "dst_endpoint.ip",
    r.host                                                          AS "device.hostname",
    CASE WHEN r.host IS NOT NULL THEN 0 END                         AS "device.type_id",
    [r.host]                                                        AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,
    unmapped_fields(json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'program', r.program, 'pid', coalesce(r.pid, r.procid),
        'msgid', r.msgid, 'structured_data', r.structured_data, 'level', r.level, 'object', r.object,
        'client', CASE WHEN NOT is_ip(r.client) THEN r.client END, 'name', r.name, 'view', r.view, 'what', r.what,
        'time', CASE WHEN r.named_time IS NOT NULL THEN r.time END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        coalesce(named_time(r.named_time), syslog_time(r.time, envelope, key_time)) AS moment,
        coalesce(part_of(r.what, '^query: (\S+)'), part_of(r.what, '''([^''/]+)/'), part_of(r.what, ' for ([^\s/]+)/')) AS query_name,
        part_of(r.what, '^query failed \(([A-Z]+)\)') AS rcode,
        ends_with(r.what, ' denied') AS refused
    FROM records
)
