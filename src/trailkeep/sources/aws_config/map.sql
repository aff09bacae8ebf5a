-- Configuration items -> OCSF 1.5.0 Cloud Resources Inventory Info (5023): what a resource was like when it was looked at.
-- Who changed it is not told.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'configurationItemCaptureTime')              AS reject,
    5023                                                            AS class_uid,
    2                                                               AS activity_id,
    1                                                               AS severity_id,
    coalesce(r.awsAccountId, r.accountId, arn_account(arn))         AS "cloud.account.uid",
    r.awsRegion                                                     AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.configurationItemStatus                                       AS "metadata.event_code",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Config'                                                    AS "metadata.product.name",
    r.configurationItemVersion                                      AS "metadata.log_version",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    NULL::VARCHAR                                                   AS principal,

    [coalesce(arn, r.resourceId)]                                   AS "resources[].uid",
    CASE WHEN uid IS NOT NULL THEN [{
        'uid': uid, 'uid_alt': r.resourceId, 'name': r.resourceName, 'type': r.resourceType,
        'region': r.awsRegion, 'zone': r.availabilityZone, 'data': CASE WHEN has_data THEN r.configuration::VARCHAR END
    }] END                                                          AS "resources",
    [
        arn, '"' || r.resourceId || '"', r.configuration::VARCHAR, r.supplementaryConfiguration::VARCHAR,
        r.relationships::VARCHAR
    ]                                                               AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'awsAccountId', 'awsRegion', 'configurationItemStatus', 'configurationItemVersion',
            'configurationItemCaptureTime'
        ]),
        CASE WHEN r.awsAccountId IS NULL THEN '{"accountId":null}' ELSE '{}' END,
        CASE WHEN uid IS NULL THEN '{}' ELSE without_fields([
            'ARN', 'resourceId', 'resourceName', 'resourceType', 'availabilityZone',
            CASE WHEN r.ARN IS NULL THEN 'arn' END, CASE WHEN has_data THEN 'configuration' END
        ]) END
    )))                                                             AS unmapped
FROM (
    SELECT *, coalesce(arn, r.resourceId, r.resourceName) AS uid
    FROM (
        SELECT
            *,
            coalesce(iso_time(r.configurationItemCaptureTime), epoch_time(r.configurationItemCaptureTime)) AS moment,
            coalesce(r.ARN, try(json_extract_string(raw_data, '$.arn'))) AS arn,
            coalesce(json_type(r.configuration) IN ('OBJECT', 'ARRAY'), false) AS has_data
        FROM records
    )
)
