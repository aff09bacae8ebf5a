-- Wazuh alerts -> OCSF 1.5.0: those of file integrity (syscheck) are File Activity, the others Detection Finding.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timestamp')                                 AS reject,
    CASE WHEN is_file THEN 1001 ELSE 2004 END                       AS class_uid,
    CASE WHEN is_file THEN coalesce(MAP {'added': 1, 'modified': 3, 'deleted': 4}[r.syscheck.event], 99) ELSE 1 END AS activity_id,
    CASE WHEN level >= 15 THEN 5 WHEN level >= 12 THEN 4 WHEN level >= 7 THEN 3 WHEN level >= 4 THEN 2 WHEN level >= 0 THEN 1 ELSE 0 END
                                                                    AS severity_id,
    r.rule.id                                                       AS "metadata.event_code",
    r.rule.description                                              AS message,
    'Wazuh'                                                         AS "metadata.product.vendor_name",
    'Wazuh'                                                         AS "metadata.product.name",
    r.location                                                      AS "metadata.log_name",
    host_profiles('', envelope)                                     AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",

    CASE WHEN NOT is_file THEN coalesce(r.id, 'unknown') END        AS "finding_info.uid",
    CASE WHEN NOT is_file THEN r.rule.description END               AS "finding_info.title",
    CASE WHEN NOT is_file THEN r.rule.groups END                    AS "finding_info.types",
    CASE WHEN NOT is_file THEN r.rule.id END                        AS "finding_info.analytic.uid",
    CASE WHEN NOT is_file THEN 1 END                                AS "finding_info.analytic.type_id",
    CASE WHEN NOT is_file AND (is_ip(r.data.srcip) OR is_ip(r.data.dstip) OR login IS NOT NULL) THEN [{
        'src_endpoint': CASE WHEN is_ip(r.data.srcip) THEN {'ip': r.data.srcip, 'port': port(r.data.srcport)} END,
        'dst_endpoint': CASE WHEN is_ip(r.data.dstip) THEN {'ip': r.data.dstip, 'port': port(r.data.dstport)} END,
        'user': CASE WHEN login IS NOT NULL THEN {'name': login} END
    }] END                                                          AS "evidences",

    r.syscheck.audit.user.name                                      AS principal,
    r.syscheck.audit.user.name                                      AS "actor.user.name",
    r.syscheck.audit.process.name                                   AS "actor.process.path",
    TRY_CAST(r.syscheck.audit.process.id AS INTEGER)                AS "actor.process.pid",
    CASE WHEN is_file THEN 'unknown' END                            AS "actor.process.uid?",
    login                                                           AS "user.name",
    CASE WHEN is_ip(r.data.srcip) THEN r.data.srcip END             AS "src_endpoint.ip",
    port(r.data.srcport)                                            AS "src_endpoint.port",
    CASE WHEN is_ip(r.data.dstip) THEN r.data.dstip END             AS "dst_endpoint.ip",
    r.syscheck.path                                                 AS "file.path",
    regexp_extract(r.syscheck.path, '([^/\\]*)[/\\]?$', 1)          AS "file.name",
    CASE WHEN is_file THEN 0 END                                    AS "file.type_id",
    byte_count(r.syscheck.size_after)                               AS "file.size",
    list_filter([
        {'algorithm_id': 1, 'value': r.syscheck.md5_after}, {'algorithm_id': 2, 'value': r.syscheck.sha1_after},
        {'algorithm_id': 3, 'value': r.syscheck.sha256_after}
    ], lambda x: x.value IS NOT NULL)                               AS "file.hashes",
    r.agent.name                                                    AS "device.hostname",
    CASE WHEN is_ip(r.agent.ip) THEN r.agent.ip END                 AS "device.ip",
    'unknown'                                                       AS "device.hostname?",
    0                                                               AS "device.type_id?",
    [r.agent.name, r.syscheck.path]                                 AS "resources[].uid",
    [raw_data]                                                      AS entity_texts,
    leftover(try(json_merge_patch(raw_data, without_fields([CASE WHEN NOT is_file THEN 'id' END, 'location'])))) AS unmapped
FROM (
    SELECT
        *,
        iso_time(regexp_replace(r.timestamp, '([+-]\d\d)(\d\d)$', '\1:\2')) AS moment,
        r.syscheck.path IS NOT NULL AS is_file,
        TRY_CAST(r.rule.level AS INTEGER) AS level,
        coalesce(r.data.dstuser, r.data.srcuser) AS login
    FROM records
)
