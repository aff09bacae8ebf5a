"""Rules in, the ATT&CK techniques that they are about out, as a table and as a layer of the ATT&CK Navigator.

The layer has the format 4.5 of the Navigator (github.com/mitre-attack/attack-navigator, layers/spec/v4.5).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trailkeep.core.levels import LEVELS
from trailkeep.detect.rule import AnyRule

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)")
_TACTIC = re.compile(r"attack\.([a-z]+(?:-[a-z]+)*)")


@dataclass(frozen=True)
class Technique:
    """A technique or sub-technique, and the rules that name it, most severe first."""

    id: str
    tactics: tuple[str, ...]
    rules: tuple[AnyRule, ...]

    @property
    def levels(self) -> str:
        """How many rules of which level, such as `1 critical, 3 low`."""
        counts = [(level, sum(rule.level == level for rule in self.rules)) for level in reversed(LEVELS)]
        return ", ".join(f"{count} {level}" for level, count in counts if count)


def techniques(rules: Iterable[AnyRule]) -> list[Technique]:
    """The techniques that `rules` name, by id."""
    found: dict[str, list[AnyRule]] = defaultdict(list)
    for rule in rules:
        for tag in rule.tags:
            if match := _TECHNIQUE.fullmatch(tag):
                found[match[1].upper()].append(rule)
    return [_technique(uid, found[uid]) for uid in sorted(found)]


def _technique(uid: str, rules: list[AnyRule]) -> Technique:
    rules.sort(key=lambda rule: (-LEVELS.index(rule.level), rule.title))
    tags = (match[1] for rule in rules for tag in rule.tags if (match := _TACTIC.fullmatch(tag)))
    return Technique(uid, tuple(sorted(set(tags))), tuple(rules))


def layer(found: Sequence[Technique]) -> dict[str, Any]:
    """A layer in which each technique is scored by how many rules it has."""
    return {
        "name": "Trailkeep",
        "versions": {"layer": "4.5", "navigator": "5.1.0"},
        "domain": "enterprise-attack",
        "description": "Techniques that the rules are about; the score is the number of rules.",
        "techniques": [
            {
                "techniqueID": each.id,
                "score": len(each.rules),
                "comment": "\n".join(f"{rule.level}: {rule.title}" for rule in each.rules),
                "enabled": True,
                "showSubtechniques": "." in each.id,
            }
            for each in found
        ],
        "gradient": {
            "colors": ["#dcefe2", "#2f7d4f"],
            "minValue": 1,
            "maxValue": max((len(e.rules) for e in found), default=1),
        },
        "legendItems": [],
        "hideDisabled": False,
    }
