-- S3 server access logs -> OCSF 1.5.0 API Activity. Operations are named as S3 does (REST.GET.OBJECT), so that they stand
-- beside the data events of CloudTrail without passing for them.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    6003                                                            AS class_uid,
    CASE
        WHEN r.operation LIKE '%.GET.%' OR r.operation LIKE '%.HEAD.%' THEN 2
        WHEN r.operation LIKE '%DELETE%' OR r.operation LIKE 'S3.EXPIRE.%' THEN 4
        WHEN regexp_matches(r.operation, '\.(PUT|POST|COPY)\.(OBJECT|PART|UPLOADS?|OBJECT_GET)$') THEN 1
        WHEN r.operation LIKE '%.PUT.%' OR r.operation LIKE '%.POST.%' OR r.operation LIKE 'S3.TRANSITION%' THEN 3
        ELSE 99
    END                                                             AS activity_id,
    1                                                               AS severity_id,
    CASE WHEN http_status >= 400 OR r.error_code IS NOT NULL THEN 2 WHEN http_status IS NOT NULL THEN 1 ELSE 0 END
                                                                    AS status_id,
    r.http_status                                                   AS status_code,

    arn_account(r.access_point_arn)                                 AS "cloud.account.uid",
    nullif(regexp_extract(coalesce(r.access_point_arn, r.host_header), '(?:s3[.-]|:s3:)([a-z]{2}(?:-[a-z]+)+-\d)', 1), '')
                                                                    AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon S3'                                                     AS "metadata.product.name",
    'Server access log'                                             AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.operation                                                     AS "api.operation",
    's3.amazonaws.com'                                              AS "api.service.name",
    r.request_id                                                    AS "api.request.uid",
    http_status                                                     AS "api.response.code",
    r.error_code                                                    AS "api.response.error",

    r.requester                                                     AS principal,
    r.requester                                                     AS "actor.user.uid",
    arn_account(r.requester)                                        AS "actor.user.account.uid",
    CASE WHEN r.requester IS NULL THEN 'anonymous' END              AS "actor.user.name?",

    CASE WHEN is_ip(r.remote_ip) THEN r.remote_ip END               AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.remote_ip) THEN coalesce(r.remote_ip, 's3.amazonaws.com') END AS "src_endpoint.svc_name?",
    nullif(split_part(r.request_uri, ' ', 1), '')                   AS "http_request.http_method",
    nullif(split_part(r.request_uri, ' ', 2), '')                   AS "http_request.url.url_string",
    nullif(split_part(r.request_uri, ' ', 3), '')                   AS "http_request.version",
    r.user_agent                                                    AS "http_request.user_agent",
    r.referrer                                                      AS "http_request.referrer",
    http_status                                                     AS "http_response.code",
    TRY_CAST(r.bytes_sent AS BIGINT)                                AS "traffic.bytes",

    [bucket_arn, bucket_arn || '/' || r.key]                        AS "resources[].uid",
    list_filter([
        {'uid': bucket_arn, 'type': 'AWS::S3::Bucket', 'name': r.bucket},
        {'uid': bucket_arn || '/' || r.key, 'type': 'AWS::S3::Object', 'name': r.key}
    ], lambda x: x.uid IS NOT NULL)                                 AS "resources",
    [bucket_arn, r.requester]                                       AS entity_texts,

    json_object('fields', json_merge_patch('{}', json_object(
        'bucket_owner', r.bucket_owner, 'bytes_sent', r.bytes_sent, 'object_size', r.object_size,
        'total_time', r.total_time, 'turn_around_time', r.turn_around_time, 'version_id', r.version_id,
        'host_id', r.host_id, 'signature_version', r.signature_version, 'cipher_suite', r.cipher_suite,
        'authentication_type', r.authentication_type, 'host_header', r.host_header, 'tls_version', r.tls_version,
        'access_point_arn', r.access_point_arn, 'acl_required', r.acl_required, 'more', trim(r.more),
        'remote', CASE WHEN NOT is_ip(r.remote_ip) THEN r.remote_ip END
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        clf_time(r.time) AS moment,
        TRY_CAST(r.http_status AS INTEGER) AS http_status,
        'arn:aws:s3:::' || r.bucket AS bucket_arn
    FROM records
)
