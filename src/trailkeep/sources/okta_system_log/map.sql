-- Okta System Log events -> OCSF 1.5.0: Authentication for sessions and user.authentication.*, Account Change for what
-- happens to a user's account, factors and group memberships, API Activity for all else. Who has no id or name is
-- "unknown" to Okta, which is nobody's name here.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'published')                                 AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid
        WHEN 3001 THEN coalesce(account_activity, 99)
        WHEN 3002 THEN coalesce(MAP {
            'user.session.start': 1, 'user.authentication.sso': 1, 'user.session.access_admin_app': 1,
            'user.session.end': 2, 'user.session.clear': 2, 'user.authentication.slo': 2
        }[r.eventType], 99)
        WHEN 6003 THEN CASE
            WHEN regexp_matches(r.eventType, '\.(create|add|assign|import|generate|register)(\.|_|$)') THEN 1
            WHEN regexp_matches(r.eventType, '\.(read|list|view|export|download)(\.|_|$)') THEN 2
            WHEN regexp_matches(r.eventType, '\.(update|activate|deactivate|grant|enable|disable|reset|rename)(\.|_|$)')
                THEN 3
            WHEN regexp_matches(r.eventType, '\.(delete|remove|revoke|unassign|purge)(\.|_|$)') THEN 4
            ELSE 99
        END
    END                                                             AS activity_id,
    CASE r.severity WHEN 'DEBUG' THEN 1 WHEN 'INFO' THEN 1 WHEN 'WARN' THEN 3 WHEN 'ERROR' THEN 4 ELSE 0 END AS severity_id,
    r.severity                                                      AS "severity",
    CASE
        WHEN r.outcome.result IN ('SUCCESS', 'ALLOW') THEN 1
        WHEN r.outcome.result IN ('FAILURE', 'DENY', 'RATE_LIMIT', 'ABANDONED', 'UNANSWERED') THEN 2
        WHEN r.outcome.result IS NULL OR r.outcome.result = 'UNKNOWN' THEN 0
        ELSE 99
    END                                                             AS status_id,
    r.outcome.result                                                AS status_code,
    r.displayMessage                                                AS "message",

    'Okta'                                                          AS "cloud.provider",
    r.uuid                                                          AS "metadata.uid",
    r.transaction.id                                                AS "metadata.correlation_uid",
    r.version                                                       AS "metadata.log_version",
    'Okta'                                                          AS "metadata.product.vendor_name",
    'Okta System Log'                                               AS "metadata.product.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.eventType                                                     AS "api.operation",
    'unknown'                                                       AS "api.operation?",
    'okta'                                                          AS "api.service.name",
    r.outcome.reason                                                AS "api.response.message",
    CASE WHEN class_uid = 3002 THEN coalesce(app, 'Okta') END       AS "service.name",

    coalesce(who.name, who.uid, r.actor.displayName)                AS principal,
    who.name                                                        AS "actor.user.name",
    CASE WHEN who.uid IS NULL THEN coalesce(r.actor.displayName, 'unknown') END AS "actor.user.name?",
    who.uid                                                         AS "actor.user.uid",
    r.actor.displayName                                             AS "actor.user.full_name",
    r.actor.type                                                    AS "actor.user.type",
    CASE r.actor.type WHEN 'User' THEN 1 WHEN 'SystemPrincipal' THEN 3 ELSE CASE WHEN r.actor.type IS NULL THEN 0 ELSE 99 END END
                                                                    AS "actor.user.type_id",
    r.authenticationContext.externalSessionId                       AS "actor.session.uid",

    -- Who signs in is the actor; whose account changes is the first user among the targets.
    CASE WHEN class_uid IN (3001, 3002) THEN account.name END       AS "user.name",
    CASE WHEN class_uid IN (3001, 3002) AND account.uid IS NULL THEN 'unknown' END AS "user.name?",
    CASE WHEN class_uid IN (3001, 3002) THEN account.uid END        AS "user.uid",
    CASE WHEN class_uid IN (3001, 3002) THEN account.type END       AS "user.type",
    CASE WHEN class_uid IN (3001, 3002) THEN CASE account.type WHEN 'User' THEN 1 WHEN 'SystemPrincipal' THEN 3 ELSE 0 END
        END                                                         AS "user.type_id",

    CASE WHEN is_ip(r.client.ipAddress) THEN r.client.ipAddress END AS "src_endpoint.ip",
    r.securityContext.domain                                        AS "src_endpoint.domain",
    CASE WHEN NOT is_ip(r.client.ipAddress) THEN 'okta' END         AS "src_endpoint.svc_name?",
    r.client.zone                                                   AS "src_endpoint.zone",
    place.country                                                   AS "src_endpoint.location.country",
    CASE WHEN place.country IS NOT NULL THEN place.city END         AS "src_endpoint.location.city",
    CASE WHEN place.country IS NOT NULL THEN place.state END        AS "src_endpoint.location.region",
    CASE WHEN place.country IS NOT NULL THEN place.postalCode END   AS "src_endpoint.location.postal_code",
    CASE WHEN place.country IS NOT NULL THEN TRY_CAST(place.geolocation.lat AS DOUBLE) END AS "src_endpoint.location.lat",
    CASE WHEN place.country IS NOT NULL THEN TRY_CAST(place.geolocation.lon AS DOUBLE) END AS "src_endpoint.location.long",
    TRY_CAST(r.securityContext.asNumber AS INTEGER)                 AS "src_endpoint.autonomous_system.number",
    r.securityContext.asOrg                                         AS "src_endpoint.isp_org",
    r.securityContext.isp                                           AS "src_endpoint.isp",
    r.client.userAgent.rawUserAgent                                 AS "http_request.user_agent",

    list_transform(things, lambda t: t.id)                          AS "resources[].uid",
    list_transform(things, lambda t: {'uid': t.id, 'uid_alt': t.alternateId, 'name': t.displayName, 'type': t.type})
                                                                    AS "resources",
    [
        to_json(list_transform(list_filter(things, lambda t: t.type IN ('User', 'AppUser') AND t.alternateId <> 'unknown'),
            lambda t: {'userName': t.alternateId}))::VARCHAR,
        r.request::VARCHAR
    ]                                                               AS entity_texts,

    leftover(try(json_merge_patch(
        '{}',
        raw_data,
        without_fields(['uuid', 'published', 'eventType', 'version', 'severity', 'displayMessage', 'outcome']),
        without_inner(raw_data, 'actor', [
            'displayName', 'type', CASE WHEN who.uid IS NOT NULL THEN 'id' END,
            CASE WHEN who.name IS NOT NULL THEN 'alternateId' END
        ]),
        without_inner(raw_data, 'client', [
            'zone', CASE WHEN is_ip(r.client.ipAddress) THEN 'ipAddress' END,
            CASE WHEN place.country IS NOT NULL THEN 'geographicalContext' END
        ]),
        without_inner(raw_data, 'transaction', ['id']),
        without_inner(raw_data, 'authenticationContext', ['externalSessionId']),
        without_inner(raw_data, 'securityContext', ['asNumber', 'asOrg', 'isp', 'domain'])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE WHEN class_uid = 3001 THEN coalesce(list_filter(list_transform(r.target, lambda t: {
            'name': nullif(t.alternateId, 'unknown'), 'uid': nullif(t.id, 'unknown'), 'type': t.type
        }), lambda t: t.type = 'User')[1], who) ELSE who END AS account
    FROM (
        SELECT
            *,
            iso_time(r.published) AS moment,
            {
                'name': nullif(r.actor.alternateId, 'unknown'), 'uid': nullif(r.actor.id, 'unknown'), 'type': r.actor.type
            } AS who,
            r.client.geographicalContext AS place,
            list_filter(r.target, lambda t: t.id IS NOT NULL) AS things,
            list_filter(r.target, lambda t: t.type = 'AppInstance')[1].displayName AS app,
            MAP {
                'user.lifecycle.create': 1, 'user.lifecycle.activate': 2, 'user.lifecycle.reactivate': 2,
                'user.lifecycle.unsuspend': 2, 'user.lifecycle.suspend': 5, 'user.lifecycle.deactivate': 5,
                'user.lifecycle.delete.initiated': 6, 'user.lifecycle.delete.completed': 6,
                'user.account.update_password': 3, 'user.account.reset_password': 4, 'user.account.expire_password': 4,
                'user.account.privilege.grant': 7, 'user.account.privilege.revoke': 8, 'user.account.lock': 9,
                'user.account.unlock': 12, 'user.account.unlock_by_admin': 12,
                'user.mfa.factor.activate': 10, 'user.mfa.factor.unsuspend': 10, 'user.mfa.factor.deactivate': 11,
                'user.mfa.factor.suspend': 11, 'user.mfa.factor.reset_all': 11
            }[r.eventType] AS account_activity,
            CASE
                WHEN regexp_matches(r.eventType, '^user\.(authentication|session)\.') THEN 3002
                WHEN regexp_matches(r.eventType, '^(user\.(lifecycle|account|mfa|credential)|group\.user_membership)\.')
                    THEN 3001
                ELSE 6003
            END AS class_uid
        FROM records
    )
)
