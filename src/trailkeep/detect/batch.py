"""A batch of events and the plan of its source in, the matches out.

Rows are put in order of event name, and each rule is decided on the rows of its names with a few operations on bit
masks: first by stored columns, coded as a rule asks for them (vocabulary.py), then by what the text of native fields
must hold (needles.py). Only rows that are still undecided have their JSON read (natives.py).
"""

import re
from collections.abc import Callable, Collection, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.fields import RAW, column_name
from trailkeep.detect.hits import Group, Hit, wanted
from trailkeep.detect.masks import Mask, both, either, simplified
from trailkeep.detect.natives import Natives
from trailkeep.detect.needles import Haystack
from trailkeep.detect.plan import Ask, Clue, Need, Plan, evaluate
from trailkeep.detect.tree import fold
from trailkeep.detect.vocabulary import Coded, one_batch
from trailkeep.engine.duckdb import Connection

MATCHES = pa.schema([("object_id", pa.string()), ("record_no", pa.int32()), ("rule", pa.int32()), ("row", pa.int64())])
EVENTS = "trailkeep_events"
BARE_NAME = re.compile(r'"?(\w+)"?')


class Batch:
    """One batch on its way through one plan. `events` has the columns that Matcher.match tells of."""

    def __init__(self, con: Connection, events: pa.Table, plan: Plan, available: Collection[str]) -> None:
        self.con, self.events, self.plan, self.available = con, events, plan, available
        self.coded: dict[int, Coded] = {}
        self.haystacks: dict[str, Haystack] = {}
        self.order = counted(len(events))
        self.groups = self._order_by_name()

    def matches(self) -> pa.Table:
        """The rows of MATCHES, without `row`'s offset."""
        decided: list[Hit] = []
        undecided: list[Hit] = []
        for group in self.groups:
            ask = self._asker(group)
            for planned in group.rules:
                rows = simplified(evaluate(planned.relaxed, ask))
                if rows is not False:
                    (undecided if planned.needs else decided).append(Hit(planned, group, rows))
        undecided = self._search(undecided)
        if undecided:
            self._read_natives(undecided)
            askers = [self._asker(group) for group in self.groups]
            for hit in undecided:
                rows = both(evaluate(hit.planned.exact, askers[hit.group.number]), hit.rows)
                decided.append(Hit(hit.planned, hit.group, rows))
        return self._table(decided)

    def _order_by_name(self) -> list[Group]:
        """Find the order of rows by event name; a group for each name that rules have, and one of all rows."""
        named, count = self.plan.named, len(self.events)
        groups = [Group(0, 0, count, self.plan.open, open=True)] if self.plan.open else []
        if named:
            coded = self._coded(self.plan.name_field)
            numbers = {name: number for number, name in enumerate(named)}
            names = [fold(name or "") for name in coded.distinct.to_pylist()]
            of_name = pa.array([numbers.get(name, len(named)) for name in names], pa.int32())
            of_row = of_name.take(coded.codes)
            self.order = pc.sort_indices(of_row).cast(pa.int64())
            self.coded = {index: one.taken(self.order) for index, one in self.coded.items()}
            sizes = {entry["values"]: entry["counts"] for entry in of_row.value_counts().to_pylist()}
            start = 0
            for number, rules in enumerate(named.values()):
                if size := sizes.get(number, 0):
                    groups.append(Group(len(groups), start, size, rules))
                    start += size
        return groups

    def _coded(self, index: int) -> Coded:
        """The stored column of field `index` in order, coded when it is first asked for."""
        if index not in self.coded:
            vocabulary = self.plan.vocabularies[index]
            name = BARE_NAME.fullmatch(vocabulary.field.sql)
            values = self.events.column(name[1]) if name else self._computed(vocabulary.field.sql)
            self.coded[index] = vocabulary.encode(self.con, values.combine_chunks()).taken(self.order)
        return self.coded[index]

    def _computed(self, sql: str) -> pa.ChunkedArray:
        """A value that is more than a stored column."""
        read = self.events.select([name for name in self.events.column_names if name in sql or name == "record_no"])
        self.con.register(EVENTS, read.combine_chunks())
        try:
            return self.con.execute(f"SELECT {sql} AS v FROM {EVENTS}").to_arrow_table().column("v")  # noqa: S608
        finally:
            self.con.unregister(EVENTS)

    def _asker(self, group: Group) -> Callable[[Ask | Clue], Mask]:
        """How to look up a test or a clue on the rows of `group`; each is looked up once."""
        known: dict[Ask | Clue, Mask] = {}

        def ask(one: Ask | Clue) -> Mask:
            if one not in known:
                known[one] = self._hold(one, group) if isinstance(one, Clue) else self._pass(one, group)
            return known[one]

        return ask

    def _pass(self, ask: Ask, group: Group) -> Mask:
        coded = self._coded(ask.field)
        passed = coded.passed[ask.test]
        if isinstance(passed, bool):
            return passed
        return simplified(passed.take(coded.codes.slice(group.start, group.length)))

    def _hold(self, clue: Clue, group: Group) -> Mask:
        """The rows of `group` that have what `clue` says; all if there is no text to search."""
        haystack = self.haystacks.get(clue.top)
        records = self.haystacks.get(RAW) if haystack is None and clue.rare else None
        searched = haystack or records
        if searched is None:
            return True
        found: Mask = not clue.needles
        for needle in clue.needles:
            found = either(found, searched.rows(needle, group.start, group.length))
        if haystack is None:  # a record may spell a needle with escapes
            return either(found, searched.rows("\\", group.start, group.length))
        if found is False or not clue.key:
            return found
        return both(found, haystack.rows(clue.key, group.start, group.length))

    def _search(self, undecided: Sequence[Hit]) -> list[Hit]:
        """What is left of `undecided` hits once the texts of their native fields were searched."""
        kept = set(self.events.column_names)
        whole = kept & {RAW} if self.plan.source.format == "json" else set()
        clues = [
            (clue.top if column_name(clue.top) in kept else RAW, hit)
            for hit in undecided
            for clue in hit.planned.clues
            if column_name(clue.top) in kept or (clue.rare and whole)
        ]
        for top, mask in wanted(clues, len(self.events)).items():
            if isinstance(top, str):
                rows = pc.if_else(mask, self.order, pa.scalar(None, self.order.type))
                texts = self.events.column(column_name(top)).combine_chunks().take(rows)
                self.haystacks[top] = Haystack(self.con, texts)
        askers = [self._asker(group) for group in self.groups]
        narrowed = [
            Hit(hit.planned, hit.group, both(evaluate(hit.planned.clued, askers[hit.group.number]), hit.rows))
            for hit in undecided
        ]
        return [hit for hit in narrowed if hit.rows is not False]

    def _read_natives(self, undecided: Sequence[Hit]) -> None:
        """Read the native fields of undecided rows, each only on rows where one of them needs it."""
        needs = wanted([(need, hit) for hit in undecided for need in hit.planned.needs], len(self.events))
        picked = pa.repeat(False, len(self.events))
        for mask in needs.values():
            picked = pc.or_(picked, mask)
        places = pc.inverse_permutation(self.order)
        chosen = picked.take(places)
        places = places.filter(chosen)
        masks = {need: mask.take(places) for need, mask in needs.items()}
        found = Natives(self.con, self.events, chosen, self.plan, self.available, masks)
        zeros = pa.repeat(pa.scalar(0, pa.int64()), len(self.events))
        rows = pc.replace_with_mask(zeros, chosen, counted(len(places))).take(self.order)
        self._take_natives(found, needs, rows)

    def _take_natives(self, found: Natives, needs: Collection[Need], rows: pa.Array) -> None:
        """Code the fields that were `found`; `rows` is where in them each row of this batch is."""
        for need in needs:
            if isinstance(need, int):
                self.coded[need] = self.plan.vocabularies[need].encode(self.con, found.values(need)).taken(rows)
            elif isinstance(need, Ask):  # a wide field is not coded: the code of a row is its number
                if need.field not in self.coded:
                    tests: list[Mask] = [False] * len(self.plan.vocabularies[need.field].tests)
                    self.coded[need.field] = Coded(rows, rows, tests)
                self.coded[need.field].passed[need.test] = simplified(found.passed(need))

    def _table(self, hits: Sequence[Hit]) -> pa.Table:
        rows: list[pa.Array] = []
        rules: list[pa.Array] = []
        for hit in hits:
            if hit.rows is not False:
                found = pc.indices_nonzero(pa.repeat(True, hit.group.length) if hit.rows is True else hit.rows)
                rows.append(pc.add(found.cast(pa.int64()), hit.group.start))
                rules.append(pa.repeat(pa.scalar(hit.planned.rule, pa.int32()), len(found)))
        if not rows:
            return MATCHES.empty_table()
        places = self.order.take(pa.concat_arrays(rows))
        keys = one_batch(self.events.select(["object_id", "record_no"])).take(places)
        table = pa.Table.from_batches([keys]).append_column("rule", pa.concat_arrays(rules))
        return table.append_column("row", places.cast(pa.int64())).cast(MATCHES)


def counted(rows: int) -> pa.Array:
    """The numbers of `rows` rows."""
    return pc.indices_nonzero(pa.repeat(True, rows)).cast(pa.int64())
