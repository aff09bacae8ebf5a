"""Files and folders of Sigma YAML in, a `RulePack` out: usable rules, faults with file and line, what is skipped."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from trailkeep.core.errors import Fault
from trailkeep.detect.tree import Node

COMPILER = 3
"""Raised whenever the same rule text yields another tree."""


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
    title: str
    level: str
    description: str
    tags: tuple[str, ...]
    falsepositives: tuple[str, ...]
    runbook: str
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


@dataclass(frozen=True)
class RuleFile:
    """What one file holds. `skipped` are documents that Sigma knows and Trailkeep does not run yet."""

    rules: tuple[Rule, ...]
    faults: tuple[Fault, ...]
    skipped: tuple[Fault, ...]


class RulePack(RuleFile):
    """What all files hold together; ids are unique."""


def load_rules(
    paths: Iterable[Path], cache: Path | None = None, placeholders: Mapping[str, Sequence[str]] | None = None
) -> RulePack:
    """The rules of `paths`, files or folders searched for *.yml and *.yaml; a fault never touches another rule.

    `cache` is a folder for parsed rules, found again by their content; `placeholders` are values for `|expand`.
    """
    files = [_load_file(file, cache, placeholders or {}) for file in _files(paths)]
    rules: dict[str, Rule] = {}
    faults = [fault for file in files for fault in file.faults]
    for rule in (rule for file in files for rule in file.rules):
        first = rules.setdefault(rule.id, rule)
        if first is not rule:
            reason = f"id {rule.id} is taken by {first.path}:{first.line}; give this rule an id of its own"
            faults.append(Fault(rule.path, rule.line, reason))
    return RulePack(tuple(rules.values()), tuple(faults), tuple(note for file in files for note in file.skipped))


def _files(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        inside = (file for file in path.rglob("*") if file.suffix in {".yml", ".yaml"}) if path.is_dir() else [path]
        found |= dict.fromkeys(sorted(inside))
    return list(found)


def _load_file(file: Path, cache: Path | None, placeholders: Mapping[str, Sequence[str]]) -> RuleFile:
    try:
        data = file.read_bytes()
    except OSError as error:
        return RuleFile((), (Fault(file, 1, f"cannot be read: {error.strerror}"),), ())
    if cache is None:
        return _parse(data, file, placeholders)
    key = hashlib.sha256(json.dumps([COMPILER, placeholders], default=list).encode() + data).hexdigest()
    entry = cache / f"{key}.json"
    try:
        found = msgspec.json.decode(entry.read_bytes(), type=RuleFile, dec_hook=lambda _, path: Path(path))
        return _at(found, file)
    except (FileNotFoundError, msgspec.MsgspecError):  # never cached, or a write cut short
        loaded = _parse(data, file, placeholders)
    cache.mkdir(parents=True, exist_ok=True)
    partial = entry.with_suffix(f".{file.stat().st_ino}.partial")
    partial.write_bytes(msgspec.json.encode(loaded, enc_hook=str))
    partial.replace(entry)
    return loaded


def _parse(data: bytes, file: Path, placeholders: Mapping[str, Sequence[str]]) -> RuleFile:
    from trailkeep.detect.sigma.document import parse_file  # pySigma takes a second to import

    return parse_file(data, file, placeholders)


def _at(loaded: RuleFile, file: Path) -> RuleFile:
    """What was cached under another name, as if read from `file`."""
    return RuleFile(
        tuple(dataclasses.replace(rule, path=file) for rule in loaded.rules),
        tuple(dataclasses.replace(fault, file=file) for fault in loaded.faults),
        tuple(dataclasses.replace(note, file=file) for note in loaded.skipped),
    )
