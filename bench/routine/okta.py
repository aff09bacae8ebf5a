"""A company and a day in, events of its Okta System Log out: sign-ins, factors, applications, the directory."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random

from bench.routine.company import Company
from trailkeep.demo.actor import BROWSER
from trailkeep.demo.world import hexes, uuid

# (weight, event type, result, reason, who acts)
_EVENTS = (
    (300, "user.authentication.sso", "SUCCESS", None, "user"),
    (120, "user.session.start", "SUCCESS", None, "user"),
    (120, "user.authentication.auth_via_mfa", "SUCCESS", None, "user"),
    (120, "policy.evaluate_sign_on", "ALLOW", "Sign-on policy evaluation resulted in ALLOW", "user"),
    (40, "user.authentication.verify", "SUCCESS", None, "user"),
    (40, "user.session.end", "SUCCESS", None, "user"),
    (10, "user.session.start", "FAILURE", "INVALID_CREDENTIALS", "user"),
    (6, "user.authentication.auth_via_mfa", "FAILURE", "INVALID_CREDENTIALS", "user"),
    (2, "user.account.lock", "SUCCESS", None, "system"),
    (60, "app.oauth2.token.grant.access_token", "SUCCESS", None, "client"),
    (30, "application.user_membership.add", "SUCCESS", None, "system"),
    (30, "group.user_membership.add", "SUCCESS", None, "system"),
    (6, "user.lifecycle.create", "SUCCESS", None, "system"),
    (4, "user.lifecycle.deactivate", "SUCCESS", None, "system"),
    (4, "user.account.reset_password", "SUCCESS", None, "user"),
    (3, "user.mfa.factor.activate", "SUCCESS", None, "user"),
    (1, "user.session.access_admin_app", "SUCCESS", None, "user"),
)
_ACTORS = {"system": ("SystemPrincipal", "system@okta.com"), "client": ("PublicClientApp", "orders-portal")}


def system_log(company: Company, midnight: int, count: int, rng: Random) -> Iterator[str]:
    """`count` events of a day."""
    for _ in range(count):
        when = datetime.fromtimestamp(midnight + rng.randrange(86_400), UTC)
        _, event, result, reason, actor = rng.choices(_EVENTS, [each[0] for each in _EVENTS])[0]
        person = rng.choice(company.people)
        kind, name = _ACTORS.get(actor, ("User", person))
        uid = f"00u{company.people.index(person):017d}"
        record = {
            "actor": {"id": uid, "type": kind, "alternateId": name, "displayName": name, "detailEntry": None},
            "client": {
                "userAgent": {"rawUserAgent": BROWSER, "os": "Mac OS X", "browser": "CHROME"}, "zone": "null",
                "device": "Computer", "id": None, "ipAddress": company.home_of(person),
                "geographicalContext": {"city": "Lyon", "country": "France"},
            },
            "authenticationContext": {"authenticationStep": 0, "externalSessionId": f"102{hexes(rng, 20)}"},
            "displayMessage": event, "eventType": event, "outcome": {"result": result, "reason": reason},
            "published": f"{when:%Y-%m-%dT%H:%M:%S}.{rng.randrange(1000):03d}Z", "severity": "INFO", "version": "0",
            "securityContext": {"asNumber": 64500, "asOrg": "example transit", "isProxy": False},
            "debugContext": {"debugData": {"requestId": hexes(rng, 22), "threatSuspected": "false"}},
            "transaction": {"type": "WEB", "id": hexes(rng, 22), "detail": {}}, "uuid": uuid(rng),
            "request": {"ipChain": []},
            "target": [{"id": uid, "type": "User", "alternateId": person, "displayName": person}],
        }  # fmt: skip
        yield json.dumps(record, separators=(",", ":"))
