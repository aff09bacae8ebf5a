"""A sketch of a log in, a first map.sql of it out: what can be told by names and values, the rest in `unmapped`."""

import re
from collections.abc import Callable
from ipaddress import ip_address
from typing import NamedTuple

from trailkeep.draft.sketch import Column, Sketch, quoted

_TIME_NAMES = r".*(?:time|date|timestamp)(?!out).*|ts|at|when|created|published|occurred"
_USER_NAMES = r".*user(?:name)?|.*login|principal(?:name)?|actor(?:name)?|account(?:name)?|subject|email|.*useremail"
_ACTION_NAMES = (
    r"(?:event|action|operation|command|api|method|activity)(?:name|type)?|eventid|type|verb|msgtype|request"
)
_DESTINATION = r".*(?:dst|dest|target|server|upstream|local|to).*"
_FORMS = (
    ("iso_time(COLUMN)", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"),
    ("clf_time(COLUMN)", r"\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}"),
    ("iso_time(replace(COLUMN, ',', '.'))", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d,\d+"),
    ("epoch_ms_time(COLUMN)", r"1\d{12}"),
    ("epoch_time(COLUMN)", r"1\d{9}(?:\.\d+)?"),
    ("epoch_ns_time(COLUMN)", r"1\d{18}"),
)


_DRAFT = """\
-- {name} -> OCSF 1.5.0 API Activity (6003): a draft. Choose the class that fits, and what its attributes are.
SELECT
{body}
FROM (SELECT *, {moment} AS moment FROM records)
"""
Read = Callable[[Column], str]


class MapDraft(NamedTuple):
    """A map.sql, and what is left to do in it."""

    sql: str
    advice: list[str]


def map_sql(name: str, sketch: Sketch) -> MapDraft:
    """A mapping to OCSF API Activity (6003), which has a place for who, what and from where."""
    columns, advice = sketch.columns, []
    moment, when = _moment(columns)
    if when is None:
        advice.append("no field looks like a time: name it in map.sql, or its records have none and are rejected")
    addresses = [column for column in columns if column.values and all(map(_is_ip, column.values))]
    destination = _named(addresses, _DESTINATION)
    source = next((column for column in addresses if column is not destination), None)
    user = _named([c for c in columns if c not in addresses and c is not when], _USER_NAMES)
    action = _named([c for c in columns if c is not user and c is not when], _ACTION_NAMES)
    text = _read(sketch)
    outputs = [
        ("moment", "time"),
        (f"time_fault(moment, {_literal(when.path[-1] if when else 'time')})", "reject"),
        ("6003", "class_uid"),
        ("99", "activity_id"),
        ("1", "severity_id"),
        (text(action) if action else "NULL::VARCHAR", "api.operation"),
        ("'unknown'", "api.operation?"),
        (text(user) if user else "NULL::VARCHAR", "principal"),
        (text(user) if user else "NULL::VARCHAR", "actor.user.name"),
        (f"CASE WHEN {text(user)} IS NULL THEN '{name}' END" if user else f"'{name}'", "actor.invoked_by?"),
        *([(_address(text(source)), "src_endpoint.ip")] if source else []),
        (
            f"CASE WHEN {_address(text(source))} IS NULL THEN '{name}' END" if source else f"'{name}'",
            "src_endpoint.svc_name?",
        ),
        *([(_address(text(destination)), "dst_endpoint.ip")] if destination else []),
        ("'unknown'", "cloud.provider"),
        (f"'{name}'", "metadata.product.name"),
        ("['cloud', 'datetime']", "metadata.profiles"),
        ("[raw_data]", "entity_texts"),
        (_unmapped(sketch, text, user, action), "unmapped"),
    ]
    body = ",\n".join(f"    {sql} AS {_output(path)}" for sql, path in outputs)
    return MapDraft(_DRAFT.format(name=name, body=body, moment=moment), advice)


def _output(path: str) -> str:
    return path if path.isidentifier() and path != "time" else quoted(path)


def _moment(columns: list[Column]) -> tuple[str, Column | None]:
    """The time of a record as SQL, and the field that holds it."""
    found: list[tuple[str, Column | None]] = [
        (form.replace("COLUMN", column.sql), column)
        for column in columns
        for form, pattern in _FORMS
        if column.values and all(re.fullmatch(pattern, value) for value in column.values)
    ]
    named = [(sql, column) for sql, column in found if column and re.fullmatch(_TIME_NAMES, column.name)]
    plain = [one for one in found if not one[0].startswith("epoch")]
    return (named or plain or [("NULL::TIMESTAMPTZ", None)])[0]


def _is_ip(text: str) -> bool:
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def _named(columns: list[Column], pattern: str) -> Column | None:
    return next((column for column in columns if column.values and re.fullmatch(pattern, column.name)), None)


def _read(sketch: Sketch) -> Read:
    """How map.sql reads a field: of lines that are a table, without its quotes."""
    table = sketch.format == "lines" and "(?P<line>" in sketch.keys["pattern"]
    return lambda column: f"trim({column.sql}, '\"')" if table else column.sql


def _address(sql: str) -> str:
    return f"CASE WHEN is_ip({sql}) THEN {sql} END"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _unmapped(sketch: Sketch, text: Read, *mapped: Column | None) -> str:
    if sketch.format == "json":
        names = ", ".join(_literal(column.path[0]) for column in mapped if column and len(column.path) == 1)
        return f"leftover(try(json_merge_patch(raw_data, without_fields([{names}]::VARCHAR[]))))"
    rest = [column for column in sketch.columns if column not in mapped]
    pairs = ",\n        ".join(f"{_literal(column.path[0])}, {text(column)}" for column in rest)
    return f"unmapped_fields(json_object(\n        {pairs}\n    ))"
