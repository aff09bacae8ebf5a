"""The bytes of a Sigma file in, its rules out; every fault has the line it is on.

YAML is read as version 1.2 has it: `No` and `on` are text, only `true` and `false` are booleans. Numbers in a
detection keep the digits they were written with, because a number matches its text.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import yaml
from pydantic import ValidationError

from trailkeep.core.errors import Fault
from trailkeep.detect.baseline import SeriesTest, check
from trailkeep.detect.lists import Lists
from trailkeep.detect.rule import SUBJECTS, Baseline, Correlation, Filter, Rule, RuleTest
from trailkeep.detect.rules import RuleFile
from trailkeep.detect.sigma.correlation import CorrelationError, parse_correlation
from trailkeep.detect.sigma.parse import DetectionError, Expansion, parse_detection

LEVELS = ("informational", "low", "medium", "high", "critical")
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
STRING, NUMBERS = "tag:yaml.org,2002:str", {"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"}
BASE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(BASE):  # type: ignore[misc]
    """A safe loader with the scalars of YAML 1.2."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _tag, _pattern, _first in (
    ("bool", r"(true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(~|null|Null|NULL|)$", "~nN\0"),
    ("int", r"-?(0|[1-9][0-9]*)$", "-0123456789"),
    ("merge", r"<<$", "<"),  # of YAML 1.1, so that events of a test need not be written whole again
    ("float", r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$", "-0123456789"),
):
    _firsts = ["" if _char == "\0" else _char for _char in _first]
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _firsts)


class _Invalid(Exception):
    """A rule cannot be used; `path` are the keys that lead to the place."""

    def __init__(self, reason: str, *path: str) -> None:
        super().__init__(reason)
        self.path = path


def parse_file(data: bytes, file: Path, lists: Lists) -> RuleFile:
    """What `file`, whose content is `data`, holds, and its faults."""
    rules: list[Rule] = []
    correlations: list[Correlation] = []
    filters: list[Filter] = []
    baselines: list[Baseline] = []
    faults: list[Fault] = []
    try:
        text = data.decode("utf-8-sig")
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            line = node.start_mark.line + 1
            kind = "rule"
            try:
                kind, place = _kind(node), _Place(text[node.start_mark.index : node.end_mark.index], file, line)
                given = _construct(loader, node)
                if kind == "correlation":
                    correlations.append(_correlation(given, place))
                elif kind == "baseline":
                    baselines.append(_baseline(given, place))
                elif kind == "filter":
                    filters.append(_filter(given, lists, place))
                else:
                    rules.append(_rule(given, lists, place))
            except _Invalid as error:
                faults.append(Fault(file, _line(node, error.path), str(error)))
            except DetectionError as error:
                key = "filter" if kind == "filter" else "detection"
                faults.append(Fault(file, _line(node, (key, *error.path)), str(error)))
            except CorrelationError as error:
                faults.append(Fault(file, _line(node, ("correlation", *error.path)), str(error)))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        faults.append(Fault(file, line, f"not valid YAML: {error.problem}"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        faults.append(Fault(file, 1, f"not valid YAML: {error}"))
    return RuleFile(tuple(rules), tuple(correlations), tuple(filters), tuple(baselines), tuple(faults))


def _kind(node: yaml.Node) -> str:
    keys = {key.value for key, _ in node.value} if isinstance(node, yaml.MappingNode) else set()
    if "correlation" in keys:
        return "correlation"
    if "baseline" in keys:
        return "baseline"
    return "filter" if "filter" in keys and "detection" not in keys else "rule"


def _construct(loader: Any, node: yaml.Node) -> dict[str, Any]:
    """The rule as Python values; the numbers of its detection stay text."""
    if not isinstance(node, yaml.MappingNode):
        raise _Invalid("a rule is a map with title, logsource and detection")
    _refuse_repeated_keys(node)
    for key, value in node.value:
        if key.value in ("detection", "filter"):
            _numbers_to_text(value)
    rule: dict[str, Any] = loader.construct_document(node)
    return rule


def _refuse_repeated_keys(node: yaml.Node, *path: str) -> None:
    """YAML would let the last of two equal keys win, and silently drop a condition of the rule."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise _Invalid(f"{name} is given twice; only one would count", *path, name)
            seen.add(name)
            _refuse_repeated_keys(value, *path, name)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            _refuse_repeated_keys(entry, *path)


def _numbers_to_text(node: yaml.Node) -> None:
    if isinstance(node, yaml.MappingNode):
        for pair in node.value:
            for part in pair:
                _numbers_to_text(part)
    elif isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            _numbers_to_text(entry)
    elif node.tag in NUMBERS:
        node.tag = STRING


def _line(node: yaml.Node, path: Sequence[str]) -> int:
    """The line of the key that `path` leads to, or of the deepest one found on the way."""
    line: int = node.start_mark.line + 1
    if not path:
        return line
    entries = node.value if isinstance(node, yaml.SequenceNode) else [node]
    for entry in entries:
        for key, value in entry.value if isinstance(entry, yaml.MappingNode) else ():
            if str(key.value) == path[0]:
                return max(int(key.start_mark.line) + 1, _line(value, path[1:]) if path[1:] else 0)
    return line


@dataclass(frozen=True)
class _Place:
    """The text of a document, and where it is."""

    content: str
    file: Path
    line: int

    def members(self) -> dict[str, Any]:
        return {
            "content_hash": hashlib.sha256(self.content.encode()).hexdigest(),
            "path": self.file,
            "line": self.line,
        }


def _rule(rule: Mapping[str, Any], lists: Lists, place: _Place) -> Rule:
    expansion = Expansion(lists)
    detection = parse_detection(rule.get("detection"), expansion)
    test_lists = _test_lists(rule.get("test_lists"))
    tested = parse_detection(rule["detection"], Expansion(Lists.of(test_lists))) if expansion.asked else None
    return Rule(
        **_about(rule),
        window=_window(_text(rule, "window") or "60m"),
        logsource=_logsource(rule.get("logsource")),
        detection=detection,
        undeclared=expansion.undeclared,
        lists=tuple(expansion.asked),
        tested=tested,
        test_lists=test_lists,
        subject=_subject(rule),
        **place.members(),
    )


def _subject(rule: Mapping[str, Any]) -> tuple[str, ...]:
    found = _texts(rule, "subject")
    if unknown := [each for each in found if each not in SUBJECTS]:
        raise _Invalid(f"subject {', '.join(unknown)} is none of {', '.join(SUBJECTS)}", "subject")
    return found


def _test_lists(value: object) -> dict[str, tuple[str, ...]]:
    given = {} if value is None else value
    if not isinstance(given, dict) or not all(isinstance(each, list) and each for each in given.values()):
        raise _Invalid("test_lists must be a map from names of lists to lists of values", "test_lists")
    return {str(name): tuple(map(str, each)) for name, each in given.items()}


def _correlation(rule: Mapping[str, Any], place: _Place) -> Correlation:
    return Correlation(**_about(rule), **parse_correlation(rule.get("correlation")), **place.members())


def _baseline(rule: Mapping[str, Any], place: _Place) -> Baseline:
    about = _about({key: value for key, value in rule.items() if key != "tests"})
    del about["tests"]
    try:
        check(rule["baseline"])
        tests = tuple(SeriesTest.model_validate(entry) for entry in rule.get("tests") or ())
    except ValidationError as error:
        raise _Invalid("a test has a name, match: true or false, and a series", "tests") from error
    except ValueError as error:
        raise _Invalid(str(error), "baseline") from error
    series = tuple(test.model_dump() for test in tests)
    return Baseline(**about, asks=rule["baseline"], series=series, **place.members())


def _filter(rule: Mapping[str, Any], lists: Lists, place: _Place) -> Filter:
    expansion = Expansion(lists)
    title, detection = _text(rule, "title"), rule["filter"]
    if not isinstance(detection, dict):
        raise _Invalid("filter must be a map with rules, selections and a condition", "filter")
    rules = _texts(detection, "rules")
    if "rules" not in detection:
        raise _Invalid("filter needs rules: ids or names of rules, or any", "filter")
    return Filter(
        id=_text(rule, "id") or str(uuid.uuid5(uuid.NAMESPACE_URL, title)),
        title=title,
        rules=() if [each.lower() for each in rules] == ["any"] else rules,
        logsource=_logsource(rule.get("logsource")),
        detection=parse_detection({k: v for k, v in detection.items() if k != "rules"}, expansion),
        undeclared=expansion.undeclared,
        lists=tuple(expansion.asked),
        **place.members(),
    )


def _about(rule: Mapping[str, Any]) -> dict[str, Any]:
    """What rules and correlations say about themselves."""
    title = _text(rule, "title")
    if not title:
        raise _Invalid("title is missing")
    level = _text(rule, "level") or "medium"
    if level not in LEVELS:
        raise _Invalid(f"level {level!r} is none of {', '.join(LEVELS)}", "level")
    return {
        "id": _text(rule, "id") or str(uuid.uuid5(uuid.NAMESPACE_URL, title)),
        "name": _text(rule, "name"),
        "title": title,
        "level": level,
        "description": _text(rule, "description"),
        "tags": _texts(rule, "tags"),
        "falsepositives": _texts(rule, "falsepositives"),
        "runbook": _text(rule, "runbook"),
        "alert": _flag(rule, "alert"),
        "tests": tuple(_test(entry) for entry in rule.get("tests") or ()),
    }


def _text(rule: Mapping[str, Any], key: str) -> str:
    value = rule.get(key)
    if isinstance(value, dict | list):
        raise _Invalid(f"{key} must be text", key)
    return "" if value is None else str(value).strip()


def _flag(rule: Mapping[str, Any], key: str) -> bool:
    value = rule.get(key, True)
    if not isinstance(value, bool):
        raise _Invalid(f"{key} {value!r} is neither true nor false", key)
    return value


def _texts(rule: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = rule.get(key)
    if isinstance(value, dict):
        raise _Invalid(f"{key} must be a list of texts", key)
    return tuple(map(str, value if isinstance(value, list) else [] if value is None else [value]))


def _window(text: str) -> int:
    match = re.fullmatch(r"([1-9][0-9]*)([smhd])", text)
    if not match:
        raise _Invalid(f"window {text!r} is not a time such as 30s, 60m, 12h or 1d", "window")
    return int(match[1]) * UNIT_SECONDS[match[2]]


def _logsource(value: object) -> dict[str, str]:
    given = value if isinstance(value, dict) else {}
    parts = {key: str(given[key]) for key in ("category", "product", "service") if given.get(key)}
    if not parts:
        raise _Invalid("logsource needs a product, a service or a category", "logsource")
    return parts


def _test(entry: object) -> RuleTest:
    if not isinstance(entry, dict) or not isinstance(entry.get("match"), bool) or not entry.get("events"):
        raise _Invalid("a test has a name, match: true or false, and a list of events", "tests")
    events = entry["events"] if isinstance(entry["events"], list) else [entry["events"]]
    texts = [
        event if isinstance(event, str) else json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        for event in events
    ]
    return RuleTest(str(entry.get("name", "")), entry["match"], tuple(texts))
