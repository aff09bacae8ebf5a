"""A service that is killed at random moments loses nothing that it acknowledged, and stores batches with ids once."""

import random
import time
from collections import Counter
from pathlib import Path

from tests.e2e.nursery import Nursery
from tests.e2e.receivers import Client, Service, firehose, hec, otlp
from tests.e2e.test_push import stored

KILLS = 200
AFTER_AN_ANSWER = 150
SEED = 20_261_125


def let_it_work(clients: list[Client], rng: random.Random) -> bool:
    """Wait for a random moment: in the start-up, or after some answers; whether there were any."""

    def answered() -> int:
        return sum(len(client.acknowledged) for client in clients)

    before = answered()
    if rng.random() < 0.1:
        time.sleep(rng.uniform(0, 0.3))
    else:
        wanted, until = before + rng.randint(1, 60), time.monotonic() + 20
        while answered() < wanted and time.monotonic() < until:
            time.sleep(0.002)
        time.sleep(rng.choice((0, 0, 0, 0, rng.uniform(0, 0.1), rng.uniform(0, 1.2))))
    return answered() > before


def test_two_hundred_kills(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    service = Service(tmp_path, seconds=0.05)
    nursery = Nursery(*service.command)
    clients = [Client(service, build) for build in (otlp, hec, firehose)]
    for client in clients:
        client.start()
    after_an_answer = 0
    for _ in range(KILLS):
        program = nursery.start()
        after_an_answer += let_it_work(clients, rng)
        nursery.kill(program)
    nursery.close()
    assert after_an_answer >= AFTER_AN_ANSWER
    for client in clients:
        client.finish.set()
    service.start()
    for client in clients:
        client.join(60)
        assert not client.is_alive() and not client.wrong, client.wrong
    service.end()
    sent = [text for client in clients for text in client.acknowledged]
    assert all(client.acknowledged and client.repeats for client in clients)
    assert Counter(text.strip('"') for _, text in stored(service.lake).elements()) == Counter(sent)
    print(f"\n{len(sent)} records acknowledged, {sum(client.repeats for client in clients)} requests repeated")
