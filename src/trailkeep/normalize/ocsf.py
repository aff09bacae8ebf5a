"""A batch of raw records (Arrow) in, OCSF 1.5.0 events as JSON lines and the rejected records (Arrow) out."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.errors import InputError
from trailkeep.core.source import Source
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.mapping import WHOLE, ocsf_json_select
from trailkeep.normalize.conform import conformed
from trailkeep.normalize.mapping import with_envelopes

_JSON_TEXT = ("data", "unmapped")


@dataclass(frozen=True)
class OcsfEvents:
    """`lines`: one JSON object each, without a line end. `rejected`: the raw columns and `reason`."""

    lines: list[bytes]
    rejected: pa.Table


class OcsfMapper:
    """Maps batches of raw records over one engine connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._statements: dict[str, str] = {}

    def map(self, source: Source, raw: pa.Table) -> OcsfEvents:
        """`raw` has the columns of normalize.mapping.RAW. Attributes without a value are left out."""
        raw = with_envelopes(raw)
        if source.name not in self._statements:
            self._statements[source.name] = ocsf_json_select(source, "raw_records")
        self._connection.register("raw_records", raw)
        try:
            rows = self._connection.execute(self._statements[source.name]).to_arrow_table()
        finally:
            self._connection.unregister("raw_records")
        lines, reasons = [], rows["reject"].to_pylist()
        for number, event in enumerate(rows["event"].to_pylist()):
            if reasons[number] is None:
                try:
                    lines.append(msgspec.json.encode(_event(msgspec.json.decode(event))))
                except InputError as error:
                    reasons[number] = str(error)
        rejected = raw.append_column("reason", pa.array(reasons, pa.string()))
        return OcsfEvents(lines, rejected.filter(pc.is_valid(rejected["reason"])))


def to_ocsf(connection: Connection, source: Source, raw: pa.Table) -> OcsfEvents:
    """One batch, mapped."""
    return OcsfMapper(connection).map(source, raw)


def _event(fields: dict[str, Any]) -> dict[str, Any]:
    whole = fields.pop(WHOLE, None)
    said = _pruned(fields)
    return said if whole is None else conformed(msgspec.json.decode(whole), said)


def _pruned(node: dict[str, Any]) -> dict[str, Any]:
    """The object without nulls, empty objects and empty lists; JSON inside it is embedded as it is."""
    kept: dict[str, Any] = {}
    for name, value in node.items():
        if isinstance(value, dict):
            value = _pruned(value)
        elif isinstance(value, list):
            items = [_pruned(item) if isinstance(item, dict) else item for item in value]
            value = [item for item in items if item is not None]
        elif name in _JSON_TEXT and isinstance(value, str):
            value = msgspec.Raw(value.encode())
        if value is not None and value != {} and value != []:
            kept[name] = value
    return kept
