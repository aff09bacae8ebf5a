"""Nothing in, templates of CloudTrail events out: S3, KMS, secrets, parameters, logs, tables, images."""

from collections.abc import Mapping

from trailkeep.demo.template import Json, Template

_HOST = "<bucket>.s3.<region>.amazonaws.com"
_BUCKET = {"accountId": "<account>", "type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::<bucket>"}
_OBJECT = {"type": "AWS::S3::Object", "ARN": "arn:aws:s3:::<bucket>/<object>"}
_TRANSFER = {
    "SignatureVersion": "SigV4",
    "CipherSuite": "TLS_AES_128_GCM_SHA256",
    "bytesTransferredIn": "<#bytes_in>",
    "AuthenticationMethod": "AuthHeader",
    "x-amz-id-2": "<id2>",
    "bytesTransferredOut": "<#bytes_out>",
}
_DENIED = (
    "User: <caller> is not authorized to perform: s3:GetObject on resource: 'arn:aws:s3:::<bucket>/<object>'"
    " because no identity-based policy allows the s3:GetObject action"
)
_NO_KEY = (("NoSuchKey", "The specified key does not exist."), ("AccessDenied", _DENIED))
_KEY_ARN = "arn:aws:kms:<region>:<account>:key/<kms_key>"
_KEY = [{"accountId": "<account>", "type": "AWS::KMS::Key", "ARN": _KEY_ARN}]
_SECRET_ARN = "arn:aws:secretsmanager:<region>:<account>:secret:<secret>"
_CONTEXT = {"aws:s3:arn": "arn:aws:s3:::<bucket>/<object>"}


def _object(name: str, weight: float, actors: str, **more: Json) -> Template:
    """An S3 data event on one object."""
    request = {"bucketName": "<bucket>", "Host": _HOST, "key": "<object>", **more}
    response = {"x-amz-server-side-encryption": "AES256"} if name.startswith(("Put", "Upload")) else None
    failures = _NO_KEY if name in ("GetObject", "HeadObject") else ()
    return Template(
        "s3",
        name,
        weight,
        actors,
        request,
        response,
        [_OBJECT, _BUCKET],
        _TRANSFER,
        category="Data",
        failures=failures,
    )


def _bucket(name: str, weight: float, actors: str, request: Mapping[str, Json], sensitive: bool = False) -> Template:
    """An S3 management event on one bucket."""
    request = {"bucketName": "<bucket>", "Host": _HOST, **request}
    return Template("s3", name, weight, actors, request, None, [_BUCKET], _TRANSFER, sensitive=sensitive)


def _kms(name: str, weight: float, actors: str, request: Json, sensitive: bool = False) -> Template:
    return Template("kms", name, weight, actors, request, None, _KEY, sensitive=sensitive)


_SHARED_READ: Json = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::<peer>:root"},
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::<bucket>/*",
        }
    ],
}
_EXPIRE: Json = {
    "xmlns": "http://s3.amazonaws.com/doc/2006-03-01/",
    "Rule": {"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}},
}
_NO_BLOCK: Json = {
    "BlockPublicAcls": True,
    "BlockPublicPolicy": False,
    "IgnorePublicAcls": True,
    "RestrictPublicBuckets": False,
}

TEMPLATES = (
    _object("GetObject", 76, "app app forwarded forwarded service service account human ci"),
    _object("PutObject", 42, "app service service forwarded ci", **{"x-amz-acl": "bucket-owner-full-control"}),
    _object("HeadObject", 13, "app ci"),
    _object("DeleteObject", 7, "app ci"),
    _object("CopyObject", 4, "app", **{"x-amz-copy-source": "<bucket>/<object>"}),
    _object("UploadPart", 6, "app", partNumber="<small>", uploadId="<id2>"),
    _object("CompleteMultipartUpload", 3, "app", uploadId="<id2>"),
    _bucket("ListObjects", 9, "app human ci", {"prefix": "exports/", "max-keys": "1000", "encoding-type": "url"}),
    _bucket("GetBucketAcl", 12, "service service app", {"acl": ""}),
    _bucket("GetBucketLocation", 6, "human ci app", {"location": ""}),
    _bucket("GetBucketPolicy", 4, "ci human", {"policy": ""}),
    _bucket("GetBucketVersioning", 2, "ci service", {"versioning": ""}),
    _bucket("GetBucketPublicAccessBlock", 3, "ci service", {"publicAccessBlock": ""}),
    _bucket("CreateBucket", 0.2, "ci", {"CreateBucketConfiguration": {"LocationConstraint": "<region>"}}),
    _bucket("PutBucketPolicy", 0.2, "ci", {"policy": "", "bucketPolicy": _SHARED_READ}, True),
    _bucket("DeleteBucketPolicy", 0.05, "ci human", {"policy": ""}, True),
    _bucket("PutBucketLifecycle", 0.1, "ci", {"lifecycle": "", "LifecycleConfiguration": _EXPIRE}, True),
    _bucket(
        "PutBucketPublicAccessBlock",
        0.1,
        "ci human",
        {"publicAccessBlock": "", "PublicAccessBlockConfiguration": _NO_BLOCK},
        True,
    ),
    Template("s3", "ListBuckets", 3, "human ci app", {"Host": "s3.<region>.amazonaws.com"}, None, None, _TRANSFER),
    Template(
        "s3",
        "PutObject",
        1,
        "account",
        {"bucketName": "<bucket>", "Host": _HOST, "key": "<object>"},
        None,
        [_OBJECT, _BUCKET],
        top={"vpcEndpointId": "<endpoint>", "vpcEndpointAccountId": "<account>"},
        category="NetworkActivity",
        event_type="AwsVpceEvent",
        failures=(("VpceAccessDenied", "The request was denied due to a VPC endpoint policy"),),
    ),
    Template(
        "kms",
        "Decrypt",
        165,
        "app forwarded service service service",
        {"encryptionContext": _CONTEXT, "keyId": _KEY_ARN, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"},
        None,
        _KEY,
    ),
    Template(
        "kms",
        "GenerateDataKey",
        95,
        "forwarded service service service app",
        {"keyId": _KEY_ARN, "keySpec": "AES_256", "encryptionContext": _CONTEXT},
        None,
        _KEY,
    ),
    _kms("Encrypt", 12, "app ci", {"keyId": _KEY_ARN, "encryptionAlgorithm": "SYMMETRIC_DEFAULT"}),
    _kms("DescribeKey", 8, "ci service human", {"keyId": _KEY_ARN}),
    _kms(
        "CreateGrant",
        3,
        "forwarded",
        {
            "granteePrincipal": "fas.<region>.amazonaws.com",
            "operations": ["Decrypt", "GenerateDataKey", "RetireGrant"],
            "keyId": _KEY_ARN,
            "constraints": {"encryptionContextSubset": {"aws:ebs:id": "<volume>"}},
        },
    ),
    _kms("DisableKey", 0.05, "human", {"keyId": _KEY_ARN}, True),
    _kms("ScheduleKeyDeletion", 0.05, "human ci", {"keyId": _KEY_ARN, "pendingWindowInDays": 7}, True),
    Template(
        "kms",
        "RotateKey",
        0.3,
        "service",
        None,
        None,
        _KEY,
        event_type="AwsServiceEvent",
        top={"serviceEventDetails": {"keyId": "<kms_key>", "rotationType": "AUTOMATIC"}},
    ),
    Template("kms", "ListAliases", 3, "human ci", {"limit": 100}),
    Template("secretsmanager", "GetSecretValue", 9, "app app ci", {"secretId": _SECRET_ARN}),
    Template("secretsmanager", "DescribeSecret", 2, "ci", {"secretId": _SECRET_ARN}),
    Template("secretsmanager", "ListSecrets", 0.5, "human ci", {"maxResults": 50, "includePlannedDeletion": False}),
    Template(
        "ssm",
        "GetParameter",
        20,
        "app ci",
        {"name": "<parameter>", "withDecryption": True},
        None,
        [{"accountId": "<account>", "ARN": "arn:aws:ssm:<region>:<account>:parameter<parameter>"}],
    ),
    Template("ssm", "GetParametersByPath", 3, "app", {"path": "/prod/", "recursive": True, "withDecryption": True}),
    Template(
        "ssm",
        "UpdateInstanceInformation",
        12,
        "app",
        {
            "instanceId": "<instance>",
            "agentVersion": "3.3.2958.0",
            "agentStatus": "Active",
            "platformType": "Linux",
            "platformName": "Amazon Linux",
            "platformVersion": "2023",
            "iPAddress": "<private>",
            "computerName": "ip-<hex8>.ec2.internal",
            "agentName": "amazon-ssm-agent",
            "availabilityZone": "<region>a",
            "availabilityZoneId": "use1-az4",
            "sSMConnectionChannel": "ssmmessages",
        },
    ),
    Template("ssm", "DescribeInstanceInformation", 3, "human ci", {"maxResults": 50}),
    Template(
        "ssm",
        "PutParameter",
        0.3,
        "ci",
        {
            "name": "<parameter>",
            "type": "SecureString",
            "overwrite": True,
            "value": "HIDDEN_DUE_TO_SECURITY_REASONS",
        },
        {"version": "<#small>", "tier": "Standard"},
    ),
    Template(
        "ssm",
        "SendCommand",
        0.1,
        "ci human",
        {
            "documentName": "AWS-RunShellScript",
            "instanceIds": ["<instance>"],
            "parameters": "HIDDEN_DUE_TO_SECURITY_REASONS",
            "timeoutSeconds": 600,
            "interactive": False,
        },
        {
            "command": {
                "commandId": "<uuid>",
                "documentName": "AWS-RunShellScript",
                "status": "Pending",
                "requestedDateTime": "<now>",
                "instanceIds": ["<instance>"],
            }
        },
        sensitive=True,
    ),
    Template(
        "logs",
        "CreateLogStream",
        60,
        "app forwarded service",
        {"logGroupName": "<log_group>", "logStreamName": "<today>/[$LATEST]<hex32>"},
    ),
    Template("logs", "CreateLogGroup", 1, "app ci", {"logGroupName": "<log_group>"}),
    Template("logs", "DescribeLogGroups", 5, "human ci", {"logGroupNamePrefix": "/aws/lambda", "limit": 50}),
    Template("logs", "DescribeLogStreams", 3, "human", {"logGroupName": "<log_group>", "orderBy": "LastEventTime"}),
    Template("logs", "FilterLogEvents", 1, "human", {"logGroupName": "<log_group>", "startTime": "<#now_ms>"}),
    Template("logs", "PutRetentionPolicy", 0.3, "ci", {"logGroupName": "<log_group>", "retentionInDays": 90}),
    Template("logs", "DeleteLogGroup", 0.05, "ci human", {"logGroupName": "<log_group>"}, sensitive=True),
    Template("dynamodb", "DescribeTable", 4, "app ci", {"tableName": "<table>"}),
    Template(
        "dynamodb",
        "GetItem",
        6,
        "app",
        {"tableName": "<table>", "key": {"pk": "HIDDEN_DUE_TO_SECURITY_REASONS"}, "consistentRead": False},
        None,
        [
            {
                "accountId": "<account>",
                "type": "AWS::DynamoDB::Table",
                "ARN": "arn:aws:dynamodb:<region>:<account>:table/<table>",
            }
        ],
        category="Data",
    ),
    Template("glue", "GetTable", 4, "app human", {"databaseName": "analytics", "name": "<table>"}),
    Template(
        "athena",
        "StartQueryExecution",
        1,
        "app human",
        {
            "queryString": "HIDDEN_DUE_TO_SECURITY_REASONS",
            "clientRequestToken": "<uuid>",
            "workGroup": "primary",
            "resultConfiguration": {"outputLocation": "s3://<bucket>/athena/"},
        },
        {"queryExecutionId": "<request_id>"},
    ),
    Template("ecr", "GetAuthorizationToken", 6, "app ci", {}),
    Template(
        "ecr",
        "BatchGetImage",
        8,
        "app",
        {
            "registryId": "<account>",
            "repositoryName": "<repository>",
            "imageIds": [{"imageTag": "release-<hex8>"}],
            "acceptedMediaTypes": [
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.oci.image.manifest.v1+json",
            ],
        },
        {
            "images": [
                {
                    "registryId": "<account>",
                    "repositoryName": "<repository>",
                    "imageId": {"imageDigest": "sha256:<sha256>", "imageTag": "release-<hex8>"},
                }
            ],
            "failures": [],
        },
        [{"accountId": "<account>", "ARN": "arn:aws:ecr:<region>:<account>:repository/<repository>"}],
    ),
    Template(
        "ecr",
        "GetDownloadUrlForLayer",
        8,
        "app",
        {"registryId": "<account>", "repositoryName": "<repository>", "layerDigest": "sha256:<sha256>"},
        None,
        [{"accountId": "<account>", "ARN": "arn:aws:ecr:<region>:<account>:repository/<repository>"}],
    ),
)
