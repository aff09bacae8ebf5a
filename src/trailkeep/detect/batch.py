"""A batch of events and the plan of its source in, the matches out.

Stored columns are coded (vocabulary.py), rows are put in order of event name, and each rule is decided on the
rows of its names with a few operations on bit masks. Only rows that are still undecided have their JSON read.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.documents import Documents
from trailkeep.detect.fields import Field, Texts, below, column_name, holds, native, quoted
from trailkeep.detect.plan import Ask, Need, Plan, Planned, evaluate
from trailkeep.detect.tree import fold
from trailkeep.detect.vocabulary import Mask, one_batch, simplified
from trailkeep.engine.duckdb import Connection

MATCHES = pa.schema([("object_id", pa.string()), ("record_no", pa.int32()), ("rule", pa.int32())])
EVENTS = "trailkeep_events"
PIECE = 1 << 16
"""Bytes looked at together: few enough to stay in the processor's cache."""
BARE_NAME = re.compile(r'"?(\w+)"?')


@dataclass(frozen=True)
class Group:
    """Rows `start` to `start + length` in order of event name, and the rules that may match them."""

    number: int
    start: int
    length: int
    rules: Sequence[Planned]


@dataclass(frozen=True)
class Hit:
    """The rows of `group` that `planned` matches, or may match."""

    planned: Planned
    group: Group
    rows: Mask


class Batch:
    """One batch on its way through one plan. `events` has the columns that Matcher.match tells of."""

    def __init__(self, con: Connection, events: pa.RecordBatch, plan: Plan, available: Collection[str]) -> None:
        self.con, self.events, self.plan, self.available = con, events, plan, available
        self.codes: dict[int, pa.Array] = {}
        self.distinct: dict[int, pa.Array] = {}
        self.passed: dict[int, list[Mask]] = {}
        self.order: pa.Array | None = None
        self._code_stored()
        self.groups = self._order_by_name()

    def matches(self) -> pa.Table:
        """The rows of MATCHES."""
        decided: list[Hit] = []
        undecided: list[Hit] = []
        for group in self.groups:
            ask = self._asker(group)
            for planned in group.rules:
                rows = simplified(evaluate(planned.relaxed, ask))
                if rows is not False:
                    (undecided if planned.needs else decided).append(Hit(planned, group, rows))
        if undecided:
            self._read_natives(undecided)
            askers = [self._asker(group) for group in self.groups]
            for hit in undecided:
                rows = both(evaluate(hit.planned.exact, askers[hit.group.number]), hit.rows)
                decided.append(Hit(hit.planned, hit.group, rows))
        return self._table(decided)

    def _code_stored(self) -> None:
        """Code the stored columns that rules use; what is more than a column's name is computed first."""
        fields = {i: one.field for i, one in enumerate(self.plan.vocabularies) if not one.field.natives}
        names = {i: BARE_NAME.fullmatch(field.sql) for i, field in fields.items()}
        computed = {i: field.sql for i, field in fields.items() if not names[i]}
        if computed:
            columns = ", ".join(f"{sql} AS f{i}" for i, sql in computed.items())
            batch = self._query({}, f"SELECT {columns} FROM {EVENTS}")  # noqa: S608
            for i in computed:
                self._encode(i, batch.column(f"f{i}"))
        for i, name in names.items():
            if name:
                self._encode(i, self.events.column(name[1]))

    def _encode(self, index: int, values: pa.Array) -> None:
        vocabulary = self.plan.vocabularies[index]
        self.codes[index], self.distinct[index], self.passed[index] = vocabulary.encode(self.con, values)

    def _query(self, added: Mapping[str, pa.Array], query: str) -> pa.RecordBatch:
        """The answer to `query` over EVENTS, to which `added` columns were added, in order of rows."""
        table = pa.Table.from_batches([self.events])
        for name, column in added.items():
            table = table.append_column(name, column)
        self.con.register(EVENTS, table)
        try:
            return one_batch(self.con.execute(query).to_arrow_table())
        finally:
            self.con.unregister(EVENTS)

    def _order_by_name(self) -> list[Group]:
        """Put codes in order of event name; a group for each name that rules have, and one of all rows."""
        named, count = self.plan.named, len(self.events)
        if not count:
            return []
        groups = [Group(0, 0, count, self.plan.open)] if self.plan.open else []
        if named:
            numbers = {name: number for number, name in enumerate(named)}
            names = [fold(name or "") for name in self.distinct[self.plan.name_field].to_pylist()]
            of_name = pa.array([numbers.get(name, len(named)) for name in names], pa.int32())
            of_row = of_name.take(self.codes[self.plan.name_field])
            self.order = pc.sort_indices(of_row)
            self.codes = {index: codes.take(self.order) for index, codes in self.codes.items()}
            sizes = {entry["values"]: entry["counts"] for entry in of_row.value_counts().to_pylist()}
            start = 0
            for number, rules in enumerate(named.values()):
                if size := sizes.get(number, 0):
                    groups.append(Group(len(groups), start, size, rules))
                    start += size
        return groups

    def _asker(self, group: Group) -> Callable[[Ask], Mask]:
        """How to look up a test on the rows of `group`; each is looked up once."""
        known: dict[Ask, Mask] = {}

        def ask(one: Ask) -> Mask:
            if one not in known:
                passed = self.passed[one.field][one.test]
                if not isinstance(passed, bool):
                    codes = self.codes[one.field].slice(group.start, group.length)
                    passed = simplified(passed.take(codes))
                known[one] = passed
            return known[one]

        return ask

    def _read_natives(self, undecided: Sequence[Hit]) -> None:
        """Read the native fields of undecided rules, each only on rows where one of them needs it."""
        needs = self._needs(undecided)
        back = pc.sort_indices(self.order) if self.order is not None else None
        added = {f"need{i}": mask.take(back) if back else mask for i, mask in enumerate(needs.values())}
        wide = {self.plan.vocabularies[need.field].field.natives[0] for need in needs if isinstance(need, Ask)}
        kept = {column_name(top) for top in wide} & set(self.events.schema.names)
        ready = {name for name in kept if is_ascii(self.events.column(name))}
        added |= {f"lower {name}": pc.ascii_lower(self.events.column(name)) for name in ready}
        batch = self._query(added, self._native_query(list(needs), ready))
        rows = pa.array(range(len(self.events)), pa.int32()) if self.order is None else self.order
        for i, need in enumerate(needs):
            if isinstance(need, int):
                self._encode(need, batch.column(f"c{i}"))
                self.codes[need] = self.codes[need].take(rows)
            elif isinstance(need, Ask):  # a wide field is not coded: the code of a row is its number
                self.codes[need.field] = rows
                tests = self.passed.setdefault(need.field, [False] * len(self.plan.vocabularies[need.field].tests))
                tests[need.test] = simplified(batch.column(f"c{i}"))

    def _needs(self, undecided: Sequence[Hit]) -> dict[Need, pa.BooleanArray]:
        """The rows on which an undecided rule needs each part of a record."""
        by_need: dict[Need, dict[int, Mask]] = {}
        for hit in undecided:
            for need in hit.planned.needs:
                by_group = by_need.setdefault(need, {})
                by_group[hit.group.number] = either(by_group.get(hit.group.number, False), hit.rows)
        return {need: self._spread(by_group) for need, by_group in by_need.items()}

    def _spread(self, by_group: Mapping[int, Mask]) -> pa.BooleanArray:
        """One mask over all rows; groups by name follow each other, the group of open rules lies over them."""
        pieces: list[pa.BooleanArray] = []
        end, over = 0, pa.repeat(False, len(self.events))
        for number, rows in sorted(by_group.items()):
            group = self.groups[number]
            mask = pa.repeat(rows, group.length) if isinstance(rows, bool) else rows
            if group.rules is self.plan.open:
                over = mask
            else:
                pieces += [pa.repeat(False, group.start - end), mask]
                end = group.start + group.length
        pieces.append(pa.repeat(False, len(self.events) - end))
        return pc.or_(over, pa.concat_arrays(pieces))

    def _native_query(self, needs: Sequence[Need], lowered_columns: Collection[str]) -> str:
        """SQL over EVENTS with a column c<i> for each of `needs`: a field's JSON or a test's answer."""
        numbers = {need: i for i, need in enumerate(needs)}
        tops = {need: i for need, i in numbers.items() if isinstance(need, str)}
        documents = Documents(tops, self.available, self.plan.source)
        texts: dict[int, str] = {}
        columns = []
        for need, i in numbers.items():
            if isinstance(need, str):
                continue
            index = need if isinstance(need, int) else need.field
            vocabulary = self.plan.vocabularies[index]
            one = vocabulary.field
            if isinstance(need, Ask):
                texts[index] = wide_texts(index, one, lowered_columns)
                names = Texts(f"text{index}", f"lower{index}", f"several{index}" if one.json else "")
                column = holds(vocabulary.tests[need.test], names)
            elif one.path:
                direct = documents.value(one.natives[0], one.path)
                column = below(direct, native(one.natives[0]), one.path)
            else:
                column = one.sql
            columns.append(f"CASE WHEN need{i} THEN {column} END AS c{i}")
        parsed = f"SELECT {documents.parse()} FROM (SELECT {documents.read()} FROM {EVENTS})"  # noqa: S608
        return f"SELECT {', '.join(columns)} FROM (SELECT {', '.join(['*', *texts.values()])} FROM ({parsed}))"  # noqa: S608

    def _table(self, hits: Sequence[Hit]) -> pa.Table:
        rows: list[pa.Array] = []
        rules: list[pa.Array] = []
        for hit in hits:
            if hit.rows is not False:
                found = pc.indices_nonzero(pa.repeat(True, hit.group.length) if hit.rows is True else hit.rows)
                rows.append(pc.add(found.cast(pa.int32()), hit.group.start))
                rules.append(pa.repeat(pa.scalar(hit.planned.rule, pa.int32()), len(found)))
        if not rows:
            return MATCHES.empty_table()
        places = pa.concat_arrays(rows)
        keys = self.events.select(["object_id", "record_no"]).take(
            places if self.order is None else self.order.take(places)
        )
        return pa.Table.from_batches([keys]).append_column("rule", pa.concat_arrays(rules)).cast(MATCHES)


def wide_texts(index: int, field: Field, lowered_columns: Collection[str]) -> str:
    """SQL columns text<index>, lower<index> and, of JSON, several<index>: what Texts of a wide field are."""
    name = column_name(field.natives[0])
    text = f"json_text({field.sql})" if field.json else field.sql
    lower = f"lower({text})"
    if name in lowered_columns:
        ready = quoted(f"lower {name}", '"')
        lower = f"CASE WHEN starts_with({field.sql}, '{{') THEN {ready} ELSE {lower} END" if field.json else ready
    several = f", json_members({field.sql}) AS several{index}" if field.json else ""
    return f"{text} AS text{index}, {lower} AS lower{index}{several}"


def is_ascii(texts: pa.Array) -> bool:
    """Whether no text has a character beyond ASCII; lower case is then five times cheaper than in SQL."""
    data = texts.buffers()[2]
    view = memoryview(data) if data else memoryview(b"")
    return all(bytes(view[start : start + PIECE]).isascii() for start in range(0, len(view), PIECE))


def both(one: Mask, other: Mask) -> Mask:
    """The rows in `one` and `other`."""
    if isinstance(one, bool):
        return other if one else False
    return one if other is True else False if other is False else simplified(pc.and_(one, other))


def either(one: Mask, other: Mask) -> Mask:
    """The rows in `one` or `other`."""
    if isinstance(one, bool):
        return True if one else other
    return True if other is True else one if other is False else simplified(pc.or_(one, other))
