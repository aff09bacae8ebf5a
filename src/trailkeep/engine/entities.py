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
    FROM (SELECT CASE WHEN whole THEN nullif(value, '') ELSE entity_in(value) END AS entity FROM entity_values)
"""
_LONGEST_ACCOUNT = 20  # bytes: twelve digits, quotes, and backslashes of JSON inside JSON


def entities(connection: Connection, events: pa.Table, texts: pa.ChunkedArray) -> pa.ListArray:
    """The distinct entities of each row: of the entity columns of `events`, and those that stand in `texts`.

    `texts` is a list of texts per row as macro entity_tokens gives them: ARNs, addresses, keys, quoted accounts.
    """
    columns = [events[name].combine_chunks() for name in ENTITY_COLUMNS if name in events.column_names]
    every = pa.array(range(len(events)), pa.int64())
    lists = texts.combine_chunks()
    whole = pa.concat_arrays(columns).dictionary_encode()
    tokens = _tokens(lists.flatten())
    found = _taken_apart(connection, whole.dictionary, tokens.dictionary)
    values = pa.concat_arrays([whole.indices, pc.add(tokens.indices, pa.scalar(len(whole.dictionary), pa.int32()))])
    rows = pa.concat_arrays([*[every] * len(columns), pc.list_parent_indices(lists).cast(pa.int64())])
    return _grouped(rows, values, found, len(events))


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


def _taken_apart(connection: Connection, whole: pa.Array, tokens: pa.Array) -> list[pa.DictionaryArray]:
    """For each value the entity that it is, and the account and the name in it; coded alike."""
    values = pa.concat_arrays([whole, tokens])
    is_whole = pa.concat_arrays([pa.repeat(True, len(whole)), pa.repeat(False, len(tokens))])
    connection.register("entity_values", pa.table({"value": values, "whole": is_whole}))
    found = connection.execute(_SELECT).to_arrow_table()
    connection.unregister("entity_values")
    coded = pa.concat_arrays([column.combine_chunks() for column in found.columns]).dictionary_encode()
    return [coded.slice(start, len(values)) for start in (0, len(values), 2 * len(values))]


def _grouped(rows: pa.Array, values: pa.Array, found: list[pa.DictionaryArray], count: int) -> pa.ListArray:
    """One list a row, each entity once; `values` says what was found in `rows`, by number."""
    names = found[0].dictionary
    size = max(len(names), 1)
    # A row and a code in one number: sorted and unique, the numbers of a row stand together.
    parts = []
    for coded in found:
        codes = coded.indices.take(values)
        there = codes.is_valid()
        parts.append(pc.add(pc.multiply(rows.filter(there), size), codes.filter(there).cast(pa.int64())))
    numbers = pc.unique(pa.concat_arrays(parts))
    numbers = numbers.take(pc.sort_indices(numbers))
    row_of = pc.divide(numbers, size)
    codes = pc.subtract(numbers, pc.multiply(row_of, size))
    starts = pc.search_sorted(row_of, pa.array(range(count + 1), pa.int64())).cast(pa.int32())
    return pa.ListArray.from_arrays(starts, names.take(codes))
