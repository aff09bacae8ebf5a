"""Raw records as text in, the Arrow table that mappings take out; and the leaves of records and events."""

import gzip
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from trailkeep.normalize.mapping import RAW


def raw_table(texts: Iterable[str], raw_format: str | None = None) -> pa.Table:
    texts = list(texts)
    columns = {
        "raw_data": texts,
        "raw_format": [raw_format] * len(texts),
        "object_id": ["0" * 32] * len(texts),
        "record_no": range(len(texts)),
        "key_time": [None] * len(texts),
    }
    return pa.table({name: pa.array(columns[name], RAW.field(name).type) for name in RAW.names})


def read_text(path: Path) -> str:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8", "replace")


def json_records(text: str) -> Iterator[dict[str, Any]]:
    """Objects of JSON values one after another, arrays and `Records` opened; ends where text is no JSON."""
    decoder = json.JSONDecoder()
    while text := text.lstrip(" \r\n\t,"):
        try:
            value, end = decoder.raw_decode(text)
        except ValueError:
            return
        text = text[end:]
        for envelope in ("Records", "records", "value", "items") if isinstance(value, dict) else ():
            inner = value.get(envelope) if isinstance(value, dict) else None
            value = inner if isinstance(inner, list) else value
        yield from (record for record in (value if isinstance(value, list) else [value]))


def leaves(value: Any) -> Iterator[str]:
    """Every leaf of a JSON value but nulls, as text."""
    if isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield str(value)
