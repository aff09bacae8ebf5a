"""Lines of several programs in one file: each source gets its own, in order."""

import pyarrow as pa

from trailkeep.core.source import load_sources
from trailkeep.normalize.read import read_objects

SOURCES = load_sources()
SSHD = b"May  4 09:20:02 bastion-1 sshd[2102]: Failed password for root from 192.0.2.81 port 40210 ssh2"
OTHER = b"<30>May  4 09:15:01 web-1 dhclient[612]: bound to 192.0.2.70"
FOREIGN = b"not syslog"


def rows(data: bytes) -> list[tuple[str | None, str, list[int], list[str]]]:
    objects = read_objects(data, "auth.log", SOURCES, limit=10**6)
    return [
        (
            o.source,
            o.part,
            pa.chunked_array([c.numbers for c in o.chunks]).to_pylist(),
            [t for c in o.chunks for t in c.raw.to_pylist()],
        )
        for o in objects
    ]


def test_a_file_is_split_by_program() -> None:
    found = rows(b"\n".join([OTHER, SSHD, FOREIGN, SSHD, b"", OTHER]))
    assert found == [
        ("linux_sshd", "#linux_sshd", [1, 2, 3], [SSHD.decode(), FOREIGN.decode(), SSHD.decode()]),
        ("syslog", "#syslog", [0, 4], [OTHER.decode()] * 2),
    ]


def test_a_file_of_one_program_is_one_object() -> None:
    assert rows(SSHD + b"\r\n" + SSHD) == [("linux_sshd", "", [0, 1], [SSHD.decode()] * 2)]


def test_each_part_has_its_own_digest_and_escapes() -> None:
    objects = read_objects(b"\n".join([OTHER, SSHD + b"\xff", OTHER + b"\xfe"]), "auth.log", SOURCES, limit=10**6)
    assert [o.escaped for o in objects] == [[1], [2]]
    assert len({o.sha256 for o in objects}) == 2


def test_a_named_source_takes_all() -> None:
    objects = read_objects(SSHD + b"\n" + OTHER, "auth.log", SOURCES, source="syslog", limit=10**6)
    assert [(o.source, o.count) for o in objects] == [("syslog", 2)]
