-- CloudFront standard logs v2 in JSON -> OCSF 1.5.0 HTTP Activity, as aws_cloudfront has the same in text. Which fields
-- there are is the user's choice; of the times, the exactest is the event's.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'timestamp(ms), timestamp or date and time') AS reject,
    4002                                                            AS class_uid,
    http_activity(method)                                           AS activity_id,
    1                                                               AS severity_id,
    coalesce(http_outcome(status), 0)                               AS status_id,
    status                                                          AS status_code,
    said(r."x-edge-result-type")                                    AS status_detail,

    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon CloudFront'                                             AS "metadata.product.name",
    'Access log'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    client                                                          AS "src_endpoint.ip",
    port(r."c-port")                                                AS "src_endpoint.port",
    CASE WHEN client IS NOT NULL THEN said(r."c-country") END       AS "src_endpoint.location.country",
    TRY_CAST(r.asn AS INTEGER)                                      AS "src_endpoint.autonomous_system.number",
    CASE WHEN client IS NULL THEN 'unknown' END                     AS "src_endpoint.svc_name?",
    CASE WHEN is_ip(r."s-ip") THEN r."s-ip" END                     AS "dst_endpoint.ip",
    domain                                                          AS "dst_endpoint.domain",

    method                                                          AS "http_request.http_method",
    said(r."x-edge-request-id")                                     AS "http_request.uid",
    viewer_url(protocol, coalesce(host, domain), path, query)       AS "http_request.url.url_string",
    protocol                                                        AS "http_request.url.scheme",
    host                                                            AS "http_request.url.hostname",
    path                                                            AS "http_request.url.path",
    CASE WHEN coalesce(host, protocol, query) IS NOT NULL THEN 'unknown' END AS "http_request.url.path?",
    query                                                           AS "http_request.url.query_string",
    said(r."cs-protocol-version")                                   AS "http_request.version",
    url_decoded(said(r."cs(User-Agent)"))                           AS "http_request.user_agent",
    said(r."cs(Referer)")                                           AS "http_request.referrer",
    forwarded                                                       AS "http_request.x_forwarded_for",
    TRY_CAST(status AS INTEGER)                                     AS "http_response.code",
    0                                                               AS "http_response.code?",
    said(r."sc-content-type")                                       AS "http_response.content_type",
    coalesce(byte_count(r."cs-bytes"), 0) + byte_count(r."sc-bytes") AS "traffic.bytes",
    byte_count(r."sc-bytes")                                        AS "traffic.bytes_in",
    byte_count(r."cs-bytes")                                        AS "traffic.bytes_out",
    said(r."ssl-protocol")                                          AS "tls.version",
    CASE WHEN said(r."ssl-cipher") IS NOT NULL THEN 'unknown' END   AS "tls.version?",
    said(r."ssl-cipher")                                            AS "tls.cipher",
    said(r."connection-id")                                         AS "connection_info.uid",
    CASE WHEN said(r."connection-id") IS NOT NULL THEN 0 END        AS "connection_info.direction_id",

    list_filter([domain, said(r."primary-distribution-id")], lambda uid: uid IS NOT NULL) AS "resources[].uid",
    forwarded                                                       AS entity_texts,

    leftover(try(json_merge_patch(doc, without_fields(list_concat(blank_fields(doc), [
        CASE
            WHEN epoch_ms_time(r."timestamp(ms)") IS NOT NULL THEN 'timestamp(ms)'
            WHEN epoch_time(r.timestamp) IS NOT NULL THEN 'timestamp'
            ELSE 'date'
        END,
        CASE WHEN coalesce(epoch_ms_time(r."timestamp(ms)"), epoch_time(r.timestamp)) IS NULL THEN 'time' END,
        'x-edge-result-type', 'cs(Host)', 'x-edge-request-id', 'x-host-header', 'cs-protocol', 'cs-uri-stem', 'cs-uri-query',
        'cs-protocol-version', 'cs(User-Agent)', 'cs(Referer)', 'sc-status', 'sc-content-type', 'ssl-protocol', 'ssl-cipher',
        'connection-id',
        CASE WHEN http_method(method) IS NOT NULL THEN 'cs-method' END,
        CASE WHEN client IS NOT NULL THEN 'c-ip' END,
        CASE WHEN client IS NOT NULL THEN 'c-country' END,
        CASE WHEN port(r."c-port") IS NOT NULL THEN 'c-port' END,
        CASE WHEN TRY_CAST(r.asn AS INTEGER) IS NOT NULL THEN 'asn' END,
        CASE WHEN is_ip(r."s-ip") THEN 's-ip' END,
        CASE WHEN byte_count(r."cs-bytes") IS NOT NULL THEN 'cs-bytes' END,
        CASE WHEN byte_count(r."sc-bytes") IS NOT NULL THEN 'sc-bytes' END
    ])))))                                                         AS unmapped
FROM (
    SELECT
        *,
        try(raw_data::JSON) AS doc,
        coalesce(
            epoch_ms_time(r."timestamp(ms)"), epoch_time(r.timestamp), iso_time(r.date || 'T' || r.time || 'Z')
        ) AS moment,
        CASE WHEN is_ip(r."c-ip") THEN r."c-ip" END AS client,
        said(r."cs-method") AS method,
        said(r."cs(Host)") AS domain,
        said(r."x-host-header") AS host,
        said(r."cs-protocol") AS protocol,
        said(r."cs-uri-stem") AS path,
        said(r."cs-uri-query") AS query,
        said(r."sc-status") AS status,
        forwarded_ips(r."x-forwarded-for") AS forwarded
    FROM records
)
