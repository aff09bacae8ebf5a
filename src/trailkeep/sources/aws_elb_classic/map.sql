-- Classic load balancer access logs -> OCSF 1.5.0: lines of HTTP listeners HTTP Activity, of TCP listeners, which have
-- neither status nor request, Network Activity. The client is the source, the instance behind the balancer the destination.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid WHEN 4002 THEN http_activity(request_method(r.request)) ELSE 6 END AS activity_id,
    1                                                               AS severity_id,
    http_outcome(r.elb_status_code)                                 AS status_id,
    r.elb_status_code                                               AS status_code,

    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Classic Load Balancer'                                         AS "metadata.product.name",
    'Access log'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'load_balancer']                          AS "metadata.profiles",

    CASE WHEN is_ip(r.client_ip) THEN r.client_ip END               AS "src_endpoint.ip",
    port(r.client_port)                                             AS "src_endpoint.port",
    CASE WHEN NOT is_ip(coalesce(r.client_ip, '')) THEN 'unknown' END AS "src_endpoint.svc_name?",
    CASE WHEN is_ip(r.backend_ip) THEN r.backend_ip END             AS "dst_endpoint.ip",
    port(r.backend_port)                                            AS "dst_endpoint.port",
    CASE WHEN NOT is_ip(r.backend_ip) THEN r.elb END                AS "dst_endpoint.svc_name?",

    request_method(r.request)                                       AS "http_request.http_method",
    request_url(r.request)                                          AS "http_request.url.url_string",
    request_version(r.request)                                      AS "http_request.version",
    r.user_agent                                                    AS "http_request.user_agent",
    TRY_CAST(r.elb_status_code AS INTEGER)                          AS "http_response.code",
    byte_count(r.received_bytes) + byte_count(r.sent_bytes)         AS "traffic.bytes",
    byte_count(r.sent_bytes)                                        AS "traffic.bytes_in",
    byte_count(r.received_bytes)                                    AS "traffic.bytes_out",
    6                                                               AS "connection_info.protocol_num",
    0                                                               AS "connection_info.direction_id",
    r.ssl_protocol                                                  AS "tls.version",
    CASE WHEN r.ssl_cipher IS NOT NULL THEN 'unknown' END           AS "tls.version?",
    r.ssl_cipher                                                    AS "tls.cipher",

    r.elb                                                           AS "load_balancer.name",
    [r.elb]                                                         AS "resources[].uid",

    unmapped_fields(json_object(
        'request_processing_time', r.request_processing_time, 'backend_processing_time', r.backend_processing_time,
        'response_processing_time', r.response_processing_time, 'backend_status_code', r.backend_status_code,
        'more', r.more,
        'received_bytes', CASE WHEN byte_count(r.received_bytes) IS NULL THEN r.received_bytes END,
        'sent_bytes', CASE WHEN byte_count(r.sent_bytes) IS NULL THEN r.sent_bytes END,
        'client_ip', CASE WHEN NOT is_ip(r.client_ip) THEN r.client_ip END,
        'client_port', CASE WHEN port(r.client_port) IS NULL THEN r.client_port END,
        'backend_ip', CASE WHEN NOT is_ip(r.backend_ip) THEN r.backend_ip END,
        'backend_port', CASE WHEN port(r.backend_port) IS NULL THEN r.backend_port END,
        'request', odd_request(r.request),
        'user_agent', CASE WHEN class_uid = 4001 THEN r.user_agent END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        iso_time(r.time) AS moment,
        CASE WHEN coalesce(r.elb_status_code, request_method(r.request)) IS NULL THEN 4001 ELSE 4002 END AS class_uid
    FROM records
)
