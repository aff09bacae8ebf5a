"""Nothing in, templates of CloudTrail events out: STS, IAM, sign-in, organizations and the audit services."""

from trailkeep.demo.template import Json, Template

_ROLE_ARN = "arn:aws:iam::<account>:role/<role>"
_ROLE = [{"accountId": "<account>", "type": "AWS::IAM::Role", "ARN": _ROLE_ARN}]
_CREDENTIALS = {"accessKeyId": "<new_key>", "sessionToken": "<token>", "expiration": "<expiration>"}
_ASSUMED = {
    "assumedRoleId": "<role_id>:<session_name>",
    "arn": "arn:aws:sts::<account>:assumed-role/<role>/<session_name>",
}
_ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
_TRAIL = "arn:aws:cloudtrail:<region>:<account>:trail/organization-trail"


def _iam(name: str, weight: float, actors: str, request: Json, response: Json = None) -> Template:
    """An IAM call; the ones that change something rarely happen outside of deployments."""
    reads = name.startswith(("Get", "List", "Generate"))
    return Template("iam", name, weight, actors, request, response, sensitive=not reads)


def _login(weight: float, actors: str) -> Template:
    additional = {
        "LoginTo": "https://console.aws.amazon.com/console/home?region=<region>&state=hashArgs%23",
        "MobileVersion": "No",
        "MFAUsed": "Yes",
    }
    return Template(
        "signin",
        "ConsoleLogin",
        weight,
        actors,
        response={"ConsoleLogin": "Success"},
        additional=additional,
        event_type="AwsConsoleSignIn",
        failures=(("", "Failed authentication"),),
        sensitive=True,
    )


TEMPLATES = (
    Template(
        "sts",
        "AssumeRole",
        130,
        "service service service service app ci account",
        {"roleArn": _ROLE_ARN, "roleSessionName": "<session_name>", "durationSeconds": 3600},
        {"credentials": _CREDENTIALS, "assumedRoleUser": _ASSUMED},
        _ROLE,
    ),
    Template("sts", "GetCallerIdentity", 18, "ci app human user", None),
    Template(
        "sts",
        "AssumeRoleWithWebIdentity",
        6,
        "federated",
        {"roleArn": _ROLE_ARN, "roleSessionName": "GitHubActions", "durationSeconds": 3600},
        {
            "credentials": _CREDENTIALS,
            "subjectFromWebIdentityToken": "repo:example/<repository>:ref:refs/heads/main",
            "assumedRoleUser": _ASSUMED,
            "audience": "sts.amazonaws.com",
            "provider": "arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com",
        },
        _ROLE,
    ),
    Template("sts", "GetSessionToken", 0.3, "user", {"durationSeconds": 43200}, {"credentials": _CREDENTIALS}),
    _iam("GetRole", 4, "ci", {"roleName": "<role>"}),
    _iam("GetUser", 1, "user human", {"userName": "<user>"}),
    _iam("GetPolicy", 2, "ci", {"policyArn": "arn:aws:iam::<account>:policy/<policy>"}),
    _iam(
        "GetPolicyVersion",
        2,
        "ci",
        {"policyArn": "arn:aws:iam::<account>:policy/<policy>", "versionId": "v3"},
    ),
    _iam("ListRoles", 2, "human service", {"maxItems": 1000}),
    _iam("ListUsers", 0.5, "human ci", {"maxItems": 100}),
    _iam("ListAccessKeys", 0.6, "human ci", {"userName": "<user>"}),
    _iam("ListAttachedRolePolicies", 3, "ci", {"roleName": "<role>"}),
    _iam("ListAttachedUserPolicies", 0.4, "human ci", {"userName": "<user>"}),
    _iam("GetAccountSummary", 0.4, "human", None),
    _iam("GenerateCredentialReport", 0.1, "human service", None, {"state": "STARTED"}),
    _iam(
        "CreateRole",
        0.2,
        "ci",
        {"roleName": "<role>", "path": "/", "assumeRolePolicyDocument": "{}"},
        {
            "role": {
                "path": "/",
                "roleName": "<role>",
                "roleId": "<role_id>",
                "arn": _ROLE_ARN,
                "createDate": "<now>",
            }
        },
    ),
    _iam(
        "AttachRolePolicy",
        0.3,
        "ci",
        {"roleName": "<role>", "policyArn": "arn:aws:iam::<account>:policy/<policy>"},
    ),
    _iam(
        "CreateUser",
        0.05,
        "human ci",
        {"userName": "<user>"},
        {
            "user": {
                "path": "/",
                "userName": "<user>",
                "userId": "<user_id>",
                "arn": "arn:aws:iam::<account>:user/<user>",
                "createDate": "<now>",
            }
        },
    ),
    _iam("AttachUserPolicy", 0.05, "human ci", {"userName": "<user>", "policyArn": _ADMIN}),
    _iam(
        "PutUserPolicy",
        0.05,
        "human ci",
        {
            "userName": "<user>",
            "policyName": "inline",
            "policyDocument": "{'Version':'2012-10-17','Statement':[]}",
        },
    ),
    _iam(
        "CreateAccessKey",
        0.08,
        "human ci user",
        {"userName": "<user>"},
        {
            "accessKey": {
                "userName": "<user>",
                "accessKeyId": "<long_key>",
                "status": "Active",
                "createDate": "<now>",
            }
        },
    ),
    _iam(
        "UpdateAccessKey",
        0.05,
        "human",
        {"userName": "<user>", "accessKeyId": "<long_key>", "status": "Inactive"},
    ),
    _iam(
        "CreateLoginProfile",
        0.03,
        "human",
        {"userName": "<user>", "passwordResetRequired": False},
        {"loginProfile": {"userName": "<user>", "createDate": "<now>", "passwordResetRequired": False}},
    ),
    _iam("DeleteLoginProfile", 0.03, "human", {"userName": "<user>"}),
    _iam("AddUserToGroup", 0.03, "human", {"userName": "<user>", "groupName": "administrators"}),
    _iam(
        "CreatePolicyVersion",
        0.2,
        "ci",
        {"policyArn": "arn:aws:iam::<account>:policy/<policy>", "setAsDefault": True, "policyDocument": "{}"},
    ),
    _login(1.5, "human"),
    _login(0.01, "root"),
    Template(
        "signin",
        "GetSigninToken",
        1,
        "human",
        None,
        {"credentials": {"accessKeyId": "<new_key>"}, "GetSigninToken": "Success"},
        None,
        {"MobileVersion": "No", "MFAUsed": "No"},
        event_type="AwsConsoleSignIn",
    ),
    Template(
        "sso",
        "GetRoleCredentials",
        1.5,
        "human",
        {"accountId": "<account>", "roleName": "Developer"},
        None,
        None,
        top={"serviceEventDetails": {"role_name": "Developer", "account_id": "<account>"}},
        event_type="AwsServiceEvent",
    ),
    Template("organizations", "DescribeOrganization", 0.6, "ci service", None),
    Template("organizations", "ListAccounts", 0.5, "ci human", {"maxResults": 20}),
    Template("cloudtrail", "DescribeTrails", 3, "ci service human", {"trailNameList": []}),
    Template("cloudtrail", "GetTrailStatus", 3, "ci service", {"name": _TRAIL}),
    Template(
        "cloudtrail",
        "LookupEvents",
        1,
        "human",
        {"maxResults": 50, "lookupAttributes": [{"attributeKey": "ReadOnly", "attributeValue": "false"}]},
    ),
    Template("cloudtrail", "StopLogging", 0.02, "human ci", {"name": _TRAIL}, sensitive=True),
    Template(
        "cloudtrail",
        "UpdateTrail",
        0.02,
        "human ci",
        {"name": _TRAIL, "isMultiRegionTrail": False, "includeGlobalServiceEvents": False},
        sensitive=True,
    ),
    Template(
        "cloudtrail",
        "PutEventSelectors",
        0.02,
        "ci",
        {
            "trailName": _TRAIL,
            "eventSelectors": [{"readWriteType": "WriteOnly", "includeManagementEvents": True, "dataResources": []}],
        },
        sensitive=True,
    ),
    Template(
        "config",
        "PutEvaluations",
        6,
        "app",
        {
            "evaluations": [
                {
                    "complianceResourceType": "AWS::EC2::Instance",
                    "complianceResourceId": "<instance>",
                    "complianceType": "COMPLIANT",
                    "orderingTimestamp": "<now>",
                }
            ],
            "resultToken": "<cipher_text>",
            "testMode": False,
        },
    ),
    Template("config", "DescribeConfigurationRecorders", 2, "ci service", {}),
    Template(
        "config",
        "StopConfigurationRecorder",
        0.02,
        "human ci",
        {"configurationRecorderName": "default"},
        sensitive=True,
    ),
    Template("guardduty", "ListDetectors", 1, "ci human", {"maxResults": 50}),
    Template("guardduty", "DeleteDetector", 0.02, "human", {"detectorId": "<hex32>"}, sensitive=True),
    Template(
        "securityhub",
        "BatchImportFindings",
        2,
        "app service",
        {
            "findings": [
                {
                    "schemaVersion": "2018-10-08",
                    "id": "arn:aws:securityhub:<region>:<account>:finding/<uuid>",
                    "productArn": "arn:aws:securityhub:<region>::product/aws/inspector",
                    "awsAccountId": "<account>",
                }
            ]
        },
    ),
    Template("health", "DescribeEventAggregates", 3, "human service", {"aggregateField": "eventTypeCategory"}),
    Template("ce", "GetCostAndUsage", 0.5, "human app", {"granularity": "DAILY", "metrics": ["UnblendedCost"]}),
    Template("support", "DescribeTrustedAdvisorChecks", 0.3, "human", {"language": "en"}),
)
