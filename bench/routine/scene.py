"""An organisation, a place and a time in; the CloudTrail records of what happens there, one after the other, out."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from bench.routine.company import REGIONS, Company
from trailkeep.demo.actor import unique_id
from trailkeep.demo.world import hexes, uuid

Json = Any
_GLOBAL = frozenset({"iam", "organizations", "route53", "cloudfront", "ce", "support", "signin"})
_READS = (
    "Describe", "Get", "List", "Head", "Lookup", "Filter", "Query", "Search", "Select", "BatchGet", "BatchCheck",
    "Check", "Assume", "Decrypt", "Encrypt", "GenerateDataKey", "Simulate", "Scan", "GenerateCredentialReport",
)  # fmt: skip


@dataclass(frozen=True)
class Who:
    """A caller: its userIdentity, address and user agent. `tls`: it speaks to AWS itself."""

    identity: dict[str, Json]
    ip: str
    agent: str
    tls: bool = True
    console: bool = False
    endpoint: str | None = None

    def through(self, service: str) -> "Who":
        """What a service does in this caller's name (forward access sessions)."""
        host = f"{service}.amazonaws.com"
        return Who({**self.identity, "invokedBy": host}, host, host, tls=False)


@dataclass(frozen=True)
class Record:
    """One record of CloudTrail, at `when` (seconds since 1970)."""

    when: int
    account: str
    region: str
    text: str


@dataclass
class Scene:
    """One happening in one account; each call comes a moment after the one before it."""

    rng: Random
    company: Company
    account: str
    now: float
    region: str = REGIONS[0]
    pace: float = 1.0  # mean seconds between two calls
    _ids: dict[str, str] = field(default_factory=dict)

    def pick(self, pool: str) -> str:
        """A name or id of this account's resources."""
        return self.rng.choice(self.company.pools[self.account][pool])

    def arn(self, service: str, resource: str) -> str:
        """The ARN of a resource of this account."""
        region = "" if service in ("iam", "s3") else self.region
        account = "" if service == "s3" else self.account
        return f"arn:aws:{service}:{region}:{account}:{resource}"

    def hex(self, length: int = 17) -> str:
        """Random hexadecimal digits."""
        return hexes(self.rng, length)

    def call(
        self, who: Who, service: str, name: str, request: Json = None, response: Json = None, *, error: str = "",
        message: str = "", resources: Json = None, additional: Json = None, data: bool = False,
        event_type: str = "AwsApiCall", **top: Json,
    ) -> Record:  # fmt: skip
        """A record as CloudTrail writes it (event version 1.11)."""
        self.now += self.rng.expovariate(1 / self.pace)
        region = "us-east-1" if service in _GLOBAL else self.region
        record: dict[str, Json] = {
            "eventVersion": "1.11",
            "userIdentity": who.identity,
            "eventTime": datetime.fromtimestamp(int(self.now), UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": f"{service}.amazonaws.com",
            "eventName": name,
            "awsRegion": region,
            "sourceIPAddress": who.ip,
            "userAgent": who.agent,
        }
        if error:
            record["errorCode"] = error
        if error or message:
            record["errorMessage"] = message or self._refusal(who, service, name, error)
        record |= {"requestParameters": request, "responseElements": None if error else response}
        if additional is not None:
            record["additionalEventData"] = additional
        if event_type == "AwsApiCall":
            record["requestID"] = hexes(self.rng, 16).upper() if service == "s3" else uuid(self.rng)
        record |= {"eventID": uuid(self.rng), "readOnly": name.startswith(_READS)}
        if resources is not None:
            record["resources"] = resources
        record |= {"eventType": event_type, "managementEvent": not data, "recipientAccountId": self.account}
        if who.endpoint:
            record |= {"vpcEndpointId": who.endpoint, "vpcEndpointAccountId": self.account}
        record |= {**top, "eventCategory": "Data" if data else "Management"}
        if who.tls:
            record["tlsDetails"] = {
                "tlsVersion": "TLSv1.3",
                "cipherSuite": "TLS_AES_128_GCM_SHA256",
                "clientProvidedHostHeader": f"{service}.{region}.amazonaws.com",
            }
        if who.console:
            record["sessionCredentialFromConsole"] = "true"
        return Record(int(self.now), self.account, region, json.dumps(record, separators=(",", ":")))

    def _refusal(self, who: Who, service: str, name: str, error: str) -> str:
        if "Denied" not in error and "Unauthorized" not in error:
            return {"ThrottlingException": "Rate exceeded"}.get(error, f"{name} failed: {error}")
        return (
            f"User: {who.identity.get('arn', 'unknown')} is not authorized to perform: {service}:{name} because no"
            f" identity-based policy allows the {service}:{name} action"
        )

    def role(self, name: str, session: str, ip: str, agent: str, *, path: str = "", invoked_by: str = "",
             mfa: bool = False, web: str = "", age: int = 1800, instance: bool = False) -> Who:  # fmt: skip
        """A session of a role of this account. `web`: the OIDC provider that it came by."""
        principal = self._id(f"AROA:{name}", "AROA", 21)
        created = datetime.fromtimestamp(int(self.now) - self.rng.randrange(age), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        context: dict[str, Json] = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal,
                "arn": f"arn:aws:iam::{self.account}:role/{path}{name}",
                "accountId": self.account,
                "userName": name,
            },
            "attributes": {"creationDate": created, "mfaAuthenticated": str(mfa).lower()},
        }
        if web:
            context["webIdFederationData"] = {"federatedProvider": web, "attributes": {}}
        if instance:
            context["ec2RoleDelivery"] = "2.0"
        identity = {
            "type": "AssumedRole",
            "principalId": f"{principal}:{session}",
            "arn": f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}",
            "accountId": self.account,
            "accessKeyId": self._id(f"ASIA:{name}:{session}:{int(self.now) // 3600}", "ASIA", 20),
            "sessionContext": context,
        }
        if invoked_by:
            host = f"{invoked_by}.amazonaws.com"
            return Who({**identity, "invokedBy": host}, host, host, tls=False)
        return Who(identity, ip, agent)

    def service_role(self, name: str, service: str, session: str = "") -> Who:
        """A session of a service-linked role, used by its service."""
        path = f"aws-service-role/{service}.amazonaws.com/"
        return self.role(name, session or service, "", "", path=path, invoked_by=service)

    def aws(self, service: str) -> Who:
        """A service in its own name."""
        host = f"{service}.amazonaws.com"
        return Who({"type": "AWSService", "invokedBy": host}, host, host, tls=False)

    def assumed(self, who: Who, role: str, session: str) -> Record:
        """sts:AssumeRole of a role of this account, answered with credentials."""
        arn = f"arn:aws:iam::{self.account}:role/{role}"
        request = {"roleArn": arn, "roleSessionName": session, "durationSeconds": 3600}
        resources = [{"accountId": self.account, "type": "AWS::IAM::Role", "ARN": arn}]
        answer = self.credentials(role, session)
        return self.call(who, "sts", "AssumeRole", request, answer, resources=resources, sharedEventID=uuid(self.rng))

    def credentials(self, role: str, session: str) -> Json:
        """The answer of the AssumeRole calls."""
        name = role.rsplit("/", 1)[-1]
        until = datetime.fromtimestamp(int(self.now) + 3600, UTC).strftime("%b %d, %Y, %I:%M:%S %p")
        return {
            "credentials": {
                "accessKeyId": unique_id(self.rng, "ASIA", 20),
                "sessionToken": "IQoJb3JpZ2luX2Vj" + self.hex(64),
                "expiration": until,
            },
            "assumedRoleUser": {
                "assumedRoleId": f"{self._id(f'AROA:{name}', 'AROA', 21)}:{session}",
                "arn": f"arn:aws:sts::{self.account}:assumed-role/{name}/{session}",
            },
        }

    def _id(self, of: str, prefix: str, length: int) -> str:
        return unique_id(Random(f"{self.company.seed}:{self.account}:{of}"), prefix, length)


Activity = Callable[[Scene], Iterator[Record]]


@dataclass(frozen=True)
class Habit:
    """An activity and how often it happens: times a day where there are 100,000 events a day."""

    activity: Activity
    daily: float
    working_hours: bool = False
    accounts: tuple[str, ...] = ()  # all of them unless named
