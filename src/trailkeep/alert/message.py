"""Alerts and the texts of their rules in, a message that a person can read out: who, what, when, where, what next.

It holds a few chosen facts, never a record. Everything in it that came from a log is cleaned: one line, printable,
short, and what looks like a secret is masked.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Select, func, select

from trailkeep.core.levels import LEVELS
from trailkeep.geo.places import Places
from trailkeep.store.database import utc
from trailkeep.store.tables import alert_events, alerts

Kind = Literal["new", "more", "grown", "escalation", "summary", "closed", "heartbeat", "test"]

_LEADS = {"escalation": "Nobody has acknowledged: ", "closed": "Closed: ", "more": "More: ", "grown": "Update: "}
_SHOWN, _COUNTED = 5, 100  # values of a fact
_LISTED = 10  # other alerts
_LONGEST = 300
_KINDS = {"principal": "Who", "address": "From", "account": "Account", "destination": "To", "resource": "On"}
_SPACE = re.compile(r"\s+")
_LINE_GOES_ON = re.compile(r"\n[ \t]+")
_SECRETS = re.compile(
    r"eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?"  # JSON Web Token
    r"|\b(?:xox[a-z]-|gh[pousr]_|github_pat_|glpat-|sk_live_|whsec_|AIza)[\w-]{10,}"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"  # user and password in an address
    r"|(?i:(?<=password=)|(?<=passwd=)|(?<=secret=)|(?<=token=)|(?<=signature=))[^\s&]+"
    r"|(?<![\w/+=-])(?=[\w/+]*[a-z])(?=[\w/+]*[A-Z])(?=[\w/+]*\d)[A-Za-z0-9/+]{40}(?![\w/+=-])"  # AWS secret key
)


class About(Protocol):
    """What a rule says to people."""

    @property
    def description(self) -> str: ...
    @property
    def runbook(self) -> str: ...
    @property
    def tags(self) -> tuple[str, ...]: ...


class Message(BaseModel):
    """One thing that people are told. `thread` is the same for all that is told of one group of alerts."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    thread: str
    alerts: tuple[int, ...] = ()
    level: str = "informational"
    title: str
    rule: str | None = None
    tags: tuple[str, ...] = ()
    subject: str | None = None
    subject_kind: str | None = None
    time: datetime
    """Of the last event; of a message that is about no alert, when it was made."""
    accounts: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    description: str = ""
    steps: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    """The other alerts that it is about, a line each, as many as a person reads."""
    other_count: int = 0
    link: str | None = None
    drill: str | None = None
    """The drill that wrote the log which it is about."""

    @property
    def headline(self) -> str:
        """Level and title, and what makes this message another one than the first."""
        lead = _LEADS.get(self.kind, "")
        tail = f" (and {self.other_count} more)" if self.other_count and self.kind != "summary" else ""
        return f"[{self.level}] {lead}{self.title}{tail}" if self.alerts else f"{lead}{self.title}"

    @property
    def more(self) -> str:
        """What stands above the other alerts."""
        if self.kind == "summary":
            return "by rule:"
        about = "the same principal" if self.subject_kind == "principal" else "the same subject"
        return f"and {self.other_count} more about {about}:" if self.other_count else ""

    @property
    def listed(self) -> tuple[str, ...]:
        """The other alerts, and how many more there are."""
        left = self.other_count - len(self.others)
        return (*self.others, f"and {left} more") if left > 0 else self.others


def plain(message: Message) -> str:
    """The whole message as text."""
    width = max((len(name) for name, _ in message.facts), default=0)
    parts = [message.headline, "\n".join(f"{name + ':':{width + 1}} {value}" for name, value in message.facts)]
    if message.others:
        parts.append("\n".join([message.more, *(f"- {line}" for line in message.listed)]))
    if message.description:
        parts.append(f"Why it matters: {message.description}")
    if message.steps:
        parts.append("\n".join(["What to do:", *(f"- {step}" for step in message.steps)]))
    parts.append(message.link or "")
    return "\n\n".join(filter(None, parts))


def brief(message: Message, longest: int = 300) -> str:
    """The message in a line, for a small screen."""
    when = f"{message.time:%Y-%m-%d %H:%MZ}"
    text = "; ".join(filter(None, (message.headline, message.subject, when, message.link)))
    return text if len(text) <= longest else text[: longest - 1] + "…"


def clean(value: object) -> str:
    """What came from a log as one printable, short line without secrets."""
    text = _SPACE.sub(" ", str(value)).strip()
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    text = _SECRETS.sub("[masked]", text)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def thread_of(group_id: int, created: datetime) -> str:
    """A name for a group of alerts, unlike those of any other lake."""
    return sha256(f"{group_id}/{utc(created).isoformat()}".encode()).hexdigest()[:32]


def message_of(
    connection: Connection,
    kind: Kind,
    ids: Sequence[int],
    rules: Mapping[str, About],
    link: str | None,
    news: Collection[int] = (),
    change: str = "",
    places: Places | None = None,
) -> Message:
    """What people are told of these alerts of one group: the most severe one leads, of several one of `news`.

    `change`: what is different from what they were told before. `places` says where addresses are, behind them.
    """
    found = connection.execute(select(alerts).where(alerts.c.id.in_(ids))).mappings().all()
    rows = sorted(
        found, key=lambda row: (-LEVELS.index(row["severity"] or row["level"]), row["id"] not in news, row["id"])
    )
    lead, level = rows[0], rows[0]["severity"] or rows[0]["level"]
    first = lead["group_id"] or lead["id"]
    born = connection.execute(select(alerts.c.created).where(alerts.c.id == first)).scalar_one()
    rule = rules.get(lead["rule_uid"])
    of_lead = alert_events.c.alert_id == lead["id"]
    events = connection.execute(select(func.count()).where(of_lead)).scalar_one()
    seen = {
        name: _distinct(connection, select(alert_events.c[name]).where(of_lead, alert_events.c[name].is_not(None)))
        for name in ("account_uid", "region", "src_ip", "event_name")
    }
    kind_of_subject = _KINDS.get(lead["subject_kind"], "Subject")
    facts = [
        ("Drill", f"{lead['drill']}: Trailkeep wrote the log itself; nothing has happened" if lead["drill"] else ""),
        ("Change", change),
        (kind_of_subject, _placed([clean(lead["subject"])], places)[0]),
        ("What", ", ".join(_few(seen["event_name"]))),
        ("On", ", ".join(_few(_resources(connection, lead["id"]))) if kind_of_subject != "On" else ""),
        ("When", _span(utc(lead["first_time"]), utc(lead["last_time"]), events)),
        ("From where", ", ".join(_few(_placed(seen["src_ip"], places))) if kind_of_subject != "From" else ""),
        ("Account", ", ".join(_few(seen["account_uid"])) if kind_of_subject != "Account" else ""),
        ("Region", ", ".join(_few(seen["region"]))),
        ("How bad", level if level == lead["level"] else f"{level} (the rule says {lead['level']})"),
        ("Alert", str(lead["id"])),
    ]
    return Message(
        kind=kind,
        thread=thread_of(first, born),
        alerts=tuple(row["id"] for row in rows),
        level=level,
        title=titled(lead),
        rule=lead["rule_uid"],
        tags=tuple(rule.tags) if rule else (),
        subject=clean(lead["subject"]),
        subject_kind=lead["subject_kind"],
        time=utc(lead["last_time"]),
        accounts=tuple(seen["account_uid"]),
        facts=tuple((name, value) for name, value in facts if value),
        description=_SPACE.sub(" ", rule.description).strip() if rule else "",
        steps=steps_of(rule.runbook) if rule else (),
        others=tuple(f"[{r['severity'] or r['level']}] {titled(r)} (alert {r['id']})" for r in rows[1 : 1 + _LISTED]),
        other_count=len(rows) - 1,
        link=link.replace("{id}", str(lead["id"])) if link else None,
        drill=lead["drill"],
    )


def titled(alert: Mapping[Any, Any]) -> str:
    """The title of an alert, cleaned, with a word before it where it is only a drill."""
    return f"DRILL: {clean(alert['title'])}" if alert["drill"] else clean(alert["title"])


def steps_of(runbook: str) -> tuple[str, ...]:
    """The lines of a runbook; one that is indented goes on the one before."""
    return tuple(filter(None, (line.strip() for line in _LINE_GOES_ON.sub(" ", runbook).split("\n"))))


def _distinct(connection: Connection, query: Select[Any]) -> list[str]:
    """The values of a column, cleaned and in order, the first hundred at most."""
    return sorted({clean(value) for value in connection.execute(query.distinct().limit(_COUNTED)).scalars() if value})


def _resources(connection: Connection, alert_id: int) -> list[str]:
    """What the alert's events were done to, likewise."""
    query = select(alert_events.c.resources).where(alert_events.c.alert_id == alert_id).distinct().limit(_COUNTED)
    found = {clean(each) for each in connection.execute(query).scalars() for each in each or ()}
    return sorted(found)[:_COUNTED]


def _placed(addresses: list[str], places: Places | None) -> list[str]:
    """Addresses with what is known of their places in brackets; other texts as they are."""
    known = {text: str(places.of(text)) if places else "" for text in addresses}
    return [f"{text} ({clean(place)})" if place else text for text, place in known.items()]


def _few(values: list[str]) -> list[str]:
    if len(values) <= _SHOWN:
        return values
    least = "at least " if len(values) >= _COUNTED else ""
    return [*values[:_SHOWN], f"and {least}{len(values) - _SHOWN} more"]


def _span(first: datetime, last: datetime, events: int) -> str:
    count = f"{events:,} event" if events == 1 else f"{events:,} events"
    if first == last:
        return f"{first:%Y-%m-%d %H:%M:%S} UTC, {count}"
    until = f"{last:%H:%M:%S}" if first.date() == last.date() else f"{last:%Y-%m-%d %H:%M:%S}"
    return f"{first:%Y-%m-%d %H:%M:%S} to {until} UTC, {count}"
