-- JSON logs of applications -> OCSF 1.5.0: Application Error from level error on, Base Event below. Levels may be pino's
-- and bunyan's numbers.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN severity >= 4 THEN 6008 ELSE 0 END                    AS class_uid,
    CASE WHEN severity >= 4 THEN 1 ELSE 99 END                      AS activity_id,
    severity                                                        AS severity_id,
    level                                                           AS "severity",
    lower(level)                                                    AS "metadata.log_level",
    CASE WHEN severity >= 4 THEN 2 ELSE 0 END                       AS status_id,
    CASE WHEN json_type(said) = 'VARCHAR' THEN said ->> '$' ELSE said::VARCHAR END AS "message",

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    -- The profile `cloud` demands a provider, and nothing says whose machine it was.
    'Unknown'                                                       AS "cloud.provider?",
    coalesce(
        r."trace.id", r.trace.id, r.traceId, r.trace_id, r."dd.trace_id", r.xray_trace_id, r.requestId, r.request_id,
        r.correlationId, r.correlation_id
    )                                                               AS "metadata.correlation_uid",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    coalesce(
        r."service.name", CASE WHEN json_type(r.service) = 'VARCHAR' THEN r.service ->> '$' ELSE r.service ->> '$.name' END,
        r.logger
    )                                                               AS "metadata.product.feature.name",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'Application'                                                   AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    who                                                             AS principal,
    [raw_data, to_json({'userName': who})::VARCHAR]                 AS entity_texts,
    leftover(try(json_merge_patch('{}', raw_data, without_fields([
        CASE WHEN json_type(r.message) = 'VARCHAR' THEN 'message' WHEN r.message IS NULL AND json_type(r.msg) = 'VARCHAR' THEN 'msg' END,
        CASE WHEN r.time = rfc3339(moment) THEN 'time' END, CASE WHEN r.timestamp = rfc3339(moment) THEN 'timestamp' END,
        CASE WHEN r.ts = rfc3339(moment) THEN 'ts' END, CASE WHEN r."@timestamp" = rfc3339(moment) THEN '@timestamp' END,
        CASE WHEN r.level = level THEN 'level' END
    ]))))                                                           AS unmapped
FROM (
    SELECT *, level_severity(level) AS severity
    FROM (
        SELECT
            *,
            coalesce(any_time(r."@timestamp"), any_time(r.time), any_time(r.timestamp), any_time(r.ts)) AS moment,
            coalesce(MAP {'10': 'trace', '20': 'debug', '30': 'info', '40': 'warn', '50': 'error', '60': 'fatal'}[r.level],
                r.level, r.severity, r."log.level", r.log.level, r.levelname) AS level,
            coalesce(r.message, r.msg) AS said,
            coalesce(r."user.name", CASE WHEN json_type(r.user) = 'VARCHAR' THEN r.user ->> '$' ELSE r.user ->> '$.name' END)
                AS who
        FROM records
    )
)
