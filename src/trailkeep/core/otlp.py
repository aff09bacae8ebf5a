"""Values of OTLP/JSON in, plain ones out: what receivers accept is what is read later.

Source: OpenTelemetry Protocol Specification, JSON Protobuf Encoding; protobuf leaves out what is empty.
"""

from base64 import b64decode
from typing import Any

import msgspec


class AnyValue(msgspec.Struct, frozen=True):
    """A value: one of these."""

    stringValue: str | None = None
    boolValue: bool | None = None
    intValue: int | str | None = None
    doubleValue: float | str | None = None
    bytesValue: str | None = None
    arrayValue: "Values | None" = None
    kvlistValue: "Pairs | None" = None

    def __post_init__(self) -> None:
        """Raises ValueError for a number or bytes that are none, which makes decoding fail."""
        int(self.intValue or 0), b64decode(self.bytesValue or "", validate=True)

    def plain(self) -> Any:
        """As JSON has it; bytes where it is bytes."""
        if self.kvlistValue is not None:
            return {pair.key: pair.value.plain() for pair in self.kvlistValue.values}
        if self.arrayValue is not None:
            return [one.plain() for one in self.arrayValue.values]
        if self.intValue is not None:
            return int(self.intValue)
        if self.bytesValue is not None:
            return b64decode(self.bytesValue)
        found = (self.stringValue, self.boolValue, self.doubleValue)
        return next((value for value in found if value is not None), None)


EMPTY = AnyValue()


class Values(msgspec.Struct):
    """A list of values."""

    values: list[AnyValue] = []


class Pair(msgspec.Struct):
    """An attribute."""

    key: str = ""
    value: AnyValue = EMPTY


class Pairs(msgspec.Struct):
    """A map of values."""

    values: list[Pair] = []


class Attributes(msgspec.Struct):
    """What has attributes, such as a resource."""

    attributes: list[Pair] = []
