"""Rows on which rules need native fields in, those fields' values and what wide fields pass out.

The fields are read on these rows only. A value below arrays is looked for in a second query, in the few columns
where a first and cheaper one says that there may be any.
"""

from collections.abc import Collection, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.detect.documents import Documents
from trailkeep.detect.fields import ANY_KEY, Field, Texts, below, column_name, hidden, holds, native, quoted
from trailkeep.detect.needles import lowered
from trailkeep.detect.plan import Ask, Need, Plan
from trailkeep.detect.tree import Listed
from trailkeep.detect.vocabulary import one_batch
from trailkeep.engine.duckdb import Connection

EVENTS = "trailkeep_events"


class Natives:
    """The native fields of the `chosen` rows of `events`; `needs` are masks over these."""

    def __init__(
        self,
        con: Connection,
        events: pa.Table,
        chosen: pa.BooleanArray,
        plan: Plan,
        available: Collection[str],
        needs: Mapping[Need, pa.BooleanArray],
    ) -> None:
        self.con, self.plan, self.available = con, plan, available
        self.numbers = {need: i for i, need in enumerate(needs)}
        wide = {plan.vocabularies[need.field].field.natives[0] for need in needs if isinstance(need, Ask)}
        ready = {column_name(top) for top in wide} & set(events.column_names)
        query = self._query(self.numbers, ready, through_arrays=False)
        table = events.select([name for name in events.column_names if name in query])
        table = (table if chosen.true_count == len(events) else table.filter(chosen)).combine_chunks()
        for i, mask in enumerate(needs.values()):
            table = table.append_column(f"need{i}", mask)
        for name in ready:
            table = table.append_column(f"lower {name}", lowered(con, table.column(name).combine_chunks()))
        con.register(EVENTS, table)
        try:
            self._answer = one_batch(con.execute(query).to_arrow_table())
            self._deep = self._through_arrays()
        finally:
            con.unregister(EVENTS)

    def values(self, need: int) -> pa.Array:
        """The JSON of the field of number `need`, on the rows that need it."""
        i = self.numbers[need]
        direct = self._answer.column(f"c{i}")
        if need not in self._deep:
            return direct
        return pc.coalesce(direct, self._deep[need])

    def passed(self, need: Ask) -> pa.BooleanArray:
        """The rows of those that need it which pass a test of a wide field."""
        answer = self._answer.column(f"c{self.numbers[need]}")
        vocabulary = self.plan.vocabularies[need.field]
        test = vocabulary.tests[need.test]
        if isinstance(test, Listed):
            return vocabulary.members[test].among_any(answer, lowered(self.con, answer.flatten()))
        return answer

    def _through_arrays(self) -> dict[int, pa.Array]:
        """Values of those fields that some rows may have below arrays."""
        names = self._answer.schema.names
        deep = [
            need
            for need, i in self.numbers.items()
            if isinstance(need, int) and f"a{i}" in names and self._answer.column(f"a{i}").true_count
        ]
        if not deep:
            return {}
        numbers: dict[Need, int] = {n: i for n, i in self.numbers.items() if isinstance(n, str) or n in deep}
        query = self._query(numbers, (), through_arrays=True)
        found = one_batch(self.con.execute(query).to_arrow_table())
        return {need: found.column(f"c{self.numbers[need]}") for need in deep}

    def _query(self, numbers: Mapping[Need, int], lowered_columns: Collection[str], *, through_arrays: bool) -> str:
        """SQL over EVENTS with a column c<i> for each need: a field's JSON or a test's answer.

        Where `through_arrays` is not wanted, a<i> says of a field below another whether arrays may lead to it.
        """
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
                test = vocabulary.tests[need.test]
                names = Texts(f"text{index}", f"lower{index}", f"several{index}" if one.json else "")
                column = one.texts if isinstance(test, Listed) else holds(test, names)
            elif one.path:
                doc = native(one.natives[0])
                direct = documents.value(one.natives[0], one.path)
                whole = through_arrays or ANY_KEY in one.path
                column = below(direct, doc, one.path) if whole else f"CAST({direct} AS VARCHAR)"
                if not whole:
                    columns.append(f"need{i} AND {direct} IS NULL AND {hidden(doc, one.path)} AS a{i}")
            else:
                column = one.sql
            columns.append(f"CASE WHEN need{i} THEN {column} END AS c{i}")
        parsed = f"SELECT {documents.parse()} FROM (SELECT {documents.read()} FROM {EVENTS})"  # noqa: S608
        return f"SELECT {', '.join(columns)} FROM (SELECT {', '.join(['*', *texts.values()])} FROM ({parsed}))"  # noqa: S608


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
