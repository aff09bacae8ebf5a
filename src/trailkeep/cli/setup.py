"""Options in, what the stages need out: sources, compiled rules, places of addresses."""

import os
import sys
from collections import Counter
from pathlib import Path

from trailkeep.cli.options import DEFAULT_CONFIG, existing
from trailkeep.cli.output import counted
from trailkeep.config import config_model
from trailkeep.core.errors import UsageError
from trailkeep.core.source import Source, load_sources
from trailkeep.core.yaml_file import load_yaml
from trailkeep.detect.declared import Declared
from trailkeep.detect.lists import Lists
from trailkeep.detect.match import Matcher
from trailkeep.detect.rule import AnyRule
from trailkeep.detect.rules import RulePack, load_rules
from trailkeep.geo.places import Geo, Places
from trailkeep.intake import Reading

SHIPPED_RULES = Path(__file__).parent.parent / "rules"
SHIPPED = Path("shipped")
_NAMED = 5
_LOGSOURCE = ("product", "service", "category")


def reading_of(sources: list[Path] | None, source: str | None, limit_mb: int) -> Reading:
    """How to read files. Raises UsageError for a source that there is not."""
    known = load_sources(*existing(sources))
    if source is not None and source not in known:
        raise UsageError(f"no source {source!r}; there are {', '.join(sorted(known))}")
    return Reading(known, source, limit_mb << 20, cache())


def lists_of(config: Path | None) -> Lists:
    """What `config` declares, or trailkeep.yaml in this folder; nothing if that is not there."""
    if config is None and not DEFAULT_CONFIG.exists():
        return Lists()
    return load_yaml(config or DEFAULT_CONFIG, Declared, os.environ).as_lists()


def rules_of(paths: list[Path] | None, lists: Lists | None = None) -> RulePack:
    """The rules at `paths`, or those shipped; faults are told on stderr and disable only their own rule.

    The word `shipped` among the paths stands for the shipped ones. Without `lists` none is declared.
    """
    named = [SHIPPED_RULES if path == SHIPPED else path for path in paths or []]
    pack = load_rules(existing(named) or [SHIPPED_RULES], cache=cache(), lists=lists.values if lists else None)
    for fault in pack.faults:
        print(f"rule left out: {fault}", file=sys.stderr)
    return pack


def chosen(pack: RulePack, text: str | None) -> list[AnyRule]:
    """The rules that `text` means, all if it is None. Raises UsageError if there is none."""
    if text is None:
        return list(pack.every)
    exact = [one for one in pack.every if text in (one.id, one.name)]
    found = exact or [one for one in pack.every if text.lower() in one.title.lower()]
    if not found:
        raise UsageError(f"no rule {text!r}; `trailkeep rules list` shows those there are")
    return found


def matcher_of(pack: RulePack | None, sources: dict[str, Source]) -> Matcher:
    """A matcher of the pack's rules for these sources; rules for which there is no source are told on stderr."""
    if pack is None:
        return Matcher((), sources)
    lacking = Counter(
        " ".join(rule.logsource[part] for part in sorted(rule.logsource, key=_LOGSOURCE.index))
        for rule in pack.rules
        if not any(rule.applies_to(source.logsource) for source in sources.values())
    )
    if sources and lacking:
        named = [f"{logsource} ({count:,})" for logsource, count in lacking.most_common(_NAMED)]
        more = f" and {len(lacking) - _NAMED:,} others" if len(lacking) > _NAMED else ""
        print(
            f"{lacking.total():,} of {counted(len(pack.rules), 'rule')} cannot match, for lack of a source: "
            f"{', '.join(named)}{more}; `trailkeep rules lint` names each",
            file=sys.stderr,
        )
    return Matcher(pack.rules, sources, pack.correlations, pack.baselines, pack.lists)


def say_waiting(pack: RulePack, *, always: bool = False) -> None:
    """Tell on stderr how many rules match nothing because nobody declared what they ask for.

    Unless `always`, not of shipped rules where nothing at all is declared: that is how everybody begins.
    """
    shipped = {one.id for one in pack.every if SHIPPED_RULES in one.path.parents}
    if pack.waiting and (always or pack.lists or pack.waiting.keys() - shipped):
        names = {name for waiting in pack.waiting.values() for name in waiting}
        print(
            f"{counted(len(pack.waiting), 'rule')} of {len(pack.every):,} can match nothing: "
            f"{counted(len(names), 'list')} of yours not declared; `trailkeep rules list` names them",
            file=sys.stderr,
        )


def places_of(config: Path | None) -> Places:
    """What the part `geo:` of `config` names, or of trailkeep.yaml in this folder; nothing if that is not there."""
    if config is None and not DEFAULT_CONFIG.exists():
        return Places(Geo())
    return Places(load_yaml(config or DEFAULT_CONFIG, config_model(collectors=False), os.environ).geo)


def cache() -> Path:
    """Where compiled rules and statements are kept: nothing in it is needed, all of it saves time."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trailkeep"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
