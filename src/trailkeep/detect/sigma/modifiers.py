"""Sigma modifiers that pySigma 2.0.1 lacks or limits, added to its table of modifiers.

It has no `utf16le`, and its `wide`, `utf16` and `utf16be` refuse every character outside ASCII, because they keep
the encoded bytes as UTF-8 text. Here the bytes are kept beside the text, and `base64` encodes those.
"""

from typing import Any, ClassVar

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaModifier, SigmaValueModifier, modifier_mapping
from sigma.types import SigmaString


class EncodedString(SigmaString):
    """Text in another encoding; compared with a field, each byte is one character."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.data = data
        self.s = [data.decode("latin-1")]

    def __bytes__(self) -> bytes:
        return self.data


class _EncodingModifier(SigmaValueModifier[SigmaString, SigmaString]):
    codec: ClassVar[str]
    mark: ClassVar[bytes] = b""

    def modify(self, val: SigmaString) -> SigmaString:
        if val.contains_special():
            raise SigmaValueError("wildcards cannot be encoded; write the text without * and ?", source=self.source)
        return EncodedString(self.mark + "".join(map(str, val.s)).encode(self.codec))


class Utf16LittleEndianModifier(_EncodingModifier):
    """`utf16le` and `wide`."""

    codec = "utf-16le"


class Utf16BigEndianModifier(_EncodingModifier):
    """`utf16be`."""

    codec = "utf-16be"


class Utf16Modifier(_EncodingModifier):
    """`utf16`: little endian behind a byte order mark."""

    codec = "utf-16le"
    mark = b"\xff\xfe"


MODIFIERS: dict[str, type[SigmaModifier[Any, Any]]] = {
    "utf16le": Utf16LittleEndianModifier,
    "wide": Utf16LittleEndianModifier,
    "utf16be": Utf16BigEndianModifier,
    "utf16": Utf16Modifier,
}
modifier_mapping.update(MODIFIERS)
