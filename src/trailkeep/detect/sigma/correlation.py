"""A correlation or a filter of Sigma, as Python values in, what it asks out.

pySigma's own classes check the parts that they know; ranges (`gte` beside `lte`) and `percentile` as a number with a
fraction are Sigma 2.1, and not theirs. Source: Sigma correlation rules specification 2.1.0.
"""

from collections.abc import Mapping
from typing import Any, get_args

from sigma.correlations import (
    CorrelationConditionAND,
    CorrelationConditionItem,
    CorrelationConditionNOT,
    SigmaCorrelationTimespan,
    SigmaExtendedCorrelationCondition,
    SigmaRuleReference,
)
from sigma.exceptions import SigmaError

from trailkeep.detect.rule import NUMERIC, Kind

OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_KEYS = {"type", "rules", "group-by", "timespan", "condition", "aliases", "generate"}


class CorrelationError(Exception):
    """It cannot be used; `path` are the keys that lead to the place."""

    def __init__(self, reason: str, *path: str) -> None:
        super().__init__(reason)
        self.path = path


def parse_correlation(value: object) -> dict[str, Any]:
    """The part `correlation` as members of a Correlation. Raises CorrelationError."""
    if not isinstance(value, dict):
        raise CorrelationError("correlation must be a map with type, rules, timespan and a condition")
    if unknown := [str(key) for key in value if key not in _KEYS]:
        raise CorrelationError(f"correlation has no key {', '.join(unknown)}", unknown[0])
    kind = _kind(value)
    rules = _names(value, "rules")
    condition = value.get("condition")
    extended: tuple[str, ...] = ()
    temporal = kind.startswith("temporal")
    if temporal and isinstance(condition, str):
        extended, named = _extended(condition)
        if kind == "temporal_ordered":
            raise CorrelationError("temporal_ordered takes its order from rules, not from a condition", "condition")
        rules = rules or named
        if other := [name for name in named if name not in rules]:
            raise CorrelationError(f"the condition has {', '.join(other)}, which rules has not", "condition")
    if not rules:
        raise CorrelationError("rules must name the rules whose signals are correlated", "rules")
    if twice := [name for name in dict.fromkeys(rules) if rules.count(name) > 1]:
        raise CorrelationError(f"rules has {', '.join(twice)} twice", "rules")
    bounds, fields, percentile = (
        ((), (), None) if temporal and not isinstance(condition, dict) else _condition(condition, kind)
    )
    return {
        "kind": kind,
        "rules": rules,
        "group_by": _names(value, "group-by"),
        "timespan": _timespan(value.get("timespan")),
        "bounds": bounds,
        "fields": fields,
        "percentile": percentile,
        "condition": extended,
        "aliases": _aliases(value.get("aliases"), rules),
        "generate": _flag(value.get("generate", False)),
    }


def _kind(value: Mapping[str, Any]) -> Kind:
    kinds = get_args(Kind)
    told = str(value.get("type", ""))
    kind = told.removesuffix("_extended")
    for known in kinds:
        if kind == known:
            return known  # type: ignore[no-any-return]
    raise CorrelationError(f"type {told!r} is none of {', '.join(kinds)}", "type")


def _names(value: Mapping[str, Any], key: str) -> tuple[str, ...]:
    given = value.get(key)
    entries = given if isinstance(given, list) else [] if given is None else [given]
    if any(isinstance(entry, dict | list) or entry is None for entry in entries):
        raise CorrelationError(f"{key} must be a list of names", key)
    return tuple(map(str, entries))


def _timespan(value: object) -> int:
    try:
        return SigmaCorrelationTimespan(str(value)).seconds
    except SigmaError as error:
        raise CorrelationError(f"timespan {value!r} is not a time such as 30s, 5m, 1h or 7d", "timespan") from error


def _condition(value: object, kind: Kind) -> tuple[tuple[tuple[str, float], ...], tuple[str, ...], float | None]:
    if not isinstance(value, dict):
        raise CorrelationError(f"{kind} needs a condition such as gte: 10", "condition")
    if unknown := [str(key) for key in value if key not in {*OPERATORS, "field", "percentile"}]:
        raise CorrelationError(f"condition has no key {', '.join(unknown)}", "condition", unknown[0])
    bounds = tuple((name, _number(value[name], name)) for name in OPERATORS if name in value)
    if not bounds:
        raise CorrelationError(f"condition needs one of {', '.join(OPERATORS)}", "condition")
    fields = _names(value, "field")
    counts = kind in ("event_count", "temporal")
    if kind == "temporal_ordered":
        raise CorrelationError(
            "temporal_ordered needs all its rules in their order, and takes no condition", "condition"
        )
    if not counts and not fields:
        raise CorrelationError(f"{kind} needs the field whose values it takes", "condition")
    if kind == "event_count" and fields:
        raise CorrelationError(
            "event_count counts events, not a field; value_count counts values", "condition", "field"
        )
    if kind in NUMERIC and len(fields) > 1:
        raise CorrelationError(f"{kind} takes one field", "condition", "field")
    percentile = None
    if kind == "value_percentile":
        percentile = _number(value.get("percentile"), "percentile")
        if not 0 <= percentile <= 100:
            raise CorrelationError(f"percentile {percentile:g} is not between 0 and 100", "condition", "percentile")
    elif "percentile" in value:
        raise CorrelationError(f"{kind} takes no percentile", "condition", "percentile")
    return bounds, fields, percentile


def _number(value: object, key: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise CorrelationError(f"{key} {value!r} is not a number", "condition", key)
    try:
        return float(value)
    except ValueError as error:
        raise CorrelationError(f"{key} {value!r} is not a number", "condition", key) from error


def _extended(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """A condition in postfix order, and the rules it names."""
    try:
        parsed = SigmaExtendedCorrelationCondition(text)
    except SigmaError as error:
        raise CorrelationError(f"condition {text!r}: {error}", "condition") from error
    return tuple(_postfix(parsed.parsed)), tuple(parsed.get_referenced_rules())


def _postfix(node: CorrelationConditionItem | SigmaRuleReference) -> list[str]:
    if isinstance(node, SigmaRuleReference):
        return [f"={node.reference}"]
    if isinstance(node, CorrelationConditionNOT):
        return [*_postfix(node.args[0]), "not"]
    word = "and" if isinstance(node, CorrelationConditionAND) else "or"
    first, *others = node.args
    words = _postfix(first)
    for other in others:
        words += [*_postfix(other), word]
    return words


def _aliases(value: object, rules: tuple[str, ...]) -> dict[str, dict[str, str]]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CorrelationError("aliases must be a map from a name to fields by rule", "aliases")
    found: dict[str, dict[str, str]] = {}
    for alias, fields in value.items():
        if not isinstance(fields, dict) or not fields:
            raise CorrelationError(f"{alias} must be a map from rules to fields", "aliases", str(alias))
        for rule in fields:
            if str(rule) not in rules:
                raise CorrelationError(f"{alias} has {rule}, which rules has not", "aliases", str(alias))
        found[str(alias)] = {str(rule): str(field) for rule, field in fields.items()}
    return found


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise CorrelationError(f"generate {value!r} is neither true nor false", "generate")
    return value
