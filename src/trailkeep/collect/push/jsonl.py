"""JSON lines, JSON or text in, a record for each value or line out."""

from collections.abc import Mapping
from typing import ClassVar

import msgspec

from trailkeep.collect.push.senders import Protocol, Refused
from trailkeep.collect.push.wire import (
    STATUS,
    Answer,
    Call,
    Taken,
    Wire,
    elements,
    is_a,
    json_answer,
    json_values,
    media_type,
    one_line,
    text_lines,
)

_LINES = ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines")


class JsonLines(Wire):
    """Trailkeep's own: what curl can send."""

    protocol: ClassVar[Protocol] = "jsonl"

    def read(self, call: Call) -> Taken:
        """JSON: each value a record, of a list each element. Text: each line a record."""
        kind = media_type(call.headers)
        if kind == "text/plain":
            records = [msgspec.json.encode(line) for line in text_lines(call.body)]
        elif kind in _LINES or kind == "application/json":
            values = json_values(call.body)
            if kind == "application/json":
                values = [each for value in values for each in elements(value)]
            for number, value in enumerate(values, 1):
                if not is_a(value, b'{"'):
                    raise Refused("bad", f"record {number} is neither a JSON object nor a string")
            records = [one_line(value) for value in values]
        else:
            raise Refused("type", f"the Content-Type {kind or 'is missing: it'} is none of {', '.join(_TYPES)}")
        return Taken(records, json_answer(200, {"records": len(records)}))

    def refuse(self, refused: Refused, headers: Mapping[str, str]) -> Answer:
        """The reason in words."""
        return json_answer(STATUS[refused.fault], {"error": refused.reason})


_TYPES = (_LINES[0], "application/json", "text/plain")
