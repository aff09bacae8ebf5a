"""An OCSF event of any version and what Trailkeep says of it in, an event that is valid in OCSF 1.5.0 out.

An attribute that 1.5.0 does not know, or whose value it does not allow, stands in `unmapped` under its name, and so
does an object that lacks what 1.5.0 demands of it. What is demanded and can be said to be unknown is.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from trailkeep.core.errors import InputError
from trailkeep.core.ocsf import VERSION

Json = dict[str, Any]
_OTHER, _UNKNOWN = 99, 0
_SPEC = re.compile(r"(?P<type>[^\[!@=]+)(?P<array>\[])?(?P<required>!)?(?:@(?P<profile>[^=]+))?(?:=(?P<values>.*))?")


@dataclass(frozen=True)
class _Attribute:
    type: str
    array: bool
    required: bool
    profile: str | None
    values: frozenset[str]

    def has(self, value: int) -> bool:
        """Whether the value is listed."""
        return str(value) in self.values


@dataclass(frozen=True)
class _Kind:
    """A class or an object: its attributes, and sets of them of which one is there."""

    attributes: dict[str, _Attribute]
    one_of: list[list[str]]


@cache
def _schema() -> Json:
    schema: Json = json.loads(files("trailkeep.core").joinpath("ocsf_schema.json").read_text(encoding="utf-8"))
    return schema


@cache
def _attribute(spec: str) -> _Attribute:
    match = _SPEC.fullmatch(spec)
    assert match
    values = frozenset((match["values"] or "").split(",")) - {""}
    return _Attribute(match["type"], bool(match["array"]), bool(match["required"]), match["profile"], values)


def _kind(made_of: Json, base: Json) -> _Kind:
    specs = base | made_of["attributes"]
    return _Kind({name: _attribute(spec) for name, spec in specs.items()}, made_of["one_of"])


@cache
def _object(name: str) -> _Kind:
    return _kind(_schema()["objects"][name], {})


@cache
def _class(uid: int) -> _Kind:
    return _kind(_schema()["classes"][str(uid)], _schema()["base"])


def conformed(event: Json, said: Json) -> Json:
    """`event` as it was received with what is `said` of it, as far as that is valid in OCSF 1.5.0.

    Raises InputError where what is valid lacks what the class demands.
    """
    own = event.pop("unmapped", None)
    event = _filled(event)
    if event.get("raw_data") is not None:
        said.pop("raw_data", None)
    rest = _laid_over(event, said)
    kind = _class(event["class_uid"])
    profiles = _profiles(kind, event)
    kept, invalid = _fields(event, kind, profiles)
    kept["type_uid"] = kept["class_uid"] * 100 + kept["activity_id"]
    if lacking := _lacking(kept, kind, profiles):
        raise InputError(f"nothing that is valid in OCSF {VERSION} as {lacking} of class {event['class_uid']}")
    kept["metadata"]["profiles"] = sorted(profiles)
    unmapped = own if isinstance(own, dict) else {} if own is None else {"unmapped": own}
    lost = _merged(invalid, rest)
    unmapped = unmapped | {f"event.{name}" if name in unmapped else name: value for name, value in lost.items()}
    return kept | {"unmapped": unmapped} if unmapped else kept


def _filled(value: Any) -> Any:
    """A value without nulls and what is empty in it."""
    if isinstance(value, dict):
        found = ((name, _filled(inner)) for name, inner in value.items())
        return {name: inner for name, inner in found if not (inner is None or inner == {} or inner == [])}
    return [_filled(item) for item in value if item is not None] if isinstance(value, list) else value


def _merged(one: Json, other: Json) -> Json:
    """Two objects in one; where both have a value that is no object, the other's."""
    both = {
        name: _merged(one[name], other[name]) for name in one.keys() & other.keys() if _are_objects(one, other, name)
    }
    return one | other | both


def _are_objects(one: Json, other: Json, name: str) -> bool:
    return isinstance(one[name], dict) and isinstance(other[name], dict)


def _laid_over(event: Json, said: Json) -> Json:
    """Sets in `event` what is `said`, but no lists where there are some; returns the values that had to give way."""
    rest: Json = {}
    received = set(event)
    for name, value in said.items():
        there = event.get(name)
        if isinstance(value, dict) and isinstance(there, dict):
            if inner := _laid_over(there, value):
                rest[name] = inner
            continue
        if isinstance(value, list) and isinstance(there, list):
            continue
        # The text of a time of which the number is the same may be written in another way.
        number = name.removesuffix("_dt")
        same = number != name and number in received and number not in rest
        if there is not None and there != value and not same:
            rest[name] = there
        event[name] = value
    return rest


def _profiles(kind: _Kind, event: Json) -> set[str]:
    """The profiles that the event declares and has what they demand, and those of the attributes that it has."""
    declared = event.get("metadata", {}).get("profiles")
    there = {attribute.profile for name, attribute in kind.attributes.items() if event.get(name) is not None}
    profiles = {name for name in declared or () if isinstance(name, str)} if isinstance(declared, list) else set()
    profiles |= {profile for profile in there if profile} | {"datetime"}
    demanded = {a.profile: name for name, a in kind.attributes.items() if a.profile and a.required}
    return {profile for profile in profiles if profile not in demanded or event.get(demanded[profile]) is not None}


def _fields(node: Json, kind: _Kind, profiles: set[str]) -> tuple[Json, Json]:
    """Of an object's attributes what is valid, with what is demanded and can be said to be unknown; and the rest."""
    kept: Json = {}
    rest: Json = {}
    for name, value in node.items():
        attribute = kind.attributes.get(name)
        if attribute is None or (attribute.profile and attribute.profile not in profiles):
            rest[name] = value
            continue
        good, bad = _listed(value, attribute, profiles) if attribute.array else _value(value, attribute, profiles)
        if good is not None:
            kept[name] = good
        if bad is not None:
            rest[name] = bad
    for name, attribute in kind.attributes.items():
        if attribute.required and name not in kept and (not attribute.profile or attribute.profile in profiles):
            if attribute.has(_UNKNOWN):
                kept[name] = _UNKNOWN
            elif not attribute.array and not attribute.values and _type(attribute.type) == "string_t":
                kept[name] = "unknown"
    return kept, rest


def _lacking(kept: Json, kind: _Kind, profiles: set[str]) -> str:
    """What is demanded and not there, in words."""
    demanded = [n for n, a in kind.attributes.items() if a.required and (not a.profile or a.profile in profiles)]
    sets = [[name] for name in demanded] + kind.one_of
    return next((" or ".join(names) for names in sets if not kept.keys() & set(names)), "")


def _listed(value: Any, attribute: _Attribute, profiles: set[str]) -> tuple[Any, Any]:
    items = value if isinstance(value, list) else [value]
    pairs = [_value(item, attribute, profiles) for item in items]
    return [good for good, _ in pairs if good is not None] or None, [bad for _, bad in pairs if bad is not None] or None


def _value(value: Any, attribute: _Attribute, profiles: set[str]) -> tuple[Any, Any]:
    """What of a value is valid, and what is not; None for nothing."""
    if attribute.type in _schema()["types"]:
        if _is_valid(value, attribute):
            return value, None
        return (_OTHER if attribute.has(_OTHER) and type(value) is int else None), value
    kind = _object(attribute.type)
    if not isinstance(value, dict):
        return None, value
    if not kind.attributes:  # any object
        return value, None
    kept, rest = _fields(value, kind, profiles)
    return (None, value) if _lacking(kept, kind, profiles) else (kept, rest or None)


def _type(name: str) -> str:
    """The type that a type is made of."""
    found: str = _schema()["types"][name].get("type", name) if name in _schema()["types"] else name
    return found


_PYTHON: dict[str, tuple[type, ...]] = {
    "boolean_t": (bool,),
    "float_t": (int, float),
    "integer_t": (int,),
    "long_t": (int,),
    "string_t": (str,),
}


def _is_valid(value: Any, attribute: _Attribute) -> bool:
    made_of = _type(attribute.type)
    if made_of == "json_t":
        return True
    if type(value) not in _PYTHON[made_of] or (attribute.values and str(value) not in attribute.values):
        return False
    limits = _schema()["types"][attribute.type]
    low_high: Iterable[Any] = limits.get("range", ())
    return (
        ("max_len" not in limits or len(value) <= limits["max_len"])
        and ("regex" not in limits or re.search(limits["regex"], value) is not None)
        and (not low_high or min(low_high) <= value <= max(low_high))
    )
