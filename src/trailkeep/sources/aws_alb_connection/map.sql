-- ALB connection logs -> OCSF 1.5.0 Network Activity (4001): a connection opened, or one that failed. The client is the
-- source, the listener the destination. Whose certificate was verified has acted; of a certificate that was refused, the
-- subject is a claim. A record names no balancer and no account: its file's key does.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    4001                                                            AS class_uid,
    CASE WHEN failed THEN 4 ELSE 1 END                              AS activity_id,
    1                                                               AS severity_id,
    CASE WHEN failed THEN 2 ELSE 1 END                              AS status_id,
    r.tls_verify_status                                             AS status_code,

    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Application Load Balancer'                                     AS "metadata.product.name",
    'Connection log'                                                AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    CASE WHEN r.tls_verify_status = 'Success' THEN r.leaf_client_cert_subject END AS principal,
    CASE WHEN is_ip(r.client_ip) THEN r.client_ip END               AS "src_endpoint.ip",
    port(r.client_port)                                             AS "src_endpoint.port",
    CASE WHEN NOT is_ip(r.client_ip) THEN 'unknown' END             AS "src_endpoint.svc_name?",
    port(r.listener_port)                                           AS "dst_endpoint.port",
    'unknown'                                                       AS "dst_endpoint.svc_name?",

    r.tls_protocol                                                  AS "tls.version",
    CASE WHEN coalesce(r.tls_cipher, r.leaf_client_cert_serial_number) IS NOT NULL THEN 'unknown' END AS "tls.version?",
    r.tls_cipher                                                    AS "tls.cipher",
    r.leaf_client_cert_subject                                      AS "tls.certificate.subject",
    r.leaf_client_cert_serial_number                                AS "tls.certificate.serial_number",
    CASE
        WHEN coalesce(r.leaf_client_cert_subject, r.leaf_client_cert_serial_number) IS NOT NULL THEN 'unknown'
    END                                                             AS "tls.certificate.issuer?",
    CASE WHEN r.leaf_client_cert_subject IS NOT NULL THEN 'unknown' END AS "tls.certificate.serial_number?",
    6                                                               AS "connection_info.protocol_num",
    0                                                               AS "connection_info.direction_id",
    r.conn_trace_id                                                 AS "connection_info.uid",

    unmapped_fields(json_object(
        'tls_handshake_latency', r.tls_handshake_latency, 'leaf_client_cert_validity', r.leaf_client_cert_validity,
        'tls_keyexchange', r.tls_keyexchange, 'more', r.more,
        'client_ip', CASE WHEN NOT is_ip(r.client_ip) THEN r.client_ip END,
        'client_port', CASE WHEN port(r.client_port) IS NULL THEN r.client_port END,
        'listener_port', CASE WHEN port(r.listener_port) IS NULL THEN r.listener_port END
    ))                                                              AS unmapped
FROM (SELECT *, iso_time(r.time) AS moment, coalesce(r.tls_verify_status LIKE 'Failed:%', false) AS failed FROM records)
