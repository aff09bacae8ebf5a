"""A batch of events and the plan of its source in, the matches out.

Stored columns are coded (vocabulary.py), rows are put in order of event name, and each rule is decided on the
rows of its names with a few operations on bit masks. Only rows that are still undecided have their JSON read.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.documents import Documents
from trailkeep.detect.fields import RAW, Field, Texts, below, holds, native
from trailkeep.detect.plan import Ask, Plan, Planned, evaluate
from trailkeep.detect.tree import fold
from trailkeep.detect.vocabulary import Mask, masks, one_batch, simplified
from trailkeep.engine.duckdb import Connection

MATCHES = pa.schema([("object_id", pa.string()), ("record_no", pa.int32()), ("rule", pa.int32())])
UNDECIDED = "trailkeep_undecided"


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
    """One batch on its way through one plan."""

    def __init__(self, con: Connection, relation: str, plan: Plan, available: Collection[str]) -> None:
        self.con, self.relation, self.plan, self.available = con, relation, plan, available
        self.codes: dict[int, pa.Array] = {}
        self.distinct: dict[int, pa.Array] = {}
        self.passed: dict[int, list[Mask]] = {}
        self.keys = self._read_stored()
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
                    (undecided if planned.natives else decided).append(Hit(planned, group, rows))
        if undecided:
            self._read_natives(undecided)
            askers = [self._asker(group) for group in self.groups]
            for hit in undecided:
                rows = both(evaluate(hit.planned.exact, askers[hit.group.number]), hit.rows)
                decided.append(Hit(hit.planned, hit.group, rows))
        return self._table(decided)

    def _read_stored(self) -> pa.Table:
        """Code the stored columns that rules use; the keys of the rows."""
        fields = {i: one.field for i, one in enumerate(self.plan.vocabularies) if not one.field.natives}
        columns = ", ".join(f"{field.sql} AS f{i}" for i, field in fields.items())
        query = f"SELECT object_id, record_no, {columns} FROM {self.relation}"  # noqa: S608
        batch = one_batch(self.con.execute(query).to_arrow_table())
        for i in fields:
            self._encode(i, batch.column(f"f{i}"))
        return pa.Table.from_batches([batch.select(["object_id", "record_no"])])

    def _encode(self, index: int, values: pa.Array) -> None:
        self.codes[index], self.distinct[index], self.passed[index] = self.plan.vocabularies[index].encode(
            self.con, values
        )

    def _order_by_name(self) -> list[Group]:
        """Put all rows in order of event name; a group for each name that rules have, and one of all rows."""
        named, count = self.plan.named, len(self.keys)
        if not count:
            return []
        groups = [Group(0, 0, count, self.plan.open)] if self.plan.open else []
        if named:
            numbers = {name: number for number, name in enumerate(named)}
            names = [fold(name or "") for name in self.distinct[self.plan.name_field].to_pylist()]
            of_name = pa.array([numbers.get(name, len(named)) for name in names], pa.int32())
            of_row = of_name.take(self.codes[self.plan.name_field])
            order = pc.sort_indices(of_row)
            self.codes = {index: codes.take(order) for index, codes in self.codes.items()}
            self.keys = self.keys.take(order)
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
        any_need = reduce(pc.or_, needs.values())
        wanted = self.keys.append_column("row", pa.array(range(len(self.keys)), pa.int32()))
        for i, need in enumerate(needs.values()):
            wanted = wanted.append_column(f"need{i}", need)
        fields = {index for hit in undecided for index in hit.planned.native_fields}
        self.con.register(UNDECIDED, wanted.filter(any_need))
        try:
            batch = one_batch(self.con.execute(self._native_query(list(needs), sorted(fields))).to_arrow_table())
        finally:
            self.con.unregister(UNDECIDED)
        order = pc.sort_indices(batch.column("row"))
        rank = pc.subtract(pc.cumulative_sum(any_need.cast(pa.int32())), 1)
        place = order.take(pc.max_element_wise(rank, 0))  # of rows that nobody needs, that of some other row
        for index in fields:
            vocabulary = self.plan.vocabularies[index]
            if is_wide(vocabulary.field):
                self.codes[index] = place
                names = [f"f{index}_{number}" for number in range(len(vocabulary.tests))]
                self.passed[index] = masks(batch.select(names))
            else:
                self._encode(index, batch.column(f"f{index}"))
                self.codes[index] = self.codes[index].take(place)

    def _needs(self, undecided: Sequence[Hit]) -> dict[str, pa.BooleanArray]:
        """For each top-level native field the rows on which an undecided rule reads it."""
        by_top: dict[str, dict[int, Mask]] = {}
        for hit in undecided:
            for top in hit.planned.natives:
                by_group = by_top.setdefault(top, {})
                by_group[hit.group.number] = either(by_group.get(hit.group.number, False), hit.rows)
        return {top: self._spread(by_group) for top, by_group in by_top.items()}

    def _spread(self, by_group: Mapping[int, Mask]) -> pa.BooleanArray:
        """One mask over all rows; groups by name follow each other, the group of open rules lies over them."""
        pieces: list[pa.BooleanArray] = []
        end, over = 0, pa.repeat(False, len(self.keys))
        for number, rows in sorted(by_group.items()):
            group = self.groups[number]
            mask = pa.repeat(rows, group.length) if isinstance(rows, bool) else rows
            if group.rules is self.plan.open:
                over = mask
            else:
                pieces += [pa.repeat(False, group.start - end), mask]
                end = group.start + group.length
        pieces.append(pa.repeat(False, len(self.keys) - end))
        return pc.or_(over, pa.concat_arrays(pieces))

    def _native_query(self, tops: Sequence[str], fields: Sequence[int]) -> str:
        """SQL of the rows in UNDECIDED with a column for each of `fields`, or for each test of a wide one."""
        documents = Documents(tops, self.available, self.plan.source)
        texts, columns = [], ["row"]
        for index in fields:
            vocabulary = self.plan.vocabularies[index]
            one = vocabulary.field
            if one.path:
                direct = documents.value(one.natives[0], one.path)
                columns.append(f"{below(direct, native(one.natives[0]), one.path)} AS f{index}")
            elif is_wide(one):
                text = f"json_text({one.sql})" if one.json else one.sql
                texts += [f"{text} AS text{index}", f"lower({text}) AS lower{index}"]
                texts += [f"json_members({one.sql}) AS several{index}"] if one.json else []
                names = Texts(f"text{index}", f"lower{index}", f"several{index}" if one.json else "")
                columns += [
                    f"{holds(test, names)} AS f{index}_{n}" for n, test in enumerate(vocabulary.tests)
                ]
            else:
                columns.append(f"{one.sql} AS f{index}")
        read = f"SELECT {', '.join(documents.read())} FROM {UNDECIDED} u JOIN {self.relation} e USING (object_id, record_no)"
        parsed = f"SELECT {', '.join(documents.parse())} FROM ({read})"
        return f"SELECT {', '.join(columns)} FROM (SELECT {', '.join(['*', *texts])} FROM ({parsed}))"

    def _table(self, hits: Sequence[Hit]) -> pa.Table:
        tables = [MATCHES.empty_table()]
        for hit in hits:
            group = self.keys.slice(hit.group.start, hit.group.length)
            found = (
                group if hit.rows is True else group.filter(hit.rows) if hit.rows is not False else group.slice(0, 0)
            )
            rules = pa.repeat(pa.scalar(hit.planned.rule, pa.int32()), len(found))
            tables.append(found.append_column("rule", rules).cast(MATCHES))
        return pa.concat_tables(tables)


def is_wide(field: Field) -> bool:
    """Whether a field's text is large and hardly ever the same twice: a whole record, or a whole object of it."""
    return bool(field.natives) and not field.path and (field.json or field.natives == (RAW,))


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
