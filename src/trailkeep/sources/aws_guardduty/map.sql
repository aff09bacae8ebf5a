-- GuardDuty findings -> OCSF 1.5.0 Detection Finding (2004). A finding is written again whenever it is updated, so its
-- id is the finding's, not the event's. What it saw is its evidence; who is seen there fills the stored columns too.
SELECT
    coalesce(updated, created)                                      AS "time",
    time_fault(coalesce(updated, created), 'updatedAt or createdAt') AS reject,
    2004                                                            AS class_uid,
    CASE WHEN archived THEN 3 WHEN updated > created THEN 2 ELSE 1 END AS activity_id,
    CASE WHEN archived THEN 3 ELSE 1 END                            AS status_id,
    CASE
        WHEN severity >= 9 THEN 5
        WHEN severity >= 7 THEN 4
        WHEN severity >= 4 THEN 3
        WHEN severity IS NOT NULL THEN 2
        ELSE 0
    END                                                             AS severity_id,

    account                                                         AS "cloud.account.uid",
    region                                                          AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon GuardDuty'                                              AS "metadata.product.name",
    coalesce(r.schemaVersion, json_cased(doc, '$.schemaVersion'))   AS "metadata.product.version",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    id                                                              AS "finding_info.uid",
    coalesce(arn, 'unknown')                                        AS "finding_info.uid?",
    arn                                                             AS "finding_info.uid_alt",
    title                                                           AS "finding_info.title",
    type                                                            AS "finding_info.title?",
    description                                                     AS "finding_info.desc",
    CASE WHEN type IS NOT NULL THEN [type] END                      AS "finding_info.types",
    type                                                            AS "finding_info.analytic.uid",
    CASE WHEN type IS NOT NULL THEN 0 END                           AS "finding_info.analytic.type_id",
    created                                                         AS "finding_info.created_time",
    updated                                                         AS "finding_info.modified_time",
    first_seen                                                      AS "finding_info.first_seen_time",
    last_seen                                                       AS "finding_info.last_seen_time",

    coalesce(user_name, principal_id)                               AS principal,
    user_type                                                       AS "actor.user.type",
    user_name                                                       AS "actor.user.name",
    principal_id                                                    AS "actor.user.uid_alt",
    access_key                                                      AS "actor.user.credential_uid",
    CASE WHEN leaves THEN local_ip ELSE remote_ip END               AS "src_endpoint.ip",
    CASE WHEN leaves THEN local_port ELSE remote_port END           AS "src_endpoint.port",
    CASE WHEN leaves THEN remote_ip ELSE local_ip END               AS "dst_endpoint.ip",
    CASE WHEN leaves THEN remote_port ELSE local_port END           AS "dst_endpoint.port",
    domain                                                          AS "query.hostname",

    resource_uids                                                   AS "resources[].uid",
    list_transform(
        resource_uids, lambda x: {'uid': x, 'type': CASE WHEN len(resource_uids) = 1 THEN resource_type END}
    )                                                               AS "resources",
    CASE WHEN coalesce(operation, user_name, remote_ip, local_ip, domain) IS NOT NULL THEN [{
        'api': CASE WHEN operation IS NOT NULL THEN {
            'operation': operation,
            'service': CASE WHEN service_name IS NOT NULL THEN {'name': service_name} END,
            'response': CASE WHEN error_code IS NOT NULL THEN {'error': error_code} END
        } END,
        'actor': CASE WHEN user_name IS NOT NULL THEN {'user': {
            'name': user_name, 'type': user_type, 'uid_alt': principal_id, 'credential_uid': access_key
        }} END,
        'src_endpoint': CASE
            WHEN leaves AND local_ip IS NOT NULL THEN {'ip': local_ip, 'port': local_port}
            WHEN NOT leaves AND remote_ip IS NOT NULL THEN {'ip': remote_ip, 'port': remote_port}
        END,
        'dst_endpoint': CASE
            WHEN leaves AND remote_ip IS NOT NULL THEN {'ip': remote_ip, 'port': remote_port}
            WHEN NOT leaves AND local_ip IS NOT NULL THEN {'ip': local_ip, 'port': local_port}
        END,
        'query': CASE WHEN domain IS NOT NULL THEN {'hostname': domain} END
    }] END                                                          AS "evidences",
    [json_cased(doc, '$.resource'), json_cased(doc, '$.service')]   AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'schemaVersion', 'accountId', 'region', 'id', 'arn', 'type', 'title', 'description',
            'SchemaVersion', 'AccountId', 'Region', 'Id', 'Arn', 'Type', 'Title', 'Description',
            CASE WHEN created IS NOT NULL THEN 'createdAt' END, CASE WHEN created IS NOT NULL THEN 'CreatedAt' END,
            CASE WHEN updated IS NOT NULL THEN 'updatedAt' END, CASE WHEN updated IS NOT NULL THEN 'UpdatedAt' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(direction = 'OUTBOUND', false) AS leaves,
        CASE WHEN is_ip(local_text) THEN local_text END AS local_ip,
        CASE WHEN is_ip(remote_text) THEN remote_text END AS remote_ip
    FROM (
        SELECT
            *,
            json_cased(doc, '$.id') AS id,
            json_cased(doc, '$.arn') AS arn,
            json_cased(doc, '$.type') AS type,
            json_cased(doc, '$.title') AS title,
            json_cased(doc, '$.description') AS description,
            json_cased(doc, '$.accountId') AS account,
            json_cased(doc, '$.region') AS region,
            TRY_CAST(json_cased(doc, '$.severity') AS DOUBLE) AS severity,
            iso_time(json_cased(doc, '$.createdAt')) AS created,
            iso_time(json_cased(doc, '$.updatedAt')) AS updated,
            iso_time(json_cased(doc, '$.service.eventFirstSeen')) AS first_seen,
            iso_time(json_cased(doc, '$.service.eventLastSeen')) AS last_seen,
            coalesce(json_cased(doc, '$.service.archived') = 'true', false) AS archived,
            json_cased(doc, '$.resource.resourceType') AS resource_type,
            json_cased(doc, '$.resource.accessKeyDetails.userName') AS user_name,
            json_cased(doc, '$.resource.accessKeyDetails.userType') AS user_type,
            json_cased(doc, '$.resource.accessKeyDetails.principalId') AS principal_id,
            json_cased(doc, '$.resource.accessKeyDetails.accessKeyId') AS access_key,
            json_cased(doc, '$.service.action.awsApiCallAction.api') AS operation,
            json_cased(doc, '$.service.action.awsApiCallAction.serviceName') AS service_name,
            json_cased(doc, '$.service.action.awsApiCallAction.errorCode') AS error_code,
            json_cased(doc, '$.service.action.dnsRequestAction.domain') AS domain,
            json_cased(doc, '$.service.action.networkConnectionAction.connectionDirection') AS direction,
            coalesce(
                json_cased(doc, '$.service.action.networkConnectionAction.remoteIpDetails.ipAddressV4'),
                json_cased(doc, '$.service.action.networkConnectionAction.remoteIpDetails.ipAddressV6'),
                json_cased(doc, '$.service.action.awsApiCallAction.remoteIpDetails.ipAddressV4'),
                json_cased(doc, '$.service.action.awsApiCallAction.remoteIpDetails.ipAddressV6'),
                json_cased(doc, '$.service.action.kubernetesApiCallAction.remoteIpDetails.ipAddressV4'),
                json_cased(doc, '$.service.action.rdsLoginAttemptAction.remoteIpDetails.ipAddressV4'),
                json_cased(doc, '$.service.action.portProbeAction.portProbeDetails[0].remoteIpDetails.ipAddressV4')
            ) AS remote_text,
            port(json_cased(doc, '$.service.action.networkConnectionAction.remotePortDetails.port')) AS remote_port,
            coalesce(
                json_cased(doc, '$.service.action.networkConnectionAction.localIpDetails.ipAddressV4'),
                json_cased(doc, '$.service.action.portProbeAction.portProbeDetails[0].localIpDetails.ipAddressV4')
            ) AS local_text,
            port(coalesce(
                json_cased(doc, '$.service.action.networkConnectionAction.localPortDetails.port'),
                json_cased(doc, '$.service.action.portProbeAction.portProbeDetails[0].localPortDetails.port')
            )) AS local_port,
            list_filter(list_concat(
                [
                    json_cased(doc, '$.resource.instanceDetails.instanceId'),
                    json_cased(doc, '$.resource.accessKeyDetails.accessKeyId'),
                    json_cased(doc, '$.resource.eksClusterDetails.arn'),
                    json_cased(doc, '$.resource.ecsClusterDetails.arn'),
                    json_cased(doc, '$.resource.rdsDbInstanceDetails.dbInstanceArn'),
                    json_cased(doc, '$.resource.lambdaDetails.functionArn')
                ],
                json_extract_string(doc, '$.resource.s3BucketDetails[*].arn'),
                json_extract_string(doc, '$.Resource.S3BucketDetails[*].Arn')
            ), lambda x: x IS NOT NULL) AS resource_uids
        FROM (SELECT *, try(raw_data::JSON) AS doc FROM records)
    )
)
