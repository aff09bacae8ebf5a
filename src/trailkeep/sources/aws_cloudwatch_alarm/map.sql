-- CloudWatch alarms -> OCSF 1.5.0 Detection Finding (2004): an alarm is a rule that watches a metric, and its state is
-- what the rule finds. ALARM opens a finding, OK closes it. How bad it is an alarm does not say. EventBridge tells of
-- account and region beside the record (they are then in its envelope), SNS in it. Resources are what the metric is of.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time of the state')                         AS reject,
    2004                                                            AS class_uid,
    CASE state WHEN 'ALARM' THEN 1 WHEN 'OK' THEN 3 ELSE 2 END      AS activity_id,
    CASE state WHEN 'ALARM' THEN 1 WHEN 'OK' THEN 4 ELSE 0 END      AS status_id,
    CASE state WHEN 'OK' THEN 1 ELSE 0 END                          AS severity_id,
    state                                                           AS status_code,
    coalesce(r.state.reason, r.NewStateReason)                      AS status_detail,

    coalesce(r.AWSAccountId, arn_account(r.AlarmArn), json_extract_string(envelope, '$.account')) AS "cloud.account.uid",
    coalesce(arn_region(r.AlarmArn), json_extract_string(envelope, '$.region')) AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon CloudWatch'                                             AS "metadata.product.name",
    'Alarm'                                                         AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    coalesce(r.AlarmArn, name)                                      AS "finding_info.uid",
    'unknown'                                                       AS "finding_info.uid?",
    name                                                            AS "finding_info.title",
    coalesce(json_extract_string(r.configuration, '$.description'), r.AlarmDescription) AS "finding_info.desc",
    name                                                            AS "finding_info.analytic.uid",
    CASE WHEN name IS NOT NULL THEN 1 END                           AS "finding_info.analytic.type_id",

    watched                                                         AS "resources[].uid",
    CASE WHEN len(watched) > 0 THEN list_transform(watched, lambda x: {'uid': x}) END AS "resources",
    [
        r.AlarmArn, r.configuration::VARCHAR, r.Trigger::VARCHAR, r.AlarmRule, r.TriggeringChildren::VARCHAR,
        r.AlarmActions::VARCHAR
    ]                                                               AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'alarmName', unless(r.alarmName, 'AlarmName'), 'AlarmArn', 'AWSAccountId',
            unless(r.state.value, 'NewStateValue'), unless(r.state.reason, 'NewStateReason'),
            unless(r.state.timestamp, 'StateChangeTime'),
            CASE WHEN json_extract_string(r.configuration, '$.description') IS NULL THEN 'AlarmDescription' END
        ]),
        without_inner(raw_data, 'state', ['value', 'reason']),
        without_inner(raw_data, 'configuration', ['description'])
    )))                                                              AS unmapped
FROM (
    SELECT
        *,
        coalesce(r.alarmName, try(json_extract_string(raw_data, '$.AlarmName'))) AS name,
        coalesce(r.state.value, r.NewStateValue) AS state,
        iso_time(coalesce(r.state.timestamp, r.StateChangeTime)) AS moment,
        list_distinct(list_concat(
            json_extract_string(r.configuration, '$.metrics[*].metricStat.metric.dimensions.*'),
            json_extract_string(r.Trigger, '$.Dimensions[*].value'),
            json_extract_string(r.Trigger, '$.Metrics[*].MetricStat.Metric.Dimensions[*].value')
        )) AS watched
    FROM records
)
