-- VPC flow log records -> OCSF 1.5.0 Network Activity (4001). The endpoints are the packet's addresses where the format
-- has them; the interface's own addresses are then hops between. The interface, instance, subnet, VPC and zone belong to
-- the end where AWS recorded: the source of what leaves (egress), else the destination. A path with a `?` fills that
-- path in OCSF form only, where the schema demands a value that the record lacks.
SELECT
    coalesce(start_time, end_time, key_time)                        AS "time",
    CASE
        WHEN len(fields) <> len(header)
            THEN len(fields)::VARCHAR || ' fields where the header names ' || len(header)::VARCHAR
        ELSE time_fault(coalesce(start_time, end_time, key_time), 'start, end or object time')
    END                                                             AS reject,
    start_time                                                      AS "start_time",
    end_time                                                        AS "end_time",
    4001                                                            AS class_uid,
    CASE r.action WHEN 'ACCEPT' THEN 6 WHEN 'REJECT' THEN 5 ELSE 0 END AS activity_id,
    CASE r.action WHEN 'ACCEPT' THEN 1 WHEN 'REJECT' THEN 2 END     AS action_id,
    CASE r.action WHEN 'ACCEPT' THEN 1 WHEN 'REJECT' THEN 2 END     AS disposition_id,
    1                                                               AS severity_id,
    CASE WHEN r.log_status = 'OK' THEN 1 WHEN r.log_status IS NOT NULL THEN 99 END AS status_id,
    r.log_status                                                    AS "status_code",
    r.reject_reason                                                 AS "status_detail",

    r.account_id                                                    AS "cloud.account.uid",
    r.region                                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon VPC'                                                    AS "metadata.product.name",
    r.version                                                       AS "metadata.product.version",
    'Flowlogs'                                                      AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'security_control']                       AS "metadata.profiles",

    src_ip                                                          AS "src_endpoint.ip",
    src_port                                                        AS "src_endpoint.port",
    r.pkt_src_aws_service                                           AS "src_endpoint.svc_name",
    CASE WHEN src_hop <> src_ip THEN [src_hop] END                  AS "src_endpoint.intermediate_ips",
    CASE WHEN leaves THEN r.interface_id END                        AS "src_endpoint.interface_uid",
    CASE WHEN leaves THEN r.instance_id END                         AS "src_endpoint.instance_uid",
    CASE WHEN leaves THEN r.vpc_id END                              AS "src_endpoint.vpc_uid",
    CASE WHEN leaves THEN r.subnet_id END                           AS "src_endpoint.subnet_uid",
    CASE WHEN leaves THEN r.az_id END                               AS "src_endpoint.zone",
    CASE WHEN leaves THEN r.vpc_id END                              AS "src_endpoint.uid?",
    CASE
        WHEN leaves AND coalesce(src_ip, r.interface_id, r.instance_id, r.vpc_id) IS NULL THEN 'unknown'
        WHEN src_ip IS NULL AND src_port IS NOT NULL AND NOT leaves THEN 'unknown'
    END                                                             AS "src_endpoint.svc_name?",

    dst_ip                                                          AS "dst_endpoint.ip",
    dst_port                                                        AS "dst_endpoint.port",
    r.pkt_dst_aws_service                                           AS "dst_endpoint.svc_name",
    CASE WHEN dst_hop <> dst_ip THEN [dst_hop] END                  AS "dst_endpoint.intermediate_ips",
    CASE WHEN NOT leaves THEN r.interface_id END                    AS "dst_endpoint.interface_uid",
    CASE WHEN NOT leaves THEN r.instance_id END                     AS "dst_endpoint.instance_uid",
    CASE WHEN NOT leaves THEN r.vpc_id END                          AS "dst_endpoint.vpc_uid",
    CASE WHEN NOT leaves THEN r.subnet_id END                       AS "dst_endpoint.subnet_uid",
    CASE WHEN NOT leaves THEN r.az_id END                           AS "dst_endpoint.zone",
    CASE WHEN NOT leaves THEN r.vpc_id END                          AS "dst_endpoint.uid?",
    CASE
        WHEN NOT leaves AND coalesce(dst_ip, r.interface_id, r.instance_id, r.vpc_id) IS NULL THEN 'unknown'
        WHEN dst_ip IS NULL AND dst_port IS NOT NULL AND leaves THEN 'unknown'
    END                                                             AS "dst_endpoint.svc_name?",

    TRY_CAST(r.bytes AS BIGINT)                                     AS "traffic.bytes",
    TRY_CAST(r.packets AS BIGINT)                                   AS "traffic.packets",
    TRY_CAST(r.protocol AS INTEGER)                                 AS "connection_info.protocol_num",
    TRY_CAST(r.tcp_flags AS INTEGER)                                AS "connection_info.tcp_flags",
    r.type                                                          AS "connection_info.protocol_ver",
    CASE WHEN r.type = 'IPv4' THEN 4 WHEN r.type = 'IPv6' THEN 6 WHEN r.type IS NOT NULL THEN 99 END
                                                                    AS "connection_info.protocol_ver_id",
    CASE r.flow_direction WHEN 'ingress' THEN 1 WHEN 'egress' THEN 2 ELSE 0 END AS "connection_info.direction_id",
    -- AWS's eight traffic paths are OCSF's boundaries 4 (same VPC) to 11 (internet gateway), in the same order.
    CASE WHEN traffic_path BETWEEN 1 AND 8 THEN traffic_path + 3 END AS "connection_info.boundary_id",

    list_concat(
        [
            src_hop, dst_hop,
            CASE WHEN regexp_full_match(r.resource_id, 'm?i-[0-9a-f]+') THEN r.resource_id END
        ],
        arns
    )                                                               AS entity_texts,

    CASE WHEN len(leftover) > 0 THEN coalesce(
        try(json_object('fields', map_from_entries(leftover))),
        json_object('fields', json_object('record', raw_data))
    ) END                                                           AS unmapped
FROM (
    SELECT
        *,
        list_filter(list_zip(header, fields), lambda field: field[2] <> '-' AND NOT list_contains([
            'version', 'account-id', 'interface-id', 'log-status', 'action', 'vpc-id', 'subnet-id', 'instance-id',
            'type', 'region', 'az-id', 'pkt-src-aws-service', 'pkt-dst-aws-service', 'flow-direction',
            'reject-reason',
            CASE WHEN start_time IS NOT NULL THEN 'start' END,
            CASE WHEN end_time IS NOT NULL THEN 'end' END,
            CASE WHEN src_hop IS NOT NULL THEN 'srcaddr' END,
            CASE WHEN dst_hop IS NOT NULL THEN 'dstaddr' END,
            CASE WHEN is_ip(r.pkt_srcaddr) THEN 'pkt-srcaddr' END,
            CASE WHEN is_ip(r.pkt_dstaddr) THEN 'pkt-dstaddr' END,
            CASE WHEN src_port IS NOT NULL THEN 'srcport' END,
            CASE WHEN dst_port IS NOT NULL THEN 'dstport' END,
            CASE WHEN TRY_CAST(r.protocol AS INTEGER) IS NOT NULL THEN 'protocol' END,
            CASE WHEN TRY_CAST(r.packets AS BIGINT) IS NOT NULL THEN 'packets' END,
            CASE WHEN TRY_CAST(r.bytes AS BIGINT) IS NOT NULL THEN 'bytes' END,
            CASE WHEN TRY_CAST(r.tcp_flags AS INTEGER) IS NOT NULL THEN 'tcp-flags' END,
            CASE WHEN traffic_path BETWEEN 1 AND 8 THEN 'traffic-path' END
        ], field[1])) AS leftover
    FROM (
        SELECT
            *,
            epoch_time(r.start) AS start_time,
            epoch_time(r."end") AS end_time,
            CASE WHEN is_ip(r.srcaddr) THEN r.srcaddr END AS src_hop,
            CASE WHEN is_ip(r.dstaddr) THEN r.dstaddr END AS dst_hop,
            CASE WHEN is_ip(r.pkt_srcaddr) THEN r.pkt_srcaddr WHEN is_ip(r.srcaddr) THEN r.srcaddr END AS src_ip,
            CASE WHEN is_ip(r.pkt_dstaddr) THEN r.pkt_dstaddr WHEN is_ip(r.dstaddr) THEN r.dstaddr END AS dst_ip,
            port(r.srcport) AS src_port,
            port(r.dstport) AS dst_port,
            TRY_CAST(r.traffic_path AS INTEGER) AS traffic_path,
            coalesce(r.flow_direction = 'egress', false) AS leaves,
            list_filter([
                r.ecs_cluster_arn, r.ecs_container_instance_arn, r.ecs_task_definition_arn, r.ecs_task_arn,
                r.resource_id
            ], lambda value: starts_with(value, 'arn:')) AS arns
        FROM records
    )
)
