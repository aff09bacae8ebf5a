-- Resolver query logs -> OCSF 1.5.0 DNS Activity (4003). The source is who asked; an inbound Resolver endpoint that the
-- query passed through is the destination. Names lose their last dot, which OCSF's host names do not have.
SELECT
    iso_time(r.query_timestamp)                                     AS "time",
    time_fault(iso_time(r.query_timestamp), 'query_timestamp')      AS reject,
    4003                                                            AS class_uid,
    6                                                               AS activity_id,
    CASE r.firewall_rule_action WHEN 'BLOCK' THEN 2 WHEN 'ALERT' THEN 1 WHEN 'ALLOW' THEN 1 END AS action_id,
    CASE r.firewall_rule_action WHEN 'BLOCK' THEN 2 WHEN 'ALERT' THEN 19 WHEN 'ALLOW' THEN 1 END AS disposition_id,
    1                                                               AS severity_id,
    CASE
        WHEN r.firewall_rule_action = 'BLOCK' THEN 2
        WHEN r.rcode IN ('NOERROR', 'NODATA') THEN 1
        WHEN r.rcode IS NOT NULL THEN 2
        ELSE 0
    END                                                             AS status_id,
    r.rcode                                                         AS status_code,
    r.rcode                                                         AS "rcode",
    coalesce(MAP {
        'NOERROR': 0, 'FORMERR': 1, 'SERVFAIL': 2, 'NXDOMAIN': 3, 'NOTIMP': 4, 'REFUSED': 5
    }[r.rcode], CASE WHEN r.rcode IS NOT NULL THEN 99 END)          AS "rcode_id",

    r.account_id                                                    AS "cloud.account.uid",
    r.region                                                        AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon Route 53 Resolver'                                      AS "metadata.product.name",
    r.version                                                       AS "metadata.product.version",
    'Query logs'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime', 'security_control']                       AS "metadata.profiles",

    NULL::VARCHAR                                                   AS principal,
    hostname                                                        AS "query.hostname",
    CASE WHEN hostname IS NULL AND coalesce(r.query_type, r.query_class) IS NOT NULL THEN 'unknown' END
                                                                    AS "query.hostname?",
    r.query_type                                                    AS "query.type",
    r.query_class                                                   AS "query.class",
    list_transform(
        list_filter(r.answers, lambda a: a.Rdata IS NOT NULL),
        lambda a: {'rdata': a.Rdata, 'type': a.Type, 'class': a.Class}
    )                                                               AS "answers",

    CASE WHEN is_ip(r.srcaddr) THEN r.srcaddr END                   AS "src_endpoint.ip",
    port(r.srcport)                                                 AS "src_endpoint.port",
    r.vpc_id                                                        AS "src_endpoint.vpc_uid",
    r.srcids.instance                                               AS "src_endpoint.instance_uid",
    CASE WHEN NOT is_ip(r.srcaddr) AND r.srcids.instance IS NULL THEN coalesce(r.vpc_id, 'unknown') END
                                                                    AS "src_endpoint.uid?",
    r.srcids.resolver_endpoint                                      AS "dst_endpoint.instance_uid",
    r.srcids.resolver_network_interface                             AS "dst_endpoint.interface_uid",
    r.transport                                                     AS "connection_info.protocol_name",
    CASE WHEN r.transport IS NOT NULL THEN 0 END                    AS "connection_info.direction_id",

    r.firewall_rule_group_id                                        AS "firewall_rule.uid",
    r.firewall_rule_group_id                                        AS "finding_info.analytic.uid",
    [array_to_string(list_transform(r.answers, lambda a: a.Rdata), '" "')] AS entity_texts,

    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'version', 'account_id', 'region', 'vpc_id', 'query_timestamp', 'query_type', 'query_class', 'rcode',
            'transport', 'firewall_rule_group_id',
            CASE WHEN hostname IS NOT NULL THEN 'query_name' END,
            CASE WHEN is_ip(r.srcaddr) THEN 'srcaddr' END,
            CASE WHEN port(r.srcport) IS NOT NULL THEN 'srcport' END,
            CASE WHEN answers_fit THEN 'answers' END
        ]),
        without_inner(raw_data, 'srcids', ['instance', 'resolver_endpoint', 'resolver_network_interface'])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE WHEN r.query_name = '.' THEN '.' ELSE nullif(regexp_replace(r.query_name, '\.$', ''), '') END AS hostname,
        coalesce(list_bool_and(list_transform(
            from_json(raw_data, '{"answers":["JSON"]}').answers,
            lambda x: json_type(x, '$.Rdata') = 'VARCHAR'
                AND list_has_all(['Rdata', 'Type', 'Class'], json_keys(x))
        )), false) AS answers_fit
    FROM records
)
