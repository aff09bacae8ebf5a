-- Network Firewall's events (Suricata's EVE JSON in an envelope) -> OCSF 1.5.0 Network Activity (4001). An alert is the
-- activity it was raised on, with the rule that raised it, so that its addresses stand where those of flows do.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'event.timestamp or event_timestamp')        AS reject,
    iso_time(r.event.netflow.start)                                 AS "start_time",
    iso_time(r.event.netflow."end")                                 AS "end_time",
    4001                                                            AS class_uid,
    CASE WHEN blocked THEN 5 ELSE 6 END                             AS activity_id,
    CASE WHEN blocked THEN 2 WHEN r.event.alert.action = 'allowed' THEN 1 END AS action_id,
    CASE WHEN blocked THEN 2 WHEN r.event.alert.action = 'allowed' THEN 19 END AS disposition_id,
    CASE WHEN r.event.event_type = 'alert' THEN true END            AS "is_alert",
    coalesce(MAP {'1': 4, '2': 3, '3': 2}[r.event.alert.severity], 1) AS severity_id,
    CASE WHEN blocked OR r.event.tls_error.error_message IS NOT NULL THEN 2 ELSE 0 END AS status_id,
    r.event.alert.action                                            AS status_code,
    r.event.tls_error.error_message                                 AS "status_detail",

    nullif(regexp_extract(r.availability_zone, '^([a-z]{2}(?:-[a-z]+)+-\d)[a-z]$', 1), '') AS "cloud.region",
    r.availability_zone                                             AS "cloud.zone",
    'AWS'                                                           AS "cloud.provider",
    r.event.event_type                                              AS "metadata.event_code",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Network Firewall'                                          AS "metadata.product.name",
    r.firewall_name                                                 AS "metadata.log_provider",
    ['cloud', 'datetime', 'security_control']                       AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    src_ip                                                          AS "src_endpoint.ip",
    CASE WHEN src_ip IS NOT NULL THEN src_port END                  AS "src_endpoint.port",
    dst_ip                                                          AS "dst_endpoint.ip",
    CASE WHEN dst_ip IS NOT NULL THEN dst_port END                  AS "dst_endpoint.port",
    name                                                            AS "dst_endpoint.domain",
    CASE WHEN src_ip IS NULL AND dst_ip IS NULL THEN 'unknown' END  AS "src_endpoint.svc_name?",
    r.event.proto                                                   AS "connection_info.protocol_name",
    MAP {'ICMP': 1, 'TCP': 6, 'UDP': 17, 'IPV6-ICMP': 58}[upper(r.event.proto)] AS "connection_info.protocol_num",
    r.event.flow_id                                                 AS "connection_info.uid",
    0                                                               AS "connection_info.direction_id",
    bytes                                                           AS "traffic.bytes",
    packets                                                         AS "traffic.packets",

    r.event.alert.signature_id                                      AS "firewall_rule.uid",
    r.event.alert.signature                                         AS "firewall_rule.name",
    CASE WHEN has_rule THEN r.event.alert.category END              AS "firewall_rule.category",
    r.event.alert.signature_id                                      AS "finding_info.analytic.uid",
    r.event.alert.signature                                         AS "finding_info.title",
    http_method(r.event.http.http_method)                           AS "http_request.http_method",
    r.event.http.url                                                AS "http_request.url.url_string",
    r.event.http.http_user_agent                                    AS "http_request.user_agent",
    TRY_CAST(r.event.http.status AS INTEGER)                        AS "http_response.code",
    [r.firewall_name]                                               AS "resources[].uid",
    []::VARCHAR[]                                                   AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields(['firewall_name', 'availability_zone']),
        without_inner(raw_data, 'event', [
            'event_type', 'flow_id', 'proto',
            CASE WHEN src_ip IS NOT NULL THEN 'src_ip' END,
            CASE WHEN dst_ip IS NOT NULL THEN 'dest_ip' END,
            CASE WHEN src_ip IS NOT NULL AND src_port IS NOT NULL THEN 'src_port' END,
            CASE WHEN dst_ip IS NOT NULL AND dst_port IS NOT NULL THEN 'dest_port' END
        ])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(iso_time(r.event.timestamp), epoch_time(r.event_timestamp), iso_time(r.event_timestamp)) AS moment,
        coalesce(r.event.alert.action = 'blocked' OR r.event.revocation_check.action IN ('DROP', 'REJECT'), false) AS blocked,
        coalesce(r.event.alert.signature_id, r.event.alert.signature) IS NOT NULL AS has_rule,
        CASE WHEN is_ip(r.event.src_ip) THEN r.event.src_ip END AS src_ip,
        CASE WHEN is_ip(r.event.dest_ip) THEN r.event.dest_ip END AS dst_ip,
        port(r.event.src_port) AS src_port,
        port(r.event.dest_port) AS dst_port,
        coalesce(r.event.http.hostname, r.event.tls.sni, r.event.sni) AS name,
        TRY_CAST(r.event.netflow.bytes AS BIGINT) AS bytes,
        TRY_CAST(r.event.netflow.pkts AS BIGINT) AS packets
    FROM records
)
