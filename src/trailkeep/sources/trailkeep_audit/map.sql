-- Trailkeep's audit events -> OCSF 1.5.0 API Activity (6003): an action is named `<what>.<verb>`, as in `alerts.close`.
SELECT
    moment                                                          AS "time",
    CASE WHEN r.action IS NULL THEN 'no action' ELSE time_fault(moment, 'time') END AS reject,
    6003                                                            AS class_uid,
    CASE
        WHEN verb IN ('add', 'create', 'new', 'ingest', 'receive', 'import') THEN 1
        WHEN verb IN ('list', 'show', 'read', 'search', 'sql', 'hunt', 'query', 'export', 'download', 'status') THEN 2
        WHEN verb IN ('update', 'close', 'reopen', 'assign', 'enable', 'disable', 'retry', 'compact', 'hold') THEN 3
        WHEN verb IN ('delete', 'remove', 'expire', 'revoke') THEN 4
        ELSE 99
    END                                                             AS activity_id,
    1                                                               AS severity_id,
    CASE r.outcome WHEN 'success' THEN 1 WHEN 'failure' THEN 2 WHEN 'denied' THEN 2 ELSE 0 END AS status_id,
    r.outcome                                                       AS status_code,

    'unknown'                                                       AS "cloud.provider",
    r.id                                                            AS "metadata.uid",
    r.trailkeep_audit                                               AS "metadata.log_version",
    'Trailkeep'                                                     AS "metadata.product.vendor_name",
    'Trailkeep'                                                     AS "metadata.product.name",
    r.version                                                       AS "metadata.product.version",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.action                                                        AS "api.operation",
    'trailkeep'                                                     AS "api.service.name",
    r.reason                                                        AS "api.response.message",
    coalesce(r.actor.uid, r.actor.name)                             AS principal,
    r.actor.name                                                    AS "actor.user.name",
    r.actor.uid                                                     AS "actor.user.uid",
    CASE WHEN has_user THEN r.actor.type END                        AS "actor.user.type",
    r.actor.session                                                 AS "actor.session.uid",
    CASE WHEN coalesce(r.actor.name, r.actor.uid, r.actor.session) IS NULL THEN 'trailkeep' END AS "actor.invoked_by?",

    CASE WHEN is_ip(r.source_ip) THEN r.source_ip END               AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.source_ip) THEN 'trailkeep' END           AS "src_endpoint.svc_name?",
    r.user_agent                                                    AS "http_request.user_agent",

    [r.target.uid]                                                  AS "resources[].uid",
    CASE WHEN has_target THEN [{'type': r.target.type, 'uid': r.target.uid, 'name': r.target.name}] END AS "resources",
    [r.target.uid, r.target.name, r.details::VARCHAR]               AS entity_texts,
    leftover(try(json_merge_patch(
        raw_data,
        without_fields([
            'trailkeep_audit', 'id', 'time', 'action', 'outcome', 'reason', 'user_agent', 'version',
            CASE WHEN is_ip(r.source_ip) THEN 'source_ip' END
        ]),
        without_inner(raw_data, 'actor', ['name', 'uid', 'session', CASE WHEN has_user THEN 'type' END]),
        CASE WHEN has_target THEN without_inner(raw_data, 'target', ['type', 'uid', 'name']) ELSE '{}' END
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        iso_time(r.time) AS moment,
        lower(split_part(r.action, '.', -1)) AS verb,
        coalesce(r.target.uid, r.target.name) IS NOT NULL AS has_target,
        coalesce(r.actor.name, r.actor.uid) IS NOT NULL AS has_user
    FROM records
)
