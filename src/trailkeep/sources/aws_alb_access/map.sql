-- ALB access logs -> OCSF 1.5.0 HTTP Activity. The client is the source, the target the destination; bytes out are what
-- the client sent. The account and region are those of the target group or the certificate, which are the balancer's.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    iso_time(r.request_creation_time)                               AS "start_time",
    4002                                                            AS class_uid,
    http_activity(request_method(r.request))                        AS activity_id,
    1                                                               AS severity_id,
    http_outcome(r.elb_status_code)                                 AS status_id,
    r.elb_status_code                                               AS status_code,
    -- "waf" as the last action says that AWS WAF had the request refused; before others, that it let it pass.
    CASE WHEN r.actions_executed LIKE '%waf' THEN 2 WHEN r.actions_executed LIKE 'waf,%' THEN 1 END AS action_id,
    CASE WHEN r.actions_executed LIKE '%waf' THEN 2 WHEN r.actions_executed LIKE 'waf,%' THEN 1 END AS disposition_id,

    arn_account(own_arn)                                            AS "cloud.account.uid",
    arn_region(own_arn)                                             AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.trace_id                                                      AS "metadata.correlation_uid",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Application Load Balancer'                                     AS "metadata.product.name",
    'Access log'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'load_balancer', 'security_control']      AS "metadata.profiles",

    CASE WHEN is_ip(r.client_ip) THEN r.client_ip END               AS "src_endpoint.ip",
    port(r.client_port)                                             AS "src_endpoint.port",
    CASE WHEN NOT is_ip(r.client_ip) THEN 'unknown' END             AS "src_endpoint.svc_name?",
    CASE WHEN is_ip(r.target_ip) THEN r.target_ip END               AS "dst_endpoint.ip",
    port(r.target_port)                                             AS "dst_endpoint.port",
    CASE WHEN NOT is_ip(r.target_ip) THEN r.elb END                 AS "dst_endpoint.svc_name?",

    request_method(r.request)                                       AS "http_request.http_method",
    request_url(r.request)                                          AS "http_request.url.url_string",
    request_version(r.request)                                      AS "http_request.version",
    r.user_agent                                                    AS "http_request.user_agent",
    TRY_CAST(r.elb_status_code AS INTEGER)                          AS "http_response.code",
    CASE WHEN coalesce(request_url(r.request), r.user_agent) IS NULL THEN 0 END AS "http_response.code?",
    byte_count(r.received_bytes) + byte_count(r.sent_bytes)         AS "traffic.bytes",
    byte_count(r.sent_bytes)                                        AS "traffic.bytes_in",
    byte_count(r.received_bytes)                                    AS "traffic.bytes_out",
    r.ssl_protocol                                                  AS "tls.version",
    CASE WHEN coalesce(r.ssl_cipher, r.domain_name) IS NOT NULL THEN 'unknown' END AS "tls.version?",
    r.ssl_cipher                                                    AS "tls.cipher",
    r.domain_name                                                   AS "tls.sni",
    0                                                               AS "connection_info.direction_id",
    r.conn_trace_id                                                 AS "connection_info.uid",

    r.elb                                                           AS "load_balancer.uid",
    r.error_reason                                                  AS "load_balancer.error_message",
    r.classification                                                AS "load_balancer.classification",
    r.classification_reason                                         AS "load_balancer.status_detail",
    list_filter([r.elb, r.target_group_arn], lambda uid: uid IS NOT NULL) AS "resources[].uid",
    [
        r.target_group_arn, r.chosen_cert_arn, r.target_port_list,
        -- The balancer's own ARN: of the same partition, region and account.
        regexp_extract(own_arn, '^arn:aws[a-z-]*:', 0) || 'elasticloadbalancing:' || arn_region(own_arn) || ':'
            || arn_account(own_arn) || ':loadbalancer/' || r.elb
    ]                                                               AS entity_texts,

    unmapped_fields(json_object(
        'type', r.type, 'request_processing_time', r.request_processing_time,
        'target_processing_time', r.target_processing_time, 'response_processing_time', r.response_processing_time,
        'target_status_code', r.target_status_code, 'target_group_arn', r.target_group_arn,
        'chosen_cert_arn', r.chosen_cert_arn, 'matched_rule_priority', r.matched_rule_priority,
        'actions_executed', r.actions_executed, 'redirect_url', r.redirect_url,
        'target_port_list', r.target_port_list, 'target_status_code_list', r.target_status_code_list,
        'transformed_host', r.transformed_host, 'transformed_uri', r.transformed_uri,
        'request_transform_status', r.request_transform_status, 'more', r.more,
        'received_bytes', CASE WHEN byte_count(r.received_bytes) IS NULL THEN r.received_bytes END,
        'sent_bytes', CASE WHEN byte_count(r.sent_bytes) IS NULL THEN r.sent_bytes END,
        'client_ip', CASE WHEN NOT is_ip(r.client_ip) THEN r.client_ip END,
        'client_port', CASE WHEN port(r.client_port) IS NULL THEN r.client_port END,
        'target_ip', CASE WHEN NOT is_ip(r.target_ip) THEN r.target_ip END,
        'target_port', CASE WHEN port(r.target_port) IS NULL THEN r.target_port END,
        'request', odd_request(r.request),
        'request_creation_time', CASE WHEN iso_time(r.request_creation_time) IS NULL THEN r.request_creation_time END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        iso_time(r.time) AS moment,
        CASE
            WHEN arn_account(r.target_group_arn) IS NOT NULL THEN r.target_group_arn
            WHEN arn_account(r.chosen_cert_arn) IS NOT NULL THEN r.chosen_cert_arn
        END AS own_arn
    FROM records
)
