-- Findings in ASFF -> OCSF 1.5.0, by the product that found: Security Hub's and Config's checks are Compliance Findings
-- (2003), Inspector's with vulnerabilities are Vulnerability Findings (2002), all others Detection Findings (2004). A
-- finding is written again whenever it is updated, so its Id is the finding's, not the event's.
SELECT
    coalesce(updated, created)                                      AS "time",
    time_fault(coalesce(updated, created), 'UpdatedAt or CreatedAt') AS reject,
    class_uid                                                       AS class_uid,
    CASE WHEN r.RecordState = 'ARCHIVED' THEN 3 WHEN updated > created THEN 2 ELSE 1 END AS activity_id,
    coalesce(MAP {'NEW': 1, 'NOTIFIED': 2, 'SUPPRESSED': 3, 'RESOLVED': 4}[coalesce(r.Workflow.Status, r.WorkflowState)], 0)
                                                                    AS status_id,
    coalesce(
        MAP {'INFORMATIONAL': 1, 'LOW': 2, 'MEDIUM': 3, 'HIGH': 4, 'CRITICAL': 5}[r.Severity.Label],
        CASE
            WHEN severity >= 90 THEN 5
            WHEN severity >= 70 THEN 4
            WHEN severity >= 40 THEN 3
            WHEN severity >= 1 THEN 2
            WHEN severity >= 0 THEN 1
        END,
        0
    )                                                               AS severity_id,

    r.AwsAccountId                                                  AS "cloud.account.uid",
    coalesce(r.Region, arn_region(r.ProductArn))                    AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Security Hub'                                              AS "metadata.product.name",
    r.SchemaVersion                                                 AS "metadata.product.version",
    r.ProductName                                                   AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.Id                                                            AS "finding_info.uid",
    'unknown'                                                       AS "finding_info.uid?",
    r.Title                                                         AS "finding_info.title",
    coalesce(r.GeneratorId, 'unknown')                              AS "finding_info.title?",
    r.Description                                                   AS "finding_info.desc",
    list_filter(r.Types, lambda x: x IS NOT NULL)                   AS "finding_info.types",
    r.ProductArn                                                    AS "finding_info.product_uid",
    r.GeneratorId                                                   AS "finding_info.analytic.uid",
    CASE WHEN r.GeneratorId IS NOT NULL THEN 1 END                  AS "finding_info.analytic.type_id",
    created                                                         AS "finding_info.created_time",
    updated                                                         AS "finding_info.modified_time",
    first_seen                                                      AS "finding_info.first_seen_time",
    last_seen                                                       AS "finding_info.last_seen_time",

    CASE WHEN class_uid = 2003 THEN coalesce(r.Compliance.Status, 'unknown') END AS "compliance.status",
    CASE WHEN class_uid = 2003 THEN coalesce(MAP {'PASSED': 1, 'WARNING': 2, 'FAILED': 3}[r.Compliance.Status],
        CASE WHEN r.Compliance.Status IS NULL THEN 0 ELSE 99 END) END AS "compliance.status_id",
    coalesce(r.Compliance.SecurityControlId, json_extract_string(r.ProductFields, '$.ControlId'),
        json_extract_string(r.ProductFields, '$.RuleId'))           AS "compliance.control",
    list_filter(list_concat(
        list_transform(r.Compliance.AssociatedStandards, lambda x: x.StandardsId),
        [json_extract_string(r.ProductFields, '$.StandardsArn'),
         json_extract_string(r.ProductFields, '$.StandardsGuideArn')]
    ), lambda x: x IS NOT NULL)                                     AS "compliance.standards",
    CASE WHEN class_uid = 2002 THEN list_transform(vulnerabilities, lambda x: {
        'cve': CASE WHEN starts_with(x, 'CVE-') THEN {'uid': x} END,
        'advisory': CASE WHEN NOT starts_with(x, 'CVE-') THEN {'uid': x} END
    }) END                                                          AS "vulnerabilities",
    r.Remediation.Recommendation.Text                               AS "remediation.desc",
    CASE WHEN r.Remediation.Recommendation.Text IS NOT NULL AND r.Remediation.Recommendation.Url IS NOT NULL
        THEN [r.Remediation.Recommendation.Url] END                 AS "remediation.references",

    CASE WHEN class_uid = 2004 THEN user_name END                   AS principal,
    CASE WHEN class_uid = 2004 THEN user_name END                   AS "actor.user.name",
    CASE WHEN is_ip(remote) THEN remote END                         AS "src_endpoint.ip",
    CASE WHEN is_ip(json_extract_string(r.Network, '$.DestinationIpV4')) THEN json_extract_string(r.Network, '$.DestinationIpV4') END AS "dst_endpoint.ip",

    list_transform(r.Resources, lambda x: x.Id)                     AS "resources[].uid",
    list_transform(list_filter(r.Resources, lambda x: x.Id IS NOT NULL), lambda x: {
        'uid': x.Id, 'type': x.Type, 'cloud_partition': x.Partition, 'region': x.Region, 'data': x.Details::VARCHAR
    })                                                              AS "resources",
    [
        array_to_string(list_transform(r.Resources, lambda x: concat_ws('" "', x.Id, x.Details)), '" "'),
        concat_ws('" "', r.Action, r.Network)
    ]                                                               AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'SchemaVersion', 'Id', 'ProductArn', 'ProductName', 'Region', 'GeneratorId', 'AwsAccountId', 'Title',
            'Description',
            CASE WHEN created IS NOT NULL THEN 'CreatedAt' END,
            CASE WHEN updated IS NOT NULL THEN 'UpdatedAt' END,
            CASE WHEN first_seen IS NOT NULL THEN 'FirstObservedAt' END,
            CASE WHEN last_seen IS NOT NULL THEN 'LastObservedAt' END,
            CASE WHEN len(r.Types) = json_array_length(raw_data, '$.Types') THEN 'Types' END,
            CASE WHEN resources_fit THEN 'Resources' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE
            WHEN regexp_matches(r.ProductArn, ':product/aws/(securityhub|config)$') THEN 2003
            WHEN r.ProductArn LIKE '%:product/aws/inspector' AND len(vulnerabilities) > 0 THEN 2002
            ELSE 2004
        END AS class_uid
    FROM (
        SELECT
            *,
            iso_time(r.CreatedAt) AS created,
            iso_time(r.UpdatedAt) AS updated,
            iso_time(r.FirstObservedAt) AS first_seen,
            iso_time(r.LastObservedAt) AS last_seen,
            TRY_CAST(r.Severity.Normalized AS DOUBLE) AS severity,
            list_filter(list_transform(r.Vulnerabilities, lambda x: x.Id), lambda x: x IS NOT NULL) AS vulnerabilities,
            list_filter(list_transform(r.Resources, lambda x: coalesce(
                json_extract_string(x.Details, '$.AwsIamAccessKey.UserName'),
                json_extract_string(x.Details, '$.AwsIamAccessKey.PrincipalName'))), lambda x: x IS NOT NULL)[1] AS user_name,
            coalesce(
                json_extract_string(r.Action, '$.AwsApiCallAction.RemoteIpDetails.IpAddressV4'),
                json_extract_string(r.Action, '$.NetworkConnectionAction.RemoteIpDetails.IpAddressV4'),
                json_extract_string(r.Network, '$.SourceIpV4'), json_extract_string(r.Network, '$.SourceIpV6'),
                json_extract_string(r.ProductFields, '$."action/awsApiCallAction/remoteIpDetails/ipAddressV4"')
            ) AS remote,
            coalesce(list_bool_and(list_transform(
                from_json(raw_data, '{"Resources":["JSON"]}').Resources,
                lambda x: json_type(x, '$.Id') = 'VARCHAR'
                    AND list_has_all(['Type', 'Id', 'Partition', 'Region', 'Details'], json_keys(x))
            )), false) AS resources_fit
        FROM records
    )
)
