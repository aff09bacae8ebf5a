-- Events in CEF, of whatever device -> OCSF 1.5.0, told by their words: Detection Finding, Authentication, Network Activity,
-- else Base Event. All of the extension is in unmapped.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    class                                                           AS class_uid,
    CASE class WHEN 3002 THEN CASE WHEN regexp_matches(lower(kind), 'log-?(?:off|out)') THEN 2 ELSE 1 END
        WHEN 2004 THEN 1 WHEN 4001 THEN CASE action WHEN 2 THEN 5 ELSE 6 END ELSE 99 END AS activity_id,
    severity_of_ten(r.severity)                             AS severity_id,
    CASE WHEN action = 2 OR regexp_matches(lower(json_extract_string(f, '$.outcome') || ' ' || kind), 'fail') THEN 2 WHEN action = 1 OR lower(json_extract_string(f, '$.outcome')) LIKE 'success%' THEN 1 ELSE 0 END AS status_id,
    coalesce(json_extract_string(f, '$.msg'), cef_plain(r.event_name))                  AS message,
    coalesce(json_extract_string(f, '$.rt'), json_extract_string(f, '$.end'), json_extract_string(f, '$.start'), r.time)        AS "metadata.original_time",
    cef_plain(r.device_vendor)                                                         AS "metadata.product.vendor_name",
    cef_plain(r.device_product)                                              AS "metadata.product.name",
    json_extract_string(f, '$.cat')                                                     AS "metadata.product.feature.name",
    list_concat(host_profiles(coalesce(json_extract_string(f, '$.dvchost'), r.host, json_extract_string(f, '$.suser')), envelope), ['security_control']) AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    r.signature_id                                                  AS "metadata.event_code",
    r.device_version                                                AS "metadata.product.version",
    action                                                          AS "action_id",
    CASE action WHEN 1 THEN 1 WHEN 2 THEN 2 END                     AS "disposition_id",
    json_extract_string(f, '$.act')                                                     AS status_code,
    json_extract_string(f, '$.reason')                                                  AS status_detail,
    coalesce(json_extract_string(f, '$.suser'), CASE WHEN class = 3002 THEN json_extract_string(f, '$.duser') END) AS principal,
    json_extract_string(f, '$.suser')                                                   AS "actor.user.name",
    coalesce(json_extract_string(f, '$.duser'), CASE WHEN class = 3002 THEN json_extract_string(f, '$.suser') END) AS "user.name",
    coalesce(coalesce(json_extract_string(f, '$.destinationServiceName'), json_extract_string(f, '$.app')), r.device_product) AS "service.name",
    CASE WHEN is_ip(coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2'))) THEN coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2')) END AS "src_endpoint.ip",
    port(json_extract_string(f, '$.spt'))                                               AS "src_endpoint.port",
    json_extract_string(f, '$.shost')                                                   AS "src_endpoint.hostname",
    CASE WHEN regexp_full_match(json_extract_string(f, '$.smac'), '[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}') THEN json_extract_string(f, '$.smac') END AS "src_endpoint.mac",
    CASE WHEN is_ip(coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3'))) THEN coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3')) END AS "dst_endpoint.ip",
    port(json_extract_string(f, '$.dpt'))                                               AS "dst_endpoint.port",
    json_extract_string(f, '$.dhost')                                                   AS "dst_endpoint.hostname",
    upper(json_extract_string(f, '$.proto'))                                            AS "connection_info.protocol_name",
    CASE WHEN class = 4001 THEN 0 END                               AS "connection_info.direction_id",
    byte_count(json_extract_string(f, '$.in'))                                          AS "traffic.bytes_in",
    byte_count(json_extract_string(f, '$.out'))                                         AS "traffic.bytes_out",
    CASE WHEN class = 2004 THEN coalesce(json_extract_string(f, '$.externalId'), r.signature_id, 'unknown') END AS "finding_info.uid",
    CASE WHEN class = 2004 THEN cef_plain(r.event_name) END         AS "finding_info.title",
    CASE WHEN class = 2004 THEN json_extract_string(f, '$.msg') END                     AS "finding_info.desc",
    CASE WHEN class = 2004 AND json_extract_string(f, '$.cat') IS NOT NULL THEN [json_extract_string(f, '$.cat')] END AS "finding_info.types",
    CASE WHEN class = 2004 THEN r.signature_id END                  AS "finding_info.analytic.uid",
    CASE WHEN class = 2004 THEN 0 END                               AS "finding_info.analytic.type_id",
    CASE WHEN class = 2004 AND (is_ip(coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2'))) OR is_ip(coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3'))) OR json_extract_string(f, '$.suser') IS NOT NULL) THEN [{
        'src_endpoint': CASE WHEN is_ip(coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2'))) THEN {'ip': coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2')), 'port': port(json_extract_string(f, '$.spt'))} END,
        'dst_endpoint': CASE WHEN is_ip(coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3'))) THEN {'ip': coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3')), 'port': port(json_extract_string(f, '$.dpt'))} END,
        'actor': CASE WHEN json_extract_string(f, '$.suser') IS NOT NULL THEN {'user': {'name': json_extract_string(f, '$.suser')}} END
    }] END                                                          AS "evidences",
    coalesce(json_extract_string(f, '$.dvchost'), r.host)                               AS "device.hostname",
    CASE WHEN coalesce(json_extract_string(f, '$.dvchost'), r.host) IS NOT NULL THEN 0 END AS "device.type_id",
    [coalesce(json_extract_string(f, '$.dvchost'), r.host)]                             AS "resources[].uid",
    [' ' || regexp_replace(cef_plain(r.extension), '[\s=]', ' ', 'g')] AS entity_texts,
    unmapped_fields(json_merge_patch(f, json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'program', r.program, 'pid', coalesce(r.pid, r.procid),
        'msgid', r.msgid, 'structured_data', r.structured_data, 'host', r.host, 'time', r.time, 'cef_version', r.cef_version, 'device_vendor', r.device_vendor, 'severity', r.severity, 'event_name', r.event_name
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(device_time(json_extract_string(f, '$.rt')), device_time(json_extract_string(f, '$.end')), device_time(json_extract_string(f, '$.start')), syslog_time(r.time, envelope, key_time)) AS moment,
        device_class(concat_ws(' ', r.event_name, json_extract_string(f, '$.cat'), r.signature_id), r.device_product, coalesce(json_extract_string(f, '$.suser'), json_extract_string(f, '$.duser')) IS NOT NULL, is_ip(coalesce(json_extract_string(f, '$.src'), json_extract_string(f, '$.c6a2'))) OR is_ip(coalesce(json_extract_string(f, '$.dst'), json_extract_string(f, '$.c6a3')))) AS class,
        concat_ws(' ', r.event_name, json_extract_string(f, '$.cat'), r.signature_id) AS kind,
        device_action(json_extract_string(f, '$.act')) AS action
    FROM (SELECT *, split_pairs(cef_pairs(r.extension)) AS f FROM records)
)
