"""Sigma modifiers that pySigma 2.0.1 lacks or limits, added to its table of modifiers.

It has no `utf16le`, and its `wide`, `utf16` and `utf16be` refuse every character outside ASCII, because they keep
the encoded bytes as UTF-8 text. Here the bytes are kept beside the text, and `base64` encodes those. Its
`cidr` goes with no placeholder.
"""

from typing import Any, ClassVar

from sigma.exceptions import SigmaValueError
from sigma.modifiers import SigmaExpandModifier, SigmaModifier, SigmaValueModifier, modifier_mapping
from sigma.types import Placeholder, SigmaCIDRExpression, SigmaString

MOST_TEXTS = 10_000
"""Texts that a placeholder inside a text may become; pySigma's own bound is 200."""


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


class Networks(SigmaString):
    """A text with a placeholder, whose values are networks."""

    def __init__(self, value: SigmaString) -> None:
        super().__init__()
        self.s = value.s

    @property
    def name(self) -> str:
        """The name of the list. Raises SigmaValueError if there is more than that."""
        if len(self.s) != 1 or not isinstance(self.s[0], Placeholder):
            raise SigmaValueError("with cidr and expand a value is a network or one placeholder, such as '%name%'")
        return self.s[0].name


class CidrModifier(SigmaValueModifier[SigmaString, "SigmaCIDRExpression | Networks"]):
    """`cidr`, also before or after `expand`."""

    def modify(self, val: SigmaString) -> SigmaCIDRExpression | Networks:
        if any(one is not SigmaExpandModifier for one in self.applied_modifiers):
            raise SigmaValueError("cidr goes with expand and with no other modifier of values", source=self.source)
        if any(isinstance(part, Placeholder) or (isinstance(part, str) and "%" in part) for part in val.s):
            return Networks(val)
        return SigmaCIDRExpression(str(val), source=self.source)


MODIFIERS: dict[str, type[SigmaModifier[Any, Any]]] = {
    "utf16le": Utf16LittleEndianModifier,
    "wide": Utf16LittleEndianModifier,
    "utf16be": Utf16BigEndianModifier,
    "utf16": Utf16Modifier,
    "cidr": CidrModifier,
}
modifier_mapping.update(MODIFIERS)
SigmaString.max_placeholder_expansions = MOST_TEXTS
