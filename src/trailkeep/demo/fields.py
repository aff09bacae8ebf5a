"""Pools, a session and a time in, the values a template asks for out, drawn on first use."""

import base64
import time
from collections.abc import Callable
from random import Random

from trailkeep.demo.actor import Session, unique_id
from trailkeep.demo.template import Template
from trailkeep.demo.world import Pools, hexes, uuid

_VERSIONS = ("1.11", "1.11", "1.11", "1.10", "1.09", "1.08")
_TYPES = ("t3.micro", "t3.large", "m7i.large", "c7g.xlarge", "r6i.2xlarge")
_S3_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


class Fields(dict[str, str]):
    """The values of one record. What the caller sets stands; the rest is drawn from the account's pools."""

    __slots__ = ("_pools", "_rng", "session", "when")

    def __init__(self, rng: Random, pools: Pools, session: Session, when: int, account: str, region: str) -> None:
        super().__init__(
            account=account,
            region=region,
            identity=session.identity,
            login=session.login,
            caller=session.caller,
            ip=session.ip,
            agent=session.agent,
        )
        self._rng, self._pools, self.session, self.when = rng, pools, session, when

    def __missing__(self, name: str) -> str:
        pool = self._pools.get(name)
        value = _DRAW[name](self._rng, self) if pool is None else pool[int(self._rng.random() * len(pool))]
        self[name] = value
        return value


def record(template: Template, fields: Fields, failure: int | None = None) -> str:
    """One CloudTrail record as compact JSON: the call done, or its n-th way to fail."""
    fields["host"] = f"{template.service}.{fields['region']}.amazonaws.com"
    return (template.success if failure is None else template.errors[failure]) % fields


def iso(when: int) -> str:
    """2026-11-17T02:41:07Z, as CloudTrail writes times."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def _plain(when: int) -> str:
    """Nov 17, 2026, 2:41:07 AM, as CloudTrail writes times inside responseElements."""
    moment = time.gmtime(when)
    return time.strftime("%b %d, %Y, ", moment) + time.strftime("%I:%M:%S %p", moment).lstrip("0")


def _noise(rng: Random, size: int) -> str:
    return base64.b64encode(rng.randbytes(size)).decode()


def _s3_request_id(rng: Random) -> str:
    bits = rng.getrandbits(80)
    return "".join([_S3_ALPHABET[bits >> shift & 31] for shift in range(0, 80, 5)])


def _tail(rng: Random, fields: Fields) -> str:
    """What ends a record, depending on the caller: shared event, console session, TLS details."""
    session = fields.session
    parts = []
    if session.kind in ("service", "account"):
        parts.append(f',"sharedEventID":"{uuid(rng)}"')
    if session.console:
        parts.append(',"sessionCredentialFromConsole":"true"')
    if session.tls:
        parts.append(
            ',"tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"'
            + fields["host"]
            + '"}'
        )
    return "".join(parts)


_Draw = Callable[[Random, Fields], str]
_DRAW: dict[str, _Draw] = {
    "tail": _tail,
    "time": lambda rng, fields: iso(fields.when),
    "version": lambda rng, fields: _VERSIONS[int(rng.random() * 6)],
    "event_id": lambda rng, fields: uuid(rng),
    "request_id": lambda rng, fields: uuid(rng),
    "uuid": lambda rng, fields: uuid(rng),
    "s3_id": lambda rng, fields: _s3_request_id(rng),
    "id2": lambda rng, fields: _noise(rng, 57),
    "token": lambda rng, fields: "IQoJb3JpZ2luX2Vj" + _noise(rng, 96),
    "cipher_text": lambda rng, fields: _noise(rng, 120),
    "new_key": lambda rng, fields: unique_id(rng, "ASIA", 20),
    "long_key": lambda rng, fields: unique_id(rng, "AKIA", 20),
    "role_id": lambda rng, fields: unique_id(rng, "AROA"),
    "user_id": lambda rng, fields: unique_id(rng, "AIDA"),
    "policy_id": lambda rng, fields: unique_id(rng, "ANPA"),
    "session_name": lambda rng, fields: f"{rng.randrange(10**15, 10**16)}",
    "expiration": lambda rng, fields: _plain(fields.when + 3600),
    "now": lambda rng, fields: _plain(fields.when),
    "now_ms": lambda rng, fields: f"{fields.when * 1000}",
    "today": lambda rng, fields: time.strftime("%Y/%m/%d", time.gmtime(fields.when)),
    "bytes_in": lambda rng, fields: f"{int(rng.paretovariate(0.8) * 900)}.0",
    "bytes_out": lambda rng, fields: f"{int(rng.paretovariate(0.8) * 2400)}.0",
    "small": lambda rng, fields: f"{1 + int(rng.random() * 200)}",
    "run": lambda rng, fields: f"{rng.randrange(10**9, 10**10)}",
    "hex8": lambda rng, fields: hexes(rng, 8),
    "hex17": lambda rng, fields: hexes(rng, 17),
    "hex17b": lambda rng, fields: hexes(rng, 17),
    "hex32": lambda rng, fields: hexes(rng, 32),
    "sha256": lambda rng, fields: hexes(rng, 64),
    "type": lambda rng, fields: _TYPES[int(rng.random() * 5)],
    "private": lambda rng, fields: f"10.20.{1 + int(rng.random() * 5)}.{10 + int(rng.random() * 240)}",
    "log_group": lambda rng, fields: f"/aws/lambda/{fields['function']}",
}
