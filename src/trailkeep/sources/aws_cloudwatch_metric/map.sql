-- CloudWatch metrics -> OCSF 1.5.0 Base Event (0): a measurement is none of the acts, findings or states that OCSF has
-- classes for. Resources are the values of its dimensions, which a base event has no place for beside unmapped.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timestamp')                                 AS reject,
    0                                                               AS class_uid,
    0                                                               AS activity_id,
    1                                                               AS severity_id,

    r.account_id                                                    AS "cloud.account.uid",
    r.region                                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.metric_name                                                   AS "metadata.event_code",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon CloudWatch'                                             AS "metadata.product.name",
    r.namespace                                                     AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    json_extract_string(r.dimensions, '$.*')                        AS "resources[].uid",
    [r.dimensions::VARCHAR]                                         AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data, without_fields(['account_id', 'region', 'namespace', 'metric_name', 'timestamp'])
    )))                                                             AS unmapped
FROM (SELECT *, epoch_ms_time(r.timestamp) AS moment FROM records)
