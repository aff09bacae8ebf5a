"""The outbox in, messages with people out: one thread a channel, so that one that is down delays no other.

At least once: a row is marked as sent after the channel has taken it, so a process that is killed in between sends it
again, under the same `uid`. What fails is tried again, each time later; what is refused, or failed too often, becomes a
dead letter, which stays until somebody has it tried again.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from sqlalchemy.exc import DBAPIError

from trailkeep.alert import outbox as box
from trailkeep.alert.channels.channel import Channel, Tools
from trailkeep.alert.config import AlertsConfig
from trailkeep.alert.message import About, Message, clean
from trailkeep.alert.outbox import Parcel
from trailkeep.alert.router import Router
from trailkeep.alert.storm import SINGLE, calm
from trailkeep.core.errors import LakeError, Later, Refused, TrailkeepError
from trailkeep.core.failpoint import failpoint
from trailkeep.geo.places import Places
from trailkeep.lake.home import Home

TASK = "alerts"
"""The lock that the one process holds that sends."""
_LONGEST = 3600.0  # seconds between two tries
_LONGEST_ASKED = 6 * 3600.0  # if the other side asks for it
_TICK = 10.0
_STOP_SECONDS = 20.0


class Deliverer:
    """Sends what waits in the outbox of a lake, and fills it from the alerts."""

    def __init__(
        self,
        home: Home,
        config: AlertsConfig,
        rules: Mapping[str, About],
        tools: Tools,
        say: Callable[[str], None] = lambda text: None,
        *,
        delay: float = 5.0,
        poll: float = 1.0,
        places: Places | None = None,
    ) -> None:
        """`delay`: seconds before the first new try; `poll`: seconds between two looks at the outbox.

        `places` says where addresses are, for messages.
        """
        self.counts: Counter[str] = Counter()
        """sent, failed, dead, void"""
        self._home = home
        self._config = config
        self._channels = config.enabled()
        self._router = Router(home.state, config, rules, say, places)
        self._tools = tools
        self._say = say
        self._delay = delay
        self._poll = poll
        self._ticked = float("-inf")
        self._failures: Counter[str] = Counter()
        self._news = {name: threading.Event() for name in self._channels}
        for each in config.suppressions:
            if each.expired(tools.now()):
                say(f"the suppression until {each.until} ({each.reason}) is over; take it out of alerts.suppressions")

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set; waits while another process delivers."""
        told = False
        while not stop.is_set():
            try:
                with self._home.exclusive(TASK):
                    self._run(stop)
            except LakeError:
                if not told:
                    self._say("another process sends the alerts of this lake; this one will when that ends")
                told = True
                stop.wait(5 * self._poll)

    def _run(self, stop: threading.Event) -> None:
        threads = [
            threading.Thread(target=self._serve, args=(name, stop), name=f"alerts-{name}", daemon=True)
            for name in self._channels
        ]
        for thread in threads:
            thread.start()
        while not stop.is_set():
            self._guarded(self._fill)
            stop.wait(self._poll)
        self._guarded(self._fill)  # the last commit may have raised alerts
        self._wake()
        until = time.monotonic() + _STOP_SECONDS
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))

    def once(self) -> Counter[str]:
        """Send what is due, each message once; returns `counts`. Raises LakeError if another process sends."""
        with self._home.exclusive(TASK):
            self._fill()
            threads = [
                threading.Thread(target=self._guarded, args=(lambda name=name: self._deliver_all(name),), daemon=True)
                for name in self._channels
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        return self.counts

    def _deliver_all(self, name: str) -> None:
        while not self.deliver(name):
            pass  # there is more than a portion

    def skip(self) -> int:
        """Count all alerts there are as told; returns how many were not."""
        return self._router.skip(self._tools.now())

    def test(self, name: str) -> None:
        """Send a test message now. Raises SendError or UsageError if the channel does not take it."""
        now = self._tools.now()
        message = test_message(name, now)
        with self._home.state.begin() as connection:
            # Not due: no other process sends it too.
            later = now + timedelta(days=3650)
            row = box.put(connection, f"test/{uuid4().hex}/{name}", name, message, later, now, None)
        assert row is not None
        parcel = box.parcel(self._home.state, row)
        try:
            self._channels[name].send(message, parcel.uid, self._tools)
        except TrailkeepError as error:
            box.mark(self._home.state, row, state="void", tries=1, last_error=clean(error))
            raise
        box.mark(self._home.state, row, state="sent", tries=1, sent=self._tools.now())

    def _fill(self) -> None:
        while self._router.route(self._tools.now()):
            self._wake()
        if time.monotonic() - self._ticked > _TICK:
            self._ticked = time.monotonic()
            self._router.tick(self._tools.now())

    def _wake(self) -> None:
        """Let channels look for messages now."""
        for each in self._news.values():
            each.set()

    def _guarded(self, work: Callable[[], object]) -> None:
        """Do `work`; that it fails is told, and it is done again the next time."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 a fault here must not end the delivery of what comes after it
            self.counts["faults"] += 1
            self._say(f"the outbox: {type(error).__name__}: {error}")

    def _serve(self, name: str, stop: threading.Event) -> None:
        pause = self._poll

        def deliver() -> None:
            nonlocal pause
            pause = self._poll
            pause = self.deliver(name, stop)

        while not stop.is_set():
            self._guarded(deliver)
            if pause > self._poll:
                stop.wait(pause)
            elif self._news[name].wait(pause):
                self._news[name].clear()

    def deliver(self, name: str, stop: threading.Event | None = None) -> float:
        """Send what is due to one channel until one message fails; returns the seconds until the next look."""
        channel = self._channels[name]
        singles = calm(self._home.state, name, self._config.storm, self._tools.now())
        waiting = box.due(self._home.state, name, self._tools.now(), but_tried=SINGLE if singles == 0 else ())
        for parcel in waiting:
            if stop is not None and stop.is_set():
                return 0.0
            if not box.is_needed(self._home.state, parcel.message):
                reason = "nobody need hear it any more: the alerts were decided on before it was sent"
                self._mark(parcel, "void", state="void", last_error=reason)
                continue
            if singles is not None and parcel.message.kind in SINGLE and not parcel.message.drill:
                if not singles:
                    continue  # the storm is not over; it was tried before, so it may be there, and is in no summary
                singles -= 1
            pause = self._send(channel, parcel)
            if pause is not None:
                return pause
        return 0.0 if len(waiting) == box.PORTION and singles != 0 else self._poll

    def _send(self, channel: Channel, parcel: Parcel) -> float | None:
        """Send one message; the seconds that the channel should be left alone, if it failed."""
        tries = parcel.tries + 1
        failpoint("send.before")
        try:
            channel.send(parcel.message, parcel.uid, self._tools)
        except Refused as error:
            self._bury(parcel, tries, clean(error))
            return None
        except TrailkeepError as error:
            reason, after = clean(error), error.after if isinstance(error, Later) else None
        except Exception as error:  # noqa: BLE001 a fault of one channel must not end the delivery to it
            reason, after = clean(f"{type(error).__name__}: {error}"), None
        else:
            failpoint("send.after")
            self._failures[parcel.channel] = 0
            self._mark(parcel, "sent", state="sent", tries=tries, sent=self._tools.now(), last_error=None)
            return None
        self._failures[parcel.channel] += 1
        if tries >= self._config.tries:
            self._bury(parcel, tries, f"given up after {tries} tries: {reason}")
        else:
            wait = self._wait(tries) if after is None else min(after, _LONGEST_ASKED)
            when = self._tools.now() + timedelta(seconds=wait)
            self._mark(parcel, "failed", tries=tries, next_try=when, last_error=reason)
            if tries == 1:
                self._say(f"channel {parcel.channel}: {reason}; it is tried again")
        # Others that wait are not held up for as long as this one: it may be the message.
        asked = min(after, _LONGEST_ASKED) if after is not None else 0.0
        return max(asked, min(self._wait(self._failures[parcel.channel]), 60.0))

    def _wait(self, tries: int) -> float:
        """Seconds before the next try: doubled each time, and never the same for two."""
        return float(min(self._delay * 2.0 ** (min(tries, 32) - 1), _LONGEST) * random.uniform(0.5, 1.0))

    def _bury(self, parcel: Parcel, tries: int, reason: str) -> None:
        self._mark(parcel, "dead", state="dead", tries=tries, last_error=reason)
        self._say(f"channel {parcel.channel}: a message is a dead letter: {reason}; see `trailkeep alerts outbox`")

    def _mark(self, parcel: Parcel, outcome: str, **values: object) -> None:
        """Keep what became of a message, however long the state is locked: else it would be sent again."""
        self.counts[outcome] += 1
        for waited in range(20):
            try:
                box.mark(self._home.state, parcel.id, **values)
            except DBAPIError as error:
                self._say(f"the outbox waits: {error.orig}")
                time.sleep(min(waited + 1, 5))
            else:
                return
        raise LakeError(f"message {parcel.id} of the outbox cannot be marked as {outcome}; it may be sent again")


def test_message(channel: str, now: datetime) -> Message:
    """What `alerts test` sends."""
    return Message(
        kind="test",
        thread="test",
        title=f"Test message of Trailkeep to the channel {channel}",
        time=now,
        facts=(("When", f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"),),
        description="If you can read this, alerts reach you.",
    )
