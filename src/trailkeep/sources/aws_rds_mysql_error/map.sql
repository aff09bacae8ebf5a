-- Error log of MySQL and MariaDB -> OCSF 1.5.0: Authentication where access was denied, Application Error for errors, Base
-- Event for the rest.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid WHEN 0 THEN 99 ELSE 1 END                        AS activity_id,
    CASE upper(r.level) WHEN 'ERROR' THEN 4 WHEN 'WARNING' THEN 3 ELSE CASE WHEN denied THEN 3 ELSE 1 END END AS severity_id,
    r.level                                                         AS "severity",
    r.level                                                         AS "metadata.log_level",
    CASE class_uid WHEN 0 THEN 0 ELSE 2 END                         AS status_id,
    r.text                                                          AS "message",

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    r.code                                                          AS "metadata.event_code",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon RDS'                                                    AS "metadata.product.name",
    'MySQL error log'                                               AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    CASE WHEN denied THEN 'connection refused' END                  AS "api.operation",
    r.level                                                         AS "api.operation?",
    'mysql'                                                         AS "api.service.name",
    CASE WHEN class_uid <> 0 THEN r.text END                        AS "api.response.message",
    CASE WHEN denied THEN 'mysql' END                               AS "service.name",
    who                                                             AS principal,
    who                                                             AS "actor.user.name",
    who                                                             AS "user.name",
    CASE WHEN denied THEN 'unknown' END                             AS "user.name?",
    CASE WHEN is_ip(host) THEN host END                             AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(host) THEN nullif(host, '') END             AS "src_endpoint.domain",
    [regexp_replace(r.text, '\s', ' ', 'g')]                        AS entity_texts,
    unmapped_fields(json_object('thread', r.thread, 'subsystem', r.subsystem)) AS unmapped
FROM (
    SELECT
        *,
        iso_time(regexp_replace(r.time, '[T ] ?(\d):', ' 0\1:')) AS moment,
        CASE WHEN denied THEN 3002 WHEN upper(r.level) = 'ERROR' THEN 6008 ELSE 0 END AS class_uid,
        nullif(regexp_extract(r.text, '^Access denied for user ''(.*?)''@''', 1), '') AS who,
        regexp_extract(r.text, '^Access denied for user ''.*?''@''([^'']*)''', 1) AS host
    FROM (SELECT *, starts_with(r.text, 'Access denied for user ') AS denied FROM records)
)
