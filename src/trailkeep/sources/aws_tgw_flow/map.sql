-- Transit gateway flow log records -> OCSF 1.5.0 Network Activity (4001). The gateway sees both ends: VPC, subnet,
-- interface and zone of each are known where it is a VPC's. It records what passed; what it lost is counted in unmapped.
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
    CASE WHEN coalesce(r.log_status, 'OK') = 'OK' THEN 6 ELSE 0 END AS activity_id,
    1                                                               AS severity_id,
    CASE WHEN r.log_status = 'OK' THEN 1 WHEN r.log_status IS NOT NULL THEN 99 END AS status_id,
    r.log_status                                                    AS "status_code",

    r.account_id                                                    AS "cloud.account.uid",
    r.region                                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'AWS Transit Gateway'                                           AS "metadata.product.name",
    r.version                                                       AS "metadata.product.version",
    'Flowlogs'                                                      AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    src_ip                                                          AS "src_endpoint.ip",
    src_port                                                        AS "src_endpoint.port",
    r.pkt_src_aws_service                                           AS "src_endpoint.svc_name",
    r.tgw_src_eni                                                   AS "src_endpoint.interface_uid",
    r.tgw_src_vpc_id                                                AS "src_endpoint.vpc_uid",
    r.tgw_src_subnet_id                                             AS "src_endpoint.subnet_uid",
    r.tgw_src_az_id                                                 AS "src_endpoint.zone",
    r.tgw_src_vpc_account_id                                        AS "src_endpoint.owner.account.uid",
    coalesce(r.tgw_src_vpc_id, r.tgw_src_subnet_id)                 AS "src_endpoint.uid?",
    CASE
        WHEN coalesce(src_port::VARCHAR, r.tgw_src_az_id, r.tgw_src_vpc_account_id) IS NOT NULL AND src_ip IS NULL
            THEN 'unknown'
    END                                                             AS "src_endpoint.svc_name?",

    dst_ip                                                          AS "dst_endpoint.ip",
    dst_port                                                        AS "dst_endpoint.port",
    r.pkt_dst_aws_service                                           AS "dst_endpoint.svc_name",
    r.tgw_dst_eni                                                   AS "dst_endpoint.interface_uid",
    r.tgw_dst_vpc_id                                                AS "dst_endpoint.vpc_uid",
    r.tgw_dst_subnet_id                                             AS "dst_endpoint.subnet_uid",
    r.tgw_dst_az_id                                                 AS "dst_endpoint.zone",
    r.tgw_dst_vpc_account_id                                        AS "dst_endpoint.owner.account.uid",
    coalesce(r.tgw_dst_vpc_id, r.tgw_dst_subnet_id)                 AS "dst_endpoint.uid?",
    CASE WHEN dst_ip IS NULL THEN 'unknown' END                     AS "dst_endpoint.svc_name?",

    TRY_CAST(r.bytes AS BIGINT)                                     AS "traffic.bytes",
    TRY_CAST(r.packets AS BIGINT)                                   AS "traffic.packets",
    TRY_CAST(r.protocol AS INTEGER)                                 AS "connection_info.protocol_num",
    TRY_CAST(r.tcp_flags AS INTEGER)                                AS "connection_info.tcp_flags",
    r.type                                                          AS "connection_info.protocol_ver",
    CASE WHEN r.type = 'IPv4' THEN 4 WHEN r.type = 'IPv6' THEN 6 WHEN r.type IS NOT NULL THEN 99 END
                                                                    AS "connection_info.protocol_ver_id",
    CASE r.flow_direction WHEN 'ingress' THEN 1 WHEN 'egress' THEN 2 ELSE 0 END AS "connection_info.direction_id",

    list_filter([r.tgw_id, r.tgw_attachment_id], lambda uid: uid IS NOT NULL) AS "resources[].uid",
    ['"' || r.tgw_src_vpc_account_id || '"', '"' || r.tgw_dst_vpc_account_id || '"'] AS entity_texts,

    CASE WHEN len(leftover) > 0 THEN coalesce(
        try(json_object('fields', map_from_entries(leftover))),
        json_object('fields', json_object('record', raw_data))
    ) END                                                           AS unmapped
FROM (
    SELECT
        *,
        list_filter(list_zip(header, fields), lambda field: field[2] <> '-' AND NOT list_contains([
            'version', 'account-id', 'log-status', 'type', 'region', 'pkt-src-aws-service', 'pkt-dst-aws-service',
            'tgw-src-vpc-account-id', 'tgw-dst-vpc-account-id', 'tgw-src-vpc-id', 'tgw-dst-vpc-id',
            'tgw-src-subnet-id', 'tgw-dst-subnet-id', 'tgw-src-eni', 'tgw-dst-eni', 'tgw-src-az-id', 'tgw-dst-az-id',
            CASE WHEN r.flow_direction IN ('ingress', 'egress') THEN 'flow-direction' END,
            CASE WHEN start_time IS NOT NULL THEN 'start' END,
            CASE WHEN end_time IS NOT NULL THEN 'end' END,
            CASE WHEN src_ip IS NOT NULL THEN 'srcaddr' END,
            CASE WHEN dst_ip IS NOT NULL THEN 'dstaddr' END,
            CASE WHEN src_port IS NOT NULL THEN 'srcport' END,
            CASE WHEN dst_port IS NOT NULL THEN 'dstport' END,
            CASE WHEN TRY_CAST(r.protocol AS INTEGER) IS NOT NULL THEN 'protocol' END,
            CASE WHEN TRY_CAST(r.packets AS BIGINT) IS NOT NULL THEN 'packets' END,
            CASE WHEN TRY_CAST(r.bytes AS BIGINT) IS NOT NULL THEN 'bytes' END,
            CASE WHEN TRY_CAST(r.tcp_flags AS INTEGER) IS NOT NULL THEN 'tcp-flags' END
        ], field[1])) AS leftover
    FROM (
        SELECT
            *,
            epoch_time(r.start) AS start_time,
            epoch_time(r."end") AS end_time,
            CASE WHEN is_ip(r.srcaddr) THEN r.srcaddr END AS src_ip,
            CASE WHEN is_ip(r.dstaddr) THEN r.dstaddr END AS dst_ip,
            port(r.srcport) AS src_port,
            port(r.dstport) AS dst_port
        FROM records
    )
)
