"""A second evaluator of Sigma rules, written for clarity: a detection section and one record in, a verdict out.

It knows nothing of pySigma, SQL or stored columns: it works on the parsed record with plain Python. It covers
what the property test invents: maps, lists of maps, keywords, value modifiers, and conditions given as trees.
"""

import base64
import fnmatch
import ipaddress
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

Record = dict[str, Any]


def texts(record: Record, field: str) -> list[str]:
    """The texts of a field: through objects and arrays, at any level; null and missing give none."""
    found: list[Any] = [record]
    for key in field.split("."):
        found = [one[key] for one in spread(found) if isinstance(one, dict) and key in one]
    return [as_text(one) for one in spread(found, keep_arrays=True) if one is not None]


def spread(values: list[Any], keep_arrays: bool = False) -> list[Any]:
    """Arrays replaced by their members, twice; an array in an array is a value of its own too."""
    members: list[Any] = []
    for one in values:
        members += one if isinstance(one, list) else [one]
    inner: list[Any] = []
    for one in members:
        inner += [*([one] if keep_arrays else []), *one] if isinstance(one, list) else [one]
    return inner


def as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def fold(text: str) -> str:
    """Lower case, character by character, so that the length stays: 'İ' is 'i'."""
    return "".join(character.lower()[0] for character in text)


def wildcards(value: str) -> list[str | None]:
    r"""A Sigma value as characters; None stands for `*`, '' for `?`. \*, \? and \\ are the characters."""
    parts: list[str | None] = []
    i = 0
    while i < len(value):
        if value[i] == "\\" and value[i + 1 : i + 2] in ("*", "?", "\\") and i + 1 < len(value):
            parts.append(value[i + 1])
            i += 1
        else:
            parts.append({"*": None, "?": ""}.get(value[i], value[i]))
        i += 1
    return parts


def glob(parts: list[str | None], cased: bool) -> Callable[[str], bool]:
    case = (lambda text: text) if cased else fold
    pattern = "".join(".*" if part is None else "." if part == "" else re.escape(case(part)) for part in parts)
    compiled = re.compile(pattern, re.DOTALL)
    return lambda text: compiled.fullmatch(case(text)) is not None


def value_test(value: Any, modifiers: list[str]) -> Callable[[str], bool]:
    """Whether a text is `value` as the modifiers read it."""
    if "cidr" in modifiers:
        network = ipaddress.ip_network(value)
        return lambda text: in_network(text, network)
    if "re" in modifiers:
        flags = (re.IGNORECASE * ("i" in modifiers)) | (re.MULTILINE * ("m" in modifiers))
        flags |= re.DOTALL * ("s" in modifiers)
        pattern = value if "m" in modifiers else value.replace("$", r"\Z")  # $ is the very end in RE2
        return lambda text: re.search(pattern, text, flags) is not None
    for part in PARTS & set(modifiers):
        return lambda text: utc_part(text, part) == value
    for name, compare in COMPARISONS.items():
        if name in modifiers:
            return lambda text: is_number(text) and compare(float(text), value)
    if "base64offset" in modifiers:
        data = value.encode("utf-16le" if "utf16le" in modifiers else "utf-8")
        return lambda text: any(data in decoded(text[shift:]) for shift in range(4))
    if isinstance(value, bool):
        value = "true" if value else "false"
    parts = wildcards(str(value))
    if "base64" in modifiers:
        parts = list(base64.b64encode(value.encode()).decode())
    if "contains" in modifiers or "startswith" in modifiers:
        parts = [*parts, None]
    if "contains" in modifiers or "endswith" in modifiers:
        parts = [None, *parts]
    return glob(parts, "cased" in modifiers)


def decoded(text: str) -> bytes:
    """What the longest Base64 text at the start of `text` says."""
    run = re.match(r"[A-Za-z0-9+/]*", text)
    assert run
    return base64.b64decode(run[0][: len(run[0]) // 4 * 4])


PARTS = {"minute", "hour", "day", "week", "month", "year"}


def utc_part(text: str, part: str) -> int | None:
    """A part of a text that is an ISO time, in UTC."""
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    return time.isocalendar().week if part == "week" else int(getattr(time, part))


COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
}


def is_number(text: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text) is not None


def in_network(text: str, network: Any) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    return address.version == network.version and address in network


def item_holds(record: Record, raw: str, key: str, values: Any) -> bool:
    """One `field|modifiers: values` entry; an empty field is a keyword."""
    field, *modifiers = key.split("|")
    listed = values if isinstance(values, list) else [values]
    verdicts = [one_holds(record, raw, field, modifiers, value) for value in listed]
    verdict = all(verdicts) if "all" in modifiers else any(verdicts)
    return not verdict if "neq" in modifiers else verdict


def one_holds(record: Record, raw: str, field: str, modifiers: list[str], value: Any) -> bool:
    if not field:
        anywhere = [*modifiers, "contains"]
        escaped = json.dumps(value, ensure_ascii=False)[1:-1] if isinstance(value, str) else value
        return value_test(value, anywhere)(raw) or ("\\" not in str(value) and value_test(escaped, anywhere)(raw))
    found = texts(record, field)
    if value is None:
        return not found
    if "exists" in modifiers:
        return bool(found) is value
    if "fieldref" in modifiers:
        others = [fold(text) for text in texts(record, value)]
        how = {"startswith": str.startswith, "endswith": str.endswith, "contains": str.__contains__}
        compare = next((test for name, test in how.items() if name in modifiers), str.__eq__)
        return any(compare(fold(text), other) for text in found for other in others)
    return any(map(value_test(value, modifiers), found))


def search_holds(record: Record, raw: str, search: Any) -> bool:
    """A named search: a map means all of its entries, a list any of its entries."""
    if isinstance(search, dict):
        return all(item_holds(record, raw, key, values) for key, values in search.items())
    if isinstance(search, list):
        return any(search_holds(record, raw, entry) for entry in search)
    return item_holds(record, raw, "", search)


def rule_holds(record: Record, raw: str, detection: dict[str, Any]) -> bool:
    """A detection section; its condition may use and, or, not, brackets, and x of pattern."""
    searches = {name: search_holds(record, raw, search) for name, search in detection.items() if name != "condition"}

    def of(match: re.Match[str]) -> str:
        pattern = "*" if match[2] == "them" else match[2]
        names = [n for n in searches if fnmatch.fnmatchcase(n, pattern) and not n.startswith("_")]
        verdicts = [searches[name] for name in names]
        return str(all(verdicts) if match[1] == "all" else any(verdicts))

    def verdict(condition: str) -> bool:
        expanded = re.sub(r"\b(1|any|all) of ([\w*]+)", of, condition)
        words = re.findall(r"[\w-]+|[()]", expanded)
        python = " ".join(w if w in KEPT else str(searches[w]) for w in words)
        return bool(eval(python, {"__builtins__": {}}))

    conditions = detection["condition"]
    return any(map(verdict, conditions if isinstance(conditions, list) else [conditions]))


KEPT = {"and", "or", "not", "(", ")", "True", "False"}
