-- JSON logs of Lambda -> OCSF 1.5.0: Application Error where a function says so or did not end well, Base Event for all
-- else.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time or timestamp')                         AS reject,
    CASE WHEN failed THEN 6008 ELSE 0 END                           AS class_uid,
    CASE WHEN failed THEN 1 ELSE 99 END                             AS activity_id,
    CASE WHEN r.level IS NOT NULL THEN level_severity(r.level) WHEN failed THEN 4 ELSE 1 END AS severity_id,
    r.level                                                         AS "severity",
    lower(r.level)                                                  AS "metadata.log_level",
    CASE WHEN failed THEN 2 WHEN status = 'success' THEN 1 ELSE 0 END AS status_id,
    status                                                          AS status_code,
    coalesce(r.errorMessage, CASE WHEN json_type(r.message) = 'VARCHAR' THEN r.message ->> '$' ELSE r.message::VARCHAR END,
        CASE WHEN json_type(r.record) = 'VARCHAR' THEN r.record ->> '$' END) AS "message",
    TRY_CAST(round(TRY_CAST(r.record ->> '$.metrics.durationMs' AS DOUBLE)) AS BIGINT) AS duration,

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    coalesce(r.requestId, r.AWSRequestId, r.record ->> '$.requestId') AS "metadata.correlation_uid",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    coalesce(nullif(regexp_extract(json_extract_string(envelope, '$.log_group'), '^/aws/lambda/(.+)', 1), ''),
        r.record ->> '$.functionName')                              AS "metadata.product.feature.name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Lambda'                                                    AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    coalesce(r.type, 'log')                                         AS "api.operation",
    'lambda.amazonaws.com'                                          AS "api.service.name",
    coalesce(r.errorType, r.record ->> '$.errorType')               AS "api.response.error",
    NULL::VARCHAR                                                   AS principal,
    [r.message::VARCHAR, r.record::VARCHAR, r.errorMessage]         AS entity_texts,
    leftover(try(json_merge_patch('{}', raw_data, without_fields([
        'type', 'level', 'errorType', 'requestId', CASE WHEN r.requestId IS NULL THEN 'AWSRequestId' END,
        CASE WHEN r.errorMessage IS NOT NULL THEN 'errorMessage' WHEN json_type(r.message) = 'VARCHAR' THEN 'message' END,
        CASE WHEN r.time = rfc3339(moment) THEN 'time' END, CASE WHEN r.timestamp = rfc3339(moment) THEN 'timestamp' END
    ]))))                                                           AS unmapped
FROM (
    SELECT
        *,
        coalesce(iso_time(r.time), iso_time(r.timestamp)) AS moment,
        r.record ->> '$.status' AS status,
        coalesce(level_severity(r.level) >= 4 OR r.errorType IS NOT NULL
            OR (r.record ->> '$.status') IN ('error', 'failure', 'timeout'), false) AS failed
    FROM records
)
