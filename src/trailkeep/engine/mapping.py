"""A Source and a relation of raw records in, SELECTs out: stored columns, OCSF objects.

The relation has the columns raw_data, raw_format, object_id, record_no, key_time (the time that the key of the
record's object tells, or null) and envelope (JSON text of what the wraps say in which it came, or null). `map.sql` says
what a record means; this module says how a record is parsed before it and how its outputs are shaped after it. An
output named `path?` fills `path` where the schema demands a value and the record has none: in OCSF form only, so that
stored columns hold native values.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cache
from typing import Any

import sqlglot
from sqlglot import exp

from trailkeep.core.columns import MAPPED, native_column
from trailkeep.core.ocsf import CLASSES, LISTED, VERSION
from trailkeep.core.source import Source

RECORD = ("raw_data", "raw_format", "object_id", "record_no", "key_time", "envelope")
_JSON = {"data", "unmapped"}
WHOLE = "*"  # the output of a record that is an OCSF event itself
_SPECIAL = {"principal", "entity_texts", "reject", WHOLE}
_EVENT_UID = "coalesce({uid}, left(sha256(concat(object_id, ':', record_no)), 32))"


def stored_select(source: Source, relation: str, wanted: Collection[str] | None = None) -> str:
    """One row a record, in order: the columns of MAPPED that the source fills, `entity_texts`, `reject`, and a
    `$native` JSON text for each of source.natives. `wanted`: the names of the columns, of all these, that are needed.
    """
    outputs = outputs_of(source)
    select = mapping(source).copy()
    columns = [
        exp.alias_(exp.cast(_stored(source, outputs, column.path), column.type), column.name, quoted=True)
        for column in MAPPED
        if column.path in outputs or column.path in ("source", "metadata.uid")
    ]
    columns += [exp.alias_(_sql(_json_text(source, name)), native_column(name), quoted=True) for name in source.natives]
    columns.append(exp.alias_(outputs.get("entity_texts", _sql("[]::VARCHAR[]")).copy(), "entity_texts"))
    kept = columns if wanted is None else [column for column in columns if column.alias in wanted]
    select.set("expressions", [*kept, exp.alias_(_rejection(outputs), "reject")])
    return _print(with_records(select, source, relation))


def ocsf_json_select(source: Source, relation: str) -> str:
    """One row a record, in order: `reject`, and `event`, the OCSF object as JSON text with its nulls.

    Inside it, values that are JSON themselves (`data`, `unmapped`) are strings of JSON text. Times are milliseconds,
    with an RFC 3339 twin `<name>_dt`; attributes that an event's class does not have are null. Under WHOLE stands the
    text of the record where map.sql has that output.
    """
    select = _ocsf(source, relation)
    fields = [exp.PropertyEQ(this=exp.to_identifier(p.alias), expression=p.this) for p in select.expressions]
    event = exp.func("to_json", exp.Struct(expressions=fields))
    select.set("expressions", [exp.column("reject"), exp.alias_(event, "event")])
    return _print(select)


def _print(tree: exp.Expr) -> str:
    return tree.sql(dialect="duckdb", comments=False)


def _sql(text: str) -> exp.Expr:
    return sqlglot.parse_one(text, dialect="duckdb")


@cache
def _parse(map_sql: str) -> exp.Select:
    tree = sqlglot.parse_one(map_sql, dialect="duckdb")
    assert isinstance(tree, exp.Select)
    return tree


def mapping(source: Source) -> exp.Select:
    """The tree of the source's map.sql."""
    return _parse(source.map_sql)


def outputs_of(source: Source) -> dict[str, exp.Expr]:
    """Output name -> the expression that map.sql gives it."""
    return {p.alias: p.unalias() for p in mapping(source).expressions}


def _stored(source: Source, outputs: dict[str, exp.Expr], path: str) -> exp.Expr:
    if path == "source":
        return exp.Literal.string(source.name)
    if path == "metadata.uid":
        uid = outputs.get(path, exp.null())
        return _sql(_EVENT_UID.format(uid="uid")).transform(
            lambda node: uid.copy() if isinstance(node, exp.Column) and node.name == "uid" else node
        )
    return outputs[path].copy() if path in outputs else exp.null()


def _json_text(source: Source, name: str) -> str:
    """SQL of the JSON text of a top-level field; bare text of lines. A struct or a list is no JSON when it is cast."""
    bare = source.format != "json" or source.shape[name] == "JSON"
    return f"r.{name}::VARCHAR" if bare else f"to_json(r.{name})::VARCHAR"


def _rejection(outputs: dict[str, exp.Expr]) -> exp.Expr:
    unread = exp.Literal.string("not a record that the mapping can read")
    return exp.Case().when(_sql("r IS NULL"), unread).else_(outputs["reject"].copy())


# Parsing: raw_data -> the struct `r`, with no more fields than the SELECT reads.


def with_records(select: exp.Select, source: Source, relation: str, also: Sequence[str] = ()) -> exp.Select:
    """`select` from `records`: the relation's RECORD columns, those named in `also`, and the struct `r`."""
    # Of a record of which nothing is read, the first field tells whether it is one.
    shape = _pruned(source.shape, set(_record_paths(select))) or dict([next(iter(source.shape.items()))])
    kept = [exp.column(name, quoted=True) for name in (*RECORD, *also)]
    if source.format == "json":
        parsed = _sql("try(json_transform(raw_data, shape))").transform(_replacing(shape=_literal(shape)))
        records = exp.select(*kept, exp.alias_(parsed, "r")).from_(relation, dialect="duckdb")
    elif source.format == "lines":
        matched = exp.select(*kept, exp.alias_(_line_fields(source), "fields")).from_(relation, dialect="duckdb")
        records = exp.select("*", exp.alias_(_matched(source, shape), "r")).from_(matched.subquery("lines"))
    else:
        lines = exp.select(
            *kept,
            _sql("string_split(raw_data, ' ') AS fields"),
            _sql("string_split(raw_format, ' ') AS header"),
        ).from_(relation, dialect="duckdb")
        parsed = exp.Struct(expressions=[_member(name) for name in shape])
        records = exp.select("*", exp.alias_(parsed, "r")).from_(lines.subquery("lines"))
    return select.with_("records", as_=records, dialect="duckdb")


def _line_fields(source: Source) -> exp.Expr:
    """The fields of a line, raw_data, as a struct of texts; all are empty where it does not match the pattern."""
    names = exp.array(*map(exp.Literal.string, source.shape))
    arguments = [exp.column("raw_data"), exp.Literal.string(source.whole_line), names]
    return exp.Anonymous(this="regexp_extract", expressions=arguments)


def _matched(source: Source, shape: dict[str, Any]) -> exp.Expr:
    members = [
        exp.PropertyEQ(
            this=exp.to_identifier(name),
            expression=_sql("nullif(nullif(value, ''), '-')").transform(_replacing(value=_field_of_line(name))),
        )
        for name in shape
    ]
    return exp.Case().when(_field_of_line(source.filled).neq(exp.Literal.string("")), exp.Struct(expressions=members))


def _field_of_line(name: str) -> exp.Expr:
    return exp.Dot(this=exp.column("fields"), expression=exp.to_identifier(name, quoted=True))


def _member(name: str) -> exp.Expr:
    """A field of delimited text, found by its name in the header, where hyphens stand for underscores."""
    field = _sql("nullif(fields[list_position(header, name)], '-')").transform(
        _replacing(name=exp.Literal.string(name.replace("_", "-")))
    )
    return exp.PropertyEQ(this=exp.to_identifier(name), expression=field)


def _replacing(**names: exp.Expr) -> Any:
    def replace(node: exp.Expr) -> exp.Expr:
        return names[node.name].copy() if isinstance(node, exp.Column) and node.name in names else node

    return replace


def _literal(shape: dict[str, Any]) -> exp.Expr:
    return exp.Literal.string(json.dumps(shape, separators=(",", ":")))


def _record_paths(tree: exp.Expr) -> Iterator[tuple[str, ...]]:
    """Every field path read from `r`, such as ("userIdentity", "arn")."""
    for column in tree.find_all(exp.Column):
        names = [part.name for part in column.parts]
        node: exp.Expr = column
        while isinstance(node.parent, exp.Dot) and node.parent.this is node:
            node = node.parent
            names.append(node.expression.name)
        if names[0] == "r":
            yield tuple(names[1:])


def _pruned(shape: dict[str, Any], paths: set[tuple[str, ...]]) -> dict[str, Any]:
    """The part of `shape` that `paths` read."""
    kept = {}
    for name, inner in shape.items():
        below = {path[1:] for path in paths if path[:1] == (name,)}
        if below:
            kept[name] = inner if () in below or not isinstance(inner, dict) else _pruned(inner, below)
    return kept


# OCSF form: outputs named by dotted paths -> nested objects.


def _ocsf(source: Source, relation: str) -> exp.Select:
    outputs = outputs_of(source)
    mapped = mapping(source).copy()
    renamed = [exp.alias_(outputs[name].copy(), name, quoted=True) for name in outputs if name != "reject"]
    kept = [exp.column(name) for name in ("raw_data", "object_id", "record_no")]
    mapped.set("expressions", [*renamed, exp.alias_(_rejection(outputs), "reject"), *kept])

    projections = []
    for name, node in tree_of(leaves(outputs, text=True)).items():
        value = struct_value(node)
        having = [uid for uid, c in CLASSES.items() if name in c.attributes]
        if len(having) < len(CLASSES):
            members = [exp.Literal.number(uid) for uid in having]
            value = exp.Case().when(exp.column("class_uid").isin(*members), value)
        projections.append(exp.alias_(value, name, quoted=True))
    if WHOLE in outputs:
        projections.append(exp.column(WHOLE, quoted=True))
    select = exp.select(*projections).from_("mapped")
    inner = with_records(mapped, source, relation)
    for cte in inner.ctes:
        select = select.with_(cte.alias, as_=cte.this)
    inner.set("with_", None)
    return select.with_("mapped", as_=inner)


def leaves(outputs: dict[str, exp.Expr], text: bool) -> Iterator[tuple[str, exp.Expr]]:
    """(path, value) of every leaf of the OCSF object, over the columns of `mapped`."""
    names = [n for n in outputs if n not in _SPECIAL and not n.endswith("?") and "[]" not in n]
    names += [n[:-1] for n in outputs if n.endswith("?") and n[:-1] not in outputs]
    for name in names:
        value: exp.Expr = exp.column(name, quoted=True)
        if name == "metadata.uid":
            continue
        if text and name.rpartition(".")[2] in _JSON:
            value = exp.cast(value, "VARCHAR")
        if text and name in LISTED:
            value = exp.Case().when(value.copy().isin(*map(exp.Literal.string, LISTED[name])), value)
        if name + "?" in outputs:
            fallback = exp.column(name + "?", quoted=True)
            value = exp.func("coalesce", value, fallback) if name in outputs else fallback
        if name.endswith("time") and name != "metadata.original_time":  # which is text
            yield name, exp.func("epoch_ms", value)
            yield name + "_dt", exp.func("rfc3339", value.copy()) if text else value.copy()
        else:
            yield name, value
    uid = '"metadata.uid"' if "metadata.uid" in outputs else "NULL"
    yield "metadata.uid", _sql(_EVENT_UID.format(uid=uid))
    yield "metadata.version", exp.Literal.string(VERSION)
    yield "category_uid", _sql("class_uid // 1000")
    yield "type_uid", _sql("class_uid * 100 + activity_id")
    yield "raw_data", exp.column("raw_data")


def tree_of(leaves: Iterable[tuple[str, exp.Expr]]) -> dict[str, Any]:
    """Values by dotted path as nested dicts."""
    root: dict[str, Any] = {}
    for path, value in leaves:
        *parents, last = path.split(".")
        node = root
        for parent in parents:
            node = node.setdefault(parent, {})
        node[last] = value
    return root


def struct_value(node: Any) -> exp.Expr:
    """The value of a node: a leaf, or a struct that is null when all in it is null."""
    if isinstance(node, exp.Expr):
        return node
    fields = [
        exp.PropertyEQ(this=exp.to_identifier(name), expression=struct_value(inner)) for name, inner in node.items()
    ]
    empty = exp.and_(*(leaf.copy().is_(exp.null()) for leaf in _all_leaves(node)))
    return exp.Case().when(empty, exp.null()).else_(exp.Struct(expressions=fields))


def _all_leaves(node: Any) -> Iterator[exp.Expr]:
    if isinstance(node, exp.Expr):
        yield node
    else:
        for inner in node.values():
            yield from _all_leaves(inner)
