"""Stored columns and texts of a batch in, the entities of each event out: IPs, ARNs, accounts, keys, names.

Values repeat a thousand times in a batch, so each distinct one is taken apart once, by the macros of macros.sql, and
the rows are put together from that. Measured on CloudTrail: half the CPU of list functions row by row.
"""

from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.columns import ENTITY_COLUMNS
from trailkeep.engine.duckdb import Connection

_Pairs = tuple[pa.Array, pa.Array]  # row numbers and entities
_Tokens = tuple[pa.Array, pa.Array]  # tokens and row numbers
# Each macro once: binding one, with the expressions in it, takes as long as running it on a thousand values.
_SELECT = """
    SELECT entity, arn_account(entity), arn_name(entity) FROM (SELECT {macro}(value) AS entity FROM entity_values)
"""
_LONGEST_ACCOUNT = 20  # bytes: twelve digits, quotes, and backslashes of JSON inside JSON


def entities(connection: Connection, events: pa.Table, texts: pa.ChunkedArray) -> pa.ListArray:
    """The distinct entities of each row: of the entity columns of `events`, and those that stand in `texts`.

    `texts` is a list of texts per row as macro entity_tokens gives them: ARNs, addresses, keys, quoted accounts.
    """
    columns = [events[name].combine_chunks() for name in ENTITY_COLUMNS if name in events.column_names]
    rows = pa.array(range(len(events)), pa.int64())
    lists = texts.combine_chunks()
    pairs = [*_taken_apart(connection, "entity_of", pa.concat_arrays(columns), pa.concat_arrays([rows] * len(columns)))]
    pairs += _taken_apart(connection, "entity_in", *_tokens(lists))
    return _grouped(pairs, len(events))


def _tokens(lists: pa.ListArray) -> _Tokens:
    """The tokens of all rows and the row of each, without object keys: they hardly repeat, and are no entities."""
    tokens, rows = lists.flatten(), pc.list_parent_indices(lists).cast(pa.int64())
    quoted = pc.and_(pc.starts_with(tokens, '"'), pc.ends_with(tokens, '"'))
    kept = pc.invert(pc.and_(quoted, pc.greater(pc.binary_length(tokens), _LONGEST_ACCOUNT)))
    tokens, rows = tokens.filter(kept), rows.filter(kept)
    in_bucket = pc.and_(pc.match_substring(tokens, ":s3:::"), pc.match_substring(tokens, "/"))
    buckets = pc.replace_substring_regex(tokens.filter(in_bucket), "/.*", "")
    return pc.replace_with_mask(tokens, in_bucket, buckets), rows


def _taken_apart(connection: Connection, macro: str, values: pa.Array, rows: pa.Array) -> Iterator[_Pairs]:
    """The entity that each value is, and the account and the name in it; `rows` says which row a value is of."""
    coded = values.dictionary_encode()
    connection.register("entity_values", pa.table({"value": coded.dictionary}))
    found = connection.execute(_SELECT.format(macro=macro)).to_arrow_table()
    connection.unregister("entity_values")
    for column in found.columns:
        taken = column.combine_chunks().take(coded.indices)
        there = taken.is_valid()
        yield rows.filter(there), taken.filter(there)


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
