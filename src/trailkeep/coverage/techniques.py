"""Rules in, what they cover of ATT&CK's cloud platforms out, as rows and as a layer of the ATT&CK Navigator.

The layer has the format 4.5 of the Navigator (github.com/mitre-attack/attack-navigator, layers/spec/v4.5).
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trailkeep.core.levels import LEVELS
from trailkeep.coverage.matrix import ATTACK_VERSION, NOTICE, Attack, cloud, matrix, unseen
from trailkeep.detect.rule import AnyRule

COVERED, BY_PARTS, UNSEEN, GAP = "covered", "by sub-techniques", "not visible", "gap"
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)")
_UNKNOWN = ("", (), frozenset[str]())
_COLOURS = {BY_PARTS: "#dcefe2", GAP: "#f6d5d0"}


@dataclass(frozen=True)
class Technique:
    """A technique or sub-technique, the rules that name it, most severe first, and what that amounts to."""

    attack: Attack
    rules: tuple[AnyRule, ...]
    state: str

    @property
    def id(self) -> str:
        return self.attack.id

    @property
    def levels(self) -> str:
        """How many rules of which level, such as `1 critical, 3 low`."""
        counts = [(level, sum(rule.level == level for rule in self.rules)) for level in reversed(LEVELS)]
        return ", ".join(f"{count} {level}" for level, count in counts if count)

    @property
    def why(self) -> str:
        """Why logs cannot show it; empty where they can."""
        return unseen()[self.id] if self.state == UNSEEN else ""

    @property
    def comment(self) -> str:
        """What a reader of the layer is told."""
        return "\n".join(f"{rule.level}: {rule.title}" for rule in self.rules) or self.why or self.state


def named(rule: AnyRule) -> list[str]:
    """The ids of the techniques that a rule names."""
    return [match[1].upper() for tag in rule.tags if (match := _TECHNIQUE.fullmatch(tag))]


def techniques(rules: Iterable[AnyRule]) -> list[Technique]:
    """Every technique of the cloud platforms, and what rules name besides, by id."""
    found: dict[str, list[AnyRule]] = defaultdict(list)
    for rule in rules:
        for uid in named(rule):
            found[uid].append(rule)
    every = {each.id: each for each in cloud()} | {uid: matrix().get(uid) or Attack(uid, *_UNKNOWN) for uid in found}
    parents = {uid.partition(".")[0] for uid in found}
    return [_technique(every[uid], found.get(uid, []), uid in parents) for uid in sorted(every)]


def _technique(attack: Attack, rules: list[AnyRule], in_parts: bool) -> Technique:
    rules.sort(key=lambda rule: (-LEVELS.index(rule.level), rule.title))
    state = COVERED if rules else BY_PARTS if in_parts else UNSEEN if attack.id in unseen() else GAP
    return Technique(attack, tuple(rules), state)


def layer(found: Sequence[Technique]) -> dict[str, Any]:
    """A layer in which each technique is scored by how many rules it has; what logs cannot show is switched off."""
    return {
        "name": "Trailkeep",
        "versions": {"attack": ATTACK_VERSION.partition(".")[0], "layer": "4.5", "navigator": "5.1.0"},
        "domain": "enterprise-attack",
        "description": f"Techniques of the cloud platforms; the score is the number of rules. {NOTICE}",
        "techniques": [
            {
                "techniqueID": each.id,
                "comment": each.comment,
                "enabled": each.state != UNSEEN,
                "showSubtechniques": "." in each.id,
                **({"score": len(each.rules)} if each.rules else {}),
                **({"color": _COLOURS[each.state]} if each.state in _COLOURS else {}),
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
