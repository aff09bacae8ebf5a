"""Options in, what the stages need out: sources, compiled rules, places of addresses."""

import os
import sys
from pathlib import Path

from trailkeep.cli.options import DEFAULT_CONFIG, existing
from trailkeep.config import config_model
from trailkeep.core.errors import UsageError
from trailkeep.core.source import Source, load_sources
from trailkeep.core.yaml_file import load_yaml
from trailkeep.detect.match import Matcher
from trailkeep.detect.rules import RulePack, load_rules
from trailkeep.geo.places import Geo, Places
from trailkeep.intake import Reading

SHIPPED_RULES = Path(__file__).parent.parent / "rules"
SHIPPED = Path("shipped")


def reading_of(sources: list[Path] | None, source: str | None, limit_mb: int) -> Reading:
    """How to read files. Raises UsageError for a source that there is not."""
    known = load_sources(*existing(sources))
    if source is not None and source not in known:
        raise UsageError(f"no source {source!r}; there are {', '.join(sorted(known))}")
    return Reading(known, source, limit_mb << 20, cache())


def rules_of(paths: list[Path] | None) -> RulePack:
    """The rules at `paths`, or those shipped; faults are told on stderr and disable only their own rule.

    The word `shipped` among the paths stands for the shipped ones.
    """
    named = [SHIPPED_RULES if path == SHIPPED else path for path in paths or []]
    pack = load_rules(existing(named) or [SHIPPED_RULES], cache=cache())
    for fault in pack.faults:
        print(f"rule left out: {fault}", file=sys.stderr)
    return pack


def matcher_of(pack: RulePack | None, sources: dict[str, Source]) -> Matcher:
    """A matcher of the pack's rules for these sources."""
    return Matcher(pack.rules, sources, pack.correlations, pack.baselines) if pack else Matcher((), sources)


def places_of(config: Path) -> Places:
    """What the part `geo:` of the configuration names; nothing where there is no configuration, which need not be."""
    if config == DEFAULT_CONFIG and not config.exists():
        return Places(Geo())
    return Places(load_yaml(config, config_model(collectors=False), os.environ).geo)


def cache() -> Path:
    """Where compiled rules and statements are kept: nothing in it is needed, all of it saves time."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trailkeep"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
