"""What AWS does in a company's name: capacity, backups, checks, rotation, and the tools that read everything."""

from collections.abc import Iterator

from bench.routine.company import DATA, MANAGEMENT, PRODUCTION, SECURITY, WORKLOADS
from bench.routine.scene import Habit, Json, Record, Scene, Who
from trailkeep.demo.actor import BOTO, JAVA, SSM_AGENT
from trailkeep.demo.world import uuid

_SERVICES = ("lambda", "ec2", "ecs-tasks", "config", "autoscaling", "backup", "ssm", "rds", "guardduty", "eks")


def _machine(scene: Scene, who: Who, kind: str) -> Record:
    items = [{"instanceId": f"i-0{scene.hex(16)}", "instanceType": kind, "imageId": scene.pick("image")}]
    request = {
        "instancesSet": {"items": [{"imageId": scene.pick("image"), "minCount": 1, "maxCount": 1}]},
        "instanceType": kind, "subnetId": scene.pick("subnet"), "clientToken": uuid(scene.rng),
        "launchTemplate": {"launchTemplateId": f"lt-0{scene.hex(16)}", "version": "12"},
    }  # fmt: skip
    return scene.call(who, "ec2", "RunInstances", request, {"instancesSet": {"items": items}})


def scaling(scene: Scene) -> Iterator[Record]:
    """A group of Auto Scaling grows and shrinks, behind a load balancer."""
    who = scene.service_role("AWSServiceRoleForAutoScaling", "autoscaling", "AutoScaling")
    for _ in range(scene.rng.randrange(1, 4)):
        spot = scene.rng.random() < 0.05
        if spot:
            yield scene.call(
                who, "ec2", "RunInstances", {"instanceType": "m7i.large"}, error="Server.InsufficientInstanceCapacity"
            )
        yield _machine(scene, who, scene.rng.choice(("m7i.large", "c7g.xlarge", "m7i.4xlarge")))
        items = {"items": [{"instanceId": scene.pick("instance")}]}
        yield scene.call(
            who, "ec2", "CreateTags", {"resourcesSet": {"items": [{"resourceId": scene.pick("instance")}]}}
        )
        yield scene.call(who, "ec2", "DescribeInstances", {"instancesSet": items})
        target = {"targetGroupArn": scene.arn("elasticloadbalancing", f"targetgroup/orders/{scene.hex(16)}")}
        yield scene.call(who, "elasticloadbalancing", "RegisterTargets", {**target, "targets": [{"id": "i"}]})
        yield scene.call(who, "elasticloadbalancing", "DeregisterTargets", {**target, "targets": [{"id": "i"}]})
        yield scene.call(who, "ec2", "TerminateInstances", {"instancesSet": items}, {"instancesSet": items})


def spot_interruption(scene: Scene) -> Iterator[Record]:
    """EC2 takes spot machines back."""
    ids = {"instanceIdSet": [scene.pick("instance")]}
    ec2 = Who(
        {"accountId": scene.account, "invokedBy": "ec2.amazonaws.com"},
        "ec2.amazonaws.com",
        "ec2.amazonaws.com",
        tls=False,
    )
    yield scene.call(ec2, "ec2", "BidEvictedEvent", event_type="AwsServiceEvent", serviceEventDetails=ids)


def nightly_training(scene: Scene) -> Iterator[Record]:
    """AWS Batch starts machines with GPUs for the data team."""
    who = scene.service_role("AWSServiceRoleForBatch", "batch", "aws-batch")
    group = {"autoScalingGroupName": f"batch-{scene.hex(8)}", "minSize": 0, "maxSize": 8}
    yield scene.call(who, "autoscaling", "CreateAutoScalingGroup", group)
    scaler = scene.service_role("AWSServiceRoleForAutoScaling", "autoscaling", "AutoScaling")
    for _ in range(3):
        yield _machine(scene, scaler, "g5.4xlarge")
    yield scene.call(who, "autoscaling", "DeleteAutoScalingGroup", {**group, "forceDelete": True})


def nightly_backup(scene: Scene) -> Iterator[Record]:
    """AWS Backup: new snapshots, copies to the vault of another region, the oldest deleted."""
    scene.pace = 20
    who = scene.role(
        "AWSBackupDefaultServiceRole",
        "AWSBackup-AWSBackupDefaultServiceRole",
        "",
        "",
        path="service-role/",
        invoked_by="backup",
    )
    aws = scene.aws("backup")
    for _ in range(scene.rng.randrange(3, 10)):
        snapshot = f"snap-0{scene.hex(16)}"
        volume = {
            "volumeId": scene.pick("volume"),
            "description": "This snapshot is created by the AWS Backup service.",
        }
        yield scene.call(who, "ec2", "DescribeVolumes", {"volumeSet": {"items": [{"volumeId": volume["volumeId"]}]}})
        yield scene.call(who, "ec2", "CreateSnapshot", volume, {"snapshotId": snapshot, "encrypted": True})
        tag = {
            "resourcesSet": {"items": [{"resourceId": snapshot}]},
            "tagSet": {"items": [{"key": "aws:backup:source-resource"}]},
        }
        yield scene.call(who, "ec2", "CreateTags", tag)
        done = {"backupVaultName": "daily", "state": "COMPLETED", "resourceType": "EBS", "backupJobId": uuid(scene.rng)}
        yield scene.call(aws, "backup", "BackupJobCompleted", event_type="AwsServiceEvent", serviceEventDetails=done)
        copied = {
            "sourceSnapshotId": snapshot,
            "sourceRegion": scene.region,
            "encrypted": True,
            "kmsKeyId": scene.pick("key"),
        }
        yield scene.call(who, "ec2", "CopySnapshot", copied, {"snapshotId": f"snap-0{scene.hex(16)}"})
        yield scene.call(who, "ec2", "DeleteSnapshot", {"snapshotId": scene.pick("snapshot")}, {"_return": True})
        old = {
            "backupVaultName": "daily",
            "recoveryPointArn": f"arn:aws:ec2:{scene.region}::snapshot/{scene.pick('snapshot')}",
        }
        yield scene.call(aws, "backup", "RecoveryPointDeleted", event_type="AwsServiceEvent", serviceEventDetails=old)
    database = {"dBInstanceIdentifier": scene.pick("database")}
    named = {**database, "dBSnapshotIdentifier": f"awsbackup:job-{scene.hex(12)}"}
    yield scene.call(who, "rds", "CreateDBSnapshot", named, named)
    yield scene.call(who, "rds", "DeleteDBSnapshot", {"dBSnapshotIdentifier": f"awsbackup:job-{scene.hex(12)}"})
    vault = f"arn:aws:backup:{scene.region}:{SECURITY}:backup-vault:central"
    copy = {
        "sourceBackupVaultName": "daily",
        "destinationBackupVaultArn": vault,
        "recoveryPointArn": old["recoveryPointArn"],
    }
    yield scene.call(who, "backup", "StartCopyJob", copy, {"copyJobId": uuid(scene.rng)})


def lifecycle_snapshots(scene: Scene) -> Iterator[Record]:
    """Data Lifecycle Manager makes and prunes snapshots with its default role."""
    who = scene.role(
        "AWSDataLifecycleManagerDefaultRole",
        "Data-Lifecycle-Manager",
        "dlm.amazonaws.com",
        "dlm.amazonaws.com",
        path="service-role/",
        invoked_by="dlm",
    )
    for _ in range(6):
        made = {"instanceSpecification": {"instanceId": scene.pick("instance")}}
        yield scene.call(who, "ec2", "CreateSnapshots", {"CreateSnapshotsRequest": made})
        yield scene.call(who, "ec2", "DeleteSnapshot", {"snapshotId": scene.pick("snapshot")}, {"_return": True})


_CHECKS: tuple[tuple[str, str], ...] = (
    ("ec2", "DescribeInstances"), ("ec2", "DescribeSecurityGroups"), ("ec2", "DescribeSnapshotAttribute"),
    ("ec2", "DescribeFlowLogs"), ("s3", "GetBucketPolicy"), ("s3", "GetBucketAcl"), ("s3", "GetBucketLogging"),
    ("s3", "GetBucketEncryption"), ("s3", "ListBuckets"), ("s3", "GetAccountPublicAccessBlock"), ("iam", "ListUsers"),
    ("iam", "GetAccountPasswordPolicy"), ("iam", "ListVirtualMFADevices"), ("iam", "GetLoginProfile"),
    ("iam", "ListAccessKeys"), ("iam", "ListPolicies"), ("iam", "GetPolicyVersion"), ("iam", "ListMFADevices"),
    ("rds", "DescribeDBInstances"), ("rds", "DescribeDBSnapshotAttributes"), ("kms", "ListKeys"),
    ("kms", "DescribeKey"),
    ("kms", "GetKeyPolicy"), ("kms", "GetKeyRotationStatus"), ("lambda", "GetPolicy20150331v2"),
    ("cloudtrail", "DescribeTrails"), ("cloudtrail", "GetTrailStatus"), ("cloudtrail", "GetEventSelectors"),
    ("config", "DescribeConfigurationRecorders"), ("guardduty", "ListDetectors"), ("eks", "DescribeCluster"),
    ("secretsmanager", "ListSecrets"), ("secretsmanager", "GetResourcePolicy"), ("sqs", "GetQueueAttributes"),
    ("sns", "GetTopicAttributes"), ("ecr", "DescribeRepositories"), ("ecr", "GetRepositoryPolicy"),
    ("elasticloadbalancing", "DescribeLoadBalancers"), ("cloudfront", "ListDistributions"),
    ("organizations", "DescribeOrganization"), ("ssm", "DescribeDocumentPermission"), ("logs", "DescribeMetricFilters"),
)  # fmt: skip
_ABSENT = {
    "GetBucketPolicy": "NoSuchBucketPolicy",
    "GetLoginProfile": "NoSuchEntityException",
    "GetAccountPasswordPolicy": "NoSuchEntityException",
    "GetRepositoryPolicy": "RepositoryPolicyNotFoundException",
    "GetPolicy20150331v2": "ResourceNotFoundException",
}


def _read(scene: Scene, who: Who, count: int, denied: float = 0.0) -> Iterator[Record]:
    """Reads as checking tools make them. `denied`: the share of kinds of call that their role lacks."""
    lacking = {name for _, name in _CHECKS if scene.rng.random() < denied}
    for service, name in scene.rng.choices(_CHECKS, k=count):
        error = _ABSENT.get(name, "") if scene.rng.random() < 0.4 else ""
        if name in lacking:
            error = "Client.UnauthorizedOperation" if service == "ec2" else "AccessDenied"
        elif scene.rng.random() < 0.01:
            error = "Client.RequestLimitExceeded" if service == "ec2" else "ThrottlingException"
        yield scene.call(who, service, name, {}, error=error)


def recorder(scene: Scene) -> Iterator[Record]:
    """AWS Config and the checks that read what it may: Security Hub, Inspector, Trusted Advisor, Access Analyzer."""
    scene.pace = 0.3
    service, role = scene.rng.choice(
        (
            ("config", "AWSServiceRoleForConfig"), ("config", "AWSServiceRoleForConfig"),
            ("securityhub", "AWSServiceRoleForSecurityHub"), ("inspector2", "AWSServiceRoleForAmazonInspector2"),
            ("trustedadvisor", "AWSServiceRoleForTrustedAdvisor"),
            ("access-analyzer", "AWSServiceRoleForAccessAnalyzer"),
            ("resource-explorer-2", "AWSServiceRoleForResourceExplorer"), ("macie", "AWSServiceRoleForAmazonMacie"),
        )
    )  # fmt: skip
    yield scene.assumed(scene.aws(service), f"aws-service-role/{service}.amazonaws.com/{role}", service)
    who = scene.service_role(role, service)
    yield from _read(scene, who, scene.rng.randrange(20, 80))
    if service == "config":
        report = {"configRuleName": "restricted-ssh", "resultToken": scene.hex(64)}
        yield scene.call(who, "config", "PutEvaluations", report)
        yield scene.call(who, "iam", "GetAccountAuthorizationDetails", {"filter": ["User"], "maxItems": 1000})
    if service == "access-analyzer":
        yield scene.call(who, "iam", "GenerateServiceLastAccessedDetails", {"arn": scene.arn("iam", "role/x")})


def disk_scan(scene: Scene) -> Iterator[Record]:
    """Inspector reads disks without an agent: a snapshot, its blocks, and the snapshot away again."""
    who = scene.service_role("AWSServiceRoleForAmazonInspector2Agentless", "agentless.inspector2", "agentless")
    snapshot = f"snap-0{scene.hex(16)}"
    yield scene.call(who, "ec2", "CreateSnapshots", {}, {"snapshotSet": {"items": [{"snapshotId": snapshot}]}})
    yield scene.call(who, "ebs", "ListSnapshotBlocks", {"snapshotId": snapshot}, data=True)
    for block in range(scene.rng.randrange(5, 20)):
        yield scene.call(who, "ebs", "GetSnapshotBlock", {"snapshotId": snapshot, "blockIndex": block}, data=True)
    yield scene.call(who, "ec2", "DeleteSnapshot", {"snapshotId": snapshot}, {"_return": True})


def malware_scan(scene: Scene) -> Iterator[Record]:
    """GuardDuty copies a disk to look for malware."""
    who = scene.service_role(
        "AWSServiceRoleForAmazonGuardDutyMalwareProtection", "malware-protection.guardduty", "GuardDuty"
    )
    snapshot = f"snap-0{scene.hex(16)}"
    yield scene.call(who, "ec2", "CreateSnapshot", {"volumeId": scene.pick("volume")}, {"snapshotId": snapshot})
    share = {"snapshotId": snapshot, "attributeType": "CREATE_VOLUME_PERMISSION"}
    added = {"createVolumePermission": {"add": {"items": [{"userId": "999988887777"}]}}}
    yield scene.call(who, "ec2", "ModifySnapshotAttribute", {**share, **added}, {"_return": True})
    yield scene.call(who, "ec2", "DeleteSnapshot", {"snapshotId": snapshot}, {"_return": True})


def outside_tool(scene: Scene) -> Iterator[Record]:
    """A cost or posture tool of another company comes by its role and reads everything; its role lacks some calls."""
    scene.pace = 0.2
    role, owner = scene.rng.choice((("CostToolReadOnly", "999900001111"), ("PostureToolAudit", "999900002222")))
    agent = JAVA if role.startswith("Cost") else BOTO
    address = f"192.0.2.{scene.rng.randrange(200, 210)}"
    stranger = {"type": "AWSAccount", "principalId": f"AROA{owner}:collector", "accountId": owner}
    yield scene.assumed(Who(stranger, address, agent), role, "collector")
    who = scene.role(role, "collector", address, agent)
    yield from _read(scene, who, scene.rng.randrange(60, 200), denied=0.03)
    if scene.rng.random() < 0.1:
        yield scene.call(who, "iam", "GenerateCredentialReport", None, {"state": "STARTED"})
        yield scene.call(who, "iam", "GetCredentialReport")
        yield scene.call(who, "iam", "GetAccountAuthorizationDetails", {"maxItems": 1000})


def inventory(scene: Scene) -> Iterator[Record]:
    """Systems Manager: agents report, State Manager patches, inventories are written."""
    instance = scene.pick("instance")
    who = scene.role(
        "ssm-managed-instance", instance, f"10.20.1.{scene.rng.randrange(10, 250)}", SSM_AGENT, instance=True
    )
    named = {"instanceId": instance, "agentVersion": "3.3.2958.0", "agentName": "amazon-ssm-agent"}
    yield scene.call(who, "ssm", "UpdateInstanceInformation", named)
    for _ in range(scene.rng.randrange(1, 5)):
        yield scene.call(who, "ssm", "ListInstanceAssociations", {"instanceId": instance})
        yield scene.call(who, "ssm", "UpdateInstanceAssociationStatus", {**named, "associationId": uuid(scene.rng)})
        yield scene.call(who, "ssm", "PutInventory", {"instanceId": instance})
        yield scene.call(who, "ssm", "GetDeployablePatchSnapshotForInstance", {"instanceId": instance})


def patch_window(scene: Scene) -> Iterator[Record]:
    """A maintenance window runs the patch document on tagged instances."""
    who = scene.role("maintenance-window", "SSM", "", "", invoked_by="ssm")
    command = {"documentName": "AWS-RunPatchBaseline", "targets": [{"key": "tag:Patch", "values": ["weekly"]}]}
    yield scene.call(who, "ssm", "SendCommand", {**command, "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS"}, {})
    yield scene.call(who, "ssm", "ListCommandInvocations", {"commandId": uuid(scene.rng)})


def secret_rotation(scene: Scene) -> Iterator[Record]:
    """Secrets Manager has its function change a password."""
    secret = scene.arn("secretsmanager", f"secret:{scene.pick('secret')}")
    named, function = {"secretId": secret}, "SecretsManagerRotation"
    aws = scene.aws("secretsmanager")
    told: Json = {"event_type": "AwsServiceEvent", "additional": {"SecretId": secret}}
    yield scene.call(aws, "secretsmanager", "RotationStarted", **told)
    yield scene.call(aws, "lambda", "Invoke", {"functionName": function}, data=True)
    who = scene.role(f"{function}-role", function, scene.pick("nat"), BOTO)
    token = {**named, "clientRequestToken": uuid(scene.rng)}
    for stage in ("AWSCURRENT", "AWSPENDING", "AWSPREVIOUS"):
        yield scene.call(who, "secretsmanager", "DescribeSecret", named)
        gone = "ResourceNotFoundException" if stage == "AWSPENDING" else ""
        yield scene.call(who, "secretsmanager", "GetSecretValue", {**named, "versionStage": stage}, error=gone)
    yield scene.call(who, "secretsmanager", "GetRandomPassword", {"excludeCharacters": "/@"})
    yield scene.call(who, "secretsmanager", "PutSecretValue", token)
    yield scene.call(who, "secretsmanager", "UpdateSecretVersionStage", {**named, "versionStage": "AWSCURRENT"})
    yield scene.call(aws, "secretsmanager", "RotationSucceeded", **told)


def key_rotation(scene: Scene) -> Iterator[Record]:
    """KMS and RDS turn keys and passwords over by themselves."""
    key = scene.pick("key")
    who = Who({"accountId": scene.account, "invokedBy": "AWS Internal"}, "AWS Internal", "AWS Internal", tls=False)
    yield scene.call(who, "kms", "RotateKey", event_type="AwsServiceEvent", serviceEventDetails={"keyId": key})
    rds = scene.service_role("AWSServiceRoleForRDS", "rds", "rds")
    yield scene.call(rds, "secretsmanager", "UpdateSecret", {"secretId": f"rds!db-{uuid(scene.rng)}"})


def service_sessions(scene: Scene) -> Iterator[Record]:
    """Services take the roles that they were given, all day long."""
    for _ in range(scene.rng.randrange(5, 30)):
        yield scene.assumed(scene.aws(scene.rng.choice(_SERVICES)), f"{scene.pick('workload')}-task", scene.hex(32))


def account_vending(scene: Scene) -> Iterator[Record]:
    """Control Tower sets an account up."""
    scene.pace = 30
    who = scene.role("AWSControlTowerAdmin", "AWSControlTower", "", "", path="service-role/", invoked_by="controltower")
    new = {"accountName": f"team-{scene.hex(4)}", "email": "HIDDEN_DUE_TO_SECURITY_REASONS"}
    yield scene.call(who, "organizations", "CreateAccount", new, {"createAccountStatus": {"state": "IN_PROGRESS"}})
    yield scene.call(who, "organizations", "DescribeCreateAccountStatus", {"createAccountRequestId": "car-1"})
    moved = {"accountId": DATA, "sourceParentId": "r-ab12", "destinationParentId": "ou-ab12-12345678"}
    yield scene.call(who, "organizations", "MoveAccount", moved)
    scene.account = DATA
    tower = scene.role("AWSControlTowerExecution", "AWSControlTower", "", "", invoked_by="cloudformation")
    yield scene.call(tower, "config", "PutConfigurationRecorder", {"configurationRecorder": {"name": "default"}})
    yield scene.call(tower, "config", "PutDeliveryChannel", {"deliveryChannel": {"name": "default"}})
    yield scene.call(tower, "config", "StartConfigurationRecorder", {"configurationRecorderName": "default"})
    yield scene.call(tower, "ec2", "DeleteVpc", {"vpcId": scene.pick("vpc")}, {"_return": True})


HABITS = (
    Habit(scaling, 60, accounts=WORKLOADS),
    Habit(spot_interruption, 6, accounts=WORKLOADS),
    Habit(nightly_training, 1, accounts=(DATA,)),
    Habit(nightly_backup, 6, accounts=WORKLOADS),
    Habit(lifecycle_snapshots, 6, accounts=WORKLOADS),
    Habit(recorder, 150),
    Habit(disk_scan, 8, accounts=WORKLOADS),
    Habit(malware_scan, 0.5, accounts=WORKLOADS),
    Habit(outside_tool, 24),
    Habit(inventory, 500, accounts=WORKLOADS),
    Habit(patch_window, 2, accounts=WORKLOADS),
    Habit(secret_rotation, 10, accounts=WORKLOADS),
    Habit(key_rotation, 1, accounts=(PRODUCTION, DATA)),
    Habit(service_sessions, 500),
    Habit(account_vending, 0.1, True, (MANAGEMENT,)),
)
