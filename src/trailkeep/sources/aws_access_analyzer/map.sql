-- IAM Access Analyzer findings -> OCSF 1.5.0 Detection Finding (2004): 1.5.0 has no class for what IAM permits, and no
-- standard is checked. That somebody may do something is not that he did: `principal` of a finding is nobody who acted.
-- A finding is written again whenever it is updated, so its id is the finding's, not the event's.
SELECT
    coalesce(updated, analyzed, created)                            AS "time",
    time_fault(coalesce(updated, analyzed, created), 'updatedAt, analyzedAt or createdAt') AS reject,
    2004                                                            AS class_uid,
    CASE WHEN r.isDeleted OR r.status = 'RESOLVED' THEN 3 WHEN updated > created THEN 2 ELSE 1 END AS activity_id,
    coalesce(MAP {'ACTIVE': 1, 'ARCHIVED': 3, 'RESOLVED': 4}[r.status], 0) AS status_id,
    r.error                                                         AS status_code,
    0                                                               AS severity_id,

    coalesce(r.accountId, r.resourceOwnerAccount)                   AS "cloud.account.uid",
    coalesce(r.region, arn_region(r.resource), json_extract_string(envelope, '$.region')) AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'IAM Access Analyzer'                                           AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    NULL::VARCHAR                                                   AS principal,

    coalesce(r.id, r.findingId)                                     AS "finding_info.uid",
    'unknown'                                                       AS "finding_info.uid?",
    coalesce(type, 'unknown')                                       AS "finding_info.title?",
    CASE WHEN type IS NOT NULL THEN [type] END                      AS "finding_info.types",
    type                                                            AS "finding_info.analytic.uid",
    CASE WHEN type IS NOT NULL THEN 0 END                           AS "finding_info.analytic.type_id",
    created                                                         AS "finding_info.created_time",
    updated                                                         AS "finding_info.modified_time",
    analyzed                                                        AS "finding_info.last_seen_time",

    CASE WHEN r.resource IS NOT NULL THEN [r.resource] END          AS "resources[].uid",
    CASE WHEN r.resource IS NOT NULL THEN [{
        'uid': r.resource,
        'type': r.resourceType,
        'owner': CASE WHEN r.resourceOwnerAccount IS NOT NULL THEN {'account': {'uid': r.resourceOwnerAccount}} END
    }] END                                                          AS "resources",
    ['"' || r.resource || '"', r.principal::VARCHAR, r.condition::VARCHAR, r.findingDetails::VARCHAR] AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'findingId', 'findingType', 'accountId', 'region', 'error',
            CASE WHEN r.id IS NOT NULL THEN 'id' END,
            CASE WHEN created IS NOT NULL THEN 'createdAt' END,
            CASE WHEN analyzed IS NOT NULL THEN 'analyzedAt' END,
            CASE WHEN updated IS NOT NULL THEN 'updatedAt' END
        ]),
        CASE WHEN r.resource IS NULL THEN '{}'
            ELSE without_fields(['resource', 'resourceType', 'resourceOwnerAccount']) END
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        iso_time(r.createdAt) AS created,
        iso_time(r.analyzedAt) AS analyzed,
        iso_time(r.updatedAt) AS updated,
        -- The first form of findings, which names no type, knew this one only.
        coalesce(r.findingType, CASE WHEN r.isPublic IS NOT NULL THEN 'ExternalAccess' END) AS type
    FROM records
)
