"""The part `alerts:` of trailkeep.yaml: who is told of which alerts, when, how, and what happens if nobody looks."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from trailkeep.alert.channels.channel import Channel
from trailkeep.alert.when import Span, Times
from trailkeep.core.levels import LEVELS
from trailkeep.core.located import any_by_name, types_in

Level = Literal["informational", "low", "medium", "high", "critical"]


@dataclass(frozen=True)
class Facts:
    """What routes, weights and suppressions ask of an alert; `level` is that of its rule."""

    id: int
    rule: str
    title: str
    level: str
    subject: str
    tags: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Which(_Part):
    """Which alerts: every key that is there must match; its values are patterns with `*` and `?`, in any case."""

    rules: tuple[str, ...] = Field(default=(), description="ids or titles of rules")
    tags: tuple[str, ...] = Field(default=(), description="tags of rules, such as `attack.exfiltration`")
    subjects: tuple[str, ...] = Field(default=(), description="principals, addresses and others that they are about")
    accounts: tuple[str, ...] = Field(default=(), description="AWS accounts of their events")
    sources: tuple[str, ...] = Field(default=(), description="log sources of their events")
    resources: tuple[str, ...] = Field(default=(), description="resources that their events are about, such as ARNs")

    def fits(self, alert: Facts) -> bool:
        """Whether `alert` is one of these."""
        return all(
            _any_like(values, patterns)
            for values, patterns in (
                ((alert.rule, alert.title), self.rules),
                (alert.tags, self.tags),
                ((alert.subject,), self.subjects),
                (alert.accounts, self.accounts),
                (alert.sources, self.sources),
                (alert.resources, self.resources),
            )
            if patterns
        )


class Route(Which):
    """Alerts that go to these channels. All routes that fit an alert count; a channel is told once."""

    to: tuple[str, ...] = Field(min_length=1, description="channels")
    level: Level = Field(default="informational", description="least severe level")
    when: Times | None = Field(default=None, description="only at these times")


class Quiet(Times):
    """Times at which what is less severe waits until they are over."""

    unless: Level = Field(default="critical", description="least severe level that does not wait")
    channels: tuple[str, ...] = Field(default=(), description="channels that keep quiet; all otherwise")


class Escalation(_Part):
    """Whom to tell of an alert that nobody has acknowledged or closed in time."""

    after: Span = Field(description="time since people were first told")
    to: tuple[str, ...] = Field(min_length=1, description="channels")
    level: Level = Field(default="high", description="least severe level")


class Heartbeat(_Part):
    """A message that shows that the way to people works; that it does not come is the alarm."""

    every: Span = Field(default=timedelta(hours=24), description="how often")
    to: tuple[str, ...] = Field(min_length=1, description="channels")


class Weight(Which):
    """Alerts that are worse, or less bad, than their rule says."""

    levels: int = Field(ge=-4, le=4, description="how many levels up, or down where negative")


class Correlation(_Part):
    """Alerts of several rules about one subject are worse than each of them."""

    rules: int = Field(default=3, ge=2, description="different rules in one group of alerts")
    least: Level = Field(default="low", description="least severe level of those that count, and that are raised")
    levels: int = Field(default=1, ge=1, le=4, description="how many levels up")


class Updates(_Part):
    """When people are told again of an alert that grows, gets worse or goes on."""

    grown: int = Field(default=10, ge=2, description="times as many events as when they were told last")
    remind: Span = Field(default=timedelta(hours=24), description="after which it goes on and nobody acknowledged it")
    most: int = Field(default=10, ge=1, description="updates about one alert")


class Storm(_Part):
    """How many messages a channel gets; what is more is gathered into summaries, what is less severe first."""

    messages: int = Field(default=30, ge=2, description="of which one in six is kept for summaries")
    within: Span = Field(default=timedelta(minutes=10), description="in which they are counted")

    @property
    def summaries(self) -> int:
        """How many of the messages are kept for summaries."""
        return max(1, self.messages // 6)

    @property
    def singles(self) -> int:
        """How many tell of alerts one by one."""
        return self.messages - self.summaries


class Suppression(Which):
    """Alerts of which nobody is told, for a time and for a reason; they are in `alerts list` all the same."""

    until: date = Field(description="last day, UTC")
    reason: str = Field(min_length=3, description="kept in the alert's history")

    @model_validator(mode="after")
    def _not_all(self) -> "Suppression":
        if not any(getattr(self, name) for name in Which.model_fields):
            raise ValueError(f"a suppression of everything: name one of {', '.join(Which.model_fields)}")
        return self

    def expired(self, now: datetime) -> bool:
        """Whether its last day is over."""
        return now.astimezone(UTC).date() > self.until


class AlertsConfig(_Part):
    """Everything that the delivery of alerts is told."""

    channels: dict[str, Channel] = Field(default_factory=dict, description="ways to people, by name")
    routes: tuple[Route, ...] = Field(default=(), description="without any, every alert goes to every channel")
    quiet: tuple[Quiet, ...] = Field(default=(), description="times at which messages wait")
    escalate: tuple[Escalation, ...] = Field(default=(), description="steps, while nobody looks")
    heartbeat: Heartbeat | None = Field(default=None, description="proof that the way to people works")
    weights: tuple[Weight, ...] = Field(default=(), description="what makes alerts worse or less bad")
    correlation: Correlation | None = Field(default=Correlation(), description="as below; `null`: none")
    updates: Updates | None = Field(default=Updates(), description="as below; `null`: each alert is told once")
    storm: Storm | None = Field(default=Storm(), description="as below; `null`: no limit")
    suppressions: tuple[Suppression, ...] = Field(default=(), description="what nobody is told of, for a time")
    group: Span = Field(default=timedelta(minutes=30), description="alerts about one subject are told together")
    oldest: Span = Field(default=timedelta(days=7), description="of the last event, for people to be told of an alert")
    link: str | None = Field(
        default=None, pattern=r"^https?://", description="address of an alert; `{id}` stands for its number"
    )
    tries: int = Field(default=16, ge=1, description="before a message becomes a dead letter")

    @field_validator("routes", "quiet", "escalate", "heartbeat")
    @classmethod
    def _channels_exist(cls, value: Any, info: ValidationInfo) -> Any:
        channels = info.data.get("channels")
        parts = value if isinstance(value, tuple) else (value,)
        for number, part in enumerate(filter(None, parts), 1):
            for name in part.channels if isinstance(part, Quiet) else part.to:
                if channels is not None and name not in channels:  # None: they have faults, which are told
                    known = ", ".join(channels) or "none"
                    raise ValueError(f"number {number}: no channel {name!r} in alerts.channels; there are: {known}")
        return value

    def enabled(self) -> dict[str, Channel]:
        """The channels that are in use."""
        return {name: each for name, each in self.channels.items() if each.enabled}

    def told(self, alert: Facts, level: str, now: datetime) -> list[str]:
        """The channels that hear of `alert`, which is of `level` all in all."""
        if not self.routes:
            return list(self.enabled())
        fitting = [
            route
            for route in self.routes
            if at_least(level, route.level) and route.fits(alert) and (route.when is None or route.when.holds(now))
        ]
        return [name for name in dict.fromkeys(n for route in fitting for n in route.to) if self.channels[name].enabled]

    def held_until(self, channel: str, level: str, now: datetime) -> datetime:
        """When `channel` may be told: now, or when the quiet times are over."""
        moment = now
        for _ in range(len(self.quiet)):  # the end of one may lie in another
            for quiet in self.quiet:
                silent = (not quiet.channels or channel in quiet.channels) and not at_least(level, quiet.unless)
                if silent and quiet.holds(moment):
                    moment = quiet.end(moment)
        return moment

    def severity(self, alert: Facts, rules_in_group: int) -> str:
        """The level of `alert`, with weights and with what else its subject did."""
        raised = sum(weight.levels for weight in self.weights if weight.fits(alert))
        if (
            self.correlation
            and rules_in_group >= self.correlation.rules
            and at_least(alert.level, self.correlation.least)
        ):
            raised += self.correlation.levels
        return LEVELS[min(max(LEVELS.index(alert.level) + raised, 0), len(LEVELS) - 1)]

    def suppressed(self, alert: Facts, now: datetime) -> Suppression | None:
        """Why nobody is told of `alert`, if so."""
        return next((each for each in self.suppressions if not each.expired(now) and each.fits(alert)), None)


def at_least(level: str, least: str) -> bool:
    """Whether `level` is as severe as `least`, or more."""
    return LEVELS.index(level) >= LEVELS.index(least)


def alerts_model() -> type[AlertsConfig]:
    """AlertsConfig with every type of channel there is."""
    channels: Any = (any_by_name(channel_types()), Field(default_factory=dict))
    return create_model("AlertsConfig", __base__=AlertsConfig, channels=channels)


def channel_types() -> dict[str, type[Channel]]:
    """Type -> configuration of every channel there is."""
    return types_in("trailkeep.alert.channels", Channel)


def _any_like(values: Iterable[str], patterns: Iterable[str]) -> bool:
    lowered = [pattern.lower() for pattern in patterns]
    return any(fnmatchcase(value.lower(), pattern) for value in values for pattern in lowered)
