"""Stored columns and texts of a batch in, the entities of each event out: IPs, ARNs, accounts, keys, names.

Values repeat a thousand times in a batch, so each distinct one is taken apart once, by the macros of macros.sql, and
the rows are put together from that. Measured on CloudTrail: half the CPU of list functions row by row.
"""

from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.columns import ENTITY_COLUMNS
from trailkeep.engine.duckdb import Connection

# Row number and entity, one after the other.
_Pairs = tuple[pa.Array, pa.Array]


def entities(connection: Connection, events: pa.Table, texts: pa.ChunkedArray) -> pa.ListArray:
    """The distinct entities of each row: of the entity columns of `events`, and those that stand in `texts`.

    `texts` is a list of texts per row as macro entity_tokens gives them: ARNs, addresses, keys, quoted accounts.
    """
    columns = [events[name].combine_chunks() for name in ENTITY_COLUMNS if name in events.column_names]
    rows = pa.array(range(len(events)), pa.int64())
    lists = texts.combine_chunks()
    stored = _taken_apart(connection, "entities_of", pa.concat_arrays(columns), pa.concat_arrays([rows] * len(columns)))
    standing = _taken_apart(connection, "entities_in", lists.flatten(), pc.list_parent_indices(lists).cast(pa.int64()))
    return _grouped((stored, standing), len(events))


def _taken_apart(connection: Connection, macro: str, values: pa.Array, rows: pa.Array) -> _Pairs:
    """The entities in `values`; `rows` says which row each value is of."""
    coded = values.dictionary_encode()
    connection.register("entity_values", pa.table({"value": coded.dictionary}))
    found = connection.execute(f"SELECT {macro}(value) AS found FROM entity_values").to_arrow_table()  # noqa: S608
    connection.unregister("entity_values")
    taken = found["found"].combine_chunks().take(coded.indices)
    return rows.take(pc.list_parent_indices(taken)), taken.flatten()


def _grouped(pairs: Iterable[_Pairs], rows: int) -> pa.ListArray:
    """One list a row, each entity once."""
    owners, found = (pa.concat_arrays(arrays) for arrays in zip(*pairs, strict=True))
    coded = found.dictionary_encode()
    # A row and a code in one number: sorted and unique, the numbers of a row stand together.
    size = max(len(coded.dictionary), 1)
    numbers = pc.unique(pc.add(pc.multiply(owners, size), coded.indices.cast(pa.int64())))
    numbers = numbers.take(pc.sort_indices(numbers))
    row_of = pc.divide(numbers, size)
    codes = pc.subtract(numbers, pc.multiply(row_of, size))
    starts = pc.search_sorted(row_of, pa.array(range(rows + 1), pa.int64())).cast(pa.int32())
    return pa.ListArray.from_arrays(starts, coded.dictionary.take(codes))
