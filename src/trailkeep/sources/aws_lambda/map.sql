-- Text logs of Lambda functions -> OCSF 1.5.0: Application Error where a function says so, ran out of time or ended in
-- error, Base Event for all else. Lines of the platform have no time but that of their delivery.
SELECT
    moment                                                          AS "time",
    CASE WHEN moment IS NULL THEN 'no time of its own, nor of its delivery' ELSE time_fault(moment, 'time') END AS reject,
    CASE WHEN failed THEN 6008 ELSE 0 END                           AS class_uid,
    CASE WHEN failed THEN 1 ELSE 99 END                             AS activity_id,
    CASE WHEN level <> '' THEN level_severity(level) WHEN failed THEN 4 ELSE 1 END AS severity_id,
    nullif(level, '')                                               AS "severity",
    lower(nullif(level, ''))                                        AS "metadata.log_level",
    CASE WHEN failed THEN 2 ELSE 0 END                              AS status_id,
    r.text                                                          AS "message",
    TRY_CAST(round(TRY_CAST(nullif(regexp_extract(r.text, '(?:^|\t)Duration: ([\d.]+) ms', 1), '') AS DOUBLE)) AS BIGINT)
                                                                    AS duration,

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    nullif(regexp_extract(r.head || r.text, '(?:RequestId: |\t|Z )([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})', 1), '')
                                                                    AS "metadata.correlation_uid",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    nullif(regexp_extract(json_extract_string(envelope, '$.log_group'), '^/aws/lambda/(.+)', 1), '')
                                                                    AS "metadata.product.feature.name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Lambda'                                                    AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    nullif(regexp_extract(r.head, '(START|END|REPORT|RESTORE_REPORT|INIT_START|INIT_REPORT|RESTORE_START) ', 1), '')
                                                                    AS "api.operation",
    'log'                                                           AS "api.operation?",
    'lambda.amazonaws.com'                                          AS "api.service.name",
    NULL::VARCHAR                                                   AS principal,
    [regexp_replace(r.text, '\s', ' ', 'g')]                        AS entity_texts,
    unmapped_fields(json_object('head', r.head))                    AS unmapped
FROM (
    SELECT
        *,
        coalesce(
            iso_time(nullif(regexp_extract(r.head, '(\d{4}-\d\d-\d\dT[\d:.]+Z)(?:\t| [0-9a-f-]{36} $)', 1), '')),
            iso_time(nullif(regexp_extract(r.head, '^(\S+Z) ', 1), '')),
            epoch_ms_time(json_extract_string(envelope, '$.time')),
            key_time
        ) AS moment,
        upper(level) IN ('ERROR', 'CRITICAL', 'FATAL')
            OR regexp_matches(r.text, '^Task timed out after |\tStatus: (?:error|timeout)') AS failed
    FROM (
        SELECT *, coalesce(nullif(regexp_extract(r.head, '\[([A-Z]+)\]\t', 1), ''), regexp_extract(r.text, '^([A-Z]+)\t', 1)) AS level
        FROM records
    )
)
