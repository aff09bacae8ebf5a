"""What files of Sigma hold, as data: rules, correlations of rules, and filters of rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trailkeep.detect.tree import Node


@dataclass(frozen=True)
class RuleTest:
    """An inline test: whether the rule must match at least one of `events`, raw records as text."""

    name: str
    match: bool
    events: tuple[str, ...]


@dataclass(frozen=True)
class AnyRule:
    """What people would call a rule: who it is, what they read about it, and where it stands."""

    id: str
    name: str
    """What correlations and filters may call it, if it has one."""
    title: str
    level: str
    description: str
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    runbook: str
    alert: bool
    """Whether its signals may make alerts; they are recorded anyway."""
    content_hash: str
    path: Path
    line: int

    @property
    def method(self) -> str:
        """How it finds what it finds: `event`, or what its correlation or baseline is called."""
        raise NotImplementedError

    @property
    def told_tests(self) -> tuple[tuple[str, bool], ...]:
        """Names of its inline tests, and whether it must match."""
        raise NotImplementedError


@dataclass(frozen=True)
class _OfEvents(AnyRule):
    """What has records of events as tests."""

    tests: tuple[RuleTest, ...]

    @property
    def told_tests(self) -> tuple[tuple[str, bool], ...]:
        return tuple((test.name, test.match) for test in self.tests)


SUBJECTS = ("principal", "address", "account", "destination", "resource")
"""What alerts may be about: who acts, whence, in which account, the address it goes to, the first resource."""


@dataclass(frozen=True)
class Rule(_OfEvents):
    """A Sigma rule: where it applies, and the tree of its tests."""

    window: int
    """Seconds within which signals of this rule about one principal belong to one alert."""
    logsource: dict[str, str]
    detection: Node
    undeclared: tuple[str, ...] = ()
    """names of lists that it asks for and nobody declared: it then matches nothing"""
    lists: tuple[str, ...] = ()
    """all that it asks for"""
    tested: Node | None = None
    """of a rule that asks for lists, what its tests are run on: the same with `test_lists`"""
    test_lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    subject: tuple[str, ...] = ()
    """Of SUBJECTS, what its alerts are about: the first that an event has; what is not named comes after"""

    @property
    def method(self) -> str:
        return "event"

    def applies_to(self, logsource: Mapping[str, str]) -> bool:
        """Whether every part of the rule's logsource is the same in that of a source."""
        return all(logsource.get(key, "").lower() == value.lower() for key, value in self.logsource.items())


Kind = Literal[
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
]
NUMERIC = ("value_sum", "value_avg", "value_percentile", "value_median")


@dataclass(frozen=True)
class Correlation(_OfEvents):
    """Signals of some rules within a span of event time, together."""

    kind: Kind
    rules: tuple[str, ...]
    """Ids of rules and correlations, in their order; before `resolved`, as the file refers to them."""
    timespan: int
    """seconds"""
    group_by: tuple[str, ...] = ()
    bounds: tuple[tuple[str, float], ...] = ()
    """(operator, number): all must hold, of what is counted or computed; none where all rules must have signals"""
    fields: tuple[str, ...] = ()
    """whose values are counted or computed with"""
    percentile: float | None = None
    condition: tuple[str, ...] = ()
    """of an extended temporal kind, in postfix order: "=" and a rule, "and", "or", "not" """
    aliases: dict[str, dict[str, str]] = field(default_factory=dict)
    """alias -> rule -> field"""
    generate: bool = False
    """whether the rules make alerts of their own, too"""

    @property
    def method(self) -> str:
        return self.kind

    def field_of(self, name: str, rule: str) -> str:
        """What `name` of group_by or fields is called in the events of `rule`."""
        return self.aliases.get(name, {}).get(rule, name)


@dataclass(frozen=True)
class Baseline(AnyRule):
    """A detector of what is unusual: `asks` and `series` are for detect/baseline.py to read."""

    asks: dict[str, Any]
    series: tuple[dict[str, Any], ...]
    """its inline tests"""

    @property
    def method(self) -> str:
        return str(self.asks["method"]["type"])

    @property
    def told_tests(self) -> tuple[tuple[str, bool], ...]:
        return tuple((test["name"], test["match"]) for test in self.series)


@dataclass(frozen=True)
class Filter:
    """A condition that is added to rules: what it leaves out is benign where these rules run."""

    id: str
    title: str
    rules: tuple[str, ...]
    """ids or names; none for every rule of the logsource"""
    logsource: dict[str, str]
    detection: Node
    content_hash: str
    path: Path
    line: int
    undeclared: tuple[str, ...] = ()
    """names of lists that it asks for and nobody declared: it is then added to no rule"""
    lists: tuple[str, ...] = ()
    """all that it asks for; tests of rules do without a filter that asks for any"""

    def is_about(self, rule: Rule) -> bool:
        """Whether it is added to `rule`: that is named, and nothing of its logsource speaks against it."""
        if self.rules and not {rule.id, rule.name} & set(self.rules):
            return False
        same = {key: value.lower() for key, value in rule.logsource.items()}
        return all(same.get(key) == value.lower() for key, value in self.logsource.items())
