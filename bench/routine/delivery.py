"""What deployments do: pipelines with GitHub's identity, stacks of CloudFormation, Terraform, images and functions."""

import json
from collections.abc import Iterator

from bench.routine.company import PRODUCTION, STAGING, TOOLS, WORKLOADS
from bench.routine.scene import Habit, Json, Record, Scene, Who
from bench.routine.stacks import STACK_PARTS, allowing
from trailkeep.demo.actor import BOTO, CLI, TERRAFORM

_GITHUB = "token.actions.githubusercontent.com"


def _pipeline(scene: Scene, role: str, agent: str) -> tuple[Record, Who]:
    """A run of a pipeline takes its role by GitHub's token."""
    runner, repository = f"192.0.2.{scene.rng.randrange(10, 250)}", scene.pick("workload")
    provider = scene.arn("iam", f"oidc-provider/{_GITHUB}")
    subject = f"repo:example/{repository}:ref:refs/heads/main"
    guest = Who(
        {
            "type": "WebIdentityUser",
            "principalId": f"{provider}:sts.amazonaws.com:{subject}",
            "userName": subject,
            "identityProvider": provider,
        },
        runner,
        agent,
    )
    arn = f"arn:aws:iam::{scene.account}:role/{role}"
    taken = scene.call(
        guest, "sts", "AssumeRoleWithWebIdentity",
        {"roleArn": arn, "roleSessionName": "GitHubActions", "durationSeconds": 3600},
        {
            **scene.credentials(role, "GitHubActions"), "subjectFromWebIdentityToken": subject,
            "audience": "sts.amazonaws.com", "provider": provider,
        },
        resources=[{"accountId": scene.account, "type": "AWS::IAM::Role", "ARN": arn}],
    )  # fmt: skip
    return taken, scene.role(role, "GitHubActions", runner, agent, web=provider, age=60)


def container_release(scene: Scene) -> Iterator[Record]:
    """An image is pushed and a service of ECS moved to it."""
    taken, ci = _pipeline(scene, "github-deploy", CLI)
    yield taken
    load, cluster = scene.pick("workload"), scene.pick("cluster")
    repository = {"registryId": scene.account, "repositoryName": load}
    yield scene.call(ci, "sts", "GetCallerIdentity")
    yield scene.call(ci, "ecr", "GetAuthorizationToken", {})
    for _ in range(scene.rng.randrange(3, 9)):
        layer = f"sha256:{scene.hex(64)}"
        yield scene.call(ci, "ecr", "BatchCheckLayerAvailability", {**repository, "layerDigests": [layer]})
        yield scene.call(
            ci, "ecr", "InitiateLayerUpload", repository, {"uploadId": scene.hex(32), "partSize": 10485760}
        )
        yield scene.call(ci, "ecr", "UploadLayerPart", {**repository, "uploadId": scene.hex(32)})
        yield scene.call(ci, "ecr", "CompleteLayerUpload", {**repository, "layerDigests": [layer]})
    tag = scene.hex(8)
    yield scene.call(ci, "ecr", "PutImage", {**repository, "imageTag": tag}, {"image": {"imageId": {"imageTag": tag}}})
    yield scene.call(ci, "ecr", "DescribeImageScanFindings", {**repository, "imageId": {"imageTag": tag}})
    yield scene.call(ci, "ecs", "DescribeTaskDefinition", {"taskDefinition": load})
    image = f"{scene.account}.dkr.ecr.{scene.region}.amazonaws.com/{load}:{tag}"
    yield scene.call(
        ci, "ecs", "RegisterTaskDefinition",
        {
            "family": load, "networkMode": "awsvpc", "taskRoleArn": scene.arn("iam", f"role/{load}-task"),
            "executionRoleArn": scene.arn("iam", "role/ecsTaskExecutionRole"), "requiresCompatibilities": ["FARGATE"],
            "containerDefinitions": [{"name": load, "image": image, "essential": True}],
        },
        {"taskDefinition": {"family": load, "revision": scene.rng.randrange(900)}},
    )  # fmt: skip
    yield scene.call(ci, "ecs", "UpdateService", {"cluster": cluster, "service": load, "taskDefinition": load}, {})
    for _ in range(scene.rng.randrange(4, 20)):
        yield scene.call(ci, "ecs", "DescribeServices", {"cluster": cluster, "services": [load]})


def function_release(scene: Scene) -> Iterator[Record]:
    """New code for a function, by the pipeline."""
    taken, ci = _pipeline(scene, "github-deploy", BOTO)
    yield taken
    function, bucket = scene.pick("function"), scene.pick("bucket")
    named = {"functionName": function}
    yield scene.call(ci, "s3", "PutObject", {"bucketName": bucket, "key": f"code/{scene.hex(32)}.zip"}, data=True)
    yield scene.call(ci, "lambda", "GetFunction20150331v2", named)
    yield scene.call(
        ci, "lambda", "UpdateFunctionCode20150331v2",
        {**named, "s3Bucket": bucket, "s3Key": f"code/{scene.hex(32)}.zip", "publish": False, "dryRun": False},
        {**named, "codeSha256": scene.hex(43), "role": scene.arn("iam", f"role/{function}-role")},
    )  # fmt: skip
    for _ in range(scene.rng.randrange(1, 6)):
        yield scene.call(ci, "lambda", "GetFunction20150331v2", named)
    if scene.rng.random() < 0.3:
        yield scene.call(
            ci, "lambda", "UpdateFunctionConfiguration20150331v2",
            {**named, "memorySize": 512, "timeout": 30}, {**named, "memorySize": 512},
        )  # fmt: skip
    version = str(scene.rng.randrange(2, 400))
    yield scene.call(ci, "lambda", "PublishVersion20150331", named, {**named, "version": version})
    yield scene.call(ci, "lambda", "UpdateAlias20150331", {**named, "name": "live", "functionVersion": version}, {})


def stack_update(scene: Scene) -> Iterator[Record]:
    """A change set of CloudFormation: roles, groups, buckets, queues and functions of a workload."""
    taken, ci = _pipeline(scene, "github-deploy", CLI)
    yield taken
    stack = scene.pick("stack")
    uid = scene.arn("cloudformation", f"stack/{stack}/{scene.hex(12)}")
    named = {"stackName": stack, "changeSetName": f"deploy-{scene.hex(8)}"}
    capable = {"capabilities": ["CAPABILITY_NAMED_IAM"], "changeSetType": "UPDATE"}
    yield scene.call(ci, "cloudformation", "CreateChangeSet", {**named, **capable}, {"stackId": uid})
    for _ in range(scene.rng.randrange(2, 6)):
        yield scene.call(ci, "cloudformation", "DescribeChangeSet", named)
    yield scene.call(ci, "cloudformation", "ExecuteChangeSet", named)
    acting = scene.role("cfn-execution", "AWSCloudFormation", "", "", invoked_by="cloudformation")
    for part in scene.rng.choices(STACK_PARTS, k=scene.rng.randrange(1, 5)):
        yield from part(scene, acting, stack)
        yield scene.call(ci, "cloudformation", "DescribeStackEvents", {"stackName": uid})
    yield scene.call(ci, "cloudformation", "DescribeStacks", {"stackName": uid})


def terraform_plan(scene: Scene) -> Iterator[Record]:
    """Terraform refreshes its state: it reads everything that it manages, some of which is not there."""
    taken, ci = _pipeline(scene, "terraform-plan", TERRAFORM)
    yield taken
    scene.pace = 0.1
    yield from _refresh(scene, ci)


def terraform_apply(scene: Scene) -> Iterator[Record]:
    """Terraform changes what it manages: policies, groups, routes, databases, DNS."""
    taken, ci = _pipeline(scene, "terraform-apply", TERRAFORM)
    yield taken
    scene.pace = 0.1
    state = {"bucketName": scene.pick("bucket"), "key": "platform/terraform.tfstate"}
    yield scene.call(ci, "s3", "GetObject", state, data=True)
    yield scene.call(ci, "dynamodb", "PutItem", {"tableName": "terraform-locks", "key": {"LockID": "x"}}, data=True)
    yield from _refresh(scene, ci)
    for change in scene.rng.choices(_CHANGES, k=scene.rng.randrange(1, 4)):
        yield from change(scene, ci)
    yield scene.call(ci, "s3", "PutObject", state, data=True)
    yield scene.call(ci, "dynamodb", "DeleteItem", {"tableName": "terraform-locks", "key": {"LockID": "x"}}, data=True)


def _refresh(scene: Scene, who: Who) -> Iterator[Record]:
    for _ in range(scene.rng.randrange(5, 25)):
        role = {"roleName": f"{scene.pick('workload')}-task"}
        for name in ("GetRole", "ListRolePolicies", "ListAttachedRolePolicies"):
            yield scene.call(who, "iam", name, role)
        policy = {"policyArn": scene.arn("iam", f"policy/{scene.pick('workload')}-access")}
        yield scene.call(who, "iam", "GetPolicy", policy)
        yield scene.call(who, "iam", "GetPolicyVersion", {**policy, "versionId": "v3"})
        bucket = {"bucketName": scene.pick("bucket")}
        for name in ("GetBucketAcl", "GetBucketVersioning", "GetBucketLogging", "GetBucketPublicAccessBlock"):
            yield scene.call(who, "s3", name, bucket)
        for name, absent in (("GetBucketPolicy", "NoSuchBucketPolicy"), ("GetBucketCors", "NoSuchCORSConfiguration")):
            yield scene.call(who, "s3", name, bucket, error=absent if scene.rng.random() < 0.4 else "")
        group = {"securityGroupIdSet": {"items": [{"groupId": scene.pick("group")}]}}
        slow = scene.rng.random() < 0.03
        yield scene.call(
            who, "ec2", "DescribeSecurityGroups", group, error="Client.RequestLimitExceeded" if slow else ""
        )
        instance = {"instanceId": scene.pick("instance"), "attribute": "userData"}
        yield scene.call(who, "ec2", "DescribeInstanceAttribute", instance)
        key = {"keyId": scene.pick("key")}
        for name in ("DescribeKey", "GetKeyPolicy", "GetKeyRotationStatus", "ListResourceTags"):
            yield scene.call(who, "kms", name, key)


def _new_policy_version(scene: Scene, who: Who) -> Iterator[Record]:
    policy = {"policyArn": scene.arn("iam", f"policy/{scene.pick('workload')}-access")}
    yield scene.call(who, "iam", "ListPolicyVersions", policy)
    yield scene.call(who, "iam", "DeletePolicyVersion", {**policy, "versionId": "v1"})
    document = allowing("s3:GetObject", f"arn:aws:s3:::{scene.pick('bucket')}/*")
    request = {**policy, "policyDocument": document, "setAsDefault": True}
    yield scene.call(who, "iam", "CreatePolicyVersion", request, {"policyVersion": {"versionId": "v4"}})


def _role_for_pod(scene: Scene, who: Who) -> Iterator[Record]:
    role = f"{scene.pick('workload')}-irsa"
    issuer = f"oidc.eks.{scene.region}.amazonaws.com/id/{scene.hex(32).upper()}"
    trust = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": scene.arn("iam", f"oidc-provider/{issuer}")},
                "Condition": {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"}},
            }
        ],
    }  # fmt: skip
    request = {"roleName": role, "assumeRolePolicyDocument": json.dumps(trust)}
    yield scene.call(who, "iam", "CreateRole", request, {"role": {"roleName": role}})
    policy = scene.arn("iam", f"policy/{scene.pick('workload')}-access")
    yield scene.call(who, "iam", "AttachRolePolicy", {"roleName": role, "policyArn": policy})
    change = {"roleName": f"{scene.pick('workload')}-irsa", "policyDocument": json.dumps(trust)}
    yield scene.call(who, "iam", "UpdateAssumeRolePolicy", change)


def _inner_rule(scene: Scene, who: Who) -> Iterator[Record]:
    inside = {
        "ipProtocol": "tcp",
        "fromPort": 5432,
        "toPort": 5432,
        "groups": {},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    rule = {**inside, "ipRanges": {"items": [{"cidrIp": "10.20.0.0/16", "description": "services"}]}}
    request = {"groupId": scene.pick("group"), "ipPermissions": {"items": [rule]}}
    yield scene.call(who, "ec2", "AuthorizeSecurityGroupIngress", request, {"_return": True})
    yield scene.call(who, "ec2", "RevokeSecurityGroupIngress", request, {"_return": True})


def _routes(scene: Scene, who: Who) -> Iterator[Record]:
    table = {"routeTableId": f"rtb-0{scene.hex(16)}"}
    route = {**table, "destinationCidrBlock": "10.30.0.0/16", "transitGatewayId": f"tgw-0{scene.hex(16)}"}
    yield scene.call(who, "ec2", "CreateRoute", route, {"_return": True})
    yield scene.call(who, "ec2", "DescribeRouteTables", {"routeTableIdSet": {"items": [table]}})


def _database(scene: Scene, who: Who) -> Iterator[Record]:
    named = {"dBInstanceIdentifier": scene.pick("database")}
    change = {**named, "allocatedStorage": 200, "applyImmediately": True, "backupRetentionPeriod": 14}
    yield scene.call(who, "rds", "ModifyDBInstance", change, named)
    for _ in range(5):
        yield scene.call(who, "rds", "DescribeDBInstances", named)


def _names(scene: Scene, who: Who) -> Iterator[Record]:
    name = {"name": f"{scene.pick('workload')}.example.com", "type": "CNAME", "tTL": 60}
    change = {
        "hostedZoneId": f"Z{scene.hex(18).upper()}",
        "changeBatch": {"changes": [{"action": "UPSERT", "resourceRecordSet": name}]},
    }
    yield scene.call(who, "route53", "ChangeResourceRecordSets", change, {"changeInfo": {"status": "PENDING"}})
    yield scene.call(who, "route53", "GetChange", {"id": f"C{scene.hex(18).upper()}"})


def _shared_key(scene: Scene, who: Who) -> Iterator[Record]:
    """A key policy that lets another account of the organisation decrypt."""
    peer = PRODUCTION if scene.account != PRODUCTION else STAGING
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{owner}:root"}, "Action": action, "Resource": "*"}
        for owner, action in ((scene.account, "kms:*"), (peer, "kms:Decrypt"))
    ]
    document = json.dumps({"Version": "2012-10-17", "Statement": statements})
    request = {"keyId": scene.pick("key"), "policyName": "default", "policy": document}
    yield scene.call(who, "kms", "PutKeyPolicy", {**request, "bypassPolicyLockoutSafetyCheck": False})


_CHANGES: tuple[Json, ...] = (
    _new_policy_version, _new_policy_version, _role_for_pod, _inner_rule, _inner_rule, _routes, _database, _names,
    _names, _shared_key,
)  # fmt: skip


def machine_image_build(scene: Scene) -> Iterator[Record]:
    """Packer bakes an image and shares it with the accounts of workloads."""
    taken, ci = _pipeline(scene, "image-builder", TERRAFORM.replace("Terraform", "Packer"))
    yield taken
    key = {"keyName": f"packer_{scene.hex(12)}"}
    yield scene.call(ci, "ec2", "CreateKeyPair", key, {**key, "keyMaterial": "<sensitiveDataRemoved>"})
    instance = f"i-0{scene.hex(16)}"
    request = {"instancesSet": {"items": [{"imageId": scene.pick("image"), "minCount": 1, "maxCount": 1, **key}]}}
    started = {"instancesSet": {"items": [{"instanceId": instance, "instanceType": "m7i.large"}]}}
    yield scene.call(ci, "ec2", "RunInstances", {**request, "instanceType": "m7i.large"}, started)
    ids = {"instancesSet": {"items": [{"instanceId": instance}]}}
    for _ in range(12):
        yield scene.call(ci, "ec2", "DescribeInstances", ids)
    image = f"ami-0{scene.hex(16)}"
    yield scene.call(ci, "ec2", "StopInstances", ids, ids)
    yield scene.call(
        ci, "ec2", "CreateImage", {"instanceId": instance, "name": f"base-{scene.hex(8)}"}, {"imageId": image}
    )
    added = {"items": [{"userId": account} for account in WORKLOADS]}
    share = {"imageId": image, "launchPermission": {"add": added}, "attributeType": "launchPermission"}
    yield scene.call(ci, "ec2", "ModifyImageAttribute", share, {"_return": True})
    yield scene.call(ci, "ec2", "TerminateInstances", ids, ids)
    yield scene.call(ci, "ec2", "DeleteKeyPair", key, {"_return": True})


def preview_environment(scene: Scene) -> Iterator[Record]:
    """The stack of a merged pull request is taken down, with everything in it."""
    taken, ci = _pipeline(scene, "github-deploy", CLI)
    yield taken
    stack = f"preview-{scene.rng.randrange(9999)}"
    yield scene.call(ci, "cloudformation", "DeleteStack", {"stackName": stack})
    acting = scene.role("cfn-execution", "AWSCloudFormation", "", "", invoked_by="cloudformation")
    database = {"dBInstanceIdentifier": f"{stack}-db", "skipFinalSnapshot": True, "deleteAutomatedBackups": True}
    for service, name, request in (
        ("events", "RemoveTargets", {"rule": f"{stack}-Schedule", "ids": ["target"]}),
        ("events", "DeleteRule", {"name": f"{stack}-Schedule"}),
        ("monitoring", "DeleteAlarms", {"alarmNames": [f"{stack}-errors"]}),
        ("lambda", "DeleteFunction20150331", {"functionName": f"{stack}-Handler"}),
        ("logs", "DeleteLogGroup", {"logGroupName": f"/aws/lambda/{stack}-Handler"}),
        ("rds", "DeleteDBInstance", database),
        ("dynamodb", "DeleteTable", {"tableName": f"{stack}-Table"}),
        ("secretsmanager", "DeleteSecret", {"secretId": f"{stack}-secret", "forceDeleteWithoutRecovery": True}),
        ("kms", "ScheduleKeyDeletion", {"keyId": scene.pick("key"), "pendingWindowInDays": 7}),
        ("s3", "DeleteBucketPolicy", {"bucketName": f"{stack}-bucket", "policy": ""}),
        ("s3", "DeleteBucket", {"bucketName": f"{stack}-bucket"}),
        ("iam", "DeleteRolePolicy", {"roleName": f"{stack}-role", "policyName": "data"}),
        ("iam", "DeleteRole", {"roleName": f"{stack}-role"}),
        ("ec2", "TerminateInstances", {"instancesSet": {"items": [{"instanceId": scene.pick("instance")}]}}),
        ("ec2", "DeleteSecurityGroup", {"groupId": scene.pick("group")}),
    ):
        if scene.rng.random() < 0.6:
            yield scene.call(acting, service, name, request, {})
        yield scene.call(ci, "cloudformation", "DescribeStacks", {"stackName": stack})


_DEPLOYED = (PRODUCTION, STAGING, *WORKLOADS)
HABITS = (
    Habit(container_release, 40, True, _DEPLOYED),
    Habit(function_release, 30, True, _DEPLOYED),
    Habit(stack_update, 30, True, _DEPLOYED),
    Habit(terraform_plan, 14, True),
    Habit(terraform_apply, 6, True, (*_DEPLOYED, TOOLS)),
    Habit(machine_image_build, 0.3, True, (TOOLS,)),
    Habit(preview_environment, 6, True, (STAGING,)),
)
