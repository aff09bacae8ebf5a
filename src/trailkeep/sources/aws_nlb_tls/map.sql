-- NLB access logs, of TLS connections -> OCSF 1.5.0 Network Activity. The client is the source, the target the
-- destination; bytes out are what the client sent. A connection without a handshake is a failed one.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    iso_time(r.tls_connection_creation_time)                        AS "start_time",
    4001                                                            AS class_uid,
    6                                                               AS activity_id,
    1                                                               AS severity_id,
    CASE WHEN r.tls_handshake_time IS NULL THEN 2 ELSE 1 END        AS status_id,
    TRY_CAST(r.connection_time AS BIGINT)                           AS duration,

    arn_account(r.chosen_cert_arn)                                  AS "cloud.account.uid",
    arn_region(r.chosen_cert_arn)                                   AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Network Load Balancer'                                         AS "metadata.product.name",
    r.version                                                       AS "metadata.product.version",
    'TLS access log'                                                AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'load_balancer']                          AS "metadata.profiles",

    CASE WHEN is_ip(r.client_ip) THEN r.client_ip END               AS "src_endpoint.ip",
    port(r.client_port)                                             AS "src_endpoint.port",
    CASE WHEN NOT is_ip(r.client_ip) THEN 'unknown' END             AS "src_endpoint.svc_name?",
    CASE WHEN is_ip(r.destination_ip) THEN r.destination_ip END     AS "dst_endpoint.ip",
    port(r.destination_port)                                        AS "dst_endpoint.port",
    CASE WHEN NOT is_ip(r.destination_ip) THEN r.elb END            AS "dst_endpoint.svc_name?",

    TRY_CAST(r.received_bytes AS BIGINT) + TRY_CAST(r.sent_bytes AS BIGINT) AS "traffic.bytes",
    TRY_CAST(r.sent_bytes AS BIGINT)                                AS "traffic.bytes_in",
    TRY_CAST(r.received_bytes AS BIGINT)                            AS "traffic.bytes_out",
    6                                                               AS "connection_info.protocol_num",
    0                                                               AS "connection_info.direction_id",
    r.tls_protocol_version                                          AS "tls.version",
    'unknown'                                                       AS "tls.version?",
    r.tls_cipher                                                    AS "tls.cipher",
    r.domain_name                                                   AS "tls.sni",
    TRY_CAST(r.incoming_tls_alert AS INTEGER)                       AS "tls.alert",
    TRY_CAST(r.tls_handshake_time AS BIGINT)                        AS "tls.handshake_dur",

    r.elb                                                           AS "load_balancer.uid",
    [r.elb]                                                         AS "resources[].uid",
    [
        r.chosen_cert_arn,
        -- The balancer's own ARN: of the same partition, region and account as its certificate.
        regexp_extract(r.chosen_cert_arn, '^arn:aws[a-z-]*:', 0) || 'elasticloadbalancing:'
            || arn_region(r.chosen_cert_arn) || ':' || arn_account(r.chosen_cert_arn) || ':loadbalancer/' || r.elb
    ]                                                               AS entity_texts,

    unmapped_fields(json_object(
        'type', r.type, 'listener', r.listener, 'chosen_cert_arn', r.chosen_cert_arn,
        'chosen_cert_serial', r.chosen_cert_serial, 'tls_named_group', r.tls_named_group,
        'alpn_fe_protocol', r.alpn_fe_protocol, 'alpn_be_protocol', r.alpn_be_protocol,
        'alpn_client_preference_list', r.alpn_client_preference_list, 'more', r.more,
        'client_ip', CASE WHEN NOT is_ip(r.client_ip) THEN r.client_ip END,
        'client_port', CASE WHEN port(r.client_port) IS NULL THEN r.client_port END,
        'destination_ip', CASE WHEN NOT is_ip(r.destination_ip) THEN r.destination_ip END,
        'destination_port', CASE WHEN port(r.destination_port) IS NULL THEN r.destination_port END,
        'incoming_tls_alert',
        CASE WHEN TRY_CAST(r.incoming_tls_alert AS INTEGER) IS NULL THEN r.incoming_tls_alert END,
        'tls_connection_creation_time',
        CASE WHEN iso_time(r.tls_connection_creation_time) IS NULL THEN r.tls_connection_creation_time END
    ))                                                              AS unmapped
FROM (SELECT *, iso_time(r.time) AS moment FROM records)
