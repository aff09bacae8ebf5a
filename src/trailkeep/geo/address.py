"""Text in, an address as a number out; which addresses are of the world."""

from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

# What networks use inside themselves, and what is of no network: RFC 1122, 1918, 3927, 4193, 4291, 5771, 6598.
_INSIDE = {
    4: "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.168.0.0/16 224.0.0.0/3",
    6: "::/127 fc00::/7 fe80::/10 ff00::/8",
}
_RANGES = {
    version: [(int(each[0]), int(each[-1])) for each in map(ip_network, texts.split())]
    for version, texts in _INSIDE.items()
}
_MAPPED = bytes(10) + b"\xff\xff"


class Address(NamedTuple):
    """An address of IPv4 or IPv6; one of IPv4 that is written as IPv6 is of IPv4."""

    text: str
    version: int
    number: int

    @property
    def inside(self) -> bool:
        """Whether it is of a network that is no part of the internet."""
        return any(first <= self.number <= last for first, last in _RANGES[self.version])


def parse(text: str) -> Address | None:
    """None for what is no address."""
    try:
        if ":" not in text:
            return Address(text, 4, int.from_bytes(inet_pton(AF_INET, text), "big"))
        packed = inet_pton(AF_INET6, text)
    except (OSError, ValueError):  # the second for a NUL within
        return None
    if packed.startswith(_MAPPED):
        return parse(inet_ntop(AF_INET, packed[12:]))
    return Address(text, 6, int.from_bytes(packed, "big"))
