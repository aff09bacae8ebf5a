"""A count and the event names of a data set in, that many Sigma rules over CloudTrail out, as YAML texts.

95 of 100 rules name an event, chosen by how often it occurs, and add one or two conditions of the kinds that
public rules use; the rest name none, so they have to meet every event. Most conditions look for what the
generator does not write, as real rules mostly meet innocent events.
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from uuid import UUID

import yaml

from trailkeep.demo.templates import TEMPLATES

_Selection = dict[str, Any]
_Detection = dict[str, Any]
_Condition = Callable[[Random], _Selection]
_TOOLS = ("kali", "parrot", "pacu", "scoutsuite", "cloudfox", "stratus-red-team", "prowler", "enumerate-iam")
_ERRORS = ("AccessDenied", "Client.UnauthorizedOperation", "UnauthorizedOperation", "InvalidClientTokenId")
_NETWORKS = ("192.0.2.248/29", "198.51.100.240/28", "203.0.113.212/30", "10.99.0.0/16", "2001:db8:bad::/48")
_KINDS = ("Root", "FederatedUser", "IAMUser", "SAMLUser", "Unknown")
_WORDS = (
    "payroll",
    "backdoor",
    "0.0.0.0/0",
    "AdministratorAccess",
    "xmrig",
    "tmp-exfil",
    "::/0",
    "999988887777",
)
_LEVELS = ("informational", "low", "medium", "high", "critical")
_TACTICS = (
    "initial-access",
    "persistence",
    "privilege-escalation",
    "stealth",
    "credential-access",
    "exfiltration",
)


def generate_rules(count: int, weights: Mapping[str, int], seed: int = 11) -> list[str]:
    """`count` rules; `weights` gives how often the data holds each event name."""
    rng = Random(seed)
    names, shares = list(weights), list(weights.values())
    plain = {index for index in range(count) if index % 20 == 19}
    chosen = iter(rng.choices(names, shares, k=count))
    return [_rule(rng, index, None if index in plain else next(chosen)) for index in range(count)]


def _rule(rng: Random, index: int, event_name: str | None) -> str:
    """One rule on `event_name`, or on no event name."""
    detection = _unnamed(rng) if event_name is None else _named(rng, event_name)
    rule = {
        "title": f"Benchmark {index:04d}: {event_name or 'any event'}",
        "id": str(UUID(int=rng.getrandbits(128), version=4)),
        "status": "test",
        "description": f"Looks for a suspicious {event_name or 'call'} as public rules do.",
        "author": "Trailkeep benchmark",
        "date": "2026-11-01",
        "tags": [f"attack.{rng.choice(_TACTICS)}"],
        "logsource": {"product": "aws", "service": "cloudtrail"},
        "detection": detection,
        "falsepositives": ["Administrators at work"],
        "level": rng.choice(_LEVELS),
    }
    return yaml.safe_dump(rule, sort_keys=False)


def _named(rng: Random, event_name: str) -> _Detection:
    template = next(one for one in TEMPLATES if one.name == event_name)
    selection: _Selection = {"eventSource": template.source, "eventName": event_name}
    parameters = list(template.request) if isinstance(template.request, Mapping) else []
    conditions: list[_Condition] = [_identity, _error, _network, _agent, _anywhere_in_request, _response]
    if parameters:
        conditions.append(lambda rng: {f"requestParameters.{rng.choice(parameters)}|contains": _word(rng)})
    first, second = rng.sample(conditions, 2)
    match rng.randrange(5):
        case 0:
            return {"selection": selection | first(rng), "condition": "selection"}
        case 1:
            return {"selection": selection | first(rng) | second(rng), "condition": "selection"}
        case 2:
            parts = {"selection_event": selection, "selection_how": first(rng) | second(rng)}
            return {**parts, "condition": "all of selection_*"}
        case 3:
            one, other = selection | first(rng), selection | second(rng)
            return {"selection_one": one, "selection_other": other, "condition": "1 of selection_*"}
    return {
        "selection": selection | first(rng),
        "filter_ci": {"userIdentity.arn|contains": "deployer"},
        "filter_aws": {"userIdentity.invokedBy|endswith": ".amazonaws.com"},
        "condition": "selection and not 1 of filter_*",
    }


def _unnamed(rng: Random) -> _Detection:
    match rng.randrange(4):
        case 0:
            return {"selection": _agent(rng), "condition": "selection"}
        case 1:
            both = {"errorCode|startswith": rng.choice(_ERRORS), "userIdentity.type": "Root"}
            return {"selection": both, "condition": "selection"}
        case 2:
            return {"selection": _network(rng), "filter": {"userIdentity.type": "AWSService"},
                    "condition": "selection and not filter"}  # fmt: skip
    return {
        "keywords": rng.sample(("xmrig", "metasploit", "pacu-session", "reverse-shell"), 2),
        "condition": "keywords",
    }


def _identity(rng: Random) -> _Selection:
    return {"userIdentity.type": "Root"} | ({"userAgent|contains": rng.choice(_TOOLS)} if rng.random() < 0.5 else {})


def _error(rng: Random) -> _Selection:
    return {"errorCode|startswith": rng.choice(_ERRORS), "userIdentity.type": rng.choice(_KINDS)}


def _network(rng: Random) -> _Selection:
    return {"sourceIPAddress|cidr": rng.choice(_NETWORKS)}


def _agent(rng: Random) -> _Selection:
    return {"userAgent|contains": rng.sample(_TOOLS, rng.randrange(1, 4))}


def _anywhere_in_request(rng: Random) -> _Selection:
    return {"requestParameters|contains": _word(rng)}


def _response(rng: Random) -> _Selection:
    field = rng.choice(("responseElements|contains", "responseElements.publiclyAccessible", "errorMessage|contains"))
    return {field: True if field.endswith("Accessible") else _word(rng)}


def _word(rng: Random) -> str:
    return rng.choice(_WORDS)
