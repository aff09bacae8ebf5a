"""The `detection` section of a Sigma rule in, a tree of tests out; faults name the place inside the section."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sigma.conditions import ConditionAND, ConditionIdentifier, ConditionNOT, ConditionOR, ConditionSelector
from sigma.exceptions import SigmaError
from sigma.rule.detection import SigmaDetection, SigmaDetectionItem, SigmaDetections
from sigma.types import (
    Placeholder,
    SigmaCasedString,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)

from trailkeep.detect.lists import Lists
from trailkeep.detect.sigma import values
from trailkeep.detect.sigma.modifiers import Networks  # adds modifiers to pySigma's
from trailkeep.detect.sigma.regex import POLICY
from trailkeep.detect.tree import And, Listed, Node, Not, Null, Or, Pair, Test, plain

LONG = 64
"""A list of more texts is looked up as a whole; a shorter one is as if written into the rule."""
NUMERIC = {"lt", "lte", "gt", "gte", "minute", "hour", "day", "week", "month", "year"}


class DetectionError(Exception):
    """The detection section cannot be used; `path` are the keys that lead to the place."""

    def __init__(self, reason: str, *path: str) -> None:
        super().__init__(reason)
        self.path = path


@dataclass
class Expansion:
    """Lists for placeholders, and the names that were asked for."""

    lists: Lists
    asked: dict[str, None] = field(default_factory=dict)

    def values(self, name: str) -> tuple[str, ...]:
        """The values of a list; none if it is not declared."""
        self.asked[name.lower()] = None
        return self.lists.get(name)

    @property
    def undeclared(self) -> tuple[str, ...]:
        """The names asked for that have no values."""
        return tuple(name for name in self.asked if not self.lists.get(name))


def parse_detection(section: object, placeholders: Expansion) -> Node:
    """The tree that `section`, a mapping with its numbers as text, stands for. Raises DetectionError.

    It matches nothing, in either polarity, if a list that it asks for has no values.
    """
    if not isinstance(section, dict):
        raise DetectionError("detection must be a map of named searches and a condition")
    searches = {str(name): value for name, value in section.items() if name != "condition"}
    given = section.get("condition", [])
    conditions = given if isinstance(given, list) else [given]
    if not searches or not conditions:
        raise DetectionError("detection needs at least one named search and a condition")
    if not all(isinstance(text, str) for text in conditions):
        raise DetectionError("a condition must be text, such as `selection and not filter`", "condition")
    nodes = {name: _search(value, placeholders, (name,)) for name, value in searches.items()}
    named = {name: SigmaDetection.from_definition("unused") for name in searches}
    try:
        parsed = SigmaDetections(named, conditions).parsed_condition
        node = _or([_condition(item.parse(postprocess=False), nodes, item.detections) for item in parsed])
    except SigmaError as error:
        raise DetectionError(f"condition: {error}", "condition") from error
    return Or(()) if placeholders.undeclared else node


def _condition(item: object, nodes: Mapping[str, Node], detections: SigmaDetections) -> Node:
    match item:
        case ConditionSelector():
            chosen = [nodes[one.identifier] for one in item.resolve_referenced_detections(detections)]
            if not chosen:
                text = f"`{item.args[0]} of {item.pattern}` names no search"
                raise DetectionError(f"condition: {text}", "condition")
            return _or(chosen) if item.cond_class is ConditionOR else _and(chosen)
        case ConditionIdentifier():
            if item.identifier not in nodes:
                raise DetectionError(f"condition: there is no search `{item.identifier}`", "condition")
            return nodes[item.identifier]
        case ConditionNOT():
            return Not(_condition(item.args[0], nodes, detections))
        case ConditionAND():
            return _and([_condition(arg, nodes, detections) for arg in item.args])
        case ConditionOR():
            return _or([_condition(arg, nodes, detections) for arg in item.args])
    raise DetectionError("condition: cannot be read", "condition")


def _search(value: object, placeholders: Expansion, path: tuple[str, ...]) -> Node:
    """A named search, or one entry of it: a map means all of its fields, a list means any of its entries."""
    if isinstance(value, dict) and value:
        return _and([_item(str(key), entry, placeholders, (*path, str(key))) for key, entry in value.items()])
    if isinstance(value, list) and any(isinstance(entry, dict | list) for entry in value):
        return _or([_search(entry, placeholders, path) for entry in value])
    if value in ({}, [], None):
        raise DetectionError(f"{'.'.join(path)}: the search is empty", *path)
    return _item("", value, placeholders, path)


def _item(key: str, value: Any, placeholders: Expansion, path: tuple[str, ...]) -> Node:
    try:
        if isinstance(value, dict) or (isinstance(value, list) and any(isinstance(v, dict | list) for v in value)):
            raise values.Unsupported("the value of a field must be a text, a number or a list of these")
        return _detection_item(
            SigmaDetectionItem.from_mapping(key or None, _typed(key, value), policy=POLICY), placeholders
        )
    except (SigmaError, values.Unsupported) as error:
        raise DetectionError(f"{'.'.join(path)}: {error}", *path) from error


def _typed(key: str, value: Any) -> Any:
    """The value as its modifiers want it: numbers for comparisons, text for everything else that has modifiers."""
    modifiers_of = set(key.split("|")[1:])
    if {"re", "expand"} <= modifiers_of and key.index("|expand") < key.index("|re"):
        raise values.Unsupported("a placeholder inside a regular expression is written |re|expand, in this order")
    entries = value if isinstance(value, list) else [value]
    if modifiers_of & NUMERIC:
        return [_number(entry) for entry in entries]
    if modifiers_of - {"exists", "neq", "all"}:
        return [str(entry).lower() if isinstance(entry, bool) else entry for entry in entries]
    return value


def _number(entry: object) -> object:
    if not isinstance(entry, str):
        raise values.Unsupported(f"{entry!r} is not a number")
    try:
        return float(entry) if set(entry) & set(".eE") else int(entry)
    except ValueError as error:
        raise values.Unsupported(f"{entry!r} is not a number") from error


def _detection_item(item: SigmaDetectionItem, placeholders: Expansion) -> Node:
    field = item.field or ""
    if field and ('"' in field or "\\" in field or not all(field.split("."))):
        raise values.Unsupported("a field name is a path such as userIdentity.type, without quotes or empty parts")
    nodes = [_value(field, value, placeholders) for value in item.value] or [Null(field)]
    node = _and(nodes) if item.value_linking is ConditionAND else _or(nodes)
    return Not(node) if item.negated else node


def _value(field: str, value: SigmaType, placeholders: Expansion) -> Node:
    match value:
        case Networks():
            return _listed_networks(field, value.name, placeholders)
        case SigmaExpansion():
            return _or([_value(field, one, placeholders) for one in value.values])
        case SigmaString(s=[Placeholder(name=name)]) if field and type(value) is SigmaString:
            return _listed(field, name, placeholders)
        case SigmaString() | SigmaRegularExpression() if value.contains_placeholder():
            replaced: list[SigmaType] = list(value.replace_placeholders(_expander(placeholders)))
            if isinstance(value, SigmaCasedString):  # pySigma gives back texts of any case
                replaced = [SigmaCasedString.from_sigma_string(one) for one in replaced if isinstance(one, SigmaString)]
            return _or([_test(field, one) for one in replaced])
    if not field:
        if isinstance(value, SigmaNull):
            raise values.Unsupported("null needs a field to be the value of")
        return Test("", values.sql(values.keyword(value)))
    match value:
        case SigmaNull():
            return Null(field)
        case SigmaExists():
            return Not(Null(field)) if value.exists else Null(field)
        case SigmaFieldReference():
            return Pair(field, value.field, values.sql(values.related(value.starts_with, value.ends_with)))
    return _test(field, value)


def _test(field: str, value: SigmaType) -> Node:
    if not field:
        return Test("", values.sql(values.keyword(value)))
    folded = values.exact(value)
    if folded is not None:
        return _equality(field, [folded])
    return Test(field, values.sql(values.condition(value)), needles=values.needles(value))


def _equality(field: str, folded: Sequence[str]) -> Test:
    texts = tuple(sorted(set(folded)))
    return Test(field, values.sql(values.one_of(texts)), texts, texts if all(map(plain, texts)) else ())


def _listed(field: str, name: str, placeholders: Expansion) -> Node:
    """Whether the field is in a list; wildcards in its values count, as in the rule itself."""
    texts = placeholders.values(name)
    plain = [text for text in texts if not set(text) & set("*?\\")]
    if len(plain) <= LONG:
        return _or([_test(field, SigmaString(text)) for text in texts])
    others = [_test(field, SigmaString(text)) for text in texts if set(text) & set("*?\\")]
    return _or([Listed(field, placeholders.lists.key(name)), *others])


def _listed_networks(field: str, name: str, placeholders: Expansion) -> Node:
    texts = placeholders.values(name)
    if wrong := placeholders.lists.no_network(name):
        raise values.Unsupported(f"list %{name}% has {wrong!r}, which is neither an address nor a network")
    return Listed(field, placeholders.lists.key(name), networks=True) if texts else Or(())


def _expander(placeholders: Expansion) -> Callable[[Placeholder], Iterator[SigmaString]]:
    """What pySigma asks for the values of a placeholder; wildcards in them count, as in the rule itself."""

    def expand(placeholder: Placeholder) -> Iterator[SigmaString]:
        yield from map(SigmaString, placeholders.values(placeholder.name))

    return expand


def _and(nodes: Sequence[Node]) -> Node:
    flat = [inner for node in nodes for inner in (node.nodes if isinstance(node, And) else (node,))]
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else And(unique)


def _or(nodes: Sequence[Node]) -> Node:
    """Any of `nodes`; equalities of one field become a single one."""
    flat = [inner for node in nodes for inner in (node.nodes if isinstance(node, Or) else (node,))]
    texts: dict[str, list[str]] = {}
    for node in flat:
        if isinstance(node, Test) and node.equals:
            texts.setdefault(node.field, []).extend(node.equals)
    merged = [
        _equality(node.field, texts[node.field]) if isinstance(node, Test) and node.equals else node for node in flat
    ]
    unique = tuple(dict.fromkeys(merged))
    return unique[0] if len(unique) == 1 else Or(unique)
