"""What applications do: objects, keys, secrets and tables, on ECS, Lambda and the nodes and pods of EKS."""

from collections.abc import Iterator

from bench.routine.company import DATA, PRODUCTION, STAGING, WORKLOADS
from bench.routine.scene import Habit, Json, Record, Scene, Who
from trailkeep.demo.actor import BOTO, JAVA, NODE
from trailkeep.demo.world import uuid

_GO = "aws-sdk-go-v2/1.39.0 ua/2.1 os/linux lang/go#1.24.6 md/GOOS#linux md/GOARCH#arm64 api/ec2#1.254.0"


def _workload(scene: Scene) -> Who:
    """A task's, function's or pod's role; tasks and pods come by a VPC endpoint."""
    load, kind = scene.pick("workload"), scene.rng.randrange(3)
    if kind == 0:
        return scene.role(f"{load}-function-role", scene.pick("function"), scene.pick("nat"), BOTO)
    private = f"10.20.{scene.rng.randrange(1, 6)}.{scene.rng.randrange(10, 250)}"
    if kind == 1:
        who = scene.role(f"{load}-task", scene.hex(32), private, scene.rng.choice((JAVA, NODE)))
    else:
        issuer = scene.arn("iam", f"oidc-provider/oidc.eks.{scene.region}.amazonaws.com/id/EXAMPLE")
        who = scene.role(f"{load}-irsa", f"botocore-session-{scene.hex(8)}", private, _GO, web=issuer)
    return Who(who.identity, private, who.agent, endpoint=scene.pick("endpoint"))


def _object(scene: Scene) -> tuple[dict[str, Json], Json, Json]:
    bucket = scene.pick("bucket")
    key = f"exports/2026/{scene.rng.randrange(1, 13):02d}/part-{scene.rng.randrange(99999):05d}.parquet"
    host = f"{bucket}.s3.{scene.region}.amazonaws.com"
    resources = [
        {"type": "AWS::S3::Object", "ARN": f"arn:aws:s3:::{bucket}/{key}"},
        {"accountId": scene.account, "type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{bucket}"},
    ]
    about = {
        "SignatureVersion": "SigV4", "CipherSuite": "TLS_AES_128_GCM_SHA256", "AuthenticationMethod": "AuthHeader",
        "bytesTransferredIn": scene.rng.randrange(4000),
        "bytesTransferredOut": int(scene.rng.paretovariate(0.9) * 3000),
        "x-amz-id-2": scene.hex(76),
    }  # fmt: skip
    return {"bucketName": bucket, "Host": host, "key": key}, resources, about


def requests(scene: Scene) -> Iterator[Record]:
    """An application at work: objects with their keys, rows, and now and then a secret."""
    scene.pace = 0.5
    who = _workload(scene)
    for _ in range(scene.rng.randrange(10, 60)):
        chance = scene.rng.random()
        if chance < 0.45:
            yield from _stored(scene, who)
        elif chance < 0.65:
            yield from _decrypted(scene, who)
        elif chance < 0.8:
            table = {"tableName": scene.pick("table"), "key": {"pk": "HIDDEN_DUE_TO_SECURITY_REASONS"}}
            name = scene.rng.choice(("GetItem", "GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"))
            yield scene.call(who, "dynamodb", name, table, data=True)
        elif chance < 0.84:
            secret = scene.arn("secretsmanager", f"secret:{scene.pick('secret')}")
            yield scene.call(who, "secretsmanager", "GetSecretValue", {"secretId": secret})
        elif chance < 0.89:
            yield scene.call(who, "ssm", "GetParameter", {"name": scene.pick("parameter"), "withDecryption": True})
        elif chance < 0.9:
            tree = {"path": "/prod/orders-api/", "recursive": True, "withDecryption": True}
            yield scene.call(who, "ssm", "GetParametersByPath", tree)
        elif chance < 0.95:
            group = {"logGroupName": f"/aws/lambda/{scene.pick('function')}", "logStreamName": scene.hex(32)}
            yield scene.call(who, "logs", "CreateLogStream", group)
        else:
            named = scene.arn("lambda", f"function:{scene.pick('function')}")
            resource = [{"accountId": scene.account, "type": "AWS::Lambda::Function", "ARN": named}]
            yield scene.call(who, "lambda", "Invoke", {"functionName": named}, resources=resource, data=True)


def _stored(scene: Scene, who: Who) -> Iterator[Record]:
    request, resources, about = _object(scene)
    name = scene.rng.choices(("GetObject", "PutObject", "HeadObject", "DeleteObject", "ListObjects"), (9, 5, 3, 1, 2))[
        0
    ]
    chance = scene.rng.random()
    missing = name in ("GetObject", "HeadObject") and chance < 0.02
    error = "NoSuchKey" if missing else "AccessDenied" if chance > 0.999 else "SlowDown" if chance > 0.997 else ""
    yield scene.call(
        who, "s3", name, request, resources=resources, additional=about, data=True, error=error,
        response={"x-amz-server-side-encryption": "aws:kms"} if name == "PutObject" else None,
    )  # fmt: skip


def _decrypted(scene: Scene, who: Who) -> Iterator[Record]:
    request, _, _ = _object(scene)
    key = scene.arn("kms", f"key/{scene.pick('key')}")
    resource = [{"accountId": scene.account, "type": "AWS::KMS::Key", "ARN": key}]
    context = {"aws:s3:arn": f"arn:aws:s3:::{request['bucketName']}/{request['key']}"}
    name = scene.rng.choice(("Decrypt", "Decrypt", "GenerateDataKey"))
    asked = {"encryptionContext": context, "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "keyId": key}
    yield scene.call(who.through("s3"), "kms", name, asked, resources=resource)


def log_delivery(scene: Scene) -> Iterator[Record]:
    """AWS writes its own logs into buckets, and encrypts them."""
    aws = scene.aws(scene.rng.choice(("cloudtrail", "delivery.logs", "config", "logging.s3")))
    for _ in range(scene.rng.randrange(3, 15)):
        request, resources, about = _object(scene)
        key = scene.arn("kms", f"key/{scene.pick('key')}")
        yield scene.call(
            aws, "kms", "GenerateDataKey", {"keyId": key, "keySpec": "AES_256"}, sharedEventID=uuid(scene.rng)
        )
        put = {**request, "x-amz-acl": "bucket-owner-full-control"}
        shared: Json = {"sharedEventID": uuid(scene.rng), "data": True}
        yield scene.call(aws, "s3", "PutObject", put, resources=resources, additional=about, **shared)
        yield scene.call(aws, "s3", "GetBucketAcl", {"bucketName": request["bucketName"], "acl": ""})


def other_account(scene: Scene) -> Iterator[Record]:
    """The data team's jobs take a reader's role in the accounts of workloads."""
    job = {
        "type": "AssumedRole", "principalId": f"AROADATALAKE:{scene.hex(8)}", "accountId": DATA,
        "arn": f"arn:aws:sts::{DATA}:assumed-role/lake-loader/{scene.hex(8)}",
    }  # fmt: skip
    address = f"198.51.100.{scene.rng.randrange(150, 155)}"
    there = Who({"type": "AWSAccount", "principalId": job["principalId"], "accountId": DATA}, address, JAVA)
    yield scene.assumed(there, "lake-reader", "lake-loader")
    who = scene.role("lake-reader", "lake-loader", address, JAVA)
    for _ in range(scene.rng.randrange(5, 40)):
        yield from _stored(scene, who)


def glue_job(scene: Scene) -> Iterator[Record]:
    """Nightly tables: Glue and Athena over the lake."""
    who = scene.role("glue-etl", "GlueJobRunnerSession", scene.pick("nat"), JAVA)
    for _ in range(scene.rng.randrange(10, 40)):
        yield scene.call(who, "glue", "GetTable", {"databaseName": "analytics", "name": scene.pick("table")})
        yield scene.call(who, "glue", "BatchCreatePartition", {"databaseName": "analytics"})
        yield from _stored(scene, who)
    query = {"queryString": "HIDDEN_DUE_TO_SECURITY_REASONS", "workGroup": "etl"}
    yield scene.call(who, "athena", "StartQueryExecution", query, {"queryExecutionId": uuid(scene.rng)})


def node(scene: Scene) -> Iterator[Record]:
    """A node of EKS joins: images, addresses, the agents of the cluster."""
    instance, cluster = scene.pick("instance"), scene.pick("cluster")
    private = f"10.20.{scene.rng.randrange(1, 6)}.{scene.rng.randrange(10, 250)}"
    who = scene.role("eks-node", instance, private, _GO, instance=True)
    yield scene.call(who, "eks", "DescribeCluster", {"name": cluster})
    yield scene.call(who, "ec2", "DescribeInstances", {"instancesSet": {"items": [{"instanceId": instance}]}})
    yield scene.call(who, "ecr", "GetAuthorizationToken", {"registryIds": [scene.account]})
    for _ in range(scene.rng.randrange(3, 20)):
        repository = {"registryId": scene.account, "repositoryName": scene.pick("workload")}
        yield scene.call(who, "ecr", "BatchGetImage", {**repository, "imageIds": [{"imageTag": scene.hex(8)}]})
        layer = {**repository, "layerDigest": f"sha256:{scene.hex(64)}"}
        yield scene.call(who, "ecr", "GetDownloadUrlForLayer", layer)
    interface = f"eni-0{scene.hex(16)}"
    request = {"subnetId": scene.pick("subnet"), "description": f"aws-K8S-{instance}"}
    yield scene.call(
        who, "ec2", "CreateNetworkInterface", request, {"networkInterface": {"networkInterfaceId": interface}}
    )
    yield scene.call(who, "ec2", "AttachNetworkInterface", {"networkInterfaceId": interface, "instanceId": instance})
    yield scene.call(who, "ec2", "ModifyNetworkInterfaceAttribute", {"networkInterfaceId": interface})
    yield scene.call(who, "ec2", "AssignPrivateIpAddresses", {"networkInterfaceId": interface})
    yield scene.call(who, "ec2", "UnassignPrivateIpAddresses", {"networkInterfaceId": interface})


def pods(scene: Scene) -> Iterator[Record]:
    """Pods take their roles with the cluster's tokens."""
    issuer = f"oidc.eks.{scene.region}.amazonaws.com/id/EXAMPLE"
    private = f"10.20.{scene.rng.randrange(1, 6)}.{scene.rng.randrange(10, 250)}"
    for _ in range(scene.rng.randrange(2, 10)):
        load = scene.pick("workload")
        subject = f"system:serviceaccount:{load.split('-')[0]}:{load}"
        provider = scene.arn("iam", f"oidc-provider/{issuer}")
        identity = {
            "type": "WebIdentityUser", "principalId": f"{provider}:sts.amazonaws.com:{subject}",
            "userName": subject, "identityProvider": provider,
        }  # fmt: skip
        role = f"{load}-irsa"
        request = {"roleArn": scene.arn("iam", f"role/{role}"), "roleSessionName": f"session-{scene.hex(8)}"}
        answer = {**scene.credentials(role, "session"), "subjectFromWebIdentityToken": subject, "provider": provider}
        yield scene.call(Who(identity, private, _GO), "sts", "AssumeRoleWithWebIdentity", request, answer)
        agent = scene.aws("pods.eks")
        yield scene.assumed(agent, role, f"eks-{scene.hex(12)}")


def _controller(scene: Scene, name: str) -> Who:
    issuer = scene.arn("iam", f"oidc-provider/oidc.eks.{scene.region}.amazonaws.com/id/EXAMPLE")
    return scene.role(name, scene.hex(12), f"10.20.2.{scene.rng.randrange(10, 250)}", _GO, web=issuer)


def cluster_controllers(scene: Scene) -> Iterator[Record]:
    """Karpenter, the load balancer controller and the disk driver change the account all day."""
    scaler = _controller(scene, "KarpenterController")
    yield scene.call(scaler, "ec2", "DescribeInstanceTypes", {})
    yield scene.call(scaler, "ec2", "DescribeSpotPriceHistory", {})
    yield scene.call(scaler, "pricing", "GetProducts", {"serviceCode": "AmazonEC2"})
    yield scene.call(
        scaler, "ec2", "CreateLaunchTemplate", {"CreateLaunchTemplateRequest": {"LaunchTemplateName": "k"}}
    )
    fleet = {"CreateFleetRequest": {"Type": "instant", "TargetCapacitySpecification": {"TotalTargetCapacity": 1}}}
    yield scene.call(scaler, "ec2", "CreateFleet", fleet, {"CreateFleetResponse": {"fleetId": f"fleet-{scene.hex(8)}"}})
    kind = scene.rng.choice(("m7i.2xlarge", "c7g.4xlarge", "r7g.2xlarge"))
    started = {"instancesSet": {"items": [{"instanceId": f"i-0{scene.hex(16)}", "instanceType": kind}]}}
    instances = scene.role(
        "AWSServiceRoleForEC2Fleet",
        "FleetSession",
        "",
        "",
        invoked_by="ec2fleet",
        path="aws-service-role/ec2fleet.amazonaws.com/",
    )
    yield scene.call(instances, "ec2", "RunInstances", {"instanceType": kind}, started)
    old = {"instancesSet": {"items": [{"instanceId": scene.pick("instance")}]}}
    yield scene.call(scaler, "ec2", "TerminateInstances", old, old)
    yield scene.call(
        scaler, "ec2", "DeleteLaunchTemplate", {"DeleteLaunchTemplateRequest": {"LaunchTemplateName": "k"}}
    )
    disks = _controller(scene, "ebs-csi-driver")
    yield scene.call(
        disks, "ec2", "CreateVolume", {"size": "20", "encrypted": True}, {"volumeId": f"vol-0{scene.hex(16)}"}
    )
    yield scene.call(
        disks, "ec2", "AttachVolume", {"volumeId": scene.pick("volume"), "instanceId": scene.pick("instance")}
    )
    yield scene.call(disks, "ec2", "DetachVolume", {"volumeId": scene.pick("volume")})
    yield scene.call(disks, "ec2", "DeleteVolume", {"volumeId": scene.pick("volume")})


def public_service(scene: Scene) -> Iterator[Record]:
    """A service of type LoadBalancer appears: a balancer, its group open to the world on 443, its targets."""
    who = _controller(scene, "aws-load-balancer-controller")
    group = f"sg-0{scene.hex(16)}"
    named = {"groupName": f"k8s-{scene.hex(10)}", "groupDescription": "[k8s] Managed SecurityGroup for LoadBalancer"}
    yield scene.call(who, "ec2", "CreateSecurityGroup", {**named, "vpcId": scene.pick("vpc")}, {"groupId": group})
    web = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "groups": {}, "ipv6Ranges": {}, "prefixListIds": {}}
    open_ = {"ipPermissions": {"items": [{**web, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}]}, "groupId": group}
    yield scene.call(who, "ec2", "AuthorizeSecurityGroupIngress", open_, {"_return": True})
    balancer = {
        "name": f"k8s-{scene.hex(10)}",
        "scheme": "internet-facing",
        "type": "application",
        "securityGroups": [group],
    }
    yield scene.call(who, "elasticloadbalancing", "CreateLoadBalancer", balancer, {"loadBalancers": [balancer]})
    yield scene.call(
        who, "elasticloadbalancing", "CreateTargetGroup", {"name": "k8s", "protocol": "HTTP", "port": 80}, {}
    )
    yield scene.call(who, "elasticloadbalancing", "CreateListener", {"port": 443, "protocol": "HTTPS"}, {})
    yield scene.call(
        who, "elasticloadbalancing", "ModifyRule", {"ruleArn": scene.arn("elasticloadbalancing", "rule")}, {}
    )
    yield scene.call(who, "ec2", "DeleteSecurityGroup", {"groupId": scene.pick("group")}, {"_return": True})


FILL = requests
HABITS = (
    Habit(log_delivery, 400),
    Habit(other_account, 60, accounts=(PRODUCTION, STAGING)),
    Habit(glue_job, 30, accounts=(DATA,)),
    Habit(node, 40, accounts=WORKLOADS),
    Habit(pods, 250, accounts=WORKLOADS),
    Habit(cluster_controllers, 30, accounts=WORKLOADS),
    Habit(public_service, 0.7, True, WORKLOADS),
)
