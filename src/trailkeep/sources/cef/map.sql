-- Events in CEF, of whatever device -> OCSF 1.5.0, told by their words: Detection Finding, Authentication, Network Activity,
-- else Base Event. All its pairs are in unmapped.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN class > 0 THEN class ELSE 0 END                       AS class_uid,
    CASE class
        WHEN 3002 THEN CASE WHEN regexp_matches(lower(kind), 'log-?(?:off|out)') THEN 2 ELSE 1 END
        WHEN 2004 THEN 1
        WHEN 4001 THEN CASE action WHEN 2 THEN 5 ELSE 6 END
        ELSE 99
    END                                                             AS activity_id,
    severity_of_ten(level)                                          AS severity_id,
    CASE
        WHEN action = 2 OR regexp_matches(lower(concat_ws(' ', outcome, kind)), 'fail') THEN 2
        WHEN action = 1 OR lower(outcome) LIKE 'success%' THEN 1
        ELSE 0
    END                                                             AS status_id,
    act                                                             AS status_code,
    json_extract_string(f, '$.reason')                              AS status_detail,
    coalesce(msg, event)                                            AS message,
    code                                                            AS "metadata.event_code",
    coalesce(device_moment, r.time)                                 AS "metadata.original_time",
    vendor                                                          AS "metadata.product.vendor_name",
    product                                                         AS "metadata.product.name",
    r.device_version                                                AS "metadata.product.version",
    category                                                        AS "metadata.product.feature.name",
    list_concat(host_profiles(coalesce(device_host, suser), envelope), ['security_control']) AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    action                                                          AS action_id,
    action                                                          AS disposition_id,

    coalesce(suser, CASE WHEN class = 3002 THEN duser END)          AS principal,
    suser                                                           AS "actor.user.name",
    coalesce(duser, CASE WHEN class = 3002 THEN suser END)          AS "user.name",
    coalesce(service, product)                                      AS "service.name",
    CASE WHEN is_ip(src) THEN src END                               AS "src_endpoint.ip",
    port(src_port)                                                  AS "src_endpoint.port",
    src_host                                                        AS "src_endpoint.hostname",
    CASE WHEN is_ip(dst) THEN dst END                               AS "dst_endpoint.ip",
    port(dst_port)                                                  AS "dst_endpoint.port",
    json_extract_string(f, '$.dhost')                               AS "dst_endpoint.hostname",
    upper(json_extract_string(f, '$.proto'))                        AS "connection_info.protocol_name",
    CASE WHEN class = 4001 THEN 0 END                               AS "connection_info.direction_id",
    byte_count(bytes_in)                                            AS "traffic.bytes_in",
    byte_count(bytes_out)                                           AS "traffic.bytes_out",

    CASE WHEN class = 2004 THEN coalesce(json_extract_string(f, '$.externalId'), code, 'unknown') END AS "finding_info.uid",
    CASE WHEN class = 2004 THEN event END                           AS "finding_info.title",
    CASE WHEN class = 2004 THEN msg END                             AS "finding_info.desc",
    CASE WHEN class = 2004 AND category IS NOT NULL THEN [category] END AS "finding_info.types",
    CASE WHEN class = 2004 THEN code END                            AS "finding_info.analytic.uid",
    CASE WHEN class = 2004 THEN 0 END                               AS "finding_info.analytic.type_id",
    CASE WHEN class = 2004 AND (is_ip(src) OR is_ip(dst) OR suser IS NOT NULL) THEN [{
        'src_endpoint': CASE WHEN is_ip(src) THEN {'ip': src, 'port': port(src_port)} END,
        'dst_endpoint': CASE WHEN is_ip(dst) THEN {'ip': dst, 'port': port(dst_port)} END,
        'actor': CASE WHEN suser IS NOT NULL THEN {'user': {'name': suser}} END
    }] END                                                          AS "evidences",

    device_host                                                     AS "device.hostname",
    CASE WHEN device_host IS NOT NULL THEN 0 END                    AS "device.type_id",
    [device_host]                                                   AS "resources[].uid",
    [' ' || regexp_replace(cef_plain(r.extension), '[\s=]', ' ', 'g')] AS entity_texts,
    unmapped_fields(json_merge_patch(f, json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'program', r.program, 'pid', coalesce(r.pid, r.procid),
        'msgid', r.msgid, 'structured_data', r.structured_data, 'host', r.host, 'time', r.time,
        'cef_version', r.cef_version, 'device_vendor', r.device_vendor, 'severity', r.severity, 'event_name', r.event_name
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(device_time(device_moment), syslog_time(r.time, envelope, key_time)) AS moment,
        device_class(kind, product, coalesce(suser, duser) IS NOT NULL, is_ip(src) OR is_ip(dst)) AS class,
        device_action(act) AS action
    FROM (
        SELECT
            *,
            concat_ws(' ', r.event_name, json_extract_string(f, '$.cat'), r.signature_id) AS kind,
            cef_plain(r.device_vendor) AS vendor,
            cef_plain(r.device_product) AS product,
            cef_plain(r.event_name) AS event,
            r.signature_id AS code,
            r.severity AS level,
            json_extract_string(f, '$.act') AS act,
            coalesce(json_extract_string(f, '$.rt'), json_extract_string(f, '$.end'), json_extract_string(f, '$.start')) AS device_moment,
            coalesce(json_extract_string(f, '$.dvchost'), r.host) AS device_host,
            json_extract_string(f, '$.suser') AS suser,
            json_extract_string(f, '$.duser') AS duser,
            coalesce(json_extract_string(f, '$.destinationServiceName'), json_extract_string(f, '$.app')) AS service,
            coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2')) AS src,
            json_extract_string(f, '$.spt') AS src_port,
            json_extract_string(f, '$.shost') AS src_host,
            coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3')) AS dst,
            json_extract_string(f, '$.dpt') AS dst_port,
            json_extract_string(f, '$.in') AS bytes_in,
            json_extract_string(f, '$.out') AS bytes_out,
            json_extract_string(f, '$.cat') AS category,
            json_extract_string(f, '$.msg') AS msg,
            json_extract_string(f, '$.outcome') AS outcome
        FROM (SELECT *, split_pairs(cef_pairs(r.extension)) AS f FROM records)
    )
)
