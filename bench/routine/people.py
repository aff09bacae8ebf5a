"""What people do: sign in through IAM Identity Center with a second factor, look at consoles, mend what broke."""

from collections.abc import Iterator

from bench.routine.company import MANAGEMENT, STAGING, WORKLOADS
from bench.routine.scene import Habit, Json, Record, Scene, Who
from trailkeep.demo.actor import BROWSER, CLI, FIREFOX
from trailkeep.demo.world import uuid

_SETS = ("Developer", "Developer", "Developer", "ReadOnly", "PowerUser")
# (service, event name, request parameters) of what the consoles ask for by themselves.
_LOOKS: tuple[tuple[str, str, Json], ...] = (
    ("ec2", "DescribeInstances", {"maxResults": 100}),
    ("ec2", "DescribeInstanceStatus", {"includeAllInstances": True}),
    ("ec2", "DescribeSecurityGroups", {}),
    ("ec2", "DescribeVolumes", {}),
    ("ec2", "DescribeSnapshots", {"ownersSet": {"items": [{"owner": "self"}]}}),
    ("ec2", "DescribeAccountAttributes", {}),
    ("ec2", "DescribeRegions", {}),
    ("ec2", "GetSerialConsoleAccessStatus", {}),
    ("lambda", "ListFunctions20150331", {"maxItems": 50}),
    ("lambda", "GetAccountSettings20160819", None),
    ("logs", "DescribeLogGroups", {"limit": 50}),
    ("logs", "DescribeLogStreams", {"orderBy": "LastEventTime"}),
    ("logs", "FilterLogEvents", {"logGroupName": "/aws/lambda/orders"}),
    ("logs", "StartQuery", {"queryString": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
    ("logs", "GetQueryResults", {"queryId": "q"}),
    ("monitoring", "DescribeAlarms", {"maxRecords": 100}),
    ("monitoring", "ListDashboards", {}),
    ("monitoring", "GetMetricData", None),
    ("cloudformation", "ListStacks", {}),
    ("cloudformation", "DescribeStackEvents", {"stackName": "orders-api-stack"}),
    ("ecs", "ListClusters", {}),
    ("ecs", "DescribeServices", {"cluster": "prod-main"}),
    ("ecs", "DescribeTasks", {"cluster": "prod-main"}),
    ("rds", "DescribeDBInstances", {}),
    ("rds", "DescribeEvents", {}),
    ("s3", "ListBuckets", {"Host": "s3.amazonaws.com"}),
    ("s3", "GetBucketLocation", {"bucketName": "orders"}),
    ("iam", "ListRoles", {"maxItems": 1000}),
    ("iam", "ListUsers", {}),
    ("iam", "GetRole", {"roleName": "orders-api-task"}),
    ("iam", "ListAttachedRolePolicies", {"roleName": "orders-api-task"}),
    ("iam", "GetAccountSummary", None),
    ("iam", "SimulatePrincipalPolicy", {"policySourceArn": "arn:aws:iam::444455556666:role/orders-api-task"}),
    ("kms", "ListAliases", {"limit": 100}),
    ("secretsmanager", "ListSecrets", {"maxResults": 50}),
    ("secretsmanager", "DescribeSecret", {"secretId": "prod/orders/database"}),
    ("ssm", "DescribeParameters", {}),
    ("ssm", "DescribeInstanceInformation", {}),
    ("dynamodb", "ListTables", {}),
    ("dynamodb", "DescribeTable", {"tableName": "prod-orders"}),
    ("health", "DescribeEventAggregates", {"aggregateField": "eventTypeCategory"}),
    ("ce", "GetCostAndUsage", {"granularity": "DAILY"}),
    ("notifications", "ListNotificationEvents", None),
    ("resource-explorer-2", "ListIndexes", None),
    ("cloudtrail", "LookupEvents", {"maxResults": 50}),
    ("cloudtrail", "DescribeTrails", {}),
    ("guardduty", "ListFindings", {"detectorId": "d"}),
    ("servicecatalog-appregistry", "ListApplications", None),
)


def session(scene: Scene, person: str, permission_set: str, agent: str = BROWSER) -> Who:
    """A person's session in an account, from where the person works."""
    role = f"AWSReservedSSO_{permission_set}_{scene.account[:4]}c0ffee{scene.account[4:10]}"
    path = "aws-reserved/sso.amazonaws.com/"
    who = scene.role(role, person, scene.company.home_of(person), agent, path=path)
    return Who(who.identity, who.ip, agent, tls=agent == CLI, console=agent != CLI)


def _portal(scene: Scene, person: str) -> Who:
    """The person at the access portal, whose events are those of the management account."""
    identity = {
        "type": "IdentityCenterUser",
        "accountId": MANAGEMENT,
        "onBehalfOf": {
            "userId": f"user-{scene.company.people.index(person):010d}",
            "identityStoreArn": f"arn:aws:identitystore::{MANAGEMENT}:identitystore/d-1234567890",
        },
        "credentialId": uuid(scene.rng),
    }
    return Who(identity, scene.company.home_of(person), BROWSER, tls=False)


def morning_sign_in(scene: Scene) -> Iterator[Record]:
    """Password, second factor, account: a person opens a console. Some mistype first."""
    scene.pace = 4
    person = scene.rng.choice(scene.company.people)
    portal = _portal(scene, person)
    workflow = uuid(scene.rng)
    unknown = Who({**portal.identity, "type": "Unknown", "userName": person}, portal.ip, BROWSER, tls=False)
    steps = [("PASSWORD", "Success"), (scene.rng.choice(("TOTP", "WEBAUTHN")), "Success")]
    if scene.rng.random() < 0.06:
        steps.insert(scene.rng.randrange(2), (steps[0][0], "Failure"))
    here, scene.account = scene.account, MANAGEMENT
    for kind, outcome in steps:
        about = {"AuthWorkflowID": workflow, "CredentialType": kind}
        signin: Json = {"event_type": "AwsServiceEvent"}
        yield scene.call(unknown, "signin", "CredentialChallenge", serviceEventDetails=about, **signin)
        told = {**about, "CredentialVerification": outcome}
        yield scene.call(unknown, "signin", "CredentialVerification", serviceEventDetails=told, **signin)
    done = {"UserAuthentication": "Success"}
    told = {**done, "CredentialType": "PASSWORD,TOTP", "LoginTo": "https://example.awsapps.com/start"}
    yield scene.call(
        portal, "signin", "UserAuthentication", event_type="AwsServiceEvent", additional=told, serviceEventDetails=done
    )
    yield scene.call(portal, "sso", "Authenticate", event_type="AwsServiceEvent")
    yield scene.call(portal, "sso", "ListAccounts", event_type="AwsServiceEvent")
    for _ in range(scene.rng.randrange(1, 3)):
        permission_set = scene.rng.choice(_SETS)
        target = {"role_name": permission_set, "account_id": here}
        yield scene.call(portal, "sso", "Federate", event_type="AwsServiceEvent", serviceEventDetails=target)
    scene.account = here
    who = session(scene, person, permission_set)
    console = {"MobileVersion": "No", "MFAUsed": "No", "LoginTo": "https://console.aws.amazon.com/"}
    token = {"credentials": {"accessKeyId": who.identity["accessKeyId"]}, "GetSigninToken": "Success"}
    seen = Who({k: v for k, v in who.identity.items() if k != "accessKeyId"}, who.ip, BROWSER, tls=False)
    how: Json = {"event_type": "AwsConsoleSignIn", "additional": console}
    yield scene.call(seen, "signin", "GetSigninToken", None, token, **how)
    yield scene.call(seen, "signin", "ConsoleLogin", None, {"ConsoleLogin": "Success"}, **how)
    yield from _look(scene, who, scene.rng.randrange(10, 60))


def command_line_work(scene: Scene) -> Iterator[Record]:
    """A person with the command line: credentials from the portal, then some reads."""
    scene.pace = 6
    person, permission_set = scene.rng.choice(scene.company.people), scene.rng.choice(_SETS)
    portal, here = _portal(scene, person), scene.account
    scene.account = MANAGEMENT
    target = {"role_name": permission_set, "account_id": here}
    yield scene.call(portal, "sso", "GetRoleCredentials", event_type="AwsServiceEvent", serviceEventDetails=target)
    scene.account = here
    who = session(scene, person, permission_set, CLI)
    yield scene.call(who, "sts", "GetCallerIdentity")
    yield from _look(scene, who, scene.rng.randrange(3, 25))


def _look(scene: Scene, who: Who, count: int) -> Iterator[Record]:
    for service, name, request in scene.rng.choices(_LOOKS, k=count):
        chance = scene.rng.random()
        denied = "Client.UnauthorizedOperation" if service == "ec2" else "AccessDenied"
        error = denied if chance < 0.025 else "ThrottlingException" if chance < 0.03 else ""
        yield scene.call(who, service, name, request, error=error)


def repair(scene: Scene) -> Iterator[Record]:
    """A developer changes something by hand, as the permission set allows."""
    scene.pace = 20
    who = session(scene, scene.rng.choice(scene.company.people), "PowerUser", scene.rng.choice((BROWSER, CLI)))
    yield from _look(scene, who, scene.rng.randrange(5, 20))
    instance = {"instancesSet": {"items": [{"instanceId": scene.pick("instance")}]}}
    function, secret = scene.pick("function"), scene.arn("secretsmanager", f"secret:{scene.pick('secret')}")
    parameter = {"name": scene.pick("parameter"), "type": "String", "overwrite": True}
    work: tuple[tuple[str, str, Json], ...] = (
        ("ecs", "UpdateService", {"cluster": scene.pick("cluster"), "service": "orders", "forceNewDeployment": True}),
        ("ec2", "RebootInstances", instance),
        ("ec2", "StopInstances", instance),
        ("ec2", "StartInstances", instance),
        ("ssm", "PutParameter", {**parameter, "value": "HIDDEN_DUE_TO_SECURITY_REASONS"}),
        ("lambda", "UpdateFunctionConfiguration20150331v2", {"functionName": function, "timeout": 60}),
        ("lambda", "Invoke", {"functionName": function}),
        ("events", "DisableRule", {"name": f"{scene.pick('stack')}-Schedule"}),
        ("events", "EnableRule", {"name": f"{scene.pick('stack')}-Schedule"}),
        ("athena", "StartQueryExecution", {"queryString": "HIDDEN_DUE_TO_SECURITY_REASONS", "workGroup": "primary"}),
        ("athena", "GetQueryResults", {"queryExecutionId": "q"}),
        ("secretsmanager", "GetSecretValue", {"secretId": secret}),
        ("s3", "GetObject", {"bucketName": scene.pick("bucket"), "key": "exports/report.csv"}),
        ("rds", "CreateDBSnapshot", {"dBInstanceIdentifier": scene.pick("database")}),
        ("autoscaling", "SetDesiredCapacity", {"autoScalingGroupName": "orders-workers", "desiredCapacity": 4}),
        ("logs", "PutRetentionPolicy", {"logGroupName": "/aws/lambda/orders", "retentionInDays": 30}),
        ("monitoring", "DisableAlarmActions", {"alarmNames": ["orders-latency"]}),
        ("monitoring", "EnableAlarmActions", {"alarmNames": ["orders-latency"]}),
        ("sqs", "PurgeQueue", {"queueUrl": "https://sqs.us-east-1.amazonaws.com/444455556666/orders"}),
    )
    for service, name, request in scene.rng.choices(work, k=scene.rng.randrange(1, 3)):
        yield scene.call(who, service, name, request, {}, data=name in ("GetObject", "Invoke"))


def shell_on_instance(scene: Scene) -> Iterator[Record]:
    """A developer opens a session on an instance through Systems Manager, as the runbook says."""
    scene.pace = 300
    person = scene.rng.choice(scene.company.people)
    who = session(scene, person, "PowerUser", CLI)
    opened = f"{person}-{scene.hex(17)}"
    yield scene.call(who, "ssm", "StartSession", {"target": scene.pick("instance")}, {"sessionId": opened})
    yield scene.call(who, "ssm", "TerminateSession", {"sessionId": opened}, {"sessionId": opened})


def key_rotation(scene: Scene) -> Iterator[Record]:
    """The owner of one of the last users of IAM changes its key, signed in with MFA."""
    scene.pace = 30
    name = scene.rng.choice(("lab-scanner", "legacy-ftp", "mailer"))
    identity = {
        "type": "IAMUser",
        "principalId": f"AIDA{scene.hex(17).upper()}",
        "arn": scene.arn("iam", f"user/{name}"),
        "accountId": scene.account,
        "userName": name,
    }
    seen = Who(identity, "203.0.113.10", FIREFOX, tls=False)
    told = {"LoginTo": "https://console.aws.amazon.com/", "MobileVersion": "No", "MFAUsed": "Yes"}
    done = {"ConsoleLogin": "Success"}
    yield scene.call(seen, "signin", "ConsoleLogin", None, done, event_type="AwsConsoleSignIn", additional=told)
    attributes = {"attributes": {"creationDate": "2026-10-01T08:00:00Z", "mfaAuthenticated": "true"}}
    signed_in = {**identity, "accessKeyId": f"ASIA{scene.hex(16).upper()}", "sessionContext": attributes}
    who = Who(signed_in, "203.0.113.10", FIREFOX, tls=False, console=True)
    key = {"userName": name, "accessKeyId": f"AKIA{scene.hex(16).upper()}", "status": "Active"}
    yield scene.call(who, "iam", "ListAccessKeys", {"userName": name})
    yield scene.call(who, "iam", "CreateAccessKey", {"userName": name}, {"accessKey": key})
    yield scene.call(who, "iam", "UpdateAccessKey", {**key, "status": "Inactive"})
    yield scene.call(who, "iam", "DeleteAccessKey", {"userName": name, "accessKeyId": key["accessKeyId"]})


def administration(scene: Scene) -> Iterator[Record]:
    """The platform team gives a colleague an account, and Identity Center provisions the role."""
    scene.pace = 5
    who = session(scene, scene.company.people[0], "PlatformAdmin")
    there = {"targetId": scene.rng.choice(WORKLOADS), "targetType": "AWS_ACCOUNT", "principalType": "GROUP"}
    instance = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
    grant = {**there, "instanceArn": instance, "permissionSetArn": f"{instance}/ps-1", "principalId": scene.hex(32)}
    yield scene.call(who, "sso-directory", "SearchUsers", None)
    yield scene.call(who, "sso", "CreateAccountAssignment", grant, {"accountAssignmentCreationStatus": {}})
    yield scene.call(who, "sso", "DescribeAccountAssignmentCreationStatus", {"instanceArn": instance})
    scene.account = there["targetId"]
    center = scene.service_role("AWSServiceRoleForSSO", "sso", "AWS-SSO")
    role = {"roleName": "AWSReservedSSO_Developer_4444c0ffee555566"}
    yield scene.call(center, "iam", "GetRole", role)
    read_only = {"policyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}
    yield scene.call(center, "iam", "AttachRolePolicy", {**role, **read_only})
    yield scene.call(
        center, "iam", "PutRolePolicy", {**role, "policyName": "AwsSSOInlinePolicy", "policyDocument": "{}"}
    )


HABITS = (
    Habit(morning_sign_in, 70, True),
    Habit(command_line_work, 60, True),
    Habit(repair, 12, True, WORKLOADS),
    Habit(shell_on_instance, 6, True, (STAGING, *WORKLOADS)),
    Habit(key_rotation, 0.3, True, WORKLOADS),
    Habit(administration, 0.5, True, (MANAGEMENT,)),
)
