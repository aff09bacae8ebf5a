"""What CloudFormation does for a stack: its roles, groups, buckets, functions and alarms."""

import json
from collections.abc import Iterator

from bench.routine.scene import Record, Scene, Who

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
        ],
    }
)


def allowing(action: str, resource: str) -> str:
    statement = {"Effect": "Allow", "Action": [action], "Resource": [resource]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _role_of_stack(scene: Scene, who: Who, stack: str) -> Iterator[Record]:
    role = f"{stack}-FunctionRole-{scene.hex(12).upper()}"
    named = {"roleName": role}
    yield scene.call(who, "iam", "GetRole", named, error="NoSuchEntityException")
    yield scene.call(
        who, "iam", "CreateRole", {**named, "assumeRolePolicyDocument": TRUST},
        {"role": {"roleName": role, "arn": scene.arn("iam", f"role/{role}"), "path": "/"}},
    )  # fmt: skip
    basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
    yield scene.call(who, "iam", "AttachRolePolicy", {**named, "policyArn": basic})
    table = scene.arn("dynamodb", f"table/{scene.pick('table')}")
    document = allowing("dynamodb:GetItem", table)
    yield scene.call(who, "iam", "PutRolePolicy", {**named, "policyName": "data", "policyDocument": document})
    old = {"roleName": f"{stack}-FunctionRole-{scene.hex(12).upper()}"}
    yield scene.call(who, "iam", "DeleteRolePolicy", {**old, "policyName": "data"})
    yield scene.call(who, "iam", "DetachRolePolicy", {**old, "policyArn": basic})
    yield scene.call(who, "iam", "DeleteRole", old)


def _group_of_stack(scene: Scene, who: Who, stack: str) -> Iterator[Record]:
    group = {"groupId": f"sg-0{scene.hex(16)}"}
    yield scene.call(
        who, "ec2", "CreateSecurityGroup",
        {"groupName": f"{stack}-Group-{scene.hex(8)}", "groupDescription": stack, "vpcId": scene.pick("vpc")},
        {"requestId": scene.hex(32), "_return": True, **group},
    )  # fmt: skip
    public = scene.rng.random() < 0.15
    ranges = {"items": [{"cidrIp": "0.0.0.0/0"}]} if public else {}
    peers = {} if public else {"items": [{"groupId": scene.pick("group"), "userId": scene.account}]}
    rule = {"ipProtocol": "tcp", "fromPort": 443, "toPort": 443, "groups": peers, "ipRanges": ranges}
    request = {**group, "ipPermissions": {"items": [{**rule, "ipv6Ranges": {}, "prefixListIds": {}}]}}
    yield scene.call(who, "ec2", "AuthorizeSecurityGroupIngress", request, {"_return": True})
    outward = {"ipProtocol": "-1", "groups": {}, "ipRanges": {"items": [{"cidrIp": "0.0.0.0/0"}]}}
    everything = {**group, "ipPermissions": {"items": [{**outward, "ipv6Ranges": {}, "prefixListIds": {}}]}}
    yield scene.call(who, "ec2", "RevokeSecurityGroupEgress", everything, {"_return": True})
    yield scene.call(who, "ec2", "AuthorizeSecurityGroupEgress", everything, {"_return": True})
    yield scene.call(who, "ec2", "DescribeSecurityGroups", {"securityGroupIdSet": {"items": [group]}})
    old = {"groupId": scene.pick("group")}
    yield scene.call(
        who, "ec2", "DeleteSecurityGroup", old,
        error="Client.DependencyViolation" if scene.rng.random() < 0.3 else "", response={"_return": True},
    )  # fmt: skip


def _bucket_of_stack(scene: Scene, who: Who, stack: str) -> Iterator[Record]:
    bucket = f"{stack}-bucket-{scene.hex(12)}"
    named = {"bucketName": bucket, "Host": f"{bucket}.s3.{scene.region}.amazonaws.com"}
    yield scene.call(who, "s3", "CreateBucket", named)
    encryption = {"Rule": {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}}
    yield scene.call(who, "s3", "PutBucketEncryption", {**named, "ServerSideEncryptionConfiguration": encryption})
    switches = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    closed = {"PublicAccessBlockConfiguration": dict.fromkeys(switches, True), "publicAccessBlock": ""}
    yield scene.call(who, "s3", "PutBucketPublicAccessBlock", {**named, **closed})
    only_tls = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"arn:aws:s3:::{bucket}/*",
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }  # fmt: skip
    yield scene.call(who, "s3", "PutBucketPolicy", {**named, "bucketPolicy": only_tls, "policy": ""})
    rule = {"ID": "old", "Status": "Enabled", "Filter": {"Prefix": ""}, "NoncurrentVersionExpiration": {"Days": 90}}
    configuration = {"LifecycleConfiguration": {"Rule": rule}, "lifecycle": ""}
    yield scene.call(who, "s3", "PutBucketLifecycle", {**named, **configuration})
    versioning = {"VersioningConfiguration": {"Status": "Enabled"}, "versioning": ""}
    yield scene.call(who, "s3", "PutBucketVersioning", {**named, **versioning})


def _function_of_stack(scene: Scene, who: Who, stack: str) -> Iterator[Record]:
    function = f"{stack}-Handler-{scene.hex(12)}"
    named = {"functionName": function}
    role = scene.arn("iam", f"role/{stack}-FunctionRole-{scene.hex(12).upper()}")
    group = {"logGroupName": f"/aws/lambda/{function}"}
    yield scene.call(who, "logs", "CreateLogGroup", group)
    yield scene.call(who, "logs", "PutRetentionPolicy", {**group, "retentionInDays": 90})
    yield scene.call(
        who, "lambda", "CreateFunction20150331",
        {**named, "runtime": "python3.13", "role": role, "handler": "app.handler", "code": {}, "publish": False},
        {**named, "state": "Pending", "role": role},
    )  # fmt: skip
    allowed = {"action": "lambda:InvokeFunction", "principal": "events.amazonaws.com", "sourceAccount": scene.account}
    yield scene.call(who, "lambda", "AddPermission20150331v2", {**named, "statementId": scene.hex(8), **allowed}, {})
    schedule = {"name": f"{stack}-Schedule", "scheduleExpression": "rate(5 minutes)", "state": "ENABLED"}
    yield scene.call(who, "events", "PutRule", schedule, {"ruleArn": scene.arn("events", f"rule/{stack}-Schedule")})
    target = {"id": "target", "arn": scene.arn("lambda", f"function:{function}")}
    yield scene.call(who, "events", "PutTargets", {"rule": f"{stack}-Schedule", "targets": [target]}, {})
    old = f"{stack}-Handler-{scene.hex(12)}"
    yield scene.call(who, "lambda", "DeleteFunction20150331", {"functionName": old})
    yield scene.call(who, "logs", "DeleteLogGroup", {"logGroupName": f"/aws/lambda/{old}"})


def _alarms_of_stack(scene: Scene, who: Who, stack: str) -> Iterator[Record]:
    for name in ("errors", "latency", "queue-age"):
        alarm = {"alarmName": f"{stack}-{name}", "namespace": "AWS/Lambda", "threshold": 1.0, "evaluationPeriods": 3}
        yield scene.call(who, "monitoring", "PutMetricAlarm", alarm)
    if scene.rng.random() < 0.4:
        yield scene.call(who, "monitoring", "DeleteAlarms", {"alarmNames": [f"{stack}-old"]})
    queue = {"queueName": f"{stack}-Queue-{scene.hex(8)}", "attribute": {"SqsManagedSseEnabled": "true"}}
    yield scene.call(who, "sqs", "CreateQueue", queue, {"queueUrl": f"https://sqs.{scene.region}.amazonaws.com/q"})
    topic = scene.arn("sns", f"{stack}-alerts")
    yield scene.call(who, "sns", "CreateTopic", {"name": f"{stack}-alerts"}, {"topicArn": topic})
    there = {"topicArn": topic, "protocol": "sqs", "endpoint": scene.arn("sqs", f"{stack}-Queue")}
    yield scene.call(who, "sns", "Subscribe", there, {"subscriptionArn": f"{topic}:{scene.hex(12)}"})


STACK_PARTS = (_role_of_stack, _group_of_stack, _bucket_of_stack, _function_of_stack, _alarms_of_stack)
