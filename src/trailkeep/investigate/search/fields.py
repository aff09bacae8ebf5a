"""The name of a field and the sources in, where its values are found in the `events` table out."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Literal

import sqlglot
from sqlglot import exp

from trailkeep.core.columns import EVENTS, Column
from trailkeep.core.source import Source

Kind = Literal["text", "texts", "number", "boolean", "time", "bytes"]

ENTITY = "entity"
_KINDS: dict[str, Kind] = {
    "VARCHAR": "text",
    "VARCHAR[]": "texts",
    "INTEGER": "number",
    "BIGINT": "number",
    "BOOLEAN": "boolean",
    "TIMESTAMP WITH TIME ZONE": "time",
    "BLOB": "bytes",
}


@dataclass(frozen=True)
class Field:
    """An expression over a row of `events`, of one kind; with a source, only that source's events have it."""

    name: str
    kind: Kind
    value: exp.Expr
    source: str | None = None


def resolve(name: str, sources: Mapping[str, Source]) -> list[Field]:
    """All that `name` can mean: a stored column, an OCSF path, or a native field of one or more sources."""
    if column := _columns().get(name.lower()):
        return [Field(column.name, _KINDS[column.type], exp.column(column.name))]
    found = (_native(name, source) for source in sources.values())
    return [field for field in found if field]


def suggestions(name: str, sources: Mapping[str, Source]) -> list[str]:
    """Known names that look like `name`."""
    known = {c.name for c in EVENTS} | {c.path for c in EVENTS} | {ENTITY}
    known |= {native for source in sources.values() for native in (*source.fields, *source.shape)}
    by_lower = {k.lower(): k for k in sorted(known)}
    return [by_lower[k] for k in get_close_matches(name.lower(), by_lower, n=3, cutoff=0.6)]


@cache
def _columns() -> dict[str, Column]:
    by_path = {c.path.replace("[]", "").lower(): c for c in EVENTS}
    by_name = {c.name: c for c in EVENTS}
    return by_path | {c.path.lower(): c for c in EVENTS} | by_name | {ENTITY: by_name["entities"]}


def _native(name: str, source: Source) -> Field | None:
    if sql := source.fields.get(name):
        tree = sqlglot.parse_one(sql, dialect="duckdb")
        column = _columns().get(tree.name) if isinstance(tree, exp.Column) else None
        return Field(name, _KINDS[column.type] if column else "text", tree, source.name)
    top, *keys = name.split(".")
    if source.format == "lines":
        if keys or top not in source.shape:
            return None
        value = exp.func("line_text", exp.column("raw_data"), _text(source.line_with(top)), exp.Literal.number(1))
        return Field(name, "text", value, source.name)
    if source.format == "delimited":
        top = top.replace("-", "_")
        if keys or top not in source.shape:
            return None
        value = exp.func("delimited_text", *map(exp.column, ("raw_data", "raw_format")), _text(top))
        return Field(name, "text", value, source.name)
    if top not in source.shape or not all(keys):
        return None
    found: exp.Expr = exp.array(exp.column("raw_data"))
    for key in (top, *keys):
        found = exp.func("json_step", found, _text(key))
    return Field(name, "texts", exp.func("all_texts", found), source.name)


def _text(value: str) -> exp.Expr:
    return exp.Literal.string(value)
