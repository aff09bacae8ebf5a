"""Network interfaces and a day in, VPC flow records out: ordinary traffic, scans, the attacker's ssh."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from trailkeep.demo.attack import ATTACKER_IP, OPENED

DEFAULT = (
    "version", "account-id", "interface-id", "srcaddr", "dstaddr", "srcport", "dstport", "protocol",
    "packets", "bytes", "start", "end", "action", "log-status",
)  # fmt: skip
CUSTOM = (
    *DEFAULT, "vpc-id", "subnet-id", "instance-id", "tcp-flags", "type", "pkt-srcaddr", "pkt-dstaddr",
    "region", "az-id", "pkt-src-aws-service", "pkt-dst-aws-service", "flow-direction", "traffic-path",
)  # fmt: skip
_S3 = "192.0.2.130"
_SERVICES = (("10.0.0.2", 53, 17), (_S3, 443, 6), ("10.40.9.20", 5432, 6), ("10.40.9.31", 6379, 6))


@dataclass(frozen=True)
class Interface:
    """A network interface whose flows are logged."""

    account: str
    region: str
    vpc: str
    subnet: str
    instance: str
    uid: str
    address: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Flow:
    """One flow seen at an interface; `start` in seconds since 1970."""

    interface: Interface
    start: int
    source: str = "-"
    target: str = "-"
    source_port: int = 0
    target_port: int = 0
    protocol: int = 6
    packets: int = 0
    size: int = 0
    accepted: bool = True
    status: str = "OK"

    def line(self) -> str:
        """The record in the interface's format."""
        at = self.interface
        values = {
            "version": "5" if "vpc-id" in at.columns else "2",
            "account-id": at.account,
            "interface-id": at.uid,
            "start": str(self.start),
            "end": str(self.start + 59),
            "log-status": self.status,
        }
        if self.status == "OK":
            values |= self._traffic()
        return " ".join(values.get(column, "-") for column in at.columns)

    def _traffic(self) -> dict[str, str]:
        """The columns that only a record with data has."""
        at = self.interface
        inbound = self.target == at.address
        flags = "0" if self.protocol != 6 else "19" if self.accepted else "2"
        return {
            "srcaddr": self.source, "dstaddr": self.target, "srcport": str(self.source_port),
            "dstport": str(self.target_port), "protocol": str(self.protocol), "packets": str(self.packets),
            "bytes": str(self.size), "action": "ACCEPT" if self.accepted else "REJECT", "vpc-id": at.vpc,
            "subnet-id": at.subnet, "instance-id": at.instance, "tcp-flags": flags, "type": "IPv4",
            "pkt-srcaddr": self.source, "pkt-dstaddr": self.target, "region": at.region, "az-id": "use1-az4",
            "pkt-src-aws-service": "S3" if self.source == _S3 else "-",
            "pkt-dst-aws-service": "S3" if self.target == _S3 else "-",
            "flow-direction": "ingress" if inbound else "egress", "traffic-path": "-" if inbound else "8",
        }  # fmt: skip


def ordinary(interface: Interface, midnight: int, count: int, rng: Random) -> Iterator[Flow]:
    """`count` flows of a working day: look-ups, databases, AWS endpoints, rejected scans, and gaps."""
    for _ in range(count):
        start = midnight + rng.randrange(86_340)
        port, kind = rng.randrange(32_768, 61_000), rng.random()
        packets = 1 + int(rng.paretovariate(1.1))
        if kind < 0.04:
            yield Flow(interface, start, status="SKIPDATA" if kind < 0.004 else "NODATA")
        elif kind < 0.16:
            scanner = f"192.0.2.{rng.randrange(200, 240)}"
            target = rng.choice((22, 23, 445, 3389, 8080))
            yield Flow(interface, start, scanner, interface.address, port, target, 6, 1, 44, False)
        else:
            peer, target, protocol = rng.choice(_SERVICES)
            size = packets * rng.randrange(60, 1400)
            ends = (interface.address, peer, port, target), (peer, interface.address, target, port)
            yield Flow(interface, start, *rng.choice(ends), protocol, packets, size)


def intrusion(bastion: Interface, midnight: int, rng: Random) -> Iterator[Flow]:
    """The attacker knocks on port 22, gets in once it is open, and carries data out."""
    for second in range(OPENED - 1500, OPENED, 90):
        port = rng.randrange(40_000, 60_000)
        yield Flow(bastion, midnight + second, ATTACKER_IP, bastion.address, port, 22, 6, 1, 60, False)
    port = 51_844
    for second in range(OPENED + 60, OPENED + 2400, 60):
        packets = rng.randrange(30_000, 60_000)
        start = midnight + second
        yield Flow(bastion, start, ATTACKER_IP, bastion.address, port, 22, 6, packets // 20, packets * 3)
        yield Flow(bastion, start, bastion.address, ATTACKER_IP, 22, port, 6, packets, packets * 1400)
