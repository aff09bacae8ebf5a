"""What files of Sigma hold, as data: rules, correlations of rules, and filters of rules."""

from collections.abc import Mapping
from dataclasses import dataclass
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
class Rule:
    """A Sigma rule: what people read about it, where it applies, and the tree of its tests."""

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
    window: int
    """Seconds within which signals of this rule about one principal belong to one alert."""
    logsource: dict[str, str]
    detection: Node
    tests: tuple[RuleTest, ...]
    content_hash: str
    path: Path
    line: int

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
class Correlation:
    """Signals of some rules within a span of event time, together."""

    id: str
    name: str
    title: str
    level: str
    description: str
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    runbook: str
    alert: bool
    kind: Kind
    rules: tuple[str, ...]
    """Ids of rules and correlations, in their order; before `resolved`, as the file refers to them."""
    group_by: tuple[str, ...]
    timespan: int
    """seconds"""
    bounds: tuple[tuple[str, float], ...]
    """(operator, number): all must hold, of what is counted or computed; none where all rules must have signals"""
    fields: tuple[str, ...]
    """whose values are counted or computed with"""
    percentile: float | None
    condition: tuple[str, ...]
    """of an extended temporal kind, in postfix order: "=" and a rule, "and", "or", "not" """
    aliases: dict[str, dict[str, str]]
    """alias -> rule -> field"""
    generate: bool
    """whether the rules make alerts of their own, too"""
    tests: tuple[RuleTest, ...]
    content_hash: str
    path: Path
    line: int

    def field_of(self, name: str, rule: str) -> str:
        """What `name` of group_by or fields is called in the events of `rule`."""
        return self.aliases.get(name, {}).get(rule, name)


@dataclass(frozen=True)
class Baseline:
    """A detector of what is unusual: `asks` and `series` are for detect/baseline.py to read."""

    id: str
    name: str
    title: str
    level: str
    description: str
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    runbook: str
    alert: bool
    asks: dict[str, Any]
    series: tuple[dict[str, Any], ...]
    """its inline tests"""
    content_hash: str
    path: Path
    line: int


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

    def is_about(self, rule: Rule) -> bool:
        """Whether it is added to `rule`: that is named, and nothing of its logsource speaks against it."""
        if self.rules and not {rule.id, rule.name} & set(self.rules):
            return False
        same = {key: value.lower() for key, value in rule.logsource.items()}
        return all(same.get(key) == value.lower() for key, value in self.logsource.items())


AnyRule = Rule | Correlation | Baseline
"""All that people would call a rule."""
