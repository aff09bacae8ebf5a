"""Networks and what is said of them in, a small MMDB file out."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmdb_writer import MMDBWriter
from netaddr import IPSet


def write_mmdb(path: Path, said: Mapping[str, Any]) -> Path:
    """`said`: record by network, such as `{"198.51.100.0/24": {"country_code": "NL"}}`."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, languages=["en"], description="test")
    for network, record in said.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return path
