-- Google Workspace activities -> OCSF 1.5.0: Authentication for application `login`, Account Change for what
-- administrators do to users and for two-step verification, API Activity for all else. An activity with several events is
-- one OCSF event with the name of the first; `events` is whole in `unmapped`, parameters and the other events included.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'id.time')                                   AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid
        WHEN 3001 THEN coalesce(account_activity, 99)
        WHEN 3002 THEN CASE WHEN e.name IN ('login_success', 'login_failure') THEN 1 WHEN e.name = 'logout' THEN 2 ELSE 99 END
        ELSE coalesce(MAP {
            'create': 1, 'add': 1, 'upload': 1, 'copy': 1, 'authorize': 1, 'grant': 1, 'assign': 1,
            'view': 2, 'preview': 2, 'download': 2, 'print': 2, 'list': 2, 'export': 2,
            'edit': 3, 'change': 3, 'update': 3, 'rename': 3, 'move': 3, 'set': 3, 'toggle': 3, 'enable': 3, 'disable': 3,
            'delete': 4, 'remove': 4, 'trash': 4, 'revoke': 4, 'unassign': 4
        }[lower(split_part(e.name, '_', 1))], 99)
    END                                                             AS activity_id,
    CASE WHEN e.type = 'account_warning' OR e.name LIKE 'suspicious%' THEN 3 ELSE 1 END AS severity_id,
    CASE WHEN failure IS NOT NULL OR e.name LIKE '%failure' THEN 2 ELSE 1 END AS status_id,
    failure                                                         AS status_code,

    r.id.customerId                                                 AS "cloud.account.uid",
    'Google'                                                        AS "cloud.provider",
    r.id.uniqueQualifier                                            AS "metadata.uid",
    e.type                                                          AS "metadata.event_code",
    'Google'                                                        AS "metadata.product.vendor_name",
    'Google Workspace'                                              AS "metadata.product.name",
    r.id.applicationName                                            AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    e.name                                                          AS "api.operation",
    'unknown'                                                       AS "api.operation?",
    r.id.applicationName || '.googleapis.com'                       AS "api.service.name",
    CASE WHEN class_uid = 3002 THEN 'Google Workspace' END          AS "service.name",
    TRY_CAST(json_value(pairs, '$.is_second_factor') AS BOOLEAN)    AS is_mfa,

    coalesce(email, r.actor.profileId, r.actor.key)                 AS principal,
    email                                                           AS "actor.user.name",
    CASE WHEN r.actor.profileId IS NULL THEN coalesce(r.actor.key, 'unknown') END AS "actor.user.name?",
    r.actor.profileId                                               AS "actor.user.uid",
    r.actor.callerType                                              AS "actor.user.type",
    CASE WHEN r.actor.callerType <> 'USER' THEN 99 WHEN email IS NOT NULL THEN 1 ELSE 0 END AS "actor.user.type_id",
    pairs ->> 'app_name'                                            AS "actor.app_name",
    pairs ->> 'client_id'                                           AS "actor.app_uid",

    CASE class_uid WHEN 3001 THEN target WHEN 3002 THEN coalesce(target, email) END AS "user.name",
    CASE WHEN class_uid = 3001 OR class_uid = 3002 AND r.actor.profileId IS NULL THEN 'unknown' END AS "user.name?",
    CASE WHEN class_uid = 3002 AND target IS NULL THEN r.actor.profileId END AS "user.uid",
    CASE WHEN class_uid IN (3001, 3002) THEN CASE WHEN coalesce(target, email) IS NULL THEN 0 ELSE 1 END END
                                                                    AS "user.type_id",

    CASE WHEN is_ip(r.ipAddress) THEN r.ipAddress END               AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.ipAddress) THEN 'google_workspace' END    AS "src_endpoint.svc_name?",
    r.networkInfo.regionCode                                        AS "src_endpoint.location.country",
    TRY_CAST(r.networkInfo.ipAsn[1] AS INTEGER)                     AS "src_endpoint.autonomous_system.number",

    CASE WHEN thing IS NOT NULL THEN [thing] END                    AS "resources[].uid",
    CASE WHEN thing IS NOT NULL THEN [{'uid': thing, 'name': pairs ->> 'doc_title', 'type': pairs ->> 'doc_type'}] END
                                                                    AS "resources",
    [
        to_json([
            {'userName': target}, {'userName': pairs ->> 'target_user'}, {'userName': pairs ->> 'owner'}
        ])::VARCHAR
    ]                                                               AS entity_texts,

    leftover(try(json_merge_patch(
        '{}',
        raw_data,
        without_fields([CASE WHEN is_ip(r.ipAddress) THEN 'ipAddress' END]),
        without_inner(raw_data, 'id', [
            'uniqueQualifier', 'applicationName', 'customerId', CASE WHEN r.id.time = rfc3339(moment) THEN 'time' END
        ]),
        without_inner(raw_data, 'actor', [CASE WHEN email IS NOT NULL THEN 'email' END, 'profileId', 'callerType'])
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE
            WHEN r.id.applicationName = 'login' THEN 3002
            WHEN e.type IN ('USER_SETTINGS', 'DELEGATED_ADMIN_SETTINGS') AND target IS NOT NULL
                OR r.id.applicationName = 'user_accounts' THEN 3001
            ELSE 6003
        END AS class_uid,
        MAP {
            'CREATE_USER': 1, 'UNSUSPEND_USER': 2, 'UNDELETE_USER': 2, 'SUSPEND_USER': 5, 'ARCHIVE_USER': 5, 'DELETE_USER': 6,
            'CHANGE_PASSWORD': 4, 'CHANGE_PASSWORD_ON_NEXT_LOGIN': 4, 'password_edit': 3,
            'ASSIGN_ROLE': 7, 'GRANT_ADMIN_PRIVILEGE': 7, 'GRANT_DELEGATED_ADMIN_PRIVILEGES': 7,
            'UNASSIGN_ROLE': 8, 'REVOKE_ADMIN_PRIVILEGE': 8,
            '2sv_enroll': 10, '2sv_disable': 11, 'TURN_OFF_2_STEP_VERIFICATION': 11
        }[e.name] AS account_activity
    FROM (
        SELECT
            *,
            coalesce(pairs ->> 'USER_EMAIL', pairs ->> 'affected_email_address',
                CASE WHEN r.id.applicationName = 'user_accounts' THEN email END) AS target,
            coalesce(pairs ->> 'doc_id', pairs ->> 'GROUP_EMAIL', pairs ->> 'APPLICATION_NAME', pairs ->> 'client_id') AS thing,
            pairs ->> 'login_failure_type' AS failure
        FROM (
            SELECT
                *,
                iso_time(r.id.time) AS moment,
                nullif(r.actor.email, '') AS email,
                -- Plain parameters of the first event, by name.
                coalesce(try(to_json(map_from_entries(list_filter(list_transform(e.parameters, lambda p:
                    {'k': p.name, 'v': coalesce(p.value, p.boolValue, p.intValue)}), lambda p: p.k IS NOT NULL)))),
                    '{}'::JSON) AS pairs
            FROM (
                SELECT
                    *,
                    try(from_json(CASE WHEN json_type(r.events) = 'ARRAY' THEN r.events -> 0 ELSE r.events END, '{
                        "type": "VARCHAR", "name": "VARCHAR", "parameters": [
                            {"name": "VARCHAR", "value": "VARCHAR", "boolValue": "VARCHAR", "intValue": "VARCHAR"}]
                    }')) AS e
                FROM records
            )
        )
    )
)
