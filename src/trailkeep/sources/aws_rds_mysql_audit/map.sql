-- Audit records of MySQL and MariaDB -> OCSF 1.5.0: Authentication for connections, Datastore Activity for statements and
-- the tables they touch. Aurora counts microseconds where the plugin writes a date.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timestamp')                                 AS reject,
    CASE WHEN is_logon THEN 3002 ELSE 6005 END                      AS class_uid,
    CASE
        WHEN r.operation IN ('CONNECT', 'FAILED_CONNECT') THEN 1
        WHEN r.operation = 'DISCONNECT' THEN 2
        WHEN is_logon THEN 99
        WHEN statement IS NOT NULL THEN sql_activity(statement)
        ELSE sql_activity(r.operation)
    END                                                             AS activity_id,
    1                                                               AS severity_id,
    CASE WHEN r.operation = 'FAILED_CONNECT' OR r.retcode <> '0' THEN 2 WHEN r.retcode = '0' THEN 1 ELSE 0 END AS status_id,
    r.retcode                                                       AS status_code,

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon RDS'                                                    AS "metadata.product.name",
    'MySQL audit log'                                               AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.operation                                                     AS "api.operation",
    'mysql'                                                         AS "api.service.name",
    nullif(r.retcode, '0')                                          AS "api.response.error",
    CASE WHEN is_logon THEN 'mysql' END                             AS "service.name",

    r.username                                                      AS principal,
    r.username                                                      AS "actor.user.name",
    'unknown'                                                       AS "actor.user.name?",
    r.connectionid                                                  AS "actor.session.uid",
    CASE WHEN is_logon THEN r.username END                          AS "user.name",
    CASE WHEN is_logon THEN 'unknown' END                           AS "user.name?",
    CASE WHEN is_ip(r.host) THEN r.host END                         AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.host) THEN r.host END                     AS "src_endpoint.domain",
    CASE WHEN r.host IS NULL THEN 'unknown' END                     AS "src_endpoint.svc_name?",
    r.serverhost                                                    AS "dst_endpoint.domain",

    CASE WHEN NOT is_logon THEN 1 END                               AS type_id,
    CASE WHEN NOT is_logon THEN r.database END                      AS "database.name",
    CASE WHEN NOT is_logon THEN 'unknown' END                       AS "database.name?",
    CASE WHEN NOT is_logon THEN 1 END                               AS "database.type_id",
    CASE WHEN NOT is_logon AND statement IS NULL THEN r.object END  AS "table.name",
    CASE WHEN NOT is_logon AND statement IS NOT NULL THEN r.queryid END AS "query_info.uid",
    CASE WHEN NOT is_logon THEN statement END                       AS "query_info.query_string",
    [regexp_replace(statement, '\s', ' ', 'g')]                     AS entity_texts,

    unmapped_fields(json_object(
        'queryid', CASE WHEN statement IS NULL THEN r.queryid END, 'database', CASE WHEN is_logon THEN r.database END,
        'object', CASE WHEN is_logon THEN r.object END,
        'connection_type', r.connection_type, 'more', r.more
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        coalesce(
            calendar_time(try_strptime(r.timestamp || ' +0000', '%Y%m%d %H:%M:%S %z')),
            calendar_time(try(make_timestamptz(TRY_CAST(r.timestamp AS BIGINT))))
        ) AS moment,
        r.operation IN ('CONNECT', 'FAILED_CONNECT', 'DISCONNECT', 'CHANGEUSER', 'PROXY_CONNECT') AS is_logon,
        CASE WHEN r.operation LIKE 'QUERY%' THEN regexp_replace(r.object, '^''((?s:.*))''$', '\1') END AS statement
    FROM records
)
