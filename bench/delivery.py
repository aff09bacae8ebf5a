"""A folder in, seconds from an alert to the webhook that hears of it out, and how a storm gets through: JSON on stdout.

The real deliverer at its default settings, in this process; the webhook is a server on loopback. An alert's clock runs
from the commit of the transaction that derives it to the request with its message. Of the storm, which has no limit of
messages here, two channels are told; one of them answers nothing.
"""

import json
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from tests.alert.inbox import Answer, Inbox, Request, inbox
from tests.alert.office import Office, config, office, signal, webhook

from trailkeep.alert.channels.channel import Tools
from trailkeep.alert.deliver import Deliverer
from trailkeep.aws import Aws

ALERTS, STORM = 300, 1_000
_PATIENCE = 300.0


def main() -> None:
    """Measure in the folder that is named."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    print(json.dumps({"seconds": one_by_one(folder / "one"), **storm(folder / "storm")}))


def one_by_one(folder: Path) -> list[float]:
    """Seconds for each of ALERTS alerts, at random moments."""
    rng, arrived, committed = random.Random(1), dict[str, float](), dict[str, float]()
    with inbox() as web:
        web.answer = _noting(arrived)
        desk = _desk(folder, {"hook": web})
        with _running(desk):
            for number in range(ALERTS):
                desk.alert(signal(f"user {number}", at=datetime.now(UTC)))
                committed[f"user {number}"] = time.monotonic()
                time.sleep(rng.uniform(0, 0.2))
            _wait(lambda: len(arrived) == ALERTS)
    return [arrived[subject] - moment for subject, moment in committed.items()]


def storm(folder: Path) -> dict[str, float]:
    """Seconds from STORM alerts in one transaction to the last message at the channel that answers."""
    arrived = dict[str, float]()
    never = threading.Event()
    with inbox() as web, inbox() as stuck:
        web.answer = _noting(arrived)
        stuck.answer = lambda _: Answer(stall=never)
        desk = _desk(folder, {"hook": web, "stuck": stuck})
        with _running(desk):
            desk.alert(*(signal(f"user {number}", at=datetime.now(UTC)) for number in range(STORM)))
            begun = time.monotonic()
            _wait(lambda: len(arrived) == STORM)
            seconds = time.monotonic() - begun
            never.set()
    return {"storm_seconds": seconds, "first": min(arrived.values()) - begun}


def _desk(folder: Path, boxes: dict[str, Inbox]) -> Office:
    folder.mkdir()
    return office(
        folder, config(channels={name: webhook(box.url, folder, name) for name, box in boxes.items()}, storm=None)
    )


@contextmanager
def _running(desk: Office) -> Iterator[None]:
    stop = threading.Event()
    deliverer = Deliverer(desk.home, desk.config, desk.rules, Tools(Aws({})))
    thread = threading.Thread(target=deliverer.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _noting(arrived: dict[str, float]) -> Callable[[Request], Answer]:
    def answer(request: Request) -> Answer:
        arrived.setdefault(request.json["subject"], time.monotonic())
        return Answer()

    return answer


def _wait(over: Callable[[], bool]) -> None:
    until = time.monotonic() + _PATIENCE
    while not over():
        if time.monotonic() > until:
            sys.exit("messages are missing at the webhook")
        time.sleep(0.01)


if __name__ == "__main__":
    main()
