"""A Source and its stored events in, SELECT statements for views out: OCSF classes and native fields.

Stored columns are passed on as they are; what is not stored is parsed from raw_data, when somebody asks for
it. Engines read all of an object when one member of it is asked for: so each view has the stored columns
beside the objects, and conditions on them read no raw_data.
"""

import re
from collections.abc import Iterable, Iterator

from sqlglot import exp

from trailkeep.core.columns import BY_NAME, BY_PATH, EVENTS, MAPPED, SIGNAL_SOURCE
from trailkeep.core.ocsf import CLASSES, VERSION
from trailkeep.core.source import Source
from trailkeep.engine.mapping import RECORD, WHOLE, leaves, mapping, outputs_of, struct_value, tree_of, with_records

_STORED = "stored."
_PASSED = tuple(_STORED + column.name for column in EVENTS)


FINDING = 2004
# Columns that are no attribute of a class, or not as OCSF has it.
_NOT_OCSF = frozenset({"source", "principal", "resources", "entities", "related_event"})
_OF_SIGNALS = {
    "category_uid": "class_uid // 1000",
    "type_uid": "class_uid * 100 + activity_id",
    "metadata.version": f"'{VERSION}'",
    "metadata.profiles": "['cloud', 'datetime']",
    "cloud.provider": "'AWS'",
    "metadata.product.name": "'Trailkeep'",
    "metadata.product.vendor_name": "'Trailkeep'",
    "finding_info.analytic.name": "finding_title",
    "finding_info.analytic.type_id": "1",  # rule
    "finding_info.related_events": "[{'uid': related_event}]",
    "resources": "list_transform(resources, lambda uid: {'uid': uid})",
    "raw_data": "raw_data",
}
# Stored columns that attributes of the same name have in another form: where a source lacks the attribute it is null.
_OTHERWISE = ("end_time", "resources")


def makes(source: Source, class_uid: int) -> bool:
    """Whether the source's mapping may make events of a class: it names the class by its number."""
    output = outputs_of(source)["class_uid"]
    said = {number.this for number in output.find_all(exp.Literal) if number.is_int}
    if str(class_uid) in said:
        return True
    # Where the class is worked out elsewhere in the mapping, its number stands there; 0 stands everywhere.
    elsewhere = output.find(exp.Column) is not None and (class_uid != 0 or not said)
    return elsewhere and re.search(rf"\b{class_uid}\b", source.map_sql) is not None


def class_select(source: Source, relation: str, class_uid: int) -> exp.Select:
    """The source's events of one OCSF class: its attributes as OCSF nests them, then the stored columns."""
    named = {
        name: exp.column(_STORED + BY_PATH[name].name, quoted=True) if name in BY_PATH else value.copy()
        for name, value in outputs_of(source).items()
        if name not in ("reject", "entity_texts", WHOLE)
    }
    mapped = mapping(source).copy()
    stored = [exp.column(name, quoted=True) for name in _PASSED]
    columns = [exp.alias_(value, name, quoted=True) for name, value in named.items()]
    mapped.set("expressions", [*columns, *stored, *(exp.column(n) for n in ("raw_data", "object_id", "record_no"))])
    attributes = {
        name: exp.alias_(struct_value(node), name, quoted=True)
        for name, node in tree_of(leaves(named, text=False)).items()
        if name in CLASSES[class_uid].attributes
    }
    for name in _OTHERWISE:
        if name in CLASSES[class_uid].attributes:
            attributes.setdefault(name, exp.alias_(exp.null(), name, quoted=True))
    select = exp.select(*attributes.values(), *_rest(attributes)).from_("mapped")
    inner = with_records(mapped, source, _stored_events(source, relation, class_uid), also=_PASSED)
    for cte in list(inner.ctes):
        select = select.with_(cte.alias, as_=cte.this)
    inner.set("with_", None)
    return select.with_("mapped", as_=inner)


def signals_select(relation: str) -> exp.Select:
    """Signals as OCSF detection findings, of stored columns alone, then these columns."""
    named: dict[str, exp.Expr] = {c.path: exp.column(c.name, quoted=True) for c in MAPPED if c.name not in _NOT_OCSF}
    named |= {path: exp.maybe_parse(sql, dialect="duckdb") for path, sql in _OF_SIGNALS.items()}
    attributes = {
        name: exp.alias_(struct_value(node), name, quoted=True)
        for name, node in tree_of(_signal_leaves(named)).items()
        if name in CLASSES[FINDING].attributes
    }
    names = {name.lower() for name in attributes}
    rest = [exp.column(c.name, quoted=True) for c in EVENTS if c.name not in names]
    signals = exp.column("source").eq(exp.Literal.string(SIGNAL_SOURCE))
    return exp.select(*attributes.values(), *rest).from_(relation).where(signals)


def _signal_leaves(named: dict[str, exp.Expr]) -> Iterator[tuple[str, exp.Expr]]:
    for path, value in named.items():
        if path in ("time", "end_time"):
            yield path, exp.func("epoch_ms", value)
            yield path + "_dt", value.copy()
        else:
            yield path, value


def native_fields_select(source: Source, relation: str) -> exp.Select:
    """The source's events under their native field names, then the stored columns."""
    fields = {}
    for name in source.shape:
        value = exp.maybe_parse(source.fields[name], dialect="duckdb") if name in source.fields else None
        fields[name] = exp.alias_(value.transform(_as_stored) if value else _record_field(name), name, quoted=True)
    select = exp.select(*fields.values(), *_rest(fields)).from_("records")
    return with_records(select, source, _stored_events(source, relation, None), also=_PASSED)


def _record_field(name: str) -> exp.Expr:
    return exp.Dot(this=exp.column("r"), expression=exp.to_identifier(name, quoted=True))


def _as_stored(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Column) and node.name in BY_NAME:
        return exp.column(_STORED + node.name, quoted=True)
    return node


def _rest(taken: Iterable[str]) -> list[exp.Expr]:
    """Stored columns whose names are free: engines do not tell names apart by case."""
    names = {name.lower() for name in taken}
    return [
        exp.alias_(exp.column(_STORED + c.name, quoted=True), c.name, quoted=True)
        for c in EVENTS
        if c.name not in names
    ]


def _stored_events(source: Source, relation: str, class_uid: int | None) -> str:
    """The events of the source with each stored column twice: under its name for parsing, and prefixed."""
    own = [exp.column(name) for name in RECORD if name in BY_NAME]
    key_time = exp.alias_(exp.cast(exp.null(), "TIMESTAMPTZ"), "key_time")
    stored = [exp.alias_(exp.column(c.name), _STORED + c.name, quoted=True) for c in EVENTS]
    select = exp.select(*own, key_time, *stored).from_(relation)
    select = select.where(exp.column("source").eq(exp.Literal.string(source.name)))
    if class_uid is not None:
        select = select.where(exp.column("class_uid").eq(class_uid))
    return f"({select.sql(dialect='duckdb')})"


def output_select(source: Source, relation: str, output: str) -> exp.Select:
    """What map.sql names `output` for each of the source's events, as `output`, beside the column `envelope`."""
    mapped = mapping(source).copy()
    value = exp.alias_(outputs_of(source)[output].copy(), "output")
    mapped.set("expressions", [value, exp.alias_(exp.column(_STORED + "envelope", quoted=True), "envelope")])
    return with_records(mapped, source, _stored_events(source, relation, None), also=_PASSED)
