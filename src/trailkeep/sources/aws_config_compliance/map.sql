-- Changes of what a rule of AWS Config says of a resource -> OCSF 1.5.0 Compliance Finding (2003). A rule with a resource
-- is a finding: opened where it does not comply, closed where it does again. Findings have no id but these names.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'resultRecordedTime or notificationCreationTime') AS reject,
    2003                                                            AS class_uid,
    CASE WHEN now.complianceType <> 'NON_COMPLIANT' THEN 3 WHEN r.oldEvaluationResult IS NULL THEN 1 ELSE 2 END AS activity_id,
    coalesce(MAP {'NON_COMPLIANT': 1, 'COMPLIANT': 4}[now.complianceType], 0) AS status_id,
    now.complianceType                                              AS status_code,
    now.annotation                                                  AS status_detail,
    CASE WHEN now.complianceType = 'COMPLIANT' THEN 1 ELSE 0 END    AS severity_id,

    r.awsAccountId                                                  AS "cloud.account.uid",
    r.awsRegion                                                     AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.messageType                                                   AS "metadata.event_code",
    r.recordVersion                                                 AS "metadata.log_version",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Config'                                                    AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    NULL::VARCHAR                                                   AS principal,

    concat_ws('/', coalesce(r.configRuleARN, r.configRuleName, 'unknown'), type, resource) AS "finding_info.uid?",
    r.configRuleName                                                AS "finding_info.title",
    'unknown'                                                       AS "finding_info.title?",
    r.configRuleARN                                                 AS "finding_info.analytic.uid",
    r.configRuleName                                                AS "finding_info.analytic.name",
    CASE WHEN coalesce(r.configRuleARN, r.configRuleName) IS NOT NULL THEN 1 END AS "finding_info.analytic.type_id",
    r.configRuleName                                                AS "compliance.control",
    now.complianceType                                              AS "compliance.status",
    coalesce(MAP {'COMPLIANT': 1, 'NON_COMPLIANT': 3}[now.complianceType],
        CASE WHEN now.complianceType IS NULL THEN 0 ELSE 99 END)    AS "compliance.status_id",

    CASE WHEN resource IS NOT NULL THEN [resource] END              AS "resources[].uid",
    CASE WHEN resource IS NOT NULL THEN [{'uid': resource, 'type': type, 'region': r.awsRegion}] END AS "resources",
    ['"' || resource || '"', now.annotation]                        AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'awsAccountId', 'awsRegion', 'configRuleName', 'configRuleARN', 'recordVersion', 'messageType',
            CASE WHEN r.resourceId IS NOT NULL THEN 'resourceId' END,
            CASE WHEN r.resourceId IS NOT NULL THEN 'resourceType' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        r.newEvaluationResult AS now,
        coalesce(iso_time(r.newEvaluationResult.resultRecordedTime), iso_time(r.notificationCreationTime)) AS moment,
        coalesce(r.resourceId, r.newEvaluationResult.evaluationResultIdentifier.evaluationResultQualifier.resourceId,
            r.oldEvaluationResult.evaluationResultIdentifier.evaluationResultQualifier.resourceId) AS resource,
        coalesce(r.resourceType, r.newEvaluationResult.evaluationResultIdentifier.evaluationResultQualifier.resourceType,
            r.oldEvaluationResult.evaluationResultIdentifier.evaluationResultQualifier.resourceType) AS type
    FROM records
)
