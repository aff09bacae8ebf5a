"""A receiver of syslog on loopback, for tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.collect import syslog_peers as peers
from tests.collect.working import Working, working
from trailkeep.collect.syslog import Syslog

LOCAL = ["127.0.0.0/8"]


def config(**settings: Any) -> Syslog:
    return Syslog.model_validate({"type": "syslog", "senders": LOCAL} | settings)


@contextmanager
def receiving(
    folder: Path, way: str, changes: dict[str, Any] | None = None, **settings: Any
) -> Iterator[tuple[Working, int]]:
    """A receiver that listens in one way on loopback, and its port."""
    port = peers.free_port()
    with working(config(**{way: [f"127.0.0.1:{port}"]}, **settings), folder, **(changes or {})) as found:
        found.wait(lambda: "listens on" in found.context.health.reason)
        yield found, port


def tls_files(folder: Path) -> tuple[peers.Paths, dict[str, str]]:
    made = peers.certificates(folder / "certificates")
    return made, {"certificate": str(made.server), "key": str(made.server_key), "client_ca": str(made.ca)}
