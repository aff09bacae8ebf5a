-- OTLP log records with their resource and scope -> OCSF 1.5.0 Application Error (6008) from ERROR on, else Base Event (0).
-- What the resource tells of account, region, host and service stands in the envelope, too.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timeUnixNano')                              AS reject,
    CASE WHEN severity >= 4 THEN 6008 ELSE 0 END                    AS class_uid,
    CASE WHEN severity >= 4 THEN 1 ELSE 99 END                      AS activity_id,
    severity                                                        AS severity_id,
    r.logRecord.severityText                                        AS status_code,
    r.logRecord.body.stringValue                                    AS message,

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'unknown'                                                       AS "cloud.provider",
    r.logRecord.eventName                                           AS "api.operation",
    r.logRecord.traceId                                             AS "metadata.correlation_uid",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    lower(r.logRecord.severityText)                                 AS "metadata.log_level",
    coalesce(r.scope.name, 'OpenTelemetry')                         AS "metadata.product.name",
    r.scope.version                                                 AS "metadata.product.version",
    json_extract_string(envelope, '$.service')                      AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    json_extract_string(envelope, '$.host')                         AS "src_endpoint.domain",
    ['"' || json_extract_string(envelope, '$.account') || '"', r.resource::VARCHAR, r.logRecord.attributes::VARCHAR,
        coalesce(regexp_replace(r.logRecord.body.stringValue, '\s', ' ', 'g'), raw_data)] AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_inner(raw_data, 'scope', ['name', 'version']),
        json_object('logRecord', without_fields([
            'severityText', 'eventName', 'traceId',
            CASE WHEN r.logRecord.body.stringValue IS NOT NULL THEN 'body' END
        ])::JSON)
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(
            epoch_ns_time(nullif(r.logRecord.timeUnixNano, '0')), epoch_ns_time(nullif(r.logRecord.observedTimeUnixNano, '0'))
        ) AS moment,
        coalesce(otel_severity(r.logRecord.severityNumber), level_severity(r.logRecord.severityText)) AS severity
    FROM records
)
