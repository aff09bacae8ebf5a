"""A pySigma value in, a boolean SQL expression over one text `v` out (a sqlglot tree, DuckDB's functions)."""

import json
import re
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network

from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)
from sqlglot import exp

from trailkeep.detect.tree import OTHER, TEXT, fold, plain

V, W = exp.Var(this=TEXT), exp.Var(this=OTHER)
UNSPELLABLE = re.compile(f"[\0{TEXT[0]}]")
LIKE_ESCAPE = "~"
COMMON = 'eatsnircod":.,-mulp0123456789/gfhbAESITCRPywvk'
"""The characters that JSON logs have most, the commonest first."""
SHORTEST_END = 3
OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
GROUP = "[0-9a-fA-F]{1,4}"
GROUPS = f"{GROUP}(:{GROUP})*"


class Unsupported(Exception):
    """A value that no rule may hold as it stands; the text says why and what to do."""


def call(name: str, *args: exp.Expr) -> exp.Expr:
    """A call of the SQL function `name`."""
    return exp.Anonymous(this=name, expressions=[arg.copy() for arg in args])


def literal(text: str) -> exp.Expr:
    """A string constant; a NUL, where DuckDB's parser stops, and the bracket of TEXT are spelled chr(n)."""
    pieces: list[exp.Expr] = []
    start = 0
    for match in UNSPELLABLE.finditer(text):
        pieces += [
            exp.Literal.string(text[start : match.start()]),
            call("chr", exp.Literal.number(ord(match[0]))),
        ]
        start = match.end()
    return call("concat", *pieces, exp.Literal.string(text[start:])) if pieces else exp.Literal.string(text)


def sql(expression: exp.Expr) -> str:
    """The text of `expression` in DuckDB's dialect."""
    return expression.sql(dialect="duckdb")


def condition(value: SigmaType) -> exp.Expr:
    """The SQL that says whether text `v` of a field is `value`."""
    match value:
        case SigmaTimestampPart():
            return exp.EQ(this=_timestamp_part(value.timestamp_part), expression=exp.Literal.number(value.number))
        case SigmaNumber():
            return exp.EQ(this=V, expression=literal(str(value.number)))
        case SigmaBool():
            return exp.EQ(this=call("lower", V), expression=literal(str(value.boolean).lower()))
        case SigmaString():
            return _string(value)
        case SigmaRegularExpression():
            return _regex(value)
        case SigmaCIDRExpression():
            return _cidr(value.network)
        case SigmaCompareExpression():
            return _compare(value)
        case _:
            raise Unsupported(f"a value of type {type(value).__name__} cannot be searched for")


def keyword(value: SigmaType) -> exp.Expr:
    """The SQL that says whether raw record `v` holds `value` anywhere, as it is or as JSON would spell it."""
    if not isinstance(value, SigmaString):
        return condition(value)
    spellings = [_anywhere(value, lambda text: text)]
    escaped = _anywhere(value, lambda text: json.dumps(text, ensure_ascii=False)[1:-1])
    spellings += [escaped] if escaped != spellings[0] else []
    return exp.or_(*spellings)


def exact(value: SigmaType) -> str | None:
    """The folded text if `value` asks for equality without regard to case, else None."""
    match value:
        case SigmaBool():
            return str(value.boolean).lower()
        case SigmaCasedString():
            return None
        case SigmaString() if all(isinstance(part, str) for part in value.s):
            return fold("".join(map(str, value.s)))
        case _:
            return None


def needles(value: SigmaType) -> tuple[str, ...]:
    """The longest text that whatever `value` finds must hold, if there is one."""
    if not isinstance(value, SigmaString):
        return ()
    texts = [fold(part) for part in value.s if isinstance(part, str)]
    return tuple(sorted((text for text in texts if text and plain(text)), key=len)[-1:])


def one_of(folded: tuple[str, ...]) -> exp.Expr:
    """The SQL that says whether `v` is one of the folded texts."""
    texts = [literal(text) for text in folded]
    lowered = call("lower", V)
    return exp.EQ(this=lowered, expression=texts[0]) if len(texts) == 1 else exp.In(this=lowered, expressions=texts)


def related(starts_with: bool, ends_with: bool) -> exp.Expr:
    """The SQL that says whether `v` is, starts with, ends with or holds `w`, without regard to case."""
    left, right = call("lower", V), call("lower", W)
    match starts_with, ends_with:
        case True, True:
            return call("contains", left, right)
        case True, False:
            return call("starts_with", left, right)
        case False, True:
            return call("ends_with", left, right)
    return exp.EQ(this=left, expression=right)


def _string(value: SigmaString) -> exp.Expr:
    if isinstance(value, SigmaCasedString):
        return _pattern(V, list(value.s))
    return _pattern(call("lower", V), [fold(part) if isinstance(part, str) else part for part in value.s])


def _anywhere(value: SigmaString, spell: Callable[[str], str]) -> exp.Expr:
    cased = isinstance(value, SigmaCasedString)
    case: Callable[[str], str] = (lambda text: text) if cased else fold
    parts = [case(spell(part)) if isinstance(part, str) else part for part in value.s]
    any_text: list[str | SpecialChars | Placeholder] = [SpecialChars.WILDCARD_MULTI]
    return _pattern(V if cased else call("lower", V), [*any_text, *parts, *any_text])


def _pattern(subject: exp.Expr, parts: list[str | SpecialChars | Placeholder]) -> exp.Expr:
    """`subject` against texts and wildcards; the common shapes need no pattern matching at all."""
    for part in parts:
        if isinstance(part, Placeholder):
            raise Unsupported(f"placeholder %{part.name}% has no values; define it or write them into the rule")
    many = SpecialChars.WILDCARD_MULTI
    shape: list[str | SpecialChars] = []
    for part in parts:
        if isinstance(part, str | SpecialChars) and not (part is many and shape and shape[-1] is many):
            shape.append(part)
    match shape:
        case []:
            return exp.EQ(this=subject, expression=literal(""))
        case [str(text)]:
            return exp.EQ(this=subject, expression=literal(text))
        case [SpecialChars.WILDCARD_MULTI]:
            return exp.Is(this=V, expression=exp.Null()).not_()
        case [SpecialChars.WILDCARD_MULTI, str(text), SpecialChars.WILDCARD_MULTI]:
            return _contains(subject, text)
        case [str(text), SpecialChars.WILDCARD_MULTI]:
            return call("starts_with", subject, literal(text))
        case [SpecialChars.WILDCARD_MULTI, str(text)]:
            return call("ends_with", subject, literal(text))
    signs = {SpecialChars.WILDCARD_MULTI: "%", SpecialChars.WILDCARD_SINGLE: "_"}
    like = "".join(
        re.sub(f"[%_{LIKE_ESCAPE}]", rf"{LIKE_ESCAPE}\g<0>", part) if isinstance(part, str) else signs[part]
        for part in shape
    )
    return exp.Escape(this=exp.Like(this=subject.copy(), expression=literal(like)), expression=literal(LIKE_ESCAPE))


def _contains(subject: exp.Expr, text: str) -> exp.Expr:
    """Whether `subject` holds `text`. DuckDB looks for the first character first, so a common one is put off."""
    last = max(len(text) - SHORTEST_END, 0)
    start = max(range(last + 1), key=lambda i: (COMMON.find(text[i : i + 1]) % (len(COMMON) + 1), -i))
    whole = call("contains", subject, literal(text))
    if start == 0:
        return whole
    return exp.case().when(call("contains", subject, literal(text[start:])), whole).else_(exp.false())


def _regex(value: SigmaRegularExpression) -> exp.Expr:
    if value.contains_placeholder():
        raise Unsupported("a placeholder of this regular expression has no values; define it or write them out")
    pattern = str(value.regexp).replace("\0", r"\x00")
    flags = "".join(sorted(value.sigma_to_re_flag[flag] for flag in value.flags))
    return call("regexp_matches", V, literal(f"(?{flags}){pattern}" if flags else pattern))


def _compare(value: SigmaCompareExpression) -> exp.Expr:
    operators = {
        CompareOperators.LT: exp.LT,
        CompareOperators.LTE: exp.LTE,
        CompareOperators.GT: exp.GT,
        CompareOperators.GTE: exp.GTE,
    }
    bound = exp.Literal.number(value.number.number)
    if isinstance(value.number, SigmaTimestampPart):
        return operators[value.op](this=_timestamp_part(value.number.timestamp_part), expression=bound)
    number = exp.TryCast(this=V.copy(), to=exp.DataType.build("DOUBLE"))
    is_number = call("regexp_matches", V, literal(r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$"))
    return exp.and_(is_number, operators[value.op](this=number, expression=bound))


def _timestamp_part(part: TimestampPart) -> exp.Expr:
    """A part of `v` read as a UTC time: ISO 8601 with or without an offset, or epoch seconds."""
    zoned = call("regexp_matches", V, literal(r"T.*[-+][0-9][0-9](:?[0-9][0-9])?$"))
    with_zone = exp.TryCast(this=V.copy(), to=exp.DataType.build("TIMESTAMPTZ"))
    plain = exp.TryCast(this=V.copy(), to=exp.DataType.build("TIMESTAMP"))
    epoch = call("regexp_matches", V, literal(r"^[0-9]{9,11}$"))
    seconds = exp.TryCast(this=V.copy(), to=exp.DataType.build("BIGINT"))
    time = (
        exp.case()
        .when(epoch, call("make_timestamp", exp.Mul(this=seconds, expression=exp.Literal.number(1000000))))
        .when(zoned, call("timezone", literal("UTC"), with_zone))
        .else_(plain)
    )
    return call("date_part", literal(part.name.lower()), time)


def _cidr(network: IPv4Network | IPv6Network) -> exp.Expr:
    if isinstance(network, IPv4Network):
        return call("regexp_matches", V, literal(_ipv4_regex(network)))
    digits = f"{int(network.network_address):032x}"
    whole, bits = divmod(network.prefixlen, 4)
    nibble = int(digits[whole], 16) if bits else 0
    last = "[" + "".join(f"{n:x}" for n in range(nibble, nibble + (1 << (4 - bits)))) + "]" if bits else ""
    is_ipv6 = call("regexp_matches", V, literal(f"^({GROUP}(:{GROUP}){{7}}|({GROUPS})?::({GROUPS})?)$"))
    return exp.and_(is_ipv6, call("regexp_matches", _ipv6_digits(), literal(f"^{digits[:whole]}{last}")))


def _ipv4_regex(network: IPv4Network) -> str:
    octets = network.network_address.packed
    whole, bits = divmod(network.prefixlen, 8)
    groups = [str(octet) for octet in octets[:whole]]
    if bits:
        first = octets[whole]
        groups.append("(" + "|".join(map(str, range(first, first + (1 << (8 - bits))))) + ")")
    return "^" + r"\.".join(groups + [OCTET] * (4 - len(groups))) + "$"


def _ipv6_digits() -> exp.Expr:
    """The 32 hexadecimal digits of IPv6 address `v`: each side of '::' padded, zeros between."""
    lowered = call("lower", V)
    double = literal("::")
    sides = [_padded(call("split_part", lowered, double, exp.Literal.number(n))) for n in (1, 2)]
    known = call("length", call("concat", *sides))
    missing = call("greatest", exp.Sub(this=exp.Literal.number(32), expression=known), exp.Literal.number(0))
    return call("concat", sides[0], call("repeat", literal("0"), missing), sides[1])


def _padded(side: exp.Expr) -> exp.Expr:
    """'2001:db8' to '20010db8': a zero-filled group is what follows the separator in '000' + group."""
    padded = call("regexp_replace", side, literal(r"([0-9a-f]+)"), literal(r"000\1"), literal("g"))
    return call("regexp_replace", padded, literal(r"0*([0-9a-f]{4})(:|$)"), literal(r"\1"), literal("g"))
