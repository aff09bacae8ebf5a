-- Kubernetes audit events -> OCSF 1.5.0 API Activity (6003). A request has one auditID and an event for each stage, so
-- the auditID correlates events and names none. Who comes through IAM has the ARN of its role as principal, as in
-- CloudTrail. A resource is named by its path in the Kubernetes API.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'requestReceivedTimestamp or stageTimestamp') AS reject,
    iso_time(r.stageTimestamp)                                      AS "end_time",
    6003                                                            AS class_uid,
    coalesce(MAP {
        'create': 1, 'get': 2, 'list': 2, 'watch': 2, 'update': 3, 'patch': 3, 'delete': 4, 'deletecollection': 4
    }[r.verb], 99)                                                  AS activity_id,
    1                                                               AS severity_id,
    CASE WHEN code >= 400 THEN 2 WHEN code IS NOT NULL THEN 1 ELSE 0 END AS status_id,
    r.responseStatus.code                                           AS status_code,

    arn_account(arn)                                                AS "actor.user.account.uid",
    'AWS'                                                           AS "cloud.provider",
    r.auditID                                                       AS "metadata.correlation_uid",
    r.level                                                         AS "metadata.log_level",
    r.apiVersion                                                    AS "metadata.log_version",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon EKS'                                                    AS "metadata.product.name",
    'Kubernetes audit'                                              AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.verb                                                          AS "api.operation",
    'unknown'                                                       AS "api.operation?",
    'kubernetes'                                                    AS "api.service.name",
    r.objectRef.apiGroup                                            AS "api.group.name",
    r.objectRef.apiVersion                                          AS "api.version",
    coalesce(r.auditID, 'unknown')                                  AS "api.request.uid",
    r.requestObject                                                 AS "api.request.data",
    code                                                            AS "api.response.code",
    r.responseStatus.reason                                         AS "api.response.error",
    r.responseStatus.message                                        AS "api.response.message",
    r.responseObject                                                AS "api.response.data",

    coalesce(r.user.extra.canonicalArn[1], arn, r.user.username)    AS principal,
    r.user.username                                                 AS "actor.user.name",
    CASE WHEN coalesce(r.user.username, arn) IS NULL THEN 'unknown' END AS "actor.user.name?",
    arn                                                             AS "actor.user.uid",
    r.user.uid                                                      AS "actor.user.uid_alt",
    r.user.extra.accessKeyId[1]                                     AS "actor.user.credential_uid",
    CASE WHEN r.user.extra.canonicalArn[1] <> arn THEN r.user.extra.canonicalArn[1] END AS "actor.session.issuer",
    list_transform(list_filter(r.user.groups, lambda g: g IS NOT NULL), lambda g: {'name': g}) AS "actor.user.groups",

    addresses[1]                                                    AS "src_endpoint.ip",
    addresses[2:]                                                   AS "src_endpoint.intermediate_ips",
    CASE WHEN len(coalesce(addresses, [])) = 0 THEN 'unknown' END   AS "src_endpoint.svc_name?",
    r.userAgent                                                     AS "http_request.user_agent",
    r.requestURI                                                    AS "http_request.url.url_string",
    code                                                            AS "http_response.code",

    CASE WHEN path IS NOT NULL THEN [path] END                      AS "resources[].uid",
    CASE WHEN path IS NOT NULL THEN [{
        'uid': path, 'uid_alt': r.objectRef.uid, 'name': r.objectRef.name, 'namespace': r.objectRef.namespace,
        'type': r.objectRef.resource, 'version': r.objectRef.resourceVersion
    }] END                                                          AS "resources",
    [
        r.requestObject::VARCHAR, r.responseObject::VARCHAR, r.impersonatedUser::VARCHAR,
        array_to_string(addresses, '" "'),
        concat_ws('" "', r.user.extra.canonicalArn[1], r.user.extra.principalId[1])
    ]                                                               AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'apiVersion', 'level', 'auditID', 'verb', 'requestURI', 'userAgent', 'requestObject', 'responseObject',
            CASE WHEN moment = iso_time(r.requestReceivedTimestamp) THEN 'requestReceivedTimestamp' END,
            CASE WHEN iso_time(r.stageTimestamp) IS NOT NULL THEN 'stageTimestamp' END,
            CASE WHEN len(addresses) = json_array_length(raw_data, '$.sourceIPs') THEN 'sourceIPs' END
        ]),
        without_inner(raw_data, 'user', [
            'username', 'uid', CASE WHEN len(r.user.groups) = json_array_length(raw_data, '$.user.groups') THEN 'groups' END
        ]),
        without_inner(raw_data, 'responseStatus', [
            'reason', 'message', CASE WHEN code IS NOT NULL THEN 'code' END
        ]),
        CASE WHEN path IS NULL THEN '{}' ELSE without_inner(raw_data, 'objectRef', [
            'resource', 'namespace', 'name', 'uid', 'apiGroup', 'apiVersion', 'resourceVersion'
        ]) END
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(iso_time(r.requestReceivedTimestamp), iso_time(r.stageTimestamp), iso_time(r.timestamp)) AS moment,
        TRY_CAST(r.responseStatus.code AS INTEGER) AS code,
        r.user.extra.arn[1] AS arn,
        list_filter(r.sourceIPs, lambda a: is_ip(a)) AS addresses,
        CASE WHEN r.objectRef.resource IS NOT NULL THEN concat_ws(
            '/', 'namespaces/' || nullif(r.objectRef.namespace, ''), r.objectRef.resource, r.objectRef.name,
            r.objectRef.subresource
        ) END AS path
    FROM records
)
