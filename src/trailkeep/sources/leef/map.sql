-- Events in LEEF, of whatever device -> OCSF 1.5.0, told by their words: Detection Finding, Authentication, Network Activity,
-- else Base Event. All attributes are in unmapped.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    class                                                           AS class_uid,
    CASE class WHEN 3002 THEN CASE WHEN regexp_matches(lower(kind), 'log-?(?:off|out)') THEN 2 ELSE 1 END
        WHEN 2004 THEN 1 WHEN 4001 THEN CASE action WHEN 2 THEN 5 ELSE 6 END ELSE 99 END AS activity_id,
    severity_of_ten(json_extract_string(f, '$.sev'))                             AS severity_id,
    CASE WHEN action = 2 OR regexp_matches(lower(json_extract_string(f, '$.outcome') || ' ' || kind), 'fail') THEN 2 WHEN action = 1 OR lower(json_extract_string(f, '$.outcome')) LIKE 'success%' THEN 1 ELSE 0 END AS status_id,
    coalesce(json_extract_string(f, '$.msg'), r.event_id)                               AS message,
    coalesce(json_extract_string(f, '$.devTime'), r.time)                               AS "metadata.original_time",
    r.device_vendor                                                         AS "metadata.product.vendor_name",
    r.device_product                                              AS "metadata.product.name",
    json_extract_string(f, '$.cat')                                                     AS "metadata.product.feature.name",
    list_concat(host_profiles(coalesce(coalesce(json_extract_string(f, '$.dvchost'), json_extract_string(f, '$.devName')), r.host, json_extract_string(f, '$.usrName')), envelope), ['security_control']) AS "metadata.profiles",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    envelope_cloud(envelope)                                        AS "cloud.provider",
    r.event_id                                                      AS "metadata.event_code",
    r.device_version                                                AS "metadata.product.version",
    action                                                          AS "action_id",
    CASE action WHEN 1 THEN 1 WHEN 2 THEN 2 END                     AS "disposition_id",
    coalesce(json_extract_string(f, '$.action'), json_extract_string(f, '$.act'))                           AS status_code,
    json_extract_string(f, '$.reason')                                                  AS status_detail,
    coalesce(json_extract_string(f, '$.usrName'), CASE WHEN class = 3002 THEN coalesce(json_extract_string(f, '$.duser'), json_extract_string(f, '$.dstUser')) END) AS principal,
    json_extract_string(f, '$.usrName')                                                 AS "actor.user.name",
    coalesce(coalesce(json_extract_string(f, '$.duser'), json_extract_string(f, '$.dstUser')), CASE WHEN class = 3002 THEN json_extract_string(f, '$.usrName') END) AS "user.name",
    coalesce(coalesce(json_extract_string(f, '$.app'), json_extract_string(f, '$.appName')), r.device_product) AS "service.name",
    CASE WHEN is_ip(json_extract_string(f, '$.src')) THEN json_extract_string(f, '$.src') END               AS "src_endpoint.ip",
    port(json_extract_string(f, '$.srcPort'))                                           AS "src_endpoint.port",
    coalesce(json_extract_string(f, '$.identHostName'), json_extract_string(f, '$.shost'))                  AS "src_endpoint.hostname",
    CASE WHEN regexp_full_match(json_extract_string(f, '$.srcMAC'), '[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}') THEN json_extract_string(f, '$.srcMAC') END AS "src_endpoint.mac",
    CASE WHEN is_ip(json_extract_string(f, '$.dst')) THEN json_extract_string(f, '$.dst') END               AS "dst_endpoint.ip",
    port(json_extract_string(f, '$.dstPort'))                                           AS "dst_endpoint.port",
    json_extract_string(f, '$.dhost')                                                   AS "dst_endpoint.hostname",
    upper(json_extract_string(f, '$.proto'))                                            AS "connection_info.protocol_name",
    CASE WHEN class = 4001 THEN 0 END                               AS "connection_info.direction_id",
    byte_count(json_extract_string(f, '$.dstBytes'))                                    AS "traffic.bytes_in",
    byte_count(json_extract_string(f, '$.srcBytes'))                                    AS "traffic.bytes_out",
    CASE WHEN class = 2004 THEN coalesce(json_extract_string(f, '$.externalId'), r.event_id, 'unknown') END AS "finding_info.uid",
    CASE WHEN class = 2004 THEN r.event_id END                      AS "finding_info.title",
    CASE WHEN class = 2004 THEN json_extract_string(f, '$.msg') END                     AS "finding_info.desc",
    CASE WHEN class = 2004 AND json_extract_string(f, '$.cat') IS NOT NULL THEN [json_extract_string(f, '$.cat')] END AS "finding_info.types",
    CASE WHEN class = 2004 THEN r.event_id END                      AS "finding_info.analytic.uid",
    CASE WHEN class = 2004 THEN 0 END                               AS "finding_info.analytic.type_id",
    CASE WHEN class = 2004 AND (is_ip(json_extract_string(f, '$.src')) OR is_ip(json_extract_string(f, '$.dst')) OR json_extract_string(f, '$.usrName') IS NOT NULL) THEN [{
        'src_endpoint': CASE WHEN is_ip(json_extract_string(f, '$.src')) THEN {'ip': json_extract_string(f, '$.src'), 'port': port(json_extract_string(f, '$.srcPort'))} END,
        'dst_endpoint': CASE WHEN is_ip(json_extract_string(f, '$.dst')) THEN {'ip': json_extract_string(f, '$.dst'), 'port': port(json_extract_string(f, '$.dstPort'))} END,
        'actor': CASE WHEN json_extract_string(f, '$.usrName') IS NOT NULL THEN {'user': {'name': json_extract_string(f, '$.usrName')}} END
    }] END                                                          AS "evidences",
    coalesce(coalesce(json_extract_string(f, '$.dvchost'), json_extract_string(f, '$.devName')), r.host)    AS "device.hostname",
    CASE WHEN coalesce(coalesce(json_extract_string(f, '$.dvchost'), json_extract_string(f, '$.devName')), r.host) IS NOT NULL THEN 0 END AS "device.type_id",
    [coalesce(coalesce(json_extract_string(f, '$.dvchost'), json_extract_string(f, '$.devName')), r.host)]  AS "resources[].uid",
    [' ' || regexp_replace(cef_plain(r.attributes), '[\s=]', ' ', 'g')] AS entity_texts,
    unmapped_fields(json_merge_patch(f, json_object(
        'pri', r.pri, 'syslog_version', r.syslog_version, 'program', r.program, 'pid', coalesce(r.pid, r.procid),
        'msgid', r.msgid, 'structured_data', r.structured_data, 'host', r.host, 'time', r.time, 'leef_version', r.leef_version, 'device_vendor', r.device_vendor, 'delimiter', r.delimiter
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(device_time(json_extract_string(f, '$.devTime')), syslog_time(r.time, envelope, key_time)) AS moment,
        device_class(concat_ws(' ', replace(r.event_id, '_', ' '), json_extract_string(f, '$.cat')), r.device_product, coalesce(json_extract_string(f, '$.usrName'), coalesce(json_extract_string(f, '$.duser'), json_extract_string(f, '$.dstUser'))) IS NOT NULL, is_ip(json_extract_string(f, '$.src')) OR is_ip(json_extract_string(f, '$.dst'))) AS class,
        concat_ws(' ', replace(r.event_id, '_', ' '), json_extract_string(f, '$.cat')) AS kind,
        device_action(coalesce(json_extract_string(f, '$.action'), json_extract_string(f, '$.act'))) AS action
    FROM (SELECT *, split_pairs(leef_pairs(r.attributes, leef_delimiter(r.delimiter))) AS f FROM records)
)
