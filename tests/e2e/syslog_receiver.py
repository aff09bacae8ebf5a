"""A receiver of syslog without its lake, in a process that starts quickly and may be killed; nobody commits."""

import socket
import threading
from pathlib import Path
from typing import Any

from trailkeep.aws import Aws
from trailkeep.collect import syslog
from trailkeep.collect.collector import Context
from trailkeep.collect.feed import Feed
from trailkeep.collect.health import Health
from trailkeep.collect.listening import listen

RECEIVE_BUFFER = 64 << 10


class Nothing:
    """What a collector has kept that has kept nothing."""

    def received(self, collector: str) -> set[str]:
        return set()


def receive(config: dict[str, Any], spool: Path) -> None:
    """Runs until it is killed."""

    def small(address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
        made = listen(address, kind)
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return made

    syslog.listen = small  # type: ignore[attr-defined]
    kept: Any = Nothing()
    context = Context(
        name="syslog",
        feed=Feed(limit=1 << 40),
        health=Health("syslog", "syslog"),
        aws=Aws({}),
        kept=kept,
        spool=spool,
        stop=threading.Event(),
        once=False,
        delay=0.01,
    )
    syslog.Syslog.model_validate(config).run(context)
