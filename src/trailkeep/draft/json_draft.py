"""JSON text in, a sketch of its records out: the envelope that they stand in, and the shape that they share."""

import json
from collections.abc import Iterator
from typing import Any

from trailkeep.draft.sketch import Column, Sketch

_RECORDS = 200  # looked at
_KEPT = 10  # as a sample
_WIDEST = 60  # fields; an object with more is a map, and stays JSON
_TYPES = {str: "VARCHAR", bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE"}
_LARGE = 1 << 63
Record = dict[str, Any]


def draft_json(text: str) -> Sketch | None:
    """The sketch of JSON records; None where there are none."""
    records: list[Record] = []
    envelope = None
    for value in _values(text):
        found = _enveloped(value)
        if found and not records:
            envelope = found
        members = value[envelope] if envelope and isinstance(value, dict) and envelope in value else value
        records += [one for one in (members if isinstance(members, list) else [members]) if isinstance(one, dict)]
        if len(records) >= _RECORDS:
            break
    records = [one for one in records[:_RECORDS] if one]
    if not records:
        return None
    shape = _shape(records)
    kept = records[:_KEPT]
    lines = [json.dumps(one, ensure_ascii=False) for one in kept]
    sample = f'{{"{envelope}": [\n' + ",\n".join(lines) + "\n]}\n" if envelope else "\n".join(lines) + "\n"
    return Sketch(
        format="json",
        columns=list(_columns(shape, records)),
        sample_name="records.json" if envelope else "records.jsonl",
        sample=sample.encode("utf-8", "backslashreplace"),
        shape=shape,
        keys={"envelope": envelope} if envelope else {},
        recognise=[name for name in records[0] if all(name in one for one in records)][:8],
    )


def _values(text: str) -> Iterator[Any]:
    """The JSON values that stand one after the other; ends where text is none."""
    decode, position = json.JSONDecoder().raw_decode, 0
    while position < len(text):
        if text[position] in " \t\r\n,":
            position += 1
            continue
        try:
            value, position = decode(text, position)
        except (ValueError, RecursionError):
            return
        yield value


def _enveloped(value: Any) -> str | None:
    """The key of the array of records in an object that has little else."""
    if not isinstance(value, dict) or len(value) > 4:
        return None
    lists = [name for name, held in value.items() if isinstance(held, list) and held and isinstance(held[0], dict)]
    beside = [held for held in value.values() if not isinstance(held, list)]
    fits = len(lists) == 1 and lists[0] == list(value)[-1] and not any(isinstance(held, dict) for held in beside)
    return lists[0] if fits else None


def _shape(records: list[Record]) -> dict[str, Any]:
    """Field -> SQL type, or the shape of the object that it holds. Of names that differ in capitals, the first."""
    shape: dict[str, Any] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(name for record in records for name in record):
        if name.lower() not in taken and name:
            taken.add(name.lower())
            shape[name] = _type([record[name] for record in records if record.get(name) is not None])
    return shape


def _type(values: list[Any]) -> Any:
    if not values:
        return "VARCHAR"
    if all(isinstance(value, dict) for value in values):
        wide = len({name for value in values for name in value}) > _WIDEST
        return "JSON" if wide or not any(values) else _shape(values)
    if any(isinstance(value, dict | list) for value in values):
        return "JSON"
    types = {type(value) for value in values}
    if types != {int} or not all(-_LARGE <= value < _LARGE for value in values):
        return _TYPES[types.pop()] if len(types) == 1 and types != {int} else "VARCHAR"
    return "BIGINT"


def _columns(shape: dict[str, Any], records: list[Record], above: tuple[str, ...] = ()) -> Iterator[Column]:
    for name, inner in shape.items():
        values = [record[name] for record in records if record.get(name) is not None]
        if isinstance(inner, dict):
            yield from _columns(inner, values, (*above, name))
        elif inner != "JSON":
            yield Column((*above, name), [value if isinstance(value, str) else json.dumps(value) for value in values])
