-- API Gateway access logs -> OCSF 1.5.0 HTTP Activity (4002). The client is the source, the API's domain the destination.
-- Who asked is the IAM identity, or whom an authorizer named. A client can choose the request's id, so it is none of the
-- event. What OCSF's class has no place for (the identity, the API, its stage) stays in unmapped beside the columns.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'request time')                              AS reject,
    4002                                                            AS class_uid,
    http_activity(method)                                           AS activity_id,
    1                                                               AS severity_id,
    coalesce(http_outcome(status), 0)                               AS status_id,
    status                                                          AS status_code,
    coalesce(said(r.errorMessage), said(r.error_message))           AS status_detail,
    TRY_CAST(latency AS BIGINT)                                     AS duration,
    CASE waf WHEN 'WAF_ALLOW' THEN 1 WHEN 'WAF_BLOCK' THEN 2 END    AS action_id,
    CASE waf WHEN 'WAF_ALLOW' THEN 1 WHEN 'WAF_BLOCK' THEN 2 END    AS disposition_id,

    coalesce(said(r.accountId), said(r.account_id))                 AS "cloud.account.uid",
    coalesce(said(r.region), nullif(regexp_extract(domain, '\.execute-api\.([a-z0-9-]+)\.', 1), '')) AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    coalesce(said(r.xrayTraceId), said(r.xray_trace_id))            AS "metadata.correlation_uid",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon API Gateway'                                            AS "metadata.product.name",
    'Access log'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'security_control']                       AS "metadata.profiles",

    coalesce(user_arn, caller, named)                               AS principal,
    user_arn                                                        AS "actor.user.uid",
    caller                                                          AS "actor.user.uid_alt",
    named                                                           AS "actor.user.name",
    CASE WHEN is_ip(client) THEN client END                         AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(client) THEN 'unknown' END                  AS "src_endpoint.svc_name?",
    domain                                                          AS "dst_endpoint.domain",

    method                                                          AS "http_request.http_method",
    coalesce(said(r.requestId), said(r.request_id))                 AS "http_request.uid",
    coalesce(path, template)                                        AS "http_request.url.url_string",
    path                                                            AS "http_request.url.path",
    CASE WHEN domain IS NOT NULL THEN 'unknown' END                 AS "http_request.url.path?",
    domain                                                          AS "http_request.url.hostname",
    said(r.protocol)                                                AS "http_request.version",
    coalesce(said(r.userAgent), said(r.user_agent))                 AS "http_request.user_agent",
    TRY_CAST(status AS INTEGER)                                     AS "http_response.code",
    0                                                               AS "http_response.code?",
    byte_count(size)                                                AS "traffic.bytes",
    byte_count(size)                                                AS "traffic.bytes_in",
    coalesce(said(r.webaclArn), said(r.webacl_arn))                 AS "policy.uid",

    list_filter([coalesce(said(r.apiId), said(r.api_id))], lambda uid: uid IS NOT NULL) AS "resources[].uid",
    [user_arn, coalesce(r.webaclArn, r.webacl_arn)]                 AS entity_texts,

    leftover(try(json_merge_patch(
        doc,
        without_fields(list_concat(blank_fields(doc), [
            -- Of what is there under two names, the first is the event's; of the times, the exactest.
            CASE
                WHEN exact IS NOT NULL THEN unless(r.requestTimeEpoch, 'request_time_epoch')
                WHEN clf_time(r.requestTime) IS NOT NULL THEN 'requestTime'
                WHEN clf_time(r.request_time) IS NOT NULL THEN 'request_time'
                ELSE 'time'
            END,
            CASE WHEN exact IS NOT NULL THEN 'requestTimeEpoch' END,
            'requestId', unless(r.requestId, 'request_id'), 'xrayTraceId', unless(r.xrayTraceId, 'xray_trace_id'),
            'accountId', unless(r.accountId, 'account_id'), 'domainName', unless(r.domainName, 'domain_name'),
            'status', unless(r.status, 'status_code'), 'userAgent', unless(r.userAgent, 'user_agent'),
            'errorMessage', unless(r.errorMessage, 'error_message'), 'webaclArn', unless(r.webaclArn, 'webacl_arn'),
            'region', 'path', 'protocol', unless(path, 'resourcePath'),
            unless(coalesce(path, said(r.resourcePath)), 'resource_path'),
            CASE WHEN is_ip(client) THEN 'ip' END,
            CASE WHEN is_ip(client) THEN unless(r.ip, 'client_ip') END,
            CASE WHEN is_ip(client) THEN unless(coalesce(said(r.ip), said(r.client_ip)), 'sourceIp') END,
            CASE WHEN http_method(method) IS NOT NULL THEN 'httpMethod' END,
            CASE WHEN http_method(method) IS NOT NULL THEN unless(r.httpMethod, 'http_method') END,
            CASE WHEN byte_count(size) IS NOT NULL THEN 'responseLength' END,
            CASE WHEN byte_count(size) IS NOT NULL THEN unless(r.responseLength, 'response_length') END,
            CASE WHEN TRY_CAST(latency AS BIGINT) IS NOT NULL THEN 'responseLatency' END,
            CASE WHEN TRY_CAST(latency AS BIGINT) IS NOT NULL THEN unless(r.responseLatency, 'response_latency') END
        ])),
        without_inner(doc, 'identity', list_concat(
            blank_fields(identity),
            CASE WHEN len(blank_fields(json_extract(identity, '$.client_cert'))) = len(json_keys(identity, '$.client_cert'))
                THEN ['client_cert'] ELSE [] END
        ))
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE WHEN json_type(doc, '$.identity') = 'OBJECT' THEN json_extract(doc, '$.identity') END AS identity,
        epoch_ms_time(coalesce(r.requestTimeEpoch, r.request_time_epoch)) AS exact,
        coalesce(
            epoch_ms_time(coalesce(r.requestTimeEpoch, r.request_time_epoch)), clf_time(r.requestTime),
            clf_time(r.request_time), iso_time(r.time)
        ) AS moment,
        coalesce(said(r.ip), said(r.client_ip), said(r.sourceIp), said(r.identity.sourceIp)) AS client,
        coalesce(said(r.userArn), said(r.user_arn), said(r.identity.userArn)) AS user_arn,
        coalesce(said(r.caller), said(r.user), said(r.identity.caller), said(r.identity.user)) AS caller,
        coalesce(said(r.principalId), said(r.principal_id)) AS named,
        coalesce(said(r.httpMethod), said(r.http_method)) AS method,
        coalesce(said(r.domainName), said(r.domain_name)) AS domain,
        said(r.path) AS path,
        coalesce(said(r.resourcePath), said(r.resource_path)) AS template,
        coalesce(said(r.status), said(r.status_code)) AS status,
        coalesce(said(r.responseLength), said(r.response_length)) AS size,
        coalesce(said(r.responseLatency), said(r.response_latency)) AS latency,
        coalesce(said(r.wafResponseCode), said(r.waf_response_code)) AS waf
    FROM (SELECT *, try(raw_data::JSON) AS doc FROM records)
)
