"""The way from collectors to the commit: in order, in batches, bounded."""

import threading
from pathlib import Path

from trailkeep.collect.feed import Delivery, Feed
from trailkeep.collect.files import LogFile


def delivery(name: str, size: int = 10) -> Delivery:
    return Delivery("test", LogFile(Path(name), name, size))


def keys(found: list[Delivery]) -> list[str]:
    return [each.file.key for each in found if each.file]


def test_a_batch_when_enough_waits_or_long_enough() -> None:
    feed = Feed(limit=1000)
    assert feed.take(20, seconds=60, patience=0) == []
    for name in "abc":
        feed.put(delivery(name))
    assert keys(feed.take(20, seconds=60, patience=0)) == ["a", "b"]
    assert keys(feed.take(20, seconds=0, patience=0)) == ["c"]


def test_one_that_is_larger_than_a_batch_goes_alone() -> None:
    feed = Feed(limit=15)
    assert feed.put(delivery("large", 100))
    assert keys(feed.take(20, seconds=60, patience=0)) == ["large"]


def test_collectors_wait_while_too_much_is_under_way() -> None:
    feed = Feed(limit=15)
    feed.put(delivery("a"))
    done = threading.Event()

    def second() -> None:
        feed.put(delivery("b"))
        done.set()

    thread = threading.Thread(target=second)
    thread.start()
    taken = feed.take(10, seconds=0, patience=0)
    assert not done.wait(0.2)  # taken, and not committed
    feed.done(taken)
    assert done.wait(10)
    thread.join()
    assert keys(feed.take(10, seconds=0, patience=0)) == ["b"]


def test_what_moves_only_a_position_has_no_size() -> None:
    feed = Feed(limit=1)
    assert all(feed.put(Delivery("test", None)) for _ in range(5))
    assert len(feed.take(1, seconds=0, patience=0)) == 5


def test_a_closed_feed_lets_everybody_go_and_keeps_what_was_put() -> None:
    feed = Feed(limit=10)
    feed.put(delivery("a"))
    results: list[bool] = []
    thread = threading.Thread(target=lambda: results.append(feed.put(delivery("b"))))
    thread.start()
    feed.close()
    thread.join()
    assert results == [False]
    assert keys(feed.take(100, seconds=60, patience=60)) == ["a"]
    assert feed.take(100, seconds=60, patience=60) == []
