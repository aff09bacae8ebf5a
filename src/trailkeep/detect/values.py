"""Matches of rules that correlations are about in, the values that those need of their events out."""

import re
from collections.abc import Collection, Mapping, Sequence

import msgspec
import pyarrow as pa

from trailkeep.core.columns import BY_NAME
from trailkeep.core.source import Source
from trailkeep.detect.fields import RAW, Field, column_name, native, native_sql, resolve, stored
from trailkeep.detect.rule import Rule
from trailkeep.engine.duckdb import Connection

_EVENTS = "trailkeep_matched"
_WORD = re.compile(r"\w+")


def values_of(
    con: Connection,
    events: pa.Table,
    matches: pa.Table,
    rules: Sequence[Rule],
    needed: Mapping[str, Sequence[str]],
    source: Source,
) -> pa.Array:
    """For each of `matches` a JSON object, field -> text or null, as `needed` by its rule; null where nothing is.

    The text of an array or object is its JSON.
    """
    asked = [needed.get(rules[number].id) for number in matches["rule"].to_pylist()]
    names = list(dict.fromkeys(name for fields in asked if fields for name in fields))
    if not any(fields is not None for fields in asked):
        return pa.nulls(len(matches), pa.string())
    places = [place for place, fields in enumerate(asked) if fields is not None]
    found = _read(con, events.take(matches["row"].take(pa.array(places))), names, source)
    texts: list[str | None] = [None] * len(matches)
    for place, row in zip(places, found, strict=True):
        texts[place] = msgspec.json.encode({name: row[name] for name in asked[place] or ()}).decode()
    return pa.array(texts, pa.string())


def columns_of(needed: Mapping[str, Sequence[str]], source: Source) -> set[str]:
    """The stored columns from which values are read."""
    words = {word for names in needed.values() for name in names for word in _WORD.findall(_field(name, source).sql)}
    return words & BY_NAME.keys()


def _field(name: str, source: Source) -> Field:
    """The field of the record, or, where it has none of that name, the stored column: the same for all sources."""
    if name in BY_NAME and name not in source.fields and name.partition(".")[0] not in source.shape:
        return stored(name)
    return resolve(name, source)


def _read(con: Connection, events: pa.Table, names: Collection[str], source: Source) -> list[dict[str, str | None]]:
    if not names:
        return [{}] * len(events)
    fields = [_field(name, source) for name in names]
    tops = {top for field in fields for top in field.natives} - {RAW}
    missing = [
        f"{native_sql(top, source)} AS {native(top)}" for top in tops if column_name(top) not in events.column_names
    ]
    texts = [
        f"{f'json_text({field.sql})' if field.json else field.sql} AS f{number}" for number, field in enumerate(fields)
    ]
    con.register(_EVENTS, events)
    try:
        answer = con.execute(f"SELECT {', '.join(texts)} FROM (SELECT {', '.join(['*', *missing])} FROM {_EVENTS})")  # noqa: S608
        columns = [column.to_pylist() for column in answer.to_arrow_table().columns]
    finally:
        con.unregister(_EVENTS)
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
