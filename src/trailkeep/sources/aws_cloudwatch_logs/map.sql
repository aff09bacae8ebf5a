-- Log events of CloudWatch Logs -> OCSF 1.5.0 Base Event (0). Log group, log stream and account stand in the envelope.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timestamp')                                 AS reject,
    0                                                               AS class_uid,
    99                                                              AS activity_id,
    level_severity(log_level(r.message))                            AS severity_id,
    log_level(r.message)                                            AS "metadata.log_level",
    r.message                                                       AS message,

    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    coalesce(r.id, r.eventId)                                       AS "metadata.uid",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.log_name",
    json_extract_string(envelope, '$.log_group')                    AS "metadata.product.feature.name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon CloudWatch Logs'                                        AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    ['"' || json_extract_string(envelope, '$.account') || '"', regexp_replace(r.message, '\s', ' ', 'g')]
                                                                    AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_fields(['timestamp', 'message', 'id', CASE WHEN r.id IS NULL THEN 'eventId' END]),
        json_object('envelope', json_merge_patch(
            coalesce(envelope, '{}')::JSON, without_fields(['account', 'region', 'log_group', 'id', 'time', 'wraps'])
        ))
    )))                                                             AS unmapped
FROM (SELECT *, epoch_ms_time(r.timestamp) AS moment FROM records)
