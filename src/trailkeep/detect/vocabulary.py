"""A batch's values of one field in, a code for each row and for each test the codes that pass, out.

Log fields repeat themselves: a test is run once per distinct value, and what it said is remembered from batch to
batch. Whole columns of rows are then decided by looking codes up. Tests are SQL, but to have DuckDB bind it takes
longer than to run it on a few values: what a look at the values decides is not asked in SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.fields import Field, Texts, holds
from trailkeep.detect.lists import Members
from trailkeep.detect.masks import Mask, simplified
from trailkeep.detect.needles import Haystack, lowered
from trailkeep.detect.tree import Listed, Null, Test
from trailkeep.engine.duckdb import Connection

REMEMBERED = 20_000
"""Distinct values of a field that are kept; past that, the field starts over."""
REMEMBERED_BYTES = 4 << 20
"""A batch with more text than this, or a quarter of those values, is tested and forgotten."""


@dataclass(frozen=True)
class Coded:
    """A column of a batch: a code for each row, the value of each code, and for each test which codes pass it."""

    codes: pa.Array
    distinct: pa.Array
    passed: list[Mask]

    def taken(self, rows: pa.Array) -> "Coded":
        """The same of `rows`, in their order."""
        return Coded(self.codes.take(rows), self.distinct, self.passed)


class Vocabulary:
    """The tests that rules make on one field."""

    def __init__(self, field: Field) -> None:
        self.field = field
        self.tests: list[Test | Null | Listed] = []
        self.members: dict[Listed, Members] = {}
        self._known: pa.Array = pa.array([], pa.string())
        self._passed: Any = None  # a record batch: a row for each known value, a column for each test

    def number(self, test: Test | Null | Listed, members: Members | None = None) -> int:
        """The number of `test`, added if it is new; `members` are those of the list that it is about."""
        if test not in self.tests:
            self.tests.append(test)
        if isinstance(test, Listed) and members:
            self.members[test] = members
        return self.tests.index(test)

    def encode(self, con: Connection, values: pa.Array) -> Coded:
        """`values`, coded."""
        encoded = values.dictionary_encode(null_encoding="encode")
        distinct = encoded.dictionary
        if not self.tests:
            return Coded(encoded.indices, distinct, [])
        many = len(distinct) > REMEMBERED // 4 or distinct.nbytes > REMEMBERED_BYTES
        passed = self._run(con, distinct) if many else self._recall(con, distinct)
        return Coded(encoded.indices, distinct, masks(passed))

    def _recall(self, con: Connection, distinct: pa.Array) -> pa.RecordBatch:
        found = pc.index_in(distinct, value_set=self._known)
        new = distinct.filter(found.is_null())
        if len(new):
            if self._passed is None or len(self._known) + len(new) > REMEMBERED:
                self._known, self._passed = distinct, self._run(con, distinct)
            else:
                self._known = pa.concat_arrays([self._known, new])
                self._passed = pa.concat_batches([self._passed, self._run(con, new)])
            found = pc.index_in(distinct, value_set=self._known)
        return self._passed.take(found)

    def _run(self, con: Connection, values: pa.Array) -> pa.RecordBatch:
        haystack = Haystack(con, values)
        answers = [self._decided(test, values, haystack) for test in self.tests]
        if self.field.json and self.members:
            texts = self._texts(con, values)
            low = lowered(con, texts.flatten())
            answers = [
                self.members[test].among_any(texts, low) if isinstance(test, Listed) else answer
                for test, answer in zip(self.tests, answers, strict=True)
            ]
        open_tests = [i for i, answer in enumerate(answers) if answer is None]
        if open_tests:
            for i, answer in zip(open_tests, self._ask(con, values, open_tests).columns, strict=True):
                answers[i] = answer
        return pa.RecordBatch.from_arrays(answers, names=[f"t{i}" for i in range(len(answers))])

    def _decided(self, test: Test | Null | Listed, values: pa.Array, haystack: Haystack) -> pa.BooleanArray | None:
        """What `test` says of `values`, or None if that takes SQL."""
        if isinstance(test, Null):
            return None if self.field.json else values.is_null()
        if isinstance(test, Listed):
            return None if self.field.json else self.members[test].among(values, haystack.lowered)
        if test.needles and not any(haystack.holds(needle, 0, len(values)) for needle in test.needles):
            return pa.repeat(False, len(values))
        if test.equals and not self.field.json:
            return pc.is_in(haystack.lowered, value_set=pa.array(test.equals, haystack.lowered.type))
        return None

    def _texts(self, con: Connection, values: pa.Array) -> pa.ListArray:
        """The texts of each of the JSON `values`."""
        con.register("trailkeep_values", pa.table({"v": values}))
        try:
            return one_batch(con.execute("SELECT json_texts(v) AS t FROM trailkeep_values").to_arrow_table()).column(
                "t"
            )
        finally:
            con.unregister("trailkeep_values")

    def _ask(self, con: Connection, values: pa.Array, numbers: Sequence[int]) -> pa.RecordBatch:
        """What the tests of these numbers say of `values`, in SQL."""
        text = "json_text(v)" if self.field.json else "v"
        several = ", json_members(v) AS several" if self.field.json else ""
        texts = Texts("text", "lowered", "several" if self.field.json else "")
        asked = [(i, test) for i in numbers if not isinstance(test := self.tests[i], Listed)]
        columns = ", ".join(f"{holds(test, texts)} AS t{i}" for i, test in asked)
        relation = f"(SELECT {text} AS text, lower({text}) AS lowered{several} FROM trailkeep_values)"  # noqa: S608
        con.register("trailkeep_values", pa.table({"v": values}))
        try:
            return one_batch(con.execute(f"SELECT {columns} FROM {relation}").to_arrow_table())  # noqa: S608
        finally:
            con.unregister("trailkeep_values")


def masks(batch: pa.RecordBatch) -> list[Mask]:
    """The columns of `batch`; True or False in place of one that is all the same."""
    return [simplified(column) for column in batch.columns]


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """All rows of `table` in one piece."""
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)
