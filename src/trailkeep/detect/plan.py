"""The rules that apply to one source in, what a batch of it must be asked out: fields, tests and rule programs.

A program is a rule's tree with its leaves numbered. Its *relaxed* form takes every test that needs raw JSON for
passed, so that stored columns alone narrow the rows down before any JSON is read. Its *clued* form has a clue in
place of such a test, where there is one: what the JSON must hold, as text, if the test is to pass.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from trailkeep.core.columns import MAPPED
from trailkeep.core.source import Source
from trailkeep.detect.fields import ANY_KEY, RAW, Field, pair, resolve
from trailkeep.detect.lists import Members
from trailkeep.detect.masks import Mask, simplified
from trailkeep.detect.rule import Rule
from trailkeep.detect.tree import TEXT, And, Listed, Node, Not, Null, Or, Pair, Test, fold, plain
from trailkeep.detect.vocabulary import Vocabulary
from trailkeep.detect.witness import event_names

RARE = 8
"""Characters of a needle that is worth looking for in whole records."""
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


@dataclass(frozen=True)
class Clue:
    """Rows whose native field `top`, in lower case, holds `key` and one of `needles`, where there are such."""

    top: str
    key: str
    needles: tuple[str, ...]

    @property
    def rare(self) -> bool:
        """Whether few records as a whole hold a needle: there are needles, and all are long."""
        return bool(self.needles) and min(map(len, self.needles)) >= RARE


Program = Ask | Clue | Negate | Join | bool


@dataclass(frozen=True)
class Planned:
    """A rule: its number, its programs, and what it reads beside stored columns."""

    rule: int
    exact: Program
    relaxed: Program
    clued: Program
    needs: tuple["Need", ...]

    @property
    def clues(self) -> frozenset[Clue]:
        """What `clued` looks at."""
        return frozenset(one for one in _leaves(self.clued) if isinstance(one, Clue))


Need = str | int | Ask
"""A top-level native field by name, a field below one by number, a test of a wide field."""


class Plan:
    """Rules of one source: by event name, and open ones that every event must meet."""

    def __init__(
        self, rules: Sequence[Rule], source: Source, members: Callable[[Listed], Members] | None = None
    ) -> None:
        """`members` gives the members of a list that a rule names."""
        self.source = source
        self._members = members
        self.vocabularies: list[Vocabulary] = []
        self.named: dict[str, list[Planned]] = {}
        self.open: list[Planned] = []
        self._numbers: dict[Field, int] = {}
        self.name_field = self._field(EVENT_NAME)
        for number, rule in enumerate(rules):
            if rule.applies_to(source.logsource) and not rule.undeclared:
                self._add(number, rule.detection)

    def _add(self, number: int, node: Node) -> None:
        exact = self._program(node)
        asks = [one for one in _leaves(exact) if isinstance(one, Ask)]
        needs = tuple(dict.fromkeys(need for ask in asks for need in self._needs(ask)))
        relaxed = self._relaxed(exact, True, self._passed)
        planned = Planned(number, exact, relaxed, self._relaxed(exact, True, self._clue), needs)
        names = event_names(node, self.source)
        if names is None:
            self.open.append(planned)
        for name in names or ():
            self.named.setdefault(name, []).append(planned)

    @property
    def stored(self) -> list[str]:
        """The stored columns that rules read."""
        words = {word for one in self.vocabularies for word in re.findall(r"\w+", one.field.sql)}
        return [column.name for column in MAPPED if column.name in words]

    @property
    def natives(self) -> set[str]:
        """The top-level native fields that rules read."""
        return {name for one in self.vocabularies for name in one.field.natives}

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
            case Listed():
                index = self._field(resolve(node.field, self.source))
                return Ask(index, self.vocabularies[index].number(node, self._members(node) if self._members else None))
            case Test() | Null():
                index = self._field(resolve(node.field, self.source))
                return Ask(index, self.vocabularies[index].number(node))

    def _relaxed(self, program: Program, positive: bool, instead: Callable[[Ask], Program]) -> Program:
        """What is surely true of a row if `program` is (if not `positive`: surely false if it is false).

        `instead` is what is surely true of a row if a test of a native field is.
        """
        match program:
            case Ask(index) if self.vocabularies[index].field.natives:
                return instead(program) if positive else False
            case Negate(part):
                inner = self._relaxed(part, not positive, instead)
                return not inner if isinstance(inner, bool) else Negate(inner)
            case Join(every, parts):
                kept = [one for part in parts if (one := self._relaxed(part, positive, instead)) is not every]
                return every if not kept else (not every) if (not every) in kept else Join(every, tuple(kept))
        return program

    def _passed(self, _: Ask) -> Program:
        return True

    def _clue(self, ask: Ask) -> Program:
        vocabulary = self.vocabularies[ask.field]
        field, test = vocabulary.field, vocabulary.tests[ask.test]
        if field.natives == (RAW,) or isinstance(test, Null):
            return True  # nearly every needle is somewhere in whole records
        needles = test.needles if isinstance(test, Test) else ()
        last = field.path[-1] if field.path else ANY_KEY
        key = f'"{fold(last)}":' if last != ANY_KEY and plain(last) else ""
        return Clue(field.natives[0], key, needles) if key or needles else True


def _leaves(program: Program) -> Iterator[Ask | Clue]:
    match program:
        case Ask() | Clue():
            yield program
        case Negate(part):
            yield from _leaves(part)
        case Join(_, parts):
            for part in parts:
                yield from _leaves(part)


def evaluate(program: Program, ask: Callable[[Ask | Clue], Mask]) -> Mask:
    """The rows for which `program` is true, where `ask` gives those of a single test or clue."""
    match program:
        case Ask() | Clue():
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
