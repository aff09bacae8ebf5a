-- CloudFront standard logs -> OCSF 1.5.0 HTTP Activity. The viewer is the source, the distribution the destination; bytes
-- out are what the viewer sent. The URL is put together of protocol, Host header, path and query, and the user agent is
-- decoded once, as other sources have it.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'date and time')                             AS reject,
    4002                                                            AS class_uid,
    http_activity(r.cs_method)                                      AS activity_id,
    1                                                               AS severity_id,
    http_outcome(r.sc_status)                                       AS status_id,
    r.sc_status                                                     AS status_code,
    r.x_edge_result_type                                            AS status_detail,

    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon CloudFront'                                             AS "metadata.product.name",
    'Access log'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    CASE WHEN is_ip(r.c_ip) THEN r.c_ip END                         AS "src_endpoint.ip",
    port(r.c_port)                                                  AS "src_endpoint.port",
    CASE WHEN NOT is_ip(r.c_ip) THEN 'unknown' END                  AS "src_endpoint.svc_name?",
    r.cs_host                                                       AS "dst_endpoint.domain",

    r.cs_method                                                     AS "http_request.http_method",
    r.x_edge_request_id                                             AS "http_request.uid",
    viewer_url(r.cs_protocol, coalesce(r.x_host_header, r.cs_host), r.cs_uri_stem, r.cs_uri_query)
                                                                    AS "http_request.url.url_string",
    r.cs_protocol                                                   AS "http_request.url.scheme",
    r.x_host_header                                                 AS "http_request.url.hostname",
    r.cs_uri_stem                                                   AS "http_request.url.path",
    r.cs_uri_query                                                  AS "http_request.url.query_string",
    r.cs_protocol_version                                           AS "http_request.version",
    url_decoded(r.cs_user_agent)                                    AS "http_request.user_agent",
    r.cs_referer                                                    AS "http_request.referrer",
    forwarded                                                       AS "http_request.x_forwarded_for",
    TRY_CAST(r.sc_status AS INTEGER)                                AS "http_response.code",
    r.sc_content_type                                               AS "http_response.content_type",
    coalesce(TRY_CAST(r.cs_bytes AS BIGINT), 0) + TRY_CAST(r.sc_bytes AS BIGINT) AS "traffic.bytes",
    TRY_CAST(r.sc_bytes AS BIGINT)                                  AS "traffic.bytes_in",
    TRY_CAST(r.cs_bytes AS BIGINT)                                  AS "traffic.bytes_out",
    r.ssl_protocol                                                  AS "tls.version",
    CASE WHEN r.ssl_cipher IS NOT NULL THEN 'unknown' END           AS "tls.version?",
    r.ssl_cipher                                                    AS "tls.cipher",

    list_filter([r.cs_host], lambda uid: uid IS NOT NULL)           AS "resources[].uid",
    forwarded                                                       AS entity_texts,

    unmapped_fields(json_object(
        'x_edge_location', r.x_edge_location, 'cs_cookie', r.cs_cookie, 'time_taken', r.time_taken,
        'x_forwarded_for', r.x_forwarded_for, 'x_edge_response_result_type', r.x_edge_response_result_type,
        'fle_status', r.fle_status, 'fle_encrypted_fields', r.fle_encrypted_fields,
        'time_to_first_byte', r.time_to_first_byte, 'x_edge_detailed_result_type', r.x_edge_detailed_result_type,
        'sc_content_len', r.sc_content_len, 'sc_range_start', r.sc_range_start, 'sc_range_end', r.sc_range_end,
        'more', r.more,
        'cs_method', CASE WHEN http_activity(r.cs_method) = 99 THEN r.cs_method END,
        'c_ip', CASE WHEN NOT is_ip(r.c_ip) THEN r.c_ip END,
        'c_port', CASE WHEN port(r.c_port) IS NULL THEN r.c_port END,
        'cs_bytes', CASE WHEN TRY_CAST(r.cs_bytes AS BIGINT) IS NULL THEN r.cs_bytes END,
        'sc_bytes', CASE WHEN TRY_CAST(r.sc_bytes AS BIGINT) IS NULL THEN r.sc_bytes END
    ))                                                              AS unmapped
FROM (
    SELECT
        *,
        iso_time(replace(r.date_time, chr(9), 'T') || 'Z') AS moment,
        forwarded_ips(r.x_forwarded_for) AS forwarded
    FROM records
)
