-- AWS Health events -> OCSF 1.5.0: what AWS saw of abused accounts and exposed credentials is a Detection Finding (2004).
-- OCSF has no class for the other news of a provider about its service: Base Event (0). An event is written again
-- whenever there is news of it, so its ARN is not the id of a record. What is planned starts in the future: the time is
-- when it was told.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'lastUpdatedTime or startTime')              AS reject,
    CASE WHEN finding THEN 2004 ELSE 0 END                          AS class_uid,
    CASE WHEN NOT finding THEN 99 WHEN r.statusCode = 'closed' THEN 3 WHEN updated > begun THEN 2 ELSE 1 END AS activity_id,
    CASE WHEN finding THEN CASE WHEN r.statusCode = 'closed' THEN 4 ELSE 1 END ELSE 0 END AS status_id,
    r.statusCode                                                    AS status_code,
    CASE WHEN finding THEN 0 ELSE 1 END                             AS severity_id,
    begun                                                           AS start_time,
    ended                                                           AS end_time,

    coalesce(r.affectedAccount, json_extract_string(envelope, '$.account')) AS "cloud.account.uid",
    coalesce(r.eventRegion, r.region, arn_region(coalesce(r.eventArn, r.arn))) AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.communicationId                                               AS "metadata.correlation_uid",
    r.eventTypeCode                                                 AS "metadata.event_code",
    r.eventTypeCategory                                             AS "metadata.product.feature.name",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Health'                                                    AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    r.service                                                       AS "api.service.name",
    r.eventTypeCode                                                 AS "api.operation",
    'unknown'                                                       AS "api.operation?",
    CASE WHEN NOT finding THEN description END                      AS message,
    NULL::VARCHAR                                                   AS principal,

    CASE WHEN finding THEN coalesce(r.eventArn, r.arn) END          AS "finding_info.uid",
    'unknown'                                                       AS "finding_info.uid?",
    CASE WHEN finding THEN r.eventTypeCode END                      AS "finding_info.title",
    'unknown'                                                       AS "finding_info.title?",
    CASE WHEN finding THEN description END                          AS "finding_info.desc",
    entities                                                        AS "resources[].uid",
    list_transform(entities, lambda x: {'uid': x})                  AS "resources",
    -- Of exposed keys the entity is `IAM_USER/name/key` or the key.
    [array_to_string(list_transform(entities, lambda x: '"' || replace(x, 'IAM_USER/', 'userName":"') || '"'), ' '), description]
                                                                    AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'eventTypeCode', 'eventTypeCategory', 'communicationId', 'statusCode', 'affectedAccount',
            CASE WHEN NOT finding THEN 'service' END,
            CASE WHEN updated IS NOT NULL THEN 'lastUpdatedTime' END,
            CASE WHEN begun IS NOT NULL THEN 'startTime' END,
            CASE WHEN ended IS NOT NULL THEN 'endTime' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(updated, iso_time(json_extract_string(envelope, '$.time')), CASE WHEN begun <= current_timestamp THEN begun END,
            key_time, begun) AS moment,
        coalesce(r.service IN ('RISK', 'ABUSE') OR regexp_matches(r.eventTypeCode, '^AWS_(RISK|ABUSE)_'), false) AS finding,
        r.eventDescription[1].latestDescription AS description,
        list_filter(list_transform(r.affectedEntities, lambda x: x.entityValue), lambda x: x IS NOT NULL) AS entities
    FROM (
        SELECT
            *,
            coalesce(http_time(r.lastUpdatedTime), iso_time(r.lastUpdatedTime), epoch_time(r.lastUpdatedTime)) AS updated,
            coalesce(http_time(r.startTime), iso_time(r.startTime), epoch_time(r.startTime)) AS begun,
            coalesce(http_time(r.endTime), iso_time(r.endTime), epoch_time(r.endTime)) AS ended
        FROM records
    )
)
