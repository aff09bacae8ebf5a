-- Lines of the AWS IAM authenticator of EKS clusters -> OCSF 1.5.0: Authentication where a caller's IAM identity was
-- turned into a Kubernetes user or refused, Base Event for all else. The caller is the API server on the same machine, so
-- that its loopback address says nothing of who came.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'time')                                      AS reject,
    CASE WHEN is_logon THEN 3002 ELSE 0 END                         AS class_uid,
    CASE WHEN is_logon THEN 1 ELSE 99 END                           AS activity_id,
    level_severity(r.level)                                         AS severity_id,
    r.level                                                         AS "metadata.log_level",
    CASE
        WHEN r.msg = 'access granted' THEN 1
        WHEN r.msg = 'access denied' OR r.level IN ('error', 'fatal') THEN 2
        ELSE 0
    END                                                             AS status_id,

    arn_account(arn)                                                AS "cloud.account.uid",
    'AWS'                                                           AS "cloud.provider",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'Amazon EKS'                                                    AS "metadata.product.name",
    'Authenticator'                                                 AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.msg                                                           AS "api.operation",
    r.msg                                                           AS "message",
    p ->> 'error'                                                   AS "api.response.message",
    'kubernetes'                                                    AS "service.name",

    CASE WHEN is_logon THEN coalesce(arn, username) END             AS principal,
    username                                                        AS "user.name",
    CASE WHEN arn IS NULL THEN 'unknown' END                        AS "user.name?",
    arn                                                             AS "user.uid",
    CASE WHEN username IS NOT NULL THEN 1 ELSE 0 END                AS "user.type_id",
    list_transform(list_filter(string_split(trim(p ->> 'groups', '[]'), ' '), lambda g: g <> ''), lambda g: {'name': g})
                                                                    AS "user.groups",
    username                                                        AS "actor.user.name",
    arn                                                             AS "actor.user.uid",
    p ->> 'uid'                                                     AS "actor.user.uid_alt",
    arn_account(arn)                                                AS "actor.user.account.uid",

    CASE WHEN is_ip(client) AND client NOT LIKE '127.%' AND client <> '::1' THEN client END AS "src_endpoint.ip",
    http_method(p ->> 'method')                                     AS "http_request.http_method",
    p ->> 'path'                                                    AS "http_request.url.path",
    [arn, p ->> 'role', p ->> 'user', p ->> 'error']                AS entity_texts,
    unmapped_fields(p)                                              AS unmapped
FROM (
    SELECT
        *,
        iso_time(r.time) AS moment,
        r.msg IN ('access granted', 'access denied') AS is_logon,
        nullif(p ->> 'arn', '') AS arn,
        nullif(p ->> 'username', '') AS username,
        trim(regexp_replace(p ->> 'client', ':\d+$', ''), '[]') AS client
    FROM (SELECT *, logfmt(r.pairs) AS p FROM records)
)
