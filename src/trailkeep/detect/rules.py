"""Files and folders of Sigma YAML in, a `RulePack` out: usable rules and correlations, faults with file and line."""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from trailkeep.core.errors import Fault
from trailkeep.detect.correlations import filtered, resolve, waiting
from trailkeep.detect.lists import Lists
from trailkeep.detect.rule import AnyRule, Baseline, Correlation, Filter, Rule
from trailkeep.detect.tree import Listed, leaves

_One = TypeVar("_One", bound=AnyRule)
COMPILER = 9
"""Raised whenever the same rule text yields another tree."""


@dataclass(frozen=True)
class RuleFile:
    """What one file holds; references between its parts are as they are written there."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    filters: tuple[Filter, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class RulePack:
    """What all files hold together: ids are unique, correlations refer by id, filters are part of their rules."""

    rules: tuple[Rule, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    faults: tuple[Fault, ...] = ()
    lists: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """values of those lists that rules look up as a whole, by the keys that stand in the rules"""
    filters: tuple[Filter, ...] = ()
    """those that the files hold; they are part of their rules already"""
    waiting: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    """id of a rule, correlation or filter that does nothing -> names of the lists that nobody declared"""

    @property
    def met_by_events(self) -> tuple[Rule | Correlation, ...]:
        """Those that are about events as they come; baselines look at what is stored."""
        return (*self.rules, *self.correlations)

    @property
    def every(self) -> tuple[AnyRule, ...]:
        """All that people would call a rule."""
        return (*self.rules, *self.correlations, *self.baselines)


def load_rules(
    paths: Iterable[Path], cache: Path | None = None, lists: Mapping[str, Sequence[str]] | None = None
) -> RulePack:
    """The rules of `paths`, files or folders searched for *.yml and *.yaml; a fault never touches another rule.

    `cache` is a folder for parsed rules, found again by their content; `lists` are values for `|expand`. Rules
    that ask for a list which is not there, or empty, are part of the pack and match nothing.
    """
    known = Lists.of(lists or {})
    files = [_load_file(file, cache, known) for file in _files(paths)]
    faults = [fault for file in files for fault in file.faults]
    taken: dict[str, AnyRule] = {}
    rules, again = _unique([rule for file in files for rule in file.rules], taken)
    correlations, again_too = _unique([one for file in files for one in file.correlations], taken)
    filters = [each for file in files for each in file.filters]
    rules, unused = filtered(rules, filters)
    resolved, unresolved = resolve(correlations, rules)
    baselines, more = _unique([one for file in files for one in file.baselines], taken)
    return RulePack(
        tuple(rules),
        resolved,
        tuple(baselines),
        (*faults, *again, *again_too, *more, *unused, *unresolved),
        {key: known.by_key[key] for key in _lists_in(rules)},
        tuple(filters),
        waiting(resolved, rules) | {one.id: one.undeclared for one in filters if one.undeclared},
    )


def _lists_in(rules: Iterable[Rule]) -> set[str]:
    return {leaf.list for rule in rules for leaf in leaves(rule.detection) if isinstance(leaf, Listed)}


def _unique(given: list[_One], taken: dict[str, AnyRule]) -> tuple[list[_One], list[Fault]]:
    """Those whose id is not `taken`, which it is from now on, and faults of the others."""
    kept, faults = [], []
    for one in given:
        first = taken.setdefault(one.id, one)
        if first is one:
            kept.append(one)
        else:
            reason = f"id {one.id} is taken by {first.path}:{first.line}; give this one an id of its own"
            faults.append(Fault(one.path, one.line, reason))
    return kept, faults


def _files(paths: Iterable[Path]) -> list[Path]:
    found: dict[Path, None] = {}
    for path in paths:
        inside = (file for file in path.rglob("*") if file.suffix in {".yml", ".yaml"}) if path.is_dir() else [path]
        found |= dict.fromkeys(sorted(inside))
    return list(found)


def _load_file(file: Path, cache: Path | None, lists: Lists) -> RuleFile:
    try:
        data = file.read_bytes()
    except OSError as error:
        return RuleFile(faults=(Fault(file, 1, f"cannot be read: {error.strerror}"),))
    if cache is None:
        return _parse(data, file, lists)
    named = lists.named_in(data.decode("utf-8", "replace"))
    key = hashlib.sha256(json.dumps([COMPILER, named]).encode() + data).hexdigest()
    entry = cache / f"{key}.json"
    try:
        found = msgspec.json.decode(entry.read_bytes(), type=RuleFile, dec_hook=lambda _, path: Path(path))
        return _at(found, file)
    except (FileNotFoundError, msgspec.MsgspecError):  # never cached, or a write cut short
        loaded = _parse(data, file, lists)
    cache.mkdir(parents=True, exist_ok=True)
    partial = entry.with_suffix(f".{file.stat().st_ino}.partial")
    partial.write_bytes(msgspec.json.encode(loaded, enc_hook=str))
    partial.replace(entry)
    return loaded


def _parse(data: bytes, file: Path, lists: Lists) -> RuleFile:
    from trailkeep.detect.sigma.document import parse_file  # pySigma takes a second to import

    return parse_file(data, file, lists)


def _at(loaded: RuleFile, file: Path) -> RuleFile:
    """What was cached under another name, as if read from `file`."""
    return RuleFile(
        tuple(dataclasses.replace(rule, path=file) for rule in loaded.rules),
        tuple(dataclasses.replace(one, path=file) for one in loaded.correlations),
        tuple(dataclasses.replace(one, path=file) for one in loaded.filters),
        tuple(dataclasses.replace(one, path=file) for one in loaded.baselines),
        tuple(dataclasses.replace(fault, file=file) for fault in loaded.faults),
    )
