"""A query's tree in, one boolean SQL expression over `events` out: what each kind of field can be asked."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_network

from sqlglot import exp

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.core.errors import UsageError
from trailkeep.core.source import Source
from trailkeep.core.timespan import parse_interval
from trailkeep.investigate.search.fields import ENTITY, Field, resolve, suggestions
from trailkeep.investigate.search.query import (
    ACCESS_KEY,
    And,
    Everything,
    Match,
    Node,
    Not,
    Or,
    Range,
    is_entity,
    is_network,
    mistake,
    pieces,
)


@dataclass(frozen=True)
class Meaning:
    """What words of a query mean here: its text for error messages, the sources, and what "now" is."""

    text: str
    sources: Mapping[str, Source]
    now: datetime


def condition(node: Node, meaning: Meaning) -> exp.Expr:
    """True for the events that match `node`. Raises UsageError that points at the mistake."""
    match node:
        case Everything():
            return exp.true()
        case Not(inner):
            # What a record does not have, it has not: NULL is false, and its negation true.
            return exp.not_(exp.func("coalesce", condition(inner, meaning), exp.false()))
        case And(nodes):
            return exp.and_(*(condition(n, meaning) for n in nodes))
        case Or(nodes):
            return exp.or_(*(condition(n, meaning) for n in nodes))
        case Match(None, _, quoted) if quoted or not is_entity(node.text):
            return _anywhere(node)
        case Match() | Range():
            return exp.or_(*(_of_source(field, node, meaning) for field in fields_of(node, meaning)))


def fields_of(node: Match | Range, meaning: Meaning) -> list[Field]:
    """The fields that a condition is about. Raises UsageError if there are none of that name."""
    name = node.field or ENTITY
    fields = resolve(name, meaning.sources)
    if not fields:
        close = suggestions(name, meaning.sources)
        hint = f"did you mean {' or '.join(close)}?" if close else "the reference lists all fields."
        raise mistake(meaning.text, node.at, f"there is no field {name}; {hint} To search text with a colon, quote it.")
    return fields


def test(field: Field, node: Match | Range, meaning: Meaning) -> exp.Expr:
    """Whether the value of `field` is what `node` asks for."""
    try:
        if isinstance(node, Range):
            return _between(field, node, meaning.now)
        if not node.quoted and node.text == "*":
            return _exists(field)
        return _equals(field, node, meaning)
    except UsageError as error:
        raise mistake(meaning.text, node.at, str(error)) from error


def _of_source(field: Field, node: Match | Range, meaning: Meaning) -> exp.Expr:
    tested = test(field, node, meaning)
    if field.source is None:
        return tested
    own = exp.column("source").eq(field.source)
    if any(column.name == "raw_data" for column in tested.find_all(exp.Column)):
        # Engines choose the order of AND, and what reads one source's records may fail on those of another.
        tested = exp.Case().when(own, tested)
    return exp.and_(own.copy(), tested)


def _exists(field: Field) -> exp.Expr:
    if field.kind == "texts":
        return exp.GT(this=exp.func("len", field.value), expression=exp.Literal.number(0))
    return exp.not_(field.value.copy().is_(exp.null()))


def _equals(field: Field, node: Match, meaning: Meaning) -> exp.Expr:
    parts = pieces(node)
    value = field.value.copy()
    if len(parts) > 1:
        pattern = _text(_like(parts))
        if field.kind == "texts":
            return exp.func("any_like", value, pattern)
        if field.kind == "bytes":
            return _lower_like(exp.func("hex", value), pattern)
        return _lower_like(value if field.kind == "text" else exp.cast(value, "VARCHAR"), pattern)
    text = parts[0]
    match field.kind:
        case "number":
            return exp.EQ(this=value, expression=_number(text, field.name))
        case "boolean":
            return exp.EQ(this=value, expression=exp.Boolean(this=_boolean(text, field.name)))
        case "bytes":
            return exp.EQ(this=exp.func("lower", exp.func("hex", value)), expression=_text(text.lower()))
        case "time":
            start, end = parse_interval(text, meaning.now)
            if start == end:
                return exp.EQ(this=value, expression=moment(start))
            return exp.and_(exp.GTE(this=value, expression=moment(start)), value.copy() < moment(end))
    if field.name == "source":
        return value.isin(*(_text(name) for name in _spellings(text, meaning)))
    if not node.quoted and is_network(text) and ("/" in text or ":" in text):
        inside = _in_network(field, text)
        return inside if field.name.endswith("_ip") else exp.or_(inside, _same_text(field, text))
    return _same_text(field, text)


def _same_text(field: Field, text: str) -> exp.Expr:
    """Equality in any case; plain where case cannot matter, so that statistics and Bloom filters count."""
    value, exact = field.value.copy(), None
    if text.lower() == text.upper():
        exact = text
    elif ACCESS_KEY.fullmatch(text) and field.source is None:
        exact = text.upper()  # AWS writes key ids in capitals, everywhere
    if field.kind == "texts":
        return exp.func(*(("list_contains", value, _text(exact)) if exact else ("any_equal", value, _text(text))))
    if exact is not None:
        return exp.EQ(this=value, expression=_text(exact))
    return exp.EQ(this=exp.func("lower", value), expression=exp.func("lower", _text(text)))


def _in_network(field: Field, text: str) -> exp.Expr:
    network = ip_network(text, strict=False)
    inside: exp.Expr
    if field.kind == "texts":
        return exp.func("any_in_network", field.value.copy(), _text(str(network)))
    inside = exp.func("cidr_contains", _text(str(network)), field.value.copy())
    octets = str(network.network_address).split(".")[: network.prefixlen // 8] if network.version == 4 else []
    if octets and len(octets) < 4:
        # Every address of the network begins like this: cheap to test, and files can be skipped by it.
        prefix = exp.func("starts_with", field.value.copy(), _text(".".join(octets) + "."))
        return exp.and_(prefix, inside)
    return inside


def _between(field: Field, node: Range, now: datetime) -> exp.Expr:
    if field.kind == "time":
        return _between_times(field, node, now)
    if field.kind in ("boolean", "bytes"):
        raise UsageError(f"{field.name} has no order; ask for a value")
    low = None if node.low is None else _number(node.low, field.name)
    high = None if node.high is None else _number(node.high, field.name)
    if field.kind == "texts":
        # A list has a member in the range: every bound in one test, so that it is the same member.
        bounds = (exp.null() if bound is None else bound for bound in (low, high))
        included = (exp.Boolean(this=flag) for flag in (node.low_included, node.high_included))
        return exp.func("any_between", field.value.copy(), *bounds, *included)
    value = (
        field.value.copy()
        if field.kind == "number"
        else exp.TryCast(this=field.value.copy(), to=exp.DataType.build("double"))
    )
    tests: list[exp.Expr] = []
    if low is not None:
        tests.append((exp.GTE if node.low_included else exp.GT)(this=value.copy(), expression=low))
    if high is not None:
        tests.append((exp.LTE if node.high_included else exp.LT)(this=value.copy(), expression=high))
    return exp.and_(*tests) if tests else _exists(field)


def _between_times(field: Field, node: Range, now: datetime) -> exp.Expr:
    """A bound such as 2026-10-01 is a whole day: `>=` from its start, `>` from its end, and so on."""
    tests: list[exp.Expr] = []
    if node.low is not None:
        start, end = parse_interval(node.low, now)
        if node.low_included or start < end:
            tests.append(field.value.copy() >= moment(start if node.low_included else end))
        else:
            tests.append(field.value.copy() > moment(start))
    if node.high is not None:
        start, end = parse_interval(node.high, now)
        if not node.high_included or start < end:
            tests.append(field.value.copy() < moment(end if node.high_included else start))
        else:
            tests.append(field.value.copy() <= moment(start))
    return exp.and_(*tests) if tests else _exists(field)


def _anywhere(node: Match) -> exp.Expr:
    """Text anywhere in the raw record, as typed or as JSON writes it."""
    parts = pieces(node)
    as_json = [p if p in ("*", "?") else json.dumps(p)[1:-1] for p in parts]
    as_unicode_json = [p if p in ("*", "?") else json.dumps(p, ensure_ascii=False)[1:-1] for p in parts]
    return exp.or_(*(_raw_holds(list(form)) for form in dict.fromkeys(map(tuple, (parts, as_json, as_unicode_json)))))


def _raw_holds(parts: list[str]) -> exp.Expr:
    raw = exp.column("raw_data")
    text = "".join(parts)
    if any(part in ("*", "?") for part in parts[1::2]):
        return _lower_like(raw, _text("%" + _like(parts) + "%"))
    if text.lower() == text.upper():
        return exp.func("contains", raw, _text(text))
    return exp.func("contains", exp.func("lower", raw), exp.func("lower", _text(text)))


def _lower_like(value: exp.Expr, pattern: exp.Expr) -> exp.Expr:
    like = exp.Like(this=exp.func("lower", value), expression=exp.func("lower", pattern))
    return exp.Escape(this=like, expression=_text("\\"))


def _like(parts: list[str]) -> str:
    wild = {"*": "%", "?": "_"}
    escaped = (p.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for p in parts[::2])
    return "".join(p + w for p, w in zip(escaped, [*(wild[w] for w in parts[1::2]), ""], strict=True))


def moment(value: datetime) -> exp.Expr:
    """A point in time as a literal."""
    return exp.cast(_text(value.astimezone(UTC).isoformat(sep=" ")), "TIMESTAMPTZ")


def _spellings(name: str, meaning: Meaning) -> list[str]:
    known = [*meaning.sources, SIGNAL_SOURCE]
    return [s for s in known if s.lower() == name.lower()] or [name]


def _number(text: str, name: str) -> exp.Expr:
    try:
        number = int(text) if text.lstrip("+-").isdecimal() else float(text)
    except ValueError:
        number = float("nan")
    if number != number or number in (float("inf"), float("-inf")) or abs(number) >= 2**63:
        raise UsageError(f"{name} is a number here, and {text!r} is none that fits")
    return exp.Literal.number(number)


def _boolean(text: str, name: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise UsageError(f"{name} is true or false, not {text!r}")
    return text.lower() == "true"


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)
