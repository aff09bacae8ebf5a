-- Web ACL logs -> OCSF 1.5.0 HTTP Activity (4002): the client is the source, the protected resource the destination,
-- the web ACL the policy and the terminating rule the firewall rule. CAPTCHA and CHALLENGE end a request as BLOCK does.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timestamp')                                 AS reject,
    4002                                                            AS class_uid,
    coalesce(MAP {
        'CONNECT': 1, 'DELETE': 2, 'GET': 3, 'HEAD': 4, 'OPTIONS': 5, 'POST': 6, 'PUT': 7, 'TRACE': 8
    }[r.httpRequest.httpMethod], CASE WHEN r.httpRequest.httpMethod IS NULL THEN 0 ELSE 99 END) AS activity_id,
    CASE r.action WHEN 'ALLOW' THEN 1 WHEN 'COUNT' THEN 3 WHEN 'BLOCK' THEN 2 WHEN 'CAPTCHA' THEN 2
        WHEN 'CHALLENGE' THEN 2 ELSE 0 END                          AS action_id,
    CASE r.action WHEN 'ALLOW' THEN 1 WHEN 'BLOCK' THEN 2 WHEN 'COUNT' THEN 20 WHEN 'CAPTCHA' THEN 22
        WHEN 'CHALLENGE' THEN 23 ELSE 0 END                         AS disposition_id,
    1                                                               AS severity_id,
    CASE
        WHEN code >= 400 OR r.action IN ('BLOCK', 'CAPTCHA', 'CHALLENGE') THEN 2
        WHEN code IS NOT NULL THEN 1
        ELSE 0
    END                                                             AS status_id,
    r.action                                                        AS status_code,

    arn_account(r.webaclId)                                         AS "cloud.account.uid",
    arn_region(r.webaclId)                                          AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS WAF'                                                       AS "metadata.product.name",
    r.formatVersion                                                 AS "metadata.log_version",
    list_transform(r.labels, lambda x: x.name)                      AS "metadata.labels",
    ['cloud', 'datetime', 'security_control']                       AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    r.terminatingRuleId                                             AS "firewall_rule.uid",
    CASE WHEN r.terminatingRuleId IS NOT NULL THEN r.terminatingRuleType END AS "firewall_rule.type",
    r.terminatingRuleId                                             AS "finding_info.analytic.uid",
    r.webaclId                                                      AS "policy.uid",

    client                                                          AS "src_endpoint.ip",
    CASE WHEN client IS NOT NULL THEN r.httpRequest.country END     AS "src_endpoint.location.country",
    r.httpSourceId                                                  AS "dst_endpoint.uid",
    coalesce(r.webaclId, 'unknown')                                 AS "dst_endpoint.uid?",
    r.httpSourceName                                                AS "dst_endpoint.svc_name",
    host                                                            AS "dst_endpoint.domain",

    r.httpRequest.requestId                                         AS "http_request.uid",
    http_method(r.httpRequest.httpMethod)                           AS "http_request.http_method",
    r.httpRequest.httpVersion                                       AS "http_request.version",
    r.httpRequest.uri || coalesce('?' || args, '')                  AS "http_request.url.url_string",
    r.httpRequest.uri                                               AS "http_request.url.path",
    -- OCSF wants a request or a response.
    CASE
        WHEN code IS NULL AND coalesce(r.httpRequest.requestId, r.httpRequest.httpVersion) IS NULL THEN 'unknown'
    END                                                             AS "http_request.url.path?",
    CASE WHEN r.httpRequest.uri IS NOT NULL THEN r.httpRequest.args END AS "http_request.url.query_string",
    CASE WHEN r.httpRequest.uri IS NOT NULL THEN r.httpRequest.scheme END AS "http_request.url.scheme",
    agent                                                           AS "http_request.user_agent",
    list_filter(r.httpRequest.headers, lambda h: h.name IS NOT NULL AND h.value IS NOT NULL)
                                                                    AS "http_request.http_headers",
    code                                                            AS "http_response.code",

    [r.webaclId, r.httpSourceId]                                    AS "resources[].uid",
    [
        r.webaclId, r.httpSourceId,
        concat_ws('" "', CASE WHEN forwarded <> client THEN forwarded END, r.terminatingRuleMatchDetails)
    ]                                                               AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'timestamp', 'formatVersion', 'webaclId', 'terminatingRuleId', 'action', 'httpSourceName', 'httpSourceId',
            CASE WHEN r.terminatingRuleId IS NOT NULL THEN 'terminatingRuleType' END,
            CASE WHEN code IS NOT NULL THEN 'responseCodeSent' END,
            CASE WHEN labels_fit THEN 'labels' END
        ]),
        without_inner(raw_data, 'httpRequest', [
            'httpVersion', 'requestId',
            CASE WHEN http_method(r.httpRequest.httpMethod) IS NOT NULL THEN 'httpMethod' END,
            CASE WHEN client IS NOT NULL THEN 'clientIp' END,
            CASE WHEN client IS NOT NULL THEN 'country' END,
            CASE WHEN r.httpRequest.uri IS NOT NULL THEN 'uri' END,
            CASE WHEN r.httpRequest.uri IS NOT NULL THEN 'args' END,
            CASE WHEN r.httpRequest.uri IS NOT NULL THEN 'scheme' END,
            CASE WHEN r.httpRequest.host = host THEN 'host' END,
            CASE WHEN headers_fit THEN 'headers' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        epoch_ms_time(r.timestamp) AS moment,
        TRY_CAST(r.responseCodeSent AS INTEGER) AS code,
        CASE WHEN is_ip(r.httpRequest.clientIp) THEN r.httpRequest.clientIp END AS client,
        nullif(r.httpRequest.args, '') AS args,
        list_filter(r.httpRequest.headers, lambda h: lower(h.name) = 'user-agent')[1].value AS agent,
        list_filter(r.httpRequest.headers, lambda h: lower(h.name) = 'x-forwarded-for')[1].value AS forwarded,
        coalesce(list_filter(r.httpRequest.headers, lambda h: lower(h.name) = 'host')[1].value, r.httpRequest.host)
            AS host,
        -- Nothing else in these lists than what OCSF takes from them.
        coalesce(list_bool_and(list_transform(
            from_json(raw_data, '{"httpRequest":{"headers":["JSON"]}}').httpRequest.headers,
            lambda x: json_type(x, '$.name') = 'VARCHAR' AND json_type(x, '$.value') = 'VARCHAR' AND len(json_keys(x)) = 2
        )), false) AS headers_fit,
        coalesce(list_bool_and(list_transform(
            from_json(raw_data, '{"labels":["JSON"]}').labels,
            lambda x: json_type(x, '$.name') = 'VARCHAR' AND len(json_keys(x)) = 1
        )), false) AS labels_fit
    FROM records
)
