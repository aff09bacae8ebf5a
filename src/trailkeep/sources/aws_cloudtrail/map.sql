-- CloudTrail records -> OCSF 1.5.0. Every output is named by its OCSF path; a path with a `?` fills that path in OCSF
-- form only, where the schema demands a value that the record lacks, so that stored columns hold what AWS wrote.
-- Class and activity follow from eventSource and eventName together: names alone collide between services.
SELECT
    iso_time(r.eventTime)                            AS "time",
    CASE
        WHEN r.eventTime IS NULL THEN 'no eventTime'
        WHEN NOT is_insight AND r.eventName IS NULL THEN 'no eventName'
        ELSE time_fault(iso_time(r.eventTime), 'eventTime')
    END                                                             AS reject,
    class_uid                                                       AS class_uid,
    CASE class_uid
        WHEN 3001 THEN CASE
            WHEN r.eventName <> 'UpdateAccessKey' THEN account_activity
            WHEN (r.requestParameters ->> 'status') = 'Active' THEN 2
            WHEN (r.requestParameters ->> 'status') = 'Inactive' THEN 5
            ELSE account_activity
        END
        WHEN 3002 THEN logon_activity
        WHEN 2004 THEN CASE r.insightDetails ->> 'state' WHEN 'Start' THEN 1 WHEN 'End' THEN 3 ELSE 99 END
        ELSE coalesce(MAP {
                'Get': 2, 'List': 2, 'Describe': 2, 'Head': 2, 'Lookup': 2, 'Search': 2, 'Query': 2,
                'Scan': 2, 'Select': 2, 'Read': 2, 'View': 2, 'Check': 2, 'Preview': 2, 'Estimate':
                2, 'Simulate': 2, 'Validate': 2, 'Download': 2, 'Discover': 2,
                'Create': 1, 'Run': 1, 'Allocate': 1, 'Add': 1, 'Import': 1, 'Register': 1,
                'Generate': 1, 'Issue': 1, 'Copy': 1, 'Launch': 1, 'Provision': 1, 'Purchase': 1,
                'Request': 1, 'Upload': 1, 'Clone': 1, 'Restore': 1,
                'Update': 3, 'Put': 3, 'Modify': 3, 'Set': 3, 'Change': 3, 'Replace': 3, 'Edit': 3,
                'Rename': 3, 'Reset': 3, 'Tag': 3, 'Untag': 3, 'Attach': 3, 'Detach': 3,
                'Associate': 3, 'Disassociate': 3, 'Enable': 3, 'Disable': 3, 'Authorize': 3,
                'Revoke': 3, 'Activate': 3, 'Deactivate': 3, 'Configure': 3, 'Apply': 3, 'Rotate':
                3, 'Promote': 3, 'Upgrade': 3, 'Move': 3, 'Transfer': 3,
                'Delete': 4, 'Terminate': 4, 'Remove': 4, 'Deregister': 4, 'Purge': 4, 'Destroy': 4,
                'Drop': 4, 'Release': 4, 'Unregister': 4
            }[verb], CASE WHEN r.readOnly = 'true' THEN 2 ELSE 99 END)
    END                                                             AS activity_id,
    CASE WHEN is_insight THEN 2 ELSE 1 END                          AS severity_id,
    CASE
        WHEN is_insight THEN CASE r.insightDetails ->> 'state' WHEN 'End' THEN 4 ELSE 1 END
        WHEN r.errorCode IS NOT NULL OR r.errorMessage IS NOT NULL OR outcome = 'Failure' THEN 2
        ELSE 1
    END                                                             AS status_id,

    r.recipientAccountId                                            AS "cloud.account.uid",
    r.awsRegion                                                     AS "cloud.region",
    'AWS'                                                           AS "cloud.provider",
    r.eventID                                                       AS "metadata.uid",
    r.sharedEventID                                                 AS "metadata.correlation_uid",
    r.eventType                                                     AS "metadata.event_code",
    'AWS'                                                           AS "metadata.product.vendor_name",
    'CloudTrail'                                                    AS "metadata.product.name",
    r.eventVersion                                                  AS "metadata.product.version",
    r.eventCategory                                                 AS "metadata.product.feature.name",
    ['cloud', 'datetime']                                           AS "metadata.profiles",

    r.eventName                                                     AS "api.operation",
    r.eventSource                                                   AS "api.service.name",
    r.apiVersion                                                    AS "api.version",
    r.requestID                                                     AS "api.request.uid",
    CASE WHEN r.requestParameters IS NOT NULL THEN coalesce(r.eventID, 'unknown') END AS "api.request.uid?",
    r.requestParameters                                             AS "api.request.data",
    r.responseElements                                              AS "api.response.data",
    r.errorCode                                                     AS "api.response.error",
    r.errorMessage                                                  AS "api.response.message",
    CASE WHEN class_uid = 3002 THEN r.eventSource END               AS "service.name",

    coalesce(
        r.userIdentity.sessionContext.sessionIssuer.arn, r.userIdentity.arn, r.userIdentity.invokedBy,
        r.userIdentity.principalId
    )                                                               AS principal,
    r.userIdentity.type                                             AS "actor.user.type",
    CASE
        WHEN r.userIdentity.type = 'Root' THEN 2
        WHEN r.userIdentity.type IN (
            'IAMUser', 'FederatedUser', 'SAMLUser', 'WebIdentityUser', 'IdentityCenterUser', 'Directory'
        ) THEN 1
        WHEN r.userIdentity.type = 'AWSService' THEN 3
        WHEN r.userIdentity.type IS NOT NULL THEN 99
    END                                                             AS "actor.user.type_id",
    -- A user needs a name, a uid or an account; AWS's own services have none of them.
    CASE
        WHEN r.userIdentity.arn IS NULL AND r.userIdentity.accountId IS NULL
                AND coalesce(r.userIdentity.type, r.userIdentity.principalId, r.userIdentity.accessKeyId) IS NOT NULL
            THEN coalesce(
                r.userIdentity.invokedBy, r.userIdentity.principalId, r.userIdentity.type, r.userIdentity.accessKeyId)
    END                                                             AS "actor.user.name?",
    r.userIdentity.userName                                         AS "actor.user.name",
    r.userIdentity.arn                                              AS "actor.user.uid",
    r.userIdentity.principalId                                      AS "actor.user.uid_alt",
    r.userIdentity.accountId                                        AS "actor.user.account.uid",
    r.userIdentity.accessKeyId                                      AS "actor.user.credential_uid",
    r.userIdentity.invokedBy                                        AS "actor.invoked_by",
    coalesce(r.eventSource, 'unknown')                              AS "actor.invoked_by?",
    r.userIdentity.sessionContext.sessionIssuer.arn                 AS "actor.session.issuer",
    TRY_CAST(r.userIdentity.sessionContext.attributes.mfaAuthenticated AS BOOLEAN) AS "actor.session.is_mfa",
    iso_time(r.userIdentity.sessionContext.attributes.creationDate) AS "actor.session.created_time",

    -- The user or role that was changed, or that signed in or was assumed; never merely the caller.
    CASE WHEN class_uid IN (3001, 3002) THEN target.name END        AS "user.name",
    CASE WHEN class_uid IN (3001, 3002) THEN target.uid END         AS "user.uid",
    CASE WHEN class_uid IN (3001, 3002) THEN target.type END        AS "user.type",
    CASE WHEN class_uid IN (3001, 3002) THEN 'unknown' END          AS "user.name?",
    CASE WHEN class_uid IN (3001, 3002) THEN CASE target.type WHEN 'User' THEN 1 WHEN 'Role' THEN 99 ELSE 0 END END
                                                                    AS "user.type_id",
    CASE WHEN class_uid = 3001 THEN r.requestParameters ->> 'policyArn' END AS "policy.uid",
    CASE r.additionalEventData ->> 'MFAUsed' WHEN 'Yes' THEN true WHEN 'No' THEN false END AS "is_mfa",

    CASE WHEN is_ip(r.sourceIPAddress) THEN r.sourceIPAddress END   AS "src_endpoint.ip",
    CASE WHEN NOT is_ip(r.sourceIPAddress) THEN r.sourceIPAddress END AS "src_endpoint.domain",
    CASE WHEN NOT is_ip(r.sourceIPAddress) THEN coalesce(r.sourceIPAddress, r.eventSource, 'unknown') END
                                                                    AS "src_endpoint.svc_name?",
    r.vpcEndpointId                                                 AS "src_endpoint.uid",
    r.userAgent                                                     AS "http_request.user_agent",

    list_transform(r.resources, lambda x: coalesce(x.ARN, x.ARNPrefix)) AS "resources[].uid",
    list_transform(
        list_filter(r.resources, lambda x: coalesce(x.ARN, x.ARNPrefix) IS NOT NULL),
        lambda x: {
            'uid': coalesce(x.ARN, x.ARNPrefix),
            'type': x.type,
            'owner': CASE WHEN x.accountId IS NOT NULL THEN {'account': {'uid': x.accountId}} END
        }
    )                                                               AS "resources",

    CASE WHEN is_insight THEN coalesce(r.sharedEventID, r.eventID, 'unknown') END AS "finding_info.uid",
    CASE WHEN is_insight
        THEN concat_ws(' of ', coalesce(r.insightDetails ->> 'insightType', 'Insight'), r.insightDetails ->> 'eventName')
    END                                                             AS "finding_info.title",
    CASE WHEN is_insight THEN [r.insightDetails ->> 'insightType'] END AS "finding_info.types",

    -- Few texts a record: those that repeat each by itself, what is seldom there together.
    [
        r.requestParameters::VARCHAR, r.responseElements::VARCHAR, r.additionalEventData::VARCHAR,
        r.userIdentity.principalId,
        array_to_string(list_transform(r.resources, lambda x: concat_ws('" "', x.ARN, x.ARNPrefix, x.accountId)), '" "'),
        concat_ws(
            '" "', r.serviceEventDetails, r.insightDetails, r.errorMessage, r.userIdentity.onBehalfOf,
            r.userIdentity.inScopeOf, r.vpcEndpointAccountId)
    ]                                                               AS entity_texts,

    -- What has no place in the class. A field of an unexpected type stays here whole.
    nullif(try(json_merge_patch(
        raw_data,
        '{"eventVersion":null,"eventTime":null,"eventType":null,"eventCategory":null,"eventID":null,
          "sharedEventID":null,"awsRegion":null,"recipientAccountId":null}',
        CASE WHEN class_uid = 2004 THEN '{}' ELSE
            '{"eventName":null,"eventSource":null,"apiVersion":null,"requestID":null,"requestParameters":null,
              "responseElements":null,"errorCode":null,"errorMessage":null,"sourceIPAddress":null,"userAgent":null,
              "vpcEndpointId":null}'
        END,
        CASE
            WHEN class_uid = 2004 OR coalesce(json_type(raw_data, '$.userIdentity'), '') <> 'OBJECT' THEN '{}'
            WHEN len(list_filter(json_keys(raw_data, '$.userIdentity'), lambda k: k NOT IN (
                'type', 'arn', 'principalId', 'userName', 'accountId', 'accessKeyId', 'invokedBy'
            ))) = 0 THEN '{"userIdentity":null}'
            ELSE '{"userIdentity":{"type":null,"arn":null,"principalId":null,"userName":null,"accountId":null,
                   "accessKeyId":null,"invokedBy":null}}'
        END,
        CASE WHEN class_uid <> 2004 AND r.userIdentity.sessionContext.sessionIssuer.arn IS NOT NULL
            THEN '{"userIdentity":{"sessionContext":{"sessionIssuer":{"arn":null}}}}' ELSE '{}' END,
        CASE
            WHEN class_uid = 2004 THEN '{}'
            WHEN has_mfa AND has_created
                AND len(json_keys(raw_data, '$.userIdentity.sessionContext.attributes')) = 2
                THEN '{"userIdentity":{"sessionContext":{"attributes":null}}}'
            WHEN has_mfa AND has_created
                THEN '{"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":null,"creationDate":null}}}}'
            WHEN has_mfa THEN '{"userIdentity":{"sessionContext":{"attributes":{"mfaAuthenticated":null}}}}'
            WHEN has_created THEN '{"userIdentity":{"sessionContext":{"attributes":{"creationDate":null}}}}'
            ELSE '{}'
        END,
        CASE WHEN class_uid IN (6003, 2004) AND resources_fit THEN '{"resources":null}' ELSE '{}' END
    ))::VARCHAR, '{}')::JSON                                                              AS unmapped
FROM (
    SELECT
        *,
        CASE
            WHEN is_insight THEN 2004
            WHEN account_activity IS NOT NULL THEN 3001
            WHEN logon_activity IS NOT NULL THEN 3002
            ELSE 6003
        END AS class_uid,
        TRY_CAST(r.userIdentity.sessionContext.attributes.mfaAuthenticated AS BOOLEAN) IS NOT NULL AS has_mfa,
        iso_time(r.userIdentity.sessionContext.attributes.creationDate) IS NOT NULL AS has_created,
        regexp_extract(r.eventName, '^(?:Batch|Admin|Bulk|Transact)?([A-Z][a-z]+)', 1) AS verb,
        -- Sign-in events tell their outcome under their own name, not by errorCode.
        CASE WHEN logon_activity IS NOT NULL THEN coalesce(
            r.responseElements ->> 'ConsoleLogin', r.responseElements ->> 'CheckMfa',
            r.responseElements ->> 'ExternalIdPDirectoryLogin', r.serviceEventDetails ->> 'UserAuthentication',
            r.serviceEventDetails ->> 'CredentialVerification', r.serviceEventDetails ->> 'CredentialChallenge'
        ) END AS outcome,
        CASE
            WHEN account_activity IS NOT NULL THEN CASE
                WHEN (r.requestParameters ->> 'userName') IS NOT NULL THEN {
                    'name': r.requestParameters ->> 'userName', 'type': 'User',
                    'uid': r.responseElements ->> '$.user.arn'}
                WHEN (r.requestParameters ->> 'roleName') IS NOT NULL THEN {
                    'name': r.requestParameters ->> 'roleName', 'type': 'Role',
                    'uid': r.responseElements ->> '$.role.arn'}
                WHEN (r.responseElements ->> '$.role.roleName') IS NOT NULL THEN {
                    'name': r.responseElements ->> '$.role.roleName', 'type': 'Role',
                    'uid': r.responseElements ->> '$.role.arn'}
                -- The caller's own password: the API has no other target.
                WHEN r.eventName IN ('ChangePassword', 'PasswordUpdated') THEN {
                    'name': r.userIdentity.userName, 'type': 'User', 'uid': r.userIdentity.arn}
                ELSE {
                    'name': coalesce(
                        r.responseElements ->> '$.user.userName', r.responseElements ->> '$.accessKey.userName',
                        r.responseElements ->> '$.loginProfile.userName'),
                    'type': CASE WHEN r.responseElements IS NOT NULL THEN 'User' END,
                    'uid': r.responseElements ->> '$.user.arn'}
            END
            WHEN logon_activity IS NOT NULL THEN CASE
                WHEN (r.requestParameters ->> 'roleArn') IS NOT NULL THEN {
                    'name': regexp_extract(r.requestParameters ->> 'roleArn', '[^/]+$'), 'type': 'Role',
                    'uid': r.requestParameters ->> 'roleArn'}
                ELSE {
                    'name': coalesce(r.userIdentity.userName, r.additionalEventData ->> 'UserName'), 'type': 'User',
                    'uid': coalesce(r.userIdentity.arn, r.userIdentity.principalId)}
            END
        END AS target,
        -- Nothing in resources[] besides what OCSF's resource object takes from it.
        CASE WHEN r.resources IS NOT NULL THEN list_bool_and(list_transform(
            from_json(raw_data, '{"resources":["JSON"]}').resources,
            lambda x: json_type(x) = 'OBJECT' AND coalesce(x ->> 'ARN', x ->> 'ARNPrefix') IS NOT NULL
                AND len(list_filter(json_keys(x), lambda k: k NOT IN ('ARN', 'ARNPrefix', 'type', 'accountId'))) = 0
                AND NOT list_has_all(json_keys(x), ['ARN', 'ARNPrefix'])
        )) END AS resources_fit
    FROM (
        SELECT
            *,
            coalesce(r.eventType = 'AwsCloudTrailInsight' OR r.eventCategory = 'Insight', false) AS is_insight,
            -- 3001 Account Change: 1 create, 2 enable, 3 password change, 4 password reset, 5 disable, 6 delete,
            -- 7 attach policy, 8 detach policy, 10 MFA on, 11 MFA off, 99 other.
            CASE WHEN r.eventSource IN ('iam.amazonaws.com', 'signin.amazonaws.com', 'account.amazonaws.com') THEN MAP {
                'CreateUser': 1, 'UpdateUser': 99, 'DeleteUser': 6, 'TagUser': 99, 'UntagUser': 99,
                'CreateRole': 1, 'UpdateRole': 99, 'DeleteRole': 6, 'TagRole': 99, 'UntagRole': 99,
                'CreateInstanceProfile': 1, 'UpdateInstanceProfile': 99, 'DeleteInstanceProfile': 6,
                'TagInstanceProfile': 99, 'UntagInstanceProfile': 99,
                'UpdateRoleDescription': 99, 'UpdateAssumeRolePolicy': 99,
                'CreateServiceLinkedRole': 1, 'DeleteServiceLinkedRole': 6,
                'AttachUserPolicy': 7, 'AttachRolePolicy': 7, 'AttachGroupPolicy': 7,
                'DetachUserPolicy': 8, 'DetachRolePolicy': 8, 'DetachGroupPolicy': 8,
                'PutUserPolicy': 7, 'PutRolePolicy': 7, 'PutGroupPolicy': 7,
                'DeleteUserPolicy': 8, 'DeleteRolePolicy': 8, 'DeleteGroupPolicy': 8,
                'PutUserPermissionsBoundary': 7, 'PutRolePermissionsBoundary': 7,
                'DeleteUserPermissionsBoundary': 8, 'DeleteRolePermissionsBoundary': 8,
                'DeletePolicy': 6,
                'AddUserToGroup': 99, 'RemoveUserFromGroup': 99,
                'AddRoleToInstanceProfile': 99, 'RemoveRoleFromInstanceProfile': 99,
                'UpdateGroup': 99, 'DeleteGroup': 6,
                'CreateAccessKey': 1, 'UpdateAccessKey': 99, 'DeleteAccessKey': 6,
                'CreateLoginProfile': 1, 'UpdateLoginProfile': 4, 'DeleteLoginProfile': 6,
                'ChangePassword': 3, 'PasswordUpdated': 3,
                'EnableMFADevice': 10, 'DeactivateMFADevice': 11, 'ResyncMFADevice': 99,
                'CreateVirtualMFADevice': 1, 'DeleteVirtualMFADevice': 6,
                'RequestSmsMfaRegistration': 99, 'FinalizeSmsMfaRegistration': 10,
                'CreateAccountAlias': 1, 'DeleteAccountAlias': 6,
                'UpdateAccountPasswordPolicy': 99, 'DeleteAccountPasswordPolicy': 6,
                'UpdateAccountName': 99, 'AccountNameUpdated': 99,
                'UpdateAccountEmailAddress': 99, 'EmailUpdated': 99
            }[r.eventName] END AS account_activity,
            -- 3002 Authentication: 1 logon, 99 a step on the way to one.
            CASE
                WHEN r.eventSource IN ('signin.amazonaws.com', 'sso.amazonaws.com') THEN MAP {
                    'ConsoleLogin': 1, 'ExternalIdPDirectoryLogin': 1, 'UserAuthentication': 1,
                    'CheckMfa': 99, 'CredentialChallenge': 99, 'CredentialVerification': 99
                }[r.eventName]
                WHEN r.eventSource = 'sts.amazonaws.com' THEN MAP {
                    'AssumeRole': 1, 'AssumeRoleWithSAML': 1, 'AssumeRoleWithWebIdentity': 1
                }[r.eventName]
            END AS logon_activity
        FROM records
    )
)
