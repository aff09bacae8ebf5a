-- Log lines of Kubernetes' components (klog) -> OCSF 1.5.0: API Activity where the API server tells of a request, Base
-- Event for all else. klog writes no year: it follows from when the line was handed over.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN verb IS NOT NULL THEN 6003 ELSE 0 END                 AS class_uid,
    CASE WHEN verb IS NULL THEN 99 ELSE coalesce(MAP {
        'POST': 1, 'CREATE': 1, 'GET': 2, 'HEAD': 2, 'LIST': 2, 'WATCH': 2, 'PUT': 3, 'PATCH': 3, 'APPLY': 3, 'UPDATE': 3,
        'DELETE': 4, 'DELETECOLLECTION': 4
    }[verb], 99) END                                                AS activity_id,
    MAP {'I': 1, 'W': 3, 'E': 4, 'F': 6}[letter]                    AS severity_id,
    letter                                                          AS "metadata.log_level",
    CASE WHEN code >= 400 THEN 2 WHEN code IS NOT NULL THEN 1 ELSE 0 END AS status_id,
    code::VARCHAR                                                   AS status_code,
    r.text                                                          AS "message",

    'AWS'                                                           AS "cloud.provider",
    json_extract_string(envelope, '$.account')                      AS "cloud.account.uid",
    json_extract_string(envelope, '$.region')                       AS "cloud.region",
    p ->> 'audit-ID'                                                AS "metadata.correlation_uid",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon EKS'                                                    AS "metadata.product.name",
    'Kubernetes component log'                                      AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    verb                                                            AS "api.operation",
    CASE WHEN verb IS NOT NULL THEN 'kubernetes' END                AS "api.service.name",
    code                                                            AS "api.response.code",
    -- Who asked stands in the audit log only.
    NULL::VARCHAR                                                   AS principal,
    'kubernetes'                                                    AS "actor.invoked_by?",
    CASE WHEN is_ip(address) AND address NOT LIKE '127.%' AND address <> '::1' THEN address END AS "src_endpoint.ip",
    CASE WHEN verb IS NOT NULL AND NOT is_ip(address) OR address LIKE '127.%' THEN 'unknown' END AS "src_endpoint.svc_name?",
    http_method(verb)                                               AS "http_request.http_method",
    url                                                             AS "http_request.url.url_string",
    agent                                                           AS "http_request.user_agent",
    code                                                            AS "http_response.code",
    [regexp_replace(r.text, '\s', ' ', 'g')]                        AS entity_texts,
    unmapped_fields(json_object('stamp', r.stamp, 'thread', r.thread, 'place', r.place)) AS unmapped
FROM (
    SELECT
        *,
        yearless_time(right(r.stamp, 20), '%m%d %H:%M:%S.%f',
            coalesce(iso_time(nullif(regexp_extract(r.stamp, '^(\S+) [IWEF]', 1), '')), handed_over(envelope, key_time)))
            AS moment,
        regexp_extract(r.stamp, '([IWEF])\d{4} ', 1) AS letter,
        nullif(coalesce(p ->> 'verb', nullif(old.verb, '')), '') AS verb,
        TRY_CAST(coalesce(p ->> 'resp', nullif(old.code, '')) AS INTEGER) AS code,
        nullif(coalesce(p ->> 'URI', nullif(old.url, '')), '') AS url,
        nullif(coalesce(p ->> 'userAgent', nullif(old.agent, '')), '') AS agent,
        trim(regexp_replace(coalesce(p ->> 'srcIP', nullif(old.address, '')), ':\d+$', ''), '[]') AS address
    FROM (
        SELECT
            *,
            CASE WHEN starts_with(r.text, '"HTTP" ') THEN logfmt(r.text) END AS p,
            -- As older versions write a request: GET /api/v1/pods: (1.2ms) 200 [kubectl/v1.14 (linux/amd64) 10.0.0.1:4711]
            CASE WHEN starts_with(r.place, 'httplog.go:') THEN regexp_extract(
                r.text, '^([A-Z]+) (\S+): \([^)]*\) (\d{3}) (?s:.*)\[(.*) (\S+)\]',
                ['verb', 'url', 'code', 'agent', 'address']) END AS old
        FROM records
    )
)
