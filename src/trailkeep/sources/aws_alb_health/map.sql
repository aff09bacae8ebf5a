-- ALB health check logs -> OCSF 1.5.0 HTTP Activity (4002): the balancer's node asks, the target answers. Which method it
-- asks with the record does not say. A status code is gRPC's where the check is; then it is no HTTP response.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    4002                                                            AS class_uid,
    0                                                               AS activity_id,
    1                                                               AS severity_id,
    CASE r.status WHEN 'PASS' THEN 1 ELSE 2 END                     AS status_id,
    r.status_code                                                   AS status_code,
    r.reason_code                                                   AS status_detail,

    arn_account(r.target_arn)                                       AS "cloud.account.uid",
    arn_region(r.target_arn)                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Application Load Balancer'                                     AS "metadata.product.name",
    'Health check log'                                              AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'load_balancer']                          AS "metadata.profiles",

    'elasticloadbalancing.amazonaws.com'                            AS principal,
    CASE WHEN is_ip(r.node_ip) THEN r.node_ip END                   AS "src_endpoint.ip",
    'elasticloadbalancing.amazonaws.com'                            AS "src_endpoint.svc_name",
    CASE WHEN is_ip(r.target_ip) THEN r.target_ip END               AS "dst_endpoint.ip",
    port(r.target_port)                                             AS "dst_endpoint.port",
    r.target_arn                                                    AS "dst_endpoint.uid",
    CASE WHEN r.target_arn IS NULL AND NOT is_ip(r.target_ip) THEN r.target_group END AS "dst_endpoint.svc_name?",

    CASE WHEN r.type NOT LIKE 'grpc%' THEN TRY_CAST(r.status_code AS INTEGER) END AS "http_response.code",
    0                                                               AS "http_response.code?",
    0                                                               AS "connection_info.direction_id",

    r.elb                                                           AS "load_balancer.uid",
    CASE WHEN r.elb IS NOT NULL AND is_ip(r.node_ip) THEN r.node_ip END AS "load_balancer.ip",
    list_filter([r.elb, r.target_group, r.target_arn], lambda uid: uid IS NOT NULL) AS "resources[].uid",
    [r.target_arn]                                                  AS entity_texts,

    unmapped_fields(json_object(
        'type', r.type, 'latency', r.latency, 'target_group', r.target_group, 'more', r.more,
        'target_ip', CASE WHEN NOT is_ip(r.target_ip) THEN r.target_ip END,
        'target_port', CASE WHEN port(r.target_port) IS NULL THEN r.target_port END,
        'node_ip', CASE WHEN NOT is_ip(r.node_ip) THEN r.node_ip END
    ))                                                              AS unmapped
FROM (SELECT *, iso_time(r.time) AS moment FROM records)
