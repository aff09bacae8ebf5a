-- What an account spent in a period, as GetCostAndUsage answers -> OCSF 1.5.0 Base Event (0): OCSF has no class for cost.
-- By what the groups are made (account, service, region) stands beside the periods in their envelope.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'TimePeriod.Start')                          AS reject,
    0                                                               AS class_uid,
    99                                                              AS activity_id,
    1                                                               AS severity_id,
    iso_time(r.TimePeriod."End")                                    AS end_time,
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Cost Explorer'                                             AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    'AWS'                                                           AS "cloud.provider",
    NULL::VARCHAR                                                   AS principal,
    [r.Groups::VARCHAR]                                             AS entity_texts,
    leftover(try(json_merge_patch('{}', raw_data, concat('{"answer":', coalesce(raw_format, 'null'), '}'))))                                                           AS unmapped
FROM (SELECT *, iso_time(r.TimePeriod."Start") AS moment FROM records)
