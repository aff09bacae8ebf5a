-- Inspector's findings -> OCSF 1.5.0: vulnerable packages and code are Vulnerability Findings (2002), open network paths
-- Detection Findings (2004), as is what names no vulnerability. A finding is written again whenever it is updated, so its
-- ARN is the finding's, not the event's.
SELECT
    coalesce(updated, last_seen, first_seen)                        AS "time",
    time_fault(coalesce(updated, last_seen, first_seen), 'updatedAt, lastObservedAt or firstObservedAt') AS reject,
    CASE WHEN flaw IS NOT NULL THEN 2002 ELSE 2004 END              AS class_uid,
    CASE WHEN r.status = 'CLOSED' THEN 3 WHEN updated > first_seen THEN 2 ELSE 1 END AS activity_id,
    coalesce(MAP {'ACTIVE': 1, 'SUPPRESSED': 3, 'CLOSED': 4}[r.status], 0) AS status_id,
    coalesce(MAP {'INFORMATIONAL': 1, 'LOW': 2, 'MEDIUM': 3, 'HIGH': 4, 'CRITICAL': 5}[r.severity], 0) AS severity_id,

    r.awsAccountId                                                  AS "cloud.account.uid",
    arn_region(r.findingArn)                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon Inspector'                                              AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",
    NULL::VARCHAR                                                   AS principal,

    r.findingArn                                                    AS "finding_info.uid",
    'unknown'                                                       AS "finding_info.uid?",
    r.title                                                         AS "finding_info.title",
    coalesce(r.type, 'unknown')                                     AS "finding_info.title?",
    r.description                                                   AS "finding_info.desc",
    CASE WHEN r.type IS NOT NULL THEN [r.type] END                  AS "finding_info.types",
    coalesce(flaw, r.type)                                          AS "finding_info.analytic.uid",
    CASE WHEN coalesce(flaw, r.type) IS NOT NULL THEN 0 END         AS "finding_info.analytic.type_id",
    first_seen                                                      AS "finding_info.first_seen_time",
    last_seen                                                       AS "finding_info.last_seen_time",
    updated                                                         AS "finding_info.modified_time",

    CASE WHEN flaw IS NOT NULL THEN [{
        'cve': CASE WHEN starts_with(flaw, 'CVE-') THEN {
            'uid': flaw,
            'cvss': list_transform(
                list_filter(package.cvss, lambda x: x.baseScore IS NOT NULL AND x.version IS NOT NULL),
                lambda x: {'base_score': x.baseScore, 'version': x.version, 'vector_string': x.scoringVector,
                    'vendor_name': x.source})
        } END,
        'cwe': CASE WHEN starts_with(flaw, 'CWE-') THEN {'uid': flaw} END,
        'advisory': CASE WHEN NOT regexp_matches(flaw, '^(CVE|CWE)-') THEN {'uid': flaw} END,
        'severity': package.vendorSeverity,
        'vendor_name': package.source,
        'references': list_filter(list_concat([package.sourceUrl], package.referenceUrls, code.referenceUrls),
            lambda x: x IS NOT NULL),
        'is_fix_available': MAP {'YES': true, 'PARTIAL': true, 'NO': false}[r.fixAvailable],
        'is_exploit_available': MAP {'YES': true, 'NO': false}[r.exploitAvailable],
        'affected_packages': list_transform(
            list_filter(package.vulnerablePackages, lambda x: x.name IS NOT NULL AND x.version IS NOT NULL),
            lambda x: {'name': x.name, 'version': x.version, 'architecture': x.arch, 'epoch': x.epoch,
                'release': x.release, 'package_manager': x.packageManager, 'fixed_in_version': x.fixedInVersion,
                'path': x.filePath}),
        'affected_code': CASE WHEN code.filePath.fileName IS NOT NULL THEN [{
            'file': {'name': code.filePath.fileName, 'path': code.filePath.filePath, 'type_id': 1},
            'start_line': code.filePath.startLine, 'end_line': code.filePath.endLine
        }] END
    }] END                                                          AS "vulnerabilities",
    CASE WHEN flaw IS NULL THEN r.remediation.recommendation.text END AS "remediation.desc",

    list_transform(found, lambda x: x.id)                           AS "resources[].uid",
    list_transform(found, lambda x: {
        'uid': x.id, 'type': x.type, 'region': x.region, 'cloud_partition': x.partition, 'data': x.details::VARCHAR
    })                                                              AS "resources",
    list_transform(found, lambda x: concat_ws('" "', x.id, x.details, x.tags)) AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'awsAccountId', 'findingArn', 'title', 'description', 'type',
            CASE WHEN first_seen IS NOT NULL THEN 'firstObservedAt' END,
            CASE WHEN last_seen IS NOT NULL THEN 'lastObservedAt' END,
            CASE WHEN updated IS NOT NULL THEN 'updatedAt' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        r.packageVulnerabilityDetails AS package,
        r.codeVulnerabilityDetails AS code,
        coalesce(r.packageVulnerabilityDetails.vulnerabilityId, r.codeVulnerabilityDetails.cwes[1]) AS flaw,
        list_filter(r.resources, lambda x: x.id IS NOT NULL) AS found,
        coalesce(iso_time(r.firstObservedAt), us_time(r.firstObservedAt), epoch_time(r.firstObservedAt)) AS first_seen,
        coalesce(iso_time(r.lastObservedAt), us_time(r.lastObservedAt), epoch_time(r.lastObservedAt)) AS last_seen,
        coalesce(iso_time(r.updatedAt), us_time(r.updatedAt), epoch_time(r.updatedAt)) AS updated
    FROM records
)
