-- OCSF events of any version -> stored columns, and themselves in OCSF 1.5.0 form: output `*`. What is read here stands
-- under its own path, so that the two agree; findings tell who was seen in their evidences. Version 1.0.0-rc.2, which
-- Amazon Security Lake's first sources write, has API Activity as 3005, and some attributes in other places.
SELECT
    moment                                                          AS "time",
    CASE
        WHEN class_uid IS NULL THEN 'no class_uid that is a number'
        WHEN demanded IS NULL THEN concat('class_uid ', class_uid, ' is no class of OCSF 1.5.0')
        WHEN time_fault(moment, 'time') IS NOT NULL THEN time_fault(moment, 'time')
        WHEN len(lacking) > 0 THEN concat('an event of class ', class_uid, ' without ', replace(lacking[1], '|', ' or '))
    END                                                             AS reject,
    class_uid                                                       AS class_uid,
    coalesce(r.activity_id, r.type_uid % 100, 0)                    AS activity_id,
    coalesce(r.severity_id, 0)                                      AS severity_id,
    r.status_id                                                     AS status_id,
    r.status_code                                                   AS status_code,
    r.action_id                                                     AS action_id,
    r.disposition_id                                                AS disposition_id,
    ocsf_time(r.end_time, r.end_time_dt)                            AS end_time,

    coalesce(r.cloud.account.uid, r.cloud.account_uid)              AS "cloud.account.uid",
    r.cloud.region                                                  AS "cloud.region",
    -- The uid of a finding is not that of an event: it is written again whenever it is updated.
    CASE WHEN r.metadata.uid IS DISTINCT FROM r.finding_info.uid THEN r.metadata.uid END AS "metadata.uid",
    r.metadata.event_code                                           AS "metadata.event_code",
    r.metadata.product.feature.name                                 AS "metadata.product.feature.name",
    r.metadata.product.name                                         AS "metadata.product.name",
    'unknown'                                                       AS "metadata.product.name?",
    r.api.operation                                                 AS "api.operation",
    r.api.service.name                                              AS "api.service.name",
    r.api.response.error                                            AS "api.response.error",
    r.api.response.message                                          AS "api.response.message",

    coalesce(
        CASE WHEN starts_with(r.actor.session.issuer, 'arn:') THEN r.actor.session.issuer END,
        CASE WHEN starts_with(who.uid, 'arn:') THEN who.uid END, who.uuid, who.name, who.uid,
        r.actor.invoked_by
    )                                                               AS principal,
    who.name                                                        AS "actor.user.name",
    coalesce(who.uuid, who.uid)                                     AS "actor.user.uid",
    coalesce(who.uid_alt, CASE WHEN who.uuid IS NOT NULL THEN who.uid END) AS "actor.user.uid_alt",
    who.type                                                        AS "actor.user.type",
    coalesce(who.account.uid, who.account_uid)                      AS "actor.user.account.uid",
    coalesce(who.credential_uid, r.actor.session.credential_uid)    AS "actor.user.credential_uid",
    r.actor.invoked_by                                              AS "actor.invoked_by",
    r.actor.session.issuer                                          AS "actor.session.issuer",
    coalesce(r.actor.session.is_mfa, r.actor.session.mfa)           AS "actor.session.is_mfa",
    ocsf_time(r.actor.session.created_time, r.actor.session.created_time_dt) AS "actor.session.created_time",
    r.user.name                                                     AS "user.name",
    coalesce(r.user.uuid, r.user.uid)                               AS "user.uid",

    CASE WHEN is_ip(src.ip) THEN src.ip END                         AS "src_endpoint.ip",
    port(src.port)                                                  AS "src_endpoint.port",
    r.src_endpoint.domain                                           AS "src_endpoint.domain",
    r.src_endpoint.svc_name                                         AS "src_endpoint.svc_name",
    r.src_endpoint.uid                                              AS "src_endpoint.uid",
    r.src_endpoint.interface_uid                                    AS "src_endpoint.interface_uid",
    r.src_endpoint.instance_uid                                     AS "src_endpoint.instance_uid",
    r.src_endpoint.vpc_uid                                          AS "src_endpoint.vpc_uid",
    r.src_endpoint.subnet_uid                                       AS "src_endpoint.subnet_uid",
    CASE WHEN is_ip(dst.ip) THEN dst.ip END                         AS "dst_endpoint.ip",
    port(dst.port)                                                  AS "dst_endpoint.port",
    r.dst_endpoint.domain                                           AS "dst_endpoint.domain",
    r.dst_endpoint.svc_name                                         AS "dst_endpoint.svc_name",
    r.dst_endpoint.uid                                              AS "dst_endpoint.uid",
    r.dst_endpoint.interface_uid                                    AS "dst_endpoint.interface_uid",
    r.dst_endpoint.instance_uid                                     AS "dst_endpoint.instance_uid",
    r.dst_endpoint.vpc_uid                                          AS "dst_endpoint.vpc_uid",
    r.dst_endpoint.subnet_uid                                       AS "dst_endpoint.subnet_uid",
    byte_count(r.traffic.bytes)                                     AS "traffic.bytes",
    byte_count(r.traffic.packets)                                   AS "traffic.packets",
    r.connection_info.protocol_num                                  AS "connection_info.protocol_num",
    r.connection_info.direction_id                                  AS "connection_info.direction_id",
    r.connection_info.tcp_flags                                     AS "connection_info.tcp_flags",
    r.http_request.user_agent                                       AS "http_request.user_agent",
    r.http_request.http_method                                      AS "http_request.http_method",
    r.http_request.url.url_string                                   AS "http_request.url.url_string",
    r.http_response.code                                            AS "http_response.code",
    r.query.hostname                                                AS "query.hostname",
    r.query.type                                                    AS "query.type",
    coalesce(r.finding_info.uid, r.finding.uid)                     AS "finding_info.uid",
    coalesce(r.finding_info.title, r.finding.title)                 AS "finding_info.title",
    r.finding_info.analytic.uid                                     AS "finding_info.analytic.uid",
    list_filter(list_transform(r.resources, lambda x: x.uid), lambda x: x IS NOT NULL) AS "resources[].uid",
    list_transform(r.resources, lambda x: {'uid': x.uid, 'name': x.name, 'type': x.type, 'region': x.region}) AS "resources",
    [json_merge_patch(doc, '{"raw_data":null}')::VARCHAR]           AS entity_texts,
    raw_data                                                        AS "*"
FROM (
    SELECT
        *,
        list_filter(string_split(demanded, ' '), lambda names:
            names <> '' AND NOT list_has_any(string_split(names, '|'), json_keys(doc))) AS lacking
    FROM (
        SELECT
            *,
            -- What an event of each class must have, beside what can be said to be unknown: `a b|c` is a, and b or c.
            MAP {
                0: '', 1001: 'actor device file', 1002: 'actor device driver', 1003: 'actor device kernel',
                1004: 'actor device process', 1005: 'actor device module', 1006: 'device job',
                1007: 'actor device process', 1008: 'log_file|log_name|log_provider|log_type|log_type_id',
                1009: 'actor device script',
                2001: 'finding', 2002: 'finding_info vulnerabilities', 2003: 'compliance finding_info',
                2004: 'finding_info', 2005: 'finding_info_list assignee|assignee_group', 2006: 'finding_info',
                2007: 'finding_info application|compliance|remediation|vulnerabilities',
                3001: 'user', 3002: 'user dst_endpoint|service', 3003: 'user group|privileges', 3004: 'entity',
                3005: 'privileges user', 3006: 'group',
                4001: 'dst_endpoint|src_endpoint', 4002: 'http_request|http_response',
                4003: 'dst_endpoint|src_endpoint', 4004: 'dst_endpoint|src_endpoint',
                4005: 'dst_endpoint|src_endpoint', 4006: 'dst_endpoint|src_endpoint',
                4007: 'dst_endpoint|src_endpoint', 4008: 'dst_endpoint|src_endpoint', 4009: 'email',
                4010: 'actor file src_endpoint', 4011: 'file', 4012: 'url', 4013: 'dst_endpoint|src_endpoint',
                4014: 'connection_info|session|src_endpoint|traffic|tunnel_interface|tunnel_type_id',
                5001: 'device', 5002: 'device', 5003: 'user', 5004: 'device', 5006: 'kernel', 5007: 'file',
                5008: 'folder', 5009: 'group', 5010: 'job', 5011: 'module process', 5012: 'connection_info process',
                5013: 'network_interfaces', 5014: 'peripheral_device', 5015: 'process', 5016: 'service',
                5017: 'session', 5018: 'user', 5019: 'device', 5020: 'device', 5021: 'osint', 5022: 'startup_item',
                5023: 'cloud|container|database|databucket|idp|resources|table', 5040: 'device query_evidence',
                6001: 'web_resources', 6002: 'app', 6003: 'actor api src_endpoint', 6004: 'http_request web_resources',
                6005: 'actor src_endpoint database|databucket|table', 6006: 'actor file src_endpoint', 6007: 'scan',
                6008: '', 7001: '', 7002: 'file', 7003: 'process', 7004: 'connection_info',
                8001: 'dst_endpoint unmanned_aerial_system unmanned_system_operator',
                8002: 'unmanned_aerial_system unmanned_system_operator'
            }[class_uid] AS demanded
        FROM (
            SELECT
                *,
                try(json_merge_patch('{}', raw_data)) AS doc,
                ocsf_time(r.time, r.time_dt) AS moment,
                CASE WHEN starts_with(r.metadata.version, '1.0.0-rc') AND r.class_uid = 3005 THEN 6003 ELSE r.class_uid END AS class_uid,
                coalesce(r.actor.user, CASE WHEN r.class_uid = 3002 THEN r.user END, r.evidences[1].actor.user) AS who,
                CASE WHEN r.src_endpoint.ip IS NOT NULL THEN {'ip': r.src_endpoint.ip, 'port': r.src_endpoint.port}
                    ELSE r.evidences[1].src_endpoint END AS src,
                CASE WHEN r.dst_endpoint.ip IS NOT NULL THEN {'ip': r.dst_endpoint.ip, 'port': r.dst_endpoint.port}
                    ELSE r.evidences[1].dst_endpoint END AS dst
            FROM records
        )
    )
)
