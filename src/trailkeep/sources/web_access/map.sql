-- Web server access logs, common and combined -> OCSF 1.5.0 HTTP Activity. The server names neither itself nor its host;
-- the user is the one it authenticated.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    4002                                                            AS class_uid,
    http_activity(request_method(r.request))                        AS activity_id,
    1                                                               AS severity_id,
    http_outcome(r.status)                                          AS status_id,
    r.status                                                        AS status_code,

    -- The profile `cloud` demands a provider, and nothing says whose machine it was.
    'Unknown'                                                       AS "cloud.provider?",
    'Unknown'                                                       AS "metadata.product.vendor_name",
    'Web server'                                                    AS "metadata.product.name",
    'Access log'                                                    AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.user                                                          AS principal,
    r.user                                                          AS "actor.user.name",
    CASE WHEN is_ip(r.remote_host) THEN r.remote_host END           AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.remote_host) THEN r.remote_host END       AS "src_endpoint.domain",

    request_method(r.request)                                       AS "http_request.http_method",
    request_url(r.request)                                          AS "http_request.url.url_string",
    request_version(r.request)                                      AS "http_request.version",
    r.user_agent                                                    AS "http_request.user_agent",
    r.referer                                                       AS "http_request.referrer",
    TRY_CAST(r.status AS INTEGER)                                   AS "http_response.code",
    CASE WHEN coalesce(request_url(r.request), r.user_agent, r.referer) IS NULL THEN 0 END AS "http_response.code?",
    byte_count(r.bytes)                                             AS "traffic.bytes",
    byte_count(r.bytes)                                             AS "traffic.bytes_in",

    unmapped_fields(json_object(
        'ident', r.ident, 'user', r.user, 'more', r.more, 'request', odd_request(r.request),
        'bytes', CASE WHEN byte_count(r.bytes) IS NULL THEN r.bytes END
    ))                                                              AS unmapped
FROM (SELECT *, clf_time(r.time) AS moment FROM records)
