"""Nothing in, templates of CloudTrail events out: EC2, containers, functions, databases, deployments."""

from trailkeep.demo.template import Json, Template


def _describe(name: str, weight: float, actors: str, **request: Json) -> Template:
    """A paged EC2 read; CloudTrail records no response for it."""
    return Template("ec2", name, weight, actors, {"maxResults": 1000, **request} if request else {})


def _items(key: str, *ids: str) -> Json:
    return {"items": [{key: value} for value in ids]}


def _state(action: str, before: str, after: str) -> Template:
    """StartInstances and its kin: instances change state."""
    codes = {"pending": 0, "running": 16, "shutting-down": 32, "stopping": 64, "stopped": 80}
    change: Json = {
        "instanceId": "<instance>",
        "currentState": {"code": codes[after], "name": after},
        "previousState": {"code": codes[before], "name": before},
    }
    return Template(
        "ec2", f"{action}Instances", 0.6 if action == "Terminate" else 0.25, "service forwarded human ci",
        {"instancesSet": _items("instanceId", "<instance>")},
        {"requestId": "<request_id>", "instancesSet": {"items": [change]}}, sensitive=True,
    )  # fmt: skip


def _ingress(action: str, weight: float) -> Template:
    """A security group opened to, or closed for, a private network."""
    permission: Json = {
        "ipProtocol": "tcp",
        "fromPort": 443,
        "toPort": 443,
        "groups": {},
        "ipRanges": {"items": [{"cidrIp": "10.0.0.0/8"}]},
        "ipv6Ranges": {},
        "prefixListIds": {},
    }
    return Template(
        "ec2", f"{action}SecurityGroupIngress", weight, "ci human",
        {"groupId": "<group>", "ipPermissions": {"items": [permission]}},
        {"requestId": "<request_id>", "_return": True}, sensitive=True,
    )  # fmt: skip


_RUN: Json = {
    "requestId": "<request_id>",
    "reservationId": "r-0<hex17b>",
    "ownerId": "<account>",
    "groupSet": {},
    "instancesSet": {
        "items": [
            {
                "instanceId": "i-<hex17>",
                "imageId": "<image>",
                "instanceState": {"code": 0, "name": "pending"},
                "privateDnsName": "ip-<hex8>.ec2.internal",
                "amiLaunchIndex": 0,
                "productCodes": {},
                "instanceType": "<type>",
                "launchTime": "<#now_ms>",
                "placement": {"availabilityZone": "<region>a", "tenancy": "default"},
                "monitoring": {"state": "disabled"},
                "subnetId": "<subnet>",
                "vpcId": "<vpc>",
                "privateIpAddress": "<private>",
                "groupSet": {"items": [{"groupId": "<group>", "groupName": "workers"}]},
            }
        ]
    },
}
_INTERFACE: Json = {
    "requestId": "<request_id>",
    "networkInterface": {
        "networkInterfaceId": "eni-<hex17>",
        "subnetId": "<subnet>",
        "vpcId": "<vpc>",
        "availabilityZone": "<region>a",
        "description": "AWS Lambda VPC ENI-<function>-<uuid>",
        "ownerId": "<account>",
        "status": "pending",
        "privateIpAddress": "<private>",
        "interfaceType": "lambda",
    },
}
_FUNCTION_ARN = "arn:aws:lambda:<region>:<account>:function:<function>"
_TASK_ARN = "arn:aws:ecs:<region>:<account>:task/<cluster>/<hex32>"
_STACK_ARN = "arn:aws:cloudformation:<region>:<account>:stack/<stack>/<uuid>"

TEMPLATES = (
    _describe(
        "DescribeInstances",
        38,
        "ci app human service service forwarded",
        filterSet={"items": [{"name": "instance-state-name", "valueSet": {"items": [{"value": "running"}]}}]},
    ),
    _describe("DescribeInstanceStatus", 10, "app human forwarded", includeAllInstances=False),
    _describe("DescribeSecurityGroups", 10, "ci human", securityGroupIdSet=_items("groupId", "<group>")),
    _describe("DescribeNetworkInterfaces", 8, "app forwarded", networkInterfaceIdSet={}),
    _describe("DescribeVolumes", 6, "app human", volumeSet=_items("volumeId", "<volume>")),
    _describe(
        "DescribeTags",
        6,
        "app ci",
        filterSet={"items": [{"name": "resource-id", "valueSet": {"items": [{"value": "<instance>"}]}}]},
    ),
    _describe("DescribeSubnets", 5, "ci forwarded", subnetSet=_items("subnetId", "<subnet>")),
    _describe("DescribeVpcs", 4, "ci human", vpcSet=_items("vpcId", "<vpc>")),
    _describe("DescribeSnapshots", 3, "human app", ownersSet=_items("owner", "self")),
    _describe("DescribeImages", 2, "ci human", imagesSet=_items("imageId", "<image>")),
    _describe("DescribeAvailabilityZones", 3, "ci"),
    _describe("DescribeRegions", 2, "human ci"),
    Template(
        "ec2",
        "RunInstances",
        1.2,
        "service forwarded ci",
        {
            "instancesSet": {"items": [{"imageId": "<image>", "minCount": 1, "maxCount": 1}]},
            "instanceType": "<type>",
            "clientToken": "<uuid>",
            "subnetId": "<subnet>",
            "groupSet": _items("groupId", "<group>"),
            "blockDeviceMapping": {},
            "monitoring": {"enabled": False},
            "disableApiTermination": False,
            "iamInstanceProfile": {"name": "<role>"},
        },
        _RUN,
    ),
    _state("Terminate", "running", "shutting-down"),
    _state("Stop", "running", "stopping"),
    _state("Start", "stopped", "pending"),
    Template(
        "ec2",
        "CreateTags",
        3,
        "ci forwarded",
        {
            "resourcesSet": _items("resourceId", "<volume>"),
            "tagSet": {"items": [{"key": "team", "value": "platform"}, {"key": "deploy", "value": "<run>"}]},
        },
        {"requestId": "<request_id>", "_return": True},
    ),
    Template(
        "ec2",
        "CreateNetworkInterface",
        4,
        "forwarded",
        {
            "subnetId": "<subnet>",
            "groupSet": _items("groupId", "<group>"),
            "clientToken": "<uuid>",
            "description": "AWS Lambda VPC ENI-<function>-<uuid>",
            "privateIpAddressesSet": {},
        },
        _INTERFACE,
    ),
    Template(
        "ec2",
        "DeleteNetworkInterface",
        4,
        "forwarded",
        {"networkInterfaceId": "<interface>"},
        {"requestId": "<request_id>", "_return": True},
    ),
    Template(
        "ec2",
        "CreateSnapshot",
        1,
        "app service",
        {"volumeId": "<volume>", "description": "nightly"},
        {
            "requestId": "<request_id>",
            "snapshotId": "snap-<hex17>",
            "volumeId": "<volume>",
            "status": "pending",
            "startTime": "<#now_ms>",
            "ownerId": "<account>",
            "volumeSize": "100",
            "encrypted": True,
        },
    ),
    Template(
        "ec2",
        "DeleteSnapshot",
        0.8,
        "service app",
        {"snapshotId": "<snapshot>"},
        {"requestId": "<request_id>", "_return": True},
    ),
    Template(
        "ec2",
        "ModifySnapshotAttribute",
        0.03,
        "ci human",
        {
            "snapshotId": "<snapshot>",
            "attributeType": "CREATE_VOLUME_PERMISSION",
            "createVolumePermission": {"add": _items("userId", "<peer>")},
        },
        {"requestId": "<request_id>", "_return": True},
        sensitive=True,
    ),
    _ingress("Authorize", 0.3),
    _ingress("Revoke", 0.1),
    Template(
        "ec2",
        "CreateSecurityGroup",
        0.2,
        "ci",
        {"groupName": "<stack>-group", "groupDescription": "managed by Terraform", "vpcId": "<vpc>"},
        {"requestId": "<request_id>", "_return": True, "groupId": "sg-<hex17>"},
        sensitive=True,
    ),
    Template(
        "ec2",
        "AssociateRouteTable",
        0.05,
        "ci",
        {"routeTableId": "rtb-<hex17>", "subnetId": "<subnet>"},
        sensitive=True,
    ),
    Template(
        "ec2",
        "DeleteFlowLogs",
        0.02,
        "ci human",
        {"DeleteFlowLogsRequest": {"FlowLogId": {"tag": 1, "content": "fl-<hex17>"}}},
        sensitive=True,
    ),
    Template(
        "lambda",
        "Invoke",
        44,
        "app service service forwarded",
        {"functionName": _FUNCTION_ARN, "invocationType": "Event", "qualifier": "live"},
        None,
        [{"accountId": "<account>", "type": "AWS::Lambda::Function", "ARN": _FUNCTION_ARN}],
        {"functionVersion": _FUNCTION_ARN + ":<small>"},
        category="Data",
    ),
    Template("lambda", "GetFunction20150331v2", 3, "ci human", {"functionName": "<function>"}),
    Template("lambda", "ListFunctions20150331", 2, "human ci", {"maxItems": 50}),
    Template(
        "lambda",
        "UpdateFunctionCode20150331v2",
        0.4,
        "ci",
        {
            "functionName": "<function>",
            "s3Bucket": "<bucket>",
            "s3Key": "artifacts/<hex32>.zip",
            "publish": True,
            "dryRun": False,
        },
        {
            "functionName": "<function>",
            "functionArn": _FUNCTION_ARN,
            "runtime": "python3.12",
            "handler": "app.handler",
            "role": "arn:aws:iam::<account>:role/<role>",
            "codeSha256": "<id2>",
            "memorySize": 512,
            "timeout": 30,
        },
    ),
    Template("ecs", "DescribeTasks", 4, "ci app", {"cluster": "<cluster>", "tasks": [_TASK_ARN]}),
    Template("ecs", "DescribeServices", 4, "ci human", {"cluster": "<cluster>", "services": ["<repository>"]}),
    Template(
        "ecs",
        "SubmitTaskStateChange",
        4,
        "app",
        {"cluster": "<cluster>", "task": _TASK_ARN, "status": "RUNNING"},
        {"acknowledgment": "ACK"},
    ),
    Template(
        "ecs",
        "UpdateService",
        0.4,
        "ci",
        {"cluster": "<cluster>", "service": "<repository>", "forceNewDeployment": True},
    ),
    Template("eks", "DescribeCluster", 2, "app ci", {"name": "<cluster>"}),
    Template("autoscaling", "DescribeAutoScalingGroups", 5, "app forwarded", {"maxRecords": 100}),
    Template(
        "autoscaling",
        "SetDesiredCapacity",
        0.3,
        "ci service",
        {"autoScalingGroupName": "<stack>-workers", "desiredCapacity": "<#small>", "honorCooldown": True},
    ),
    Template(
        "elasticloadbalancing",
        "DescribeTargetHealth",
        8,
        "app ci",
        {"targetGroupArn": "arn:aws:elasticloadbalancing:<region>:<account>:targetgroup/<stack>/<hex17>"},
    ),
    Template(
        "elasticloadbalancing",
        "DescribeLoadBalancers",
        5,
        "ci human service",
        {"loadBalancerArns": ["arn:aws:elasticloadbalancing:<region>:<account>:loadbalancer/app/<balancer>"]},
    ),
    Template("rds", "DescribeDBInstances", 6, "app human ci", {"dBInstanceIdentifier": "<database>"}),
    Template(
        "rds",
        "CreateDBSnapshot",
        0.2,
        "service app",
        {"dBInstanceIdentifier": "<database>", "dBSnapshotIdentifier": "<database>-<hex8>"},
    ),
    Template(
        "rds",
        "ModifyDBSnapshotAttribute",
        0.02,
        "human",
        {"dBSnapshotIdentifier": "<database>-<hex8>", "attributeName": "restore", "valuesToAdd": ["<peer>"]},
        sensitive=True,
    ),
    Template("cloudformation", "DescribeStacks", 6, "ci human", {"stackName": _STACK_ARN}),
    Template("cloudformation", "DescribeStackEvents", 2, "ci human", {"stackName": _STACK_ARN}),
    Template(
        "cloudformation",
        "CreateChangeSet",
        0.3,
        "ci",
        {
            "stackName": "<stack>",
            "changeSetName": "deploy-<run>",
            "changeSetType": "UPDATE",
            "capabilities": ["CAPABILITY_IAM"],
        },
        {"id": "<uuid>", "stackId": _STACK_ARN},
    ),
    Template("monitoring", "DescribeAlarms", 4, "app human ci", {"maxRecords": 100}),
    Template("monitoring", "ListMetrics", 3, "app human", {"namespace": "AWS/EC2"}),
    Template("tagging", "GetResources", 2, "app ci", {"resourcesPerPage": 100, "tagFilters": [{"key": "team"}]}),
    Template("route53", "ListHostedZones", 1, "ci human", {}),
    Template(
        "route53",
        "ChangeResourceRecordSets",
        0.2,
        "ci",
        {
            "hostedZoneId": "Z<hex17>",
            "changeBatch": {
                "changes": [
                    {
                        "action": "UPSERT",
                        "resourceRecordSet": {"name": "<stack>.example.com", "type": "CNAME", "tTL": 60},
                    }
                ]
            },
        },
        {"changeInfo": {"status": "PENDING", "id": "/change/C<hex17>", "submittedAt": "<now>"}},
    ),
)
