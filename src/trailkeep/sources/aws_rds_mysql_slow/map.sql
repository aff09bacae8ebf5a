-- Slow queries of MySQL -> OCSF 1.5.0 Datastore Activity. Before the statement stand others that the log adds: `use` of a
-- database and `SET timestamp`.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    6005                                                            AS class_uid,
    sql_activity(statement)                                         AS activity_id,
    1                                                               AS severity_id,
    1                                                               AS status_id,
    TRY_CAST(round(TRY_CAST(nullif(regexp_extract(r.figures, 'Query_time: +([\d.]+)', 1), '') AS DOUBLE) * 1000) AS BIGINT)
                                                                    AS duration,
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon RDS'                                                    AS "metadata.product.name",
    'MySQL slow query log'                                          AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    upper(nullif(regexp_extract(statement, '^\s*([A-Za-z]+)', 1), '')) AS "api.operation",
    'QUERY'                                                         AS "api.operation?",
    'mysql'                                                         AS "api.service.name",
    who                                                             AS principal,
    who                                                             AS "actor.user.name",
    'unknown'                                                       AS "actor.user.name?",
    r.id                                                            AS "actor.session.uid",
    CASE WHEN is_ip(address) THEN address END                       AS "src_endpoint.ip",
    nullif(trim(regexp_extract(r.host, '^([^\[]*)', 1)), '')        AS "src_endpoint.domain",
    CASE WHEN NOT is_ip(address) THEN 'unknown' END                 AS "src_endpoint.svc_name?",
    1                                                               AS type_id,
    nullif(regexp_extract(r.statements, '^(?i:use) `?([^;`]+)`?;', 1), '') AS "database.name",
    'unknown'                                                       AS "database.name?",
    1                                                               AS "database.type_id",
    coalesce(r.id, 'unknown')                                       AS "query_info.uid",
    coalesce(statement, '')                                         AS "query_info.query_string",
    [regexp_replace(statement, '\s', ' ', 'g')]                     AS entity_texts,
    unmapped_fields(json_object(
        'user', r.user, 'host', r.host, 'figures', trim(r.figures, E' \n'),
        'statements', CASE WHEN statement <> r.statements THEN r.statements END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        coalesce(iso_time(r.time), epoch_time(nullif(regexp_extract(r.statements, 'SET timestamp=(\d+)', 1), ''))) AS moment,
        nullif(regexp_extract(r.user, '^([^\[]*)', 1), '') AS who,
        regexp_extract(r.host, '\[([^\]]*)\]', 1) AS address,
        regexp_replace(r.statements, '^(?:(?i:use) [^;]+;\s*|SET timestamp=\d+;\s*)*', '') AS statement
    FROM records
)
