"""Stored columns and texts of a batch in, the entities of each event out: IPs, ARNs, accounts, keys, names.

Values repeat a thousand times in a batch, so each distinct one is taken apart once, by the macros of macros.sql; rows
meet only its number. Measured on CloudTrail: a quarter of the CPU of list functions row by row.
"""

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.columns import ENTITY_COLUMNS
from trailkeep.engine.duckdb import Connection

# One statement, each macro once: binding them takes as long as running them on a thousand values.
_SELECT = """
    SELECT entity, arn_account(entity), arn_name(entity)
    FROM (
        SELECT nullif(found, '') AS entity
        FROM (SELECT CASE WHEN whole THEN value ELSE entity_in(value) END AS found FROM entity_values)
    )
"""
# Quotes let a plain text be found like a JSON string.
_TOKENS = """SELECT entity_tokens('"' || value || '"') FROM entity_values"""
_LONGEST_ACCOUNT = 20  # bytes: twelve digits, quotes, and backslashes of JSON inside JSON


def entities(connection: Connection, events: pa.Table, texts: pa.ChunkedArray) -> pa.ListArray:
    """The distinct entities of each row: of the entity columns of `events`, and those that stand in `texts`.

    `texts` is a list of texts per row, JSON or plain, in which ARNs, addresses, keys, names and accounts are sought.
    """
    columns = [events[name].combine_chunks() for name in ENTITY_COLUMNS if name in events.column_names]
    columns = columns or [pa.nulls(len(events), pa.string())]
    every = pa.array(range(len(events)), pa.int64())
    lists = texts.combine_chunks()
    whole, text = pa.concat_arrays(columns).dictionary_encode(), lists.flatten().dictionary_encode()
    in_text = _query(connection, _TOKENS, value=text.dictionary)[0]
    tokens = _tokens(in_text.flatten())
    found, names = _taken_apart(connection, whole.dictionary, tokens.dictionary)
    in_tokens = found.slice(len(whole.dictionary)).take(tokens.indices)
    in_text = pa.ListArray.from_arrays(in_tokens.offsets.take(in_text.offsets), in_tokens.flatten())
    found = pa.concat_arrays([found.slice(0, len(whole.dictionary)), in_text])
    values = pa.concat_arrays([whole.indices, pc.add(text.indices, pa.scalar(len(whole.dictionary), pa.int32()))])
    rows = pa.concat_arrays([*[every] * len(columns), pc.list_parent_indices(lists).cast(pa.int64())])
    return _grouped(rows, values, found, names, len(events))


def _query(connection: Connection, query: str, **columns: pa.Array) -> list[pa.Array]:
    """The columns of `query` over the relation entity_values, which has `columns`."""
    connection.register("entity_values", pa.table(columns))
    try:
        return [column.combine_chunks() for column in connection.execute(query).to_arrow_table().columns]
    finally:
        connection.unregister("entity_values")


def _tokens(tokens: pa.StringArray) -> pa.DictionaryArray:
    """The tokens, coded; null for object keys: they hardly repeat, and are no entities."""
    coded = tokens.dictionary_encode()
    values = coded.dictionary
    quoted = pc.and_(pc.starts_with(values, '"'), pc.ends_with(values, '"'))
    kept = pc.invert(pc.and_(quoted, pc.greater(pc.binary_length(values), _LONGEST_ACCOUNT)))
    in_bucket = pc.and_(pc.match_substring(values, ":s3:::"), pc.match_substring(values, "/"))
    buckets = pc.list_element(pc.split_pattern(values.filter(in_bucket), "/", max_splits=1), 0)
    values = pc.replace_with_mask(values, in_bucket, buckets)
    values = pc.if_else(kept, values, pa.scalar(None, pa.string())).dictionary_encode()
    return pa.DictionaryArray.from_arrays(values.indices.take(coded.indices), values.dictionary)


def _taken_apart(connection: Connection, whole: pa.Array, tokens: pa.Array) -> tuple[pa.ListArray, pa.Array]:
    """For each value the numbers of what is found in it (the entity that it is, its account, its name), and the names
    that they number.
    """
    values = pa.concat_arrays([whole, tokens])
    is_whole = pa.concat_arrays([pa.repeat(True, len(whole)), pa.repeat(False, len(tokens))])
    columns = _query(connection, _SELECT, value=values, whole=is_whole)
    coded = pa.concat_arrays(columns).dictionary_encode()
    there = coded.indices.is_valid()
    value = pa.concat_arrays([pa.array(range(len(values)), pa.int32())] * len(columns)).filter(there)
    order = pc.sort_indices(value)
    starts = pc.search_sorted(value.take(order), pa.array(range(len(values) + 1), pa.int32())).cast(pa.int32())
    return pa.ListArray.from_arrays(starts, coded.indices.filter(there).take(order)), coded.dictionary


def _grouped(rows: pa.Array, values: pa.Array, found: pa.ListArray, names: pa.Array, count: int) -> pa.ListArray:
    """One list a row, each entity once; `values` says what stands in `rows`, by number, `found` what is in a value."""
    size = max(len(names), 1)
    taken = found.take(values)
    # A row and an entity in one number: sorted, the numbers of a row stand together, and equal ones too.
    numbers = pc.multiply(rows.take(pc.list_parent_indices(taken)), size)
    numbers = pc.add(numbers, taken.flatten().cast(pa.int64()))
    numbers = numbers.take(pc.sort_indices(numbers))
    if len(numbers):
        first = pc.not_equal(numbers.slice(1), numbers.slice(0, len(numbers) - 1))
        numbers = numbers.filter(pa.concat_arrays([pa.array([True]), first]))
    row_of = pc.divide(numbers, size)
    codes = pc.subtract(numbers, pc.multiply(row_of, size))
    starts = pc.search_sorted(row_of, pa.array(range(count + 1), pa.int64())).cast(pa.int32())
    return pa.ListArray.from_arrays(starts, names.take(codes))
