"""Who calls AWS in, the userIdentity, address and user agent of one of its sessions out."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

_BASE32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
BROWSER = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0"
    " Safari/537.36"
)
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
CLI = (
    "aws-cli/2.31.6 md/awscrt#0.27.6 ua/2.1 os/linux#6.8.0-85-generic md/arch#x86_64 lang/python#3.13.7"
    " md/pyimpl#CPython cfg/retry-mode#standard md/prompt#off"
)
TERRAFORM = (
    "APN/1.0 HashiCorp/1.0 Terraform/1.13.3 (+https://www.terraform.io) terraform-provider-aws/6.14.1"
    " aws-sdk-go-v2/1.39.0 ua/2.1 os/linux lang/go#1.24.6"
)
BOTO = "Boto3/1.40.40 md/Botocore#1.40.40 ua/2.1 os/linux#5.10.242 lang/python#3.12.11 exec-env/Lambda"
JAVA = "aws-sdk-java/2.33.9 md/http#NettyNio ua/2.1 os/Linux#6.1.150 lang/java#21.0.8"
NODE = "aws-sdk-js/3.896.0 ua/2.1 os/linux#6.1.150 lang/js md/nodejs#22.19.0"
SSM_AGENT = "aws-sdk-go/1.55.5 (go1.24.6; linux; amd64) amazon-ssm-agent/"


def unique_id(rng: Random, prefix: str, length: int = 21) -> str:
    """An IAM identifier such as AKIA..., AROA..., AIDA... (20 characters for keys, 21 for principals)."""
    return prefix + "".join(rng.choices(_BASE32, k=length - len(prefix)))


@dataclass(frozen=True)
class Actor:
    """A principal.

    Kinds: human, ci, app (roles), user (IAM), root, service, forwarded (a service acting for a role), account
    (another account), federated (before it has a role).
    """

    kind: str
    account: str
    name: str
    session: str
    principal_id: str
    ips: tuple[str, ...]
    agents: tuple[str, ...]
    session_hours: int = 24
    access_key: str | None = None  # a long-lived one; temporary ones are drawn for each session


@dataclass(frozen=True)
class Session:
    """What all records of one session share, as text ready to be put into a record."""

    kind: str
    account: str
    identity: str
    login: str
    caller: str
    ip: str
    agent: str
    tls: bool
    console: bool


@dataclass
class Sessions:
    """Gives an actor's session at a time. The same seed, actor and time give the same session anywhere."""

    seed: int
    _open: dict[tuple[Actor, int], Session] = field(default_factory=dict)

    def at(self, actor: Actor, when: int) -> Session:
        """The session that covers `when` (seconds since 1970)."""
        slot = when // (3600 * actor.session_hours)
        session = self._open.get((actor, slot))
        if session is None:
            rng = Random(f"{self.seed}:{actor.kind}:{actor.principal_id}:{actor.session}:{slot}")
            session = _start(actor, slot * 3600 * actor.session_hours, rng)
            self._open[actor, slot] = session
        return session


def _start(actor: Actor, since: int, rng: Random) -> Session:
    ip, agent = rng.choice(actor.ips), rng.choice(actor.agents)
    identity = _identity(actor, since + rng.randrange(3600), rng)
    hidden = ("accessKeyId", "sessionContext") if actor.kind in ("user", "root") else ("accessKeyId",)
    login = {key: value for key, value in identity.items() if key not in hidden}
    return Session(
        kind=actor.kind,
        account=actor.account,
        identity=json.dumps(identity, separators=(",", ":")),
        login=json.dumps(login, separators=(",", ":")),
        caller=identity.get("arn", actor.principal_id),
        ip=ip,
        agent=agent,
        tls=actor.kind not in ("service", "forwarded") and not agent.startswith("Mozilla"),
        console=agent.startswith("Mozilla"),
    )


def _identity(actor: Actor, created: int, rng: Random) -> dict[str, Any]:
    """The userIdentity element, in the shape CloudTrail gives each kind of caller."""
    account, name = actor.account, actor.name
    match actor.kind:
        case "service":
            return {"type": "AWSService", "invokedBy": name}
        case "account":
            return {
                "type": "AWSAccount",
                "principalId": f"{actor.principal_id}:{actor.session}",
                "accountId": name,
            }
        case "federated":
            provider = "arn:aws:iam::<account>:oidc-provider/token.actions.githubusercontent.com"
            return {
                "type": "WebIdentityUser",
                "principalId": f"{provider.replace('<account>', account)}:sts.amazonaws.com:{actor.session}",
                "userName": actor.session,
                "identityProvider": provider.replace("<account>", account),
            }
        case "root":
            arn = f"arn:aws:iam::{account}:root"
            key = unique_id(rng, "ASIA", 20)
            return {
                "type": "Root",
                "principalId": account,
                "arn": arn,
                "accountId": account,
                "accessKeyId": key,
            }
        case "user":
            attributes = {"creationDate": _moment(created), "mfaAuthenticated": "false"}
            temporary = {} if actor.access_key else {"sessionContext": {"attributes": attributes}}
            return {
                "type": "IAMUser",
                "principalId": actor.principal_id,
                "arn": f"arn:aws:iam::{account}:user/{name}",
                "accountId": account,
                "accessKeyId": actor.access_key or unique_id(rng, "ASIA", 20),
                "userName": name,
                **temporary,
            }
    return _assumed_role(actor, created, rng)


def _moment(when: int) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _assumed_role(actor: Actor, created: int, rng: Random) -> dict[str, Any]:
    account, name = actor.account, actor.name
    path = "aws-reserved/sso.amazonaws.com/" if actor.kind == "human" else ""
    identity: dict[str, Any] = {
        "type": "AssumedRole",
        "principalId": f"{actor.principal_id}:{actor.session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{name}/{actor.session}",
        "accountId": account,
        "accessKeyId": unique_id(rng, "ASIA", 20),
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": actor.principal_id,
                "arn": f"arn:aws:iam::{account}:role/{path}{name}",
                "accountId": account,
                "userName": name,
            },
            "attributes": {"creationDate": _moment(created), "mfaAuthenticated": "false"},
        },
    }
    if actor.session.startswith("i-"):
        identity["sessionContext"]["ec2RoleDelivery"] = "2.0"
    if actor.kind == "forwarded":
        identity["invokedBy"] = actor.ips[0]
    return identity
