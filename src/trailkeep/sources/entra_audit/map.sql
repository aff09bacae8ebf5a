-- Microsoft Entra ID directory audits -> OCSF 1.5.0: Account Change for what is done to users and their factors, roles and
-- groups, API Activity for all else. The Graph API has an audit by itself, Azure Monitor has it under `properties` of a
-- record; `s` is the audit in either.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'activityDateTime or time')                  AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid
        WHEN 3001 THEN coalesce(account_activity, 99)
        ELSE coalesce(MAP {'Add': 1, 'Create': 1, 'Assign': 3, 'Unassign': 3, 'Update': 3, 'Set': 3, 'Delete': 4, 'Remove': 4}[
            coalesce(nullif(s.operationType, ''), split_part(operation, ' ', 1))], 99)
    END                                                             AS activity_id,
    1                                                               AS severity_id,
    CASE s.result WHEN 'success' THEN 1 WHEN 'failure' THEN 2 WHEN 'timeout' THEN 2 ELSE 0 END AS status_id,
    s.result                                                        AS status_code,

    r.tenantId                                                      AS "cloud.account.uid",
    'Azure'                                                         AS "cloud.provider",
    s.id                                                            AS "metadata.uid",
    coalesce(s.correlationId, r.correlationId)                      AS "metadata.correlation_uid",
    r.operationVersion                                              AS "metadata.log_version",
    'Microsoft'                                                     AS "metadata.product.vendor_name",
    'Microsoft Entra ID'                                            AS "metadata.product.name",
    nullif(s.category, '')                                          AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    operation                                                       AS "api.operation",
    'unknown'                                                       AS "api.operation?",
    nullif(s.loggedByService, '')                                   AS "api.service.name",
    nullif(s.resultReason, '')                                      AS "api.response.message",

    coalesce(who.name, who.uid, app.name, app.uid, r.identity)      AS principal,
    coalesce(who.name, app.name)                                    AS "actor.user.name",
    CASE WHEN who.uid IS NULL THEN coalesce(app.uid, r.identity, 'unknown') END AS "actor.user.name?",
    coalesce(who.uid, app.uid)                                      AS "actor.user.uid",
    nullif(s.initiatedBy.user.displayName, '')                      AS "actor.user.full_name",
    CASE WHEN coalesce(who.name, who.uid) IS NOT NULL THEN 'User' WHEN app.name IS NOT NULL THEN 'ServicePrincipal' END
                                                                    AS "actor.user.type",
    CASE WHEN coalesce(who.name, who.uid) IS NOT NULL THEN 1 WHEN app.name IS NOT NULL THEN 99 ELSE 0 END
                                                                    AS "actor.user.type_id",
    app.name                                                        AS "actor.app_name",
    nullif(s.initiatedBy.app.appId, '')                             AS "actor.app_uid",

    CASE WHEN class_uid = 3001 THEN target.userPrincipalName END    AS "user.name",
    CASE WHEN class_uid = 3001 AND target.id IS NULL THEN 'unknown' END AS "user.name?",
    CASE WHEN class_uid = 3001 THEN target.id END                   AS "user.uid",
    CASE WHEN class_uid = 3001 THEN target.displayName END          AS "user.full_name",
    CASE WHEN class_uid = 3001 THEN CASE WHEN target IS NULL THEN 0 ELSE 1 END END AS "user.type_id",

    address                                                         AS "src_endpoint.ip",
    CASE WHEN address IS NULL THEN coalesce(nullif(s.loggedByService, ''), 'unknown') END AS "src_endpoint.svc_name?",
    nullif(s.userAgent, '')                                         AS "http_request.user_agent",

    list_transform(things, lambda t: t.id)                          AS "resources[].uid",
    list_transform(things, lambda t: {'uid': t.id, 'name': t.displayName, 'type': t.type}) AS "resources",
    [to_json(list_transform(list_filter(s.targetResources, lambda t: coalesce(t.userPrincipalName, '') <> ''),
        lambda t: {'userName': t.userPrincipalName}))::VARCHAR]     AS entity_texts,

    leftover(try(json_merge_patch(
        '{}',
        raw_data,
        without_fields(CASE WHEN r.properties IS NULL THEN taken ELSE [
            'operationVersion', 'tenantId', CASE WHEN r.operationName = operation THEN 'operationName' END,
            CASE WHEN r.callerIpAddress = address THEN 'callerIpAddress' END,
            CASE WHEN r.correlationId = coalesce(s.correlationId, r.correlationId) THEN 'correlationId' END,
            CASE WHEN r.time = rfc3339(moment) THEN 'time' END
        ] END),
        without_inner(raw_data, 'properties', taken)
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        CASE
            WHEN target IS NOT NULL AND regexp_matches(operation,
                '^(Add|Invite|Update|Delete|Hard Delete|Restore|Disable|Enable) (external )?(user|account)\b|password'
                || '|security info|authentication method|Strong Authentication|StsRefreshToken|member (to|from) (role|group)'
                || '|eligible member|app role assignment') THEN 3001
            ELSE 6003
        END AS class_uid,
        CASE
            WHEN regexp_matches(operation, '^(Add user|Invite external user)$') THEN 1
            WHEN regexp_matches(operation, '^(Enable account|Restore user)$') THEN 2
            WHEN operation LIKE 'Change user password%' OR operation LIKE 'Change password%' THEN 3
            WHEN operation LIKE 'Reset %password%' OR operation LIKE 'Self-service password reset%' THEN 4
            WHEN operation = 'Disable account' THEN 5
            WHEN operation LIKE '%elete user' THEN 6
            WHEN operation LIKE 'Add %member to role%' THEN 7
            WHEN operation LIKE 'Remove %member from role%' THEN 8
            WHEN operation = 'Enable Strong Authentication' OR operation LIKE '% registered security info' THEN 10
            WHEN operation = 'Disable Strong Authentication' OR operation LIKE '% deleted security info' THEN 11
        END AS account_activity,
        -- Fields of the audit that OCSF holds as they are.
        list_filter([
            'id', 'correlationId', 'result', 'category', 'loggedByService', 'resultReason', 'userAgent',
            CASE WHEN s.activityDisplayName = operation THEN 'activityDisplayName' END,
            CASE WHEN s.activityDateTime = rfc3339(iso_time(s.activityDateTime)) THEN 'activityDateTime' END
        ], lambda name: coalesce(doc ->> name, '') <> '') AS taken
    FROM (
        SELECT
            *,
            coalesce(iso_time(s.activityDateTime), iso_time(r.time)) AS moment,
            coalesce(nullif(s.activityDisplayName, ''), r.operationName) AS operation,
            {
                'name': nullif(s.initiatedBy.user.userPrincipalName, ''), 'uid': nullif(s.initiatedBy.user.id, '')
            } AS who,
            {
                'name': coalesce(nullif(s.initiatedBy.app.servicePrincipalName, ''), nullif(s.initiatedBy.app.displayName, '')),
                'uid': nullif(s.initiatedBy.app.servicePrincipalId, '')
            } AS app,
            CASE
                WHEN is_ip(s.initiatedBy.user.ipAddress) THEN s.initiatedBy.user.ipAddress
                WHEN is_ip(r.callerIpAddress) THEN r.callerIpAddress
            END AS address,
            list_filter(s.targetResources, lambda t: t.type = 'User')[1] AS target,
            list_filter(s.targetResources, lambda t: coalesce(t.id, '') <> '') AS things
        FROM (
            SELECT
                *,
                coalesce(r.properties::VARCHAR, raw_data) AS doc,
                try(from_json(coalesce(r.properties::VARCHAR, raw_data), '{
                    "id": "VARCHAR", "activityDateTime": "VARCHAR", "activityDisplayName": "VARCHAR",
                    "operationType": "VARCHAR", "category": "VARCHAR", "correlationId": "VARCHAR", "result": "VARCHAR",
                    "resultReason": "VARCHAR", "loggedByService": "VARCHAR", "userAgent": "VARCHAR",
                    "initiatedBy": {
                        "user": {"id": "VARCHAR", "displayName": "VARCHAR", "userPrincipalName": "VARCHAR",
                            "ipAddress": "VARCHAR"},
                        "app": {"appId": "VARCHAR", "displayName": "VARCHAR", "servicePrincipalId": "VARCHAR",
                            "servicePrincipalName": "VARCHAR"}
                    },
                    "targetResources": [{"id": "VARCHAR", "displayName": "VARCHAR", "type": "VARCHAR",
                        "userPrincipalName": "VARCHAR"}]
                }')) AS s
            FROM records
        )
    )
)
