"""The rules that apply to one source in, what a batch of it must be asked out: fields, tests and rule programs.

A program is a rule's tree with its leaves numbered. Its *relaxed* form takes every test that needs raw JSON for
passed, so that stored columns alone narrow the rows down before any JSON is read.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from trailkeep.core.source import Source
from trailkeep.detect.fields import Field, pair, resolve
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
    native_fields: tuple[int, ...]
    natives: tuple[str, ...]
    """The top-level fields of `native_fields`."""


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
        native_fields = tuple(i for i in sorted(_fields(exact)) if self.vocabularies[i].field.natives)
        natives = tuple(dict.fromkeys(top for i in native_fields for top in self.vocabularies[i].field.natives))
        relaxed = self._relaxed(exact, True) if natives else exact
        planned = Planned(number, exact, relaxed, native_fields, natives)
        names = event_names(node, self.source)
        if names is None:
            self.open.append(planned)
        for name in names or ():
            self.named.setdefault(name, []).append(planned)

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


def _fields(program: Program) -> set[int]:
    match program:
        case Ask(index):
            return {index}
        case Negate(part):
            return _fields(part)
        case Join(_, parts):
            return set().union(*map(_fields, parts))
    return set()


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
