"""The rules that apply to one source in, what a batch of it must be asked out: fields, tests and rule programs.

A program is a rule's tree with its leaves numbered. Its *relaxed* form takes every test that needs raw JSON for
passed, so that stored columns alone narrow the rows down before any JSON is read.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from trailkeep.core.columns import MAPPED
from trailkeep.core.source import Source
from trailkeep.detect.fields import RAW, Field, pair, quoted, resolve
from trailkeep.detect.rules import Rule
from trailkeep.detect.tree import TEXT, And, Node, Not, Null, Or, Pair, Test
from trailkeep.detect.vocabulary import Mask, Vocabulary, simplified
from trailkeep.detect.witness import event_names

EVENT_NAME = Field('"event_name"')


@dataclass(frozen=True)
class Ask:
    """A numbered test of a numbered field."""

    field: int
    test: int


@dataclass(frozen=True)
class Negate:
    """The opposite of `part`."""

    part: "Program"


@dataclass(frozen=True)
class Join:
    """All of `parts`, or any."""

    all: bool
    parts: tuple["Program", ...]


Program = Ask | Negate | Join | bool


@dataclass(frozen=True)
class Planned:
    """A rule: its number, its programs, and what it reads beside stored columns."""

    rule: int
    exact: Program
    relaxed: Program
    needs: tuple["Need", ...]


Need = str | int | Ask
"""A top-level native field by name, a field below one by number, a test of a wide field."""


class Plan:
    """Rules of one source: by event name, and open ones that every event must meet."""

    def __init__(self, rules: Sequence[Rule], source: Source) -> None:
        self.source = source
        self.vocabularies: list[Vocabulary] = []
        self.named: dict[str, list[Planned]] = {}
        self.open: list[Planned] = []
        self._numbers: dict[Field, int] = {}
        self.name_field = self._field(EVENT_NAME)
        for number, rule in enumerate(rules):
            if rule.applies_to(source.logsource):
                self._add(number, rule.detection)

    def _add(self, number: int, node: Node) -> None:
        exact = self._program(node)
        needs = tuple(dict.fromkeys(need for ask in _asks(exact) for need in self._needs(ask)))
        planned = Planned(number, exact, self._relaxed(exact, True) if needs else exact, needs)
        names = event_names(node, self.source)
        if names is None:
            self.open.append(planned)
        for name in names or ():
            self.named.setdefault(name, []).append(planned)

    @property
    def columns(self) -> list[str]:
        """The columns of events that rules read, natives apart."""
        words = {word for one in self.vocabularies for word in re.findall(r"\w+", one.field.sql)}
        stored = [quoted(column.name, '"') for column in MAPPED if column.name in words]
        return [*stored, "object_id", "record_no", "raw_format", RAW]

    def _needs(self, ask: Ask) -> list[Need]:
        field = self.vocabularies[ask.field].field
        return [*field.natives, ask if field.wide else ask.field] if field.natives else []

    def _field(self, field: Field) -> int:
        if field not in self._numbers:
            self._numbers[field] = len(self.vocabularies)
            self.vocabularies.append(Vocabulary(field))
        return self._numbers[field]

    def _program(self, node: Node) -> Program:
        match node:
            case Not(inner):
                return Negate(self._program(inner))
            case And(nodes) | Or(nodes):
                return Join(isinstance(node, And), tuple(self._program(child) for child in nodes))
            case Pair():
                index = self._field(pair(node, self.source))
                return Ask(index, self.vocabularies[index].number(Test("", f"{TEXT} = 'true'")))
            case Test() | Null():
                index = self._field(resolve(node.field, self.source))
                return Ask(index, self.vocabularies[index].number(node))

    def _relaxed(self, program: Program, positive: bool) -> Program:
        """What is surely true of a row if `program` is (if not `positive`: surely false if it is false)."""
        match program:
            case Ask(index):
                return positive if self.vocabularies[index].field.natives else program
            case Negate(part):
                inner = self._relaxed(part, not positive)
                return not inner if isinstance(inner, bool) else Negate(inner)
            case Join(every, parts):
                kept = [one for part in parts if (one := self._relaxed(part, positive)) is not every]
                return every if not kept else (not every) if (not every) in kept else Join(every, tuple(kept))
        return program


def _asks(program: Program) -> Iterator[Ask]:
    match program:
        case Ask():
            yield program
        case Negate(part):
            yield from _asks(part)
        case Join(_, parts):
            for part in parts:
                yield from _asks(part)


def evaluate(program: Program, ask: Callable[[Ask], Mask]) -> Mask:
    """The rows for which `program` is true, where `ask` gives those of a single test."""
    match program:
        case Ask():
            return ask(program)
        case Negate(part):
            inner = evaluate(part, ask)
            return not inner if isinstance(inner, bool) else pc.invert(inner)
        case Join(every, parts):
            result: Mask = every
            for part in parts:
                mask = evaluate(part, ask)
                if isinstance(mask, bool):
                    if mask is not every:
                        return mask
                elif isinstance(result, bool):
                    result = mask
                else:
                    result = simplified(pc.and_(result, mask) if every else pc.or_(result, mask))
                    if result is (not every):
                        return result
            return result
    return program
