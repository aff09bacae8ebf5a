-- Microsoft Entra ID sign-ins -> OCSF 1.5.0 Authentication. The Graph API has a sign-in by itself, Azure Monitor has it
-- under `properties` of a record; `s` is the sign-in in either. Who signs in is a user or a service principal. An error
-- code that is not 0 is a failure, though some only say that one more step is wanted.
SELECT
    moment                                                          AS "time",
    time_fault(moment, 'createdDateTime or time')                   AS reject,
    3002                                                            AS class_uid,
    1                                                               AS activity_id,
    CASE s.riskLevelDuringSignIn WHEN 'high' THEN 4 WHEN 'medium' THEN 3 WHEN 'low' THEN 2 ELSE 1 END AS severity_id,
    CASE WHEN error_code IS NULL THEN 0 WHEN error_code = '0' THEN 1 ELSE 2 END AS status_id,
    error_code                                                      AS status_code,

    r.tenantId                                                      AS "cloud.account.uid",
    'Azure'                                                         AS "cloud.provider",
    s.id                                                            AS "metadata.uid",
    coalesce(s.correlationId, r.correlationId)                      AS "metadata.correlation_uid",
    r.operationVersion                                              AS "metadata.log_version",
    'Microsoft'                                                     AS "metadata.product.vendor_name",
    'Microsoft Entra ID'                                            AS "metadata.product.name",
    r.category                                                      AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.operationName                                                 AS "api.operation",
    'Sign-in activity'                                              AS "api.operation?",
    CASE WHEN error_code <> '0' THEN coalesce(s.status.failureReason, r.resultDescription) END AS "api.response.message",
    nullif(s.resourceDisplayName, '')                               AS "service.name",
    CASE WHEN coalesce(s.resourceId, '') = '' THEN 'Microsoft Entra ID' END AS "service.name?",
    nullif(s.resourceId, '')                                        AS "service.uid",
    CASE WHEN error_code = '0' AND s.authenticationRequirement = 'multiFactorAuthentication' THEN true
        WHEN s.authenticationRequirement = 'singleFactorAuthentication' THEN false END AS is_mfa,

    coalesce(who.name, who.uid)                                     AS principal,
    who.name                                                        AS "user.name",
    CASE WHEN who.uid IS NULL THEN 'unknown' END                    AS "user.name?",
    who.uid                                                         AS "user.uid",
    who.type                                                        AS "user.type",
    CASE WHEN is_app THEN 99 WHEN who.uid IS NOT NULL THEN 1 ELSE 0 END AS "user.type_id",
    nullif(s.userDisplayName, '')                                   AS "user.full_name",
    who.name                                                        AS "actor.user.name",
    who.uid                                                         AS "actor.user.uid",
    who.type                                                        AS "actor.user.type",
    nullif(s.appDisplayName, '')                                    AS "actor.app_name",
    nullif(s.appId, '')                                             AS "actor.app_uid",

    address                                                         AS "src_endpoint.ip",
    place.countryOrRegion                                           AS "src_endpoint.location.country",
    CASE WHEN place.countryOrRegion IS NOT NULL THEN place.city END AS "src_endpoint.location.city",
    CASE WHEN place.countryOrRegion IS NOT NULL THEN place.state END AS "src_endpoint.location.region",
    s.deviceDetail.displayName                                      AS "src_endpoint.name",
    TRY_CAST(s.autonomousSystemNumber AS INTEGER)                   AS "src_endpoint.autonomous_system.number",
    nullif(s.userAgent, '')                                         AS "http_request.user_agent",

    []::VARCHAR[]                                                   AS entity_texts,

    leftover(try(json_merge_patch(
        '{}',
        raw_data,
        without_fields(CASE WHEN r.properties IS NULL THEN taken ELSE [
            'operationName', 'operationVersion', 'tenantId', 'category',
            CASE WHEN r.resultType = error_code THEN 'resultType' END,
            CASE WHEN r.callerIpAddress = address THEN 'callerIpAddress' END,
            CASE WHEN r.correlationId = coalesce(s.correlationId, r.correlationId) THEN 'correlationId' END,
            CASE WHEN r.time = rfc3339(moment) THEN 'time' END
        ] END),
        without_inner(raw_data, 'properties', taken)
    )))                                                             AS unmapped
FROM (
    SELECT
        *,
        coalesce(iso_time(s.createdDateTime), iso_time(r.time)) AS moment,
        coalesce(r.resultType, s.status.errorCode) AS error_code,
        CASE WHEN is_ip(s.ipAddress) THEN s.ipAddress WHEN is_ip(r.callerIpAddress) THEN r.callerIpAddress END AS address,
        s.location AS place,
        CASE
            WHEN is_app THEN {'name': nullif(s.servicePrincipalName, ''), 'uid': s.servicePrincipalId, 'type': 'ServicePrincipal'}
            ELSE {'name': nullif(s.userPrincipalName, ''), 'uid': nullif(s.userId, ''), 'type': s.userType}
        END AS who,
        -- Fields of the sign-in that OCSF holds as they are.
        list_filter([
            'id', 'correlationId', 'resourceDisplayName', 'resourceId', 'userDisplayName', 'appDisplayName', 'appId',
            'autonomousSystemNumber', 'userAgent',
            CASE WHEN is_ip(s.ipAddress) THEN 'ipAddress' END,
            CASE WHEN is_app THEN 'servicePrincipalId' ELSE 'userId' END,
            CASE WHEN is_app THEN 'servicePrincipalName' ELSE 'userPrincipalName' END,
            CASE WHEN NOT is_app THEN 'userType' END,
            CASE WHEN s.createdDateTime = rfc3339(iso_time(s.createdDateTime)) THEN 'createdDateTime' END
        ], lambda name: coalesce(doc ->> name, '') <> '') AS taken
    FROM (
        SELECT *, coalesce(s.userId, '') = '' AND coalesce(s.servicePrincipalId, '') <> '' AS is_app
        FROM (
            SELECT
                *,
                coalesce(r.properties::VARCHAR, raw_data) AS doc,
                try(from_json(coalesce(r.properties::VARCHAR, raw_data), '{
                    "id": "VARCHAR", "createdDateTime": "VARCHAR", "correlationId": "VARCHAR", "ipAddress": "VARCHAR",
                    "userId": "VARCHAR", "userPrincipalName": "VARCHAR", "userDisplayName": "VARCHAR",
                    "userType": "VARCHAR", "servicePrincipalId": "VARCHAR", "servicePrincipalName": "VARCHAR",
                    "appId": "VARCHAR", "appDisplayName": "VARCHAR", "resourceId": "VARCHAR",
                    "resourceDisplayName": "VARCHAR", "userAgent": "VARCHAR", "autonomousSystemNumber": "VARCHAR",
                    "riskLevelDuringSignIn": "VARCHAR", "authenticationRequirement": "VARCHAR",
                    "status": {"errorCode": "VARCHAR", "failureReason": "VARCHAR"},
                    "location": {"city": "VARCHAR", "state": "VARCHAR", "countryOrRegion": "VARCHAR"},
                    "deviceDetail": {"displayName": "VARCHAR"}
                }')) AS s
            FROM records
        )
    )
)
