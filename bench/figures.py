"""Measured samples in, the benchmark's report out: a table for people, JSON for programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

NOT_COMPARED = "could not be compared"


@dataclass(frozen=True)
class Figure:
    """One line of the report: the median of `samples` against `limit`, or the `problem` that prevented it."""

    name: str
    samples: tuple[float, ...] = ()
    unit: str = ""
    limit: float | None = None
    at_least: bool = False  # the limit is a floor
    note: str = ""
    problem: str = ""

    @property
    def value(self) -> float | None:
        """The median, None when there is nothing measured."""
        return median(self.samples) if self.samples else None

    @property
    def verdict(self) -> str:
        """met, MISSED, could not be compared, or nothing where no limit is set."""
        if self.problem or self.value is None:
            return NOT_COMPARED
        if self.limit is None:
            return ""
        return "met" if (self.value >= self.limit if self.at_least else self.value <= self.limit) else "MISSED"


def as_json(figures: Sequence[Figure], machine: dict[str, str]) -> dict[str, Any]:
    """The whole report as plain data."""
    rows = [asdict(figure) | {"median": figure.value, "verdict": figure.verdict} for figure in figures]
    return {"machine": machine, "figures": rows}


def as_markdown(figures: Sequence[Figure], machine: dict[str, str]) -> str:
    """The whole report as a Markdown text whose table is aligned, so that it reads well in a terminal."""
    rows = [("figure", "median", "min - max", "limit", "verdict")]
    rows += [(figure.name, _median(figure), _spread(figure), _limit(figure), figure.verdict) for figure in figures]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    notes = [f"- {figure.name}: {figure.problem or figure.note}" for figure in figures if figure.problem or figure.note]
    about = [f"- {name}: {value}" for name, value in machine.items()]
    return "\n".join([*lines, "", "Notes", *notes, "", "Machine", *about, ""])


def _median(figure: Figure) -> str:
    return "" if figure.value is None else f"{_number(figure.value)} {figure.unit}".strip()


def _spread(figure: Figure) -> str:
    return f"{_number(min(figure.samples))} - {_number(max(figure.samples))}" if len(figure.samples) > 1 else ""


def _limit(figure: Figure) -> str:
    if figure.limit is None:
        return ""
    return f"{'at least' if figure.at_least else 'at most'} {_number(figure.limit)}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}" if abs(value) >= 0.1 else f"{value:.3f}"
