"""Killed between sending and the mark of it, the program sends again, under the same id; nothing is lost."""

import json
import random
import time
from collections import Counter
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from tests.alert.inbox import Answer, Inbox
from tests.alert.office import SECRET, config, office, signal
from tests.e2e.program import kill_group, run, start, succeed
from tests.e2e.records import document, record
from trailkeep.core.levels import LEVELS


def configured(tmp_path: Path, url: str, more: str = "", collect: str = "") -> Path:
    """A configuration with one webhook, and a lake with one alert."""
    for name, text in (("url", url), ("secret", SECRET)):
        (tmp_path / name).write_text(text)
    path = tmp_path / "trailkeep.yaml"
    path.write_text(
        f"home: {tmp_path / 'lake'}\n{collect}"
        f"alerts:\n  oldest: 9999d\n  link: https://trailkeep.example.com/{{id}}\n  channels:\n    hook:\n"
        f"      type: webhook\n      url: {{file: {tmp_path / 'url'}}}\n      secret: {{file: {tmp_path / 'secret'}}}\n"
        f"{more}"
    )
    return path


def attack(tmp_path: Path) -> Path:
    """A log in which somebody switches CloudTrail off."""
    path = tmp_path / "log.json"
    name = "arn:aws:cloudtrail:eu-central-1:111122223333:trail/main"
    stop = {"eventSource": "cloudtrail.amazonaws.com", "eventName": "StopLogging", "requestParameters": {"name": name}}
    stop["resources"] = [{"ARN": name, "type": "AWS::CloudTrail::Trail", "accountId": "111122223333"}]
    path.write_bytes(document(record(1, **stop)) + b"\n")
    return path


@pytest.fixture
def told(tmp_path: Path, web: Inbox) -> Path:
    path = configured(tmp_path, web.url)
    succeed("ingest", attack(tmp_path), "--home", tmp_path / "lake")
    return path


@pytest.mark.parametrize(("name", "requests"), [("send.before", 1), ("send.after", 2)])
def test_killed_while_sending(told: Path, web: Inbox, name: str, requests: int) -> None:
    command = ("alerts", "send", "--once", "--config", told)
    assert run(*command, failpoint=name).returncode == -SIGKILL
    assert succeed(*command).stdout.startswith("1 message sent")
    assert len(web.requests) == requests
    assert len({request.headers["webhook-id"] for request in web.requests}) == 1
    assert succeed(*command).stdout.startswith("0 messages sent")


def test_killed_again_and_again(tmp_path: Path, web: Inbox) -> None:
    path = configured(tmp_path, web.url, "  storm: null\n")
    users = {f"user {number}" for number in range(40)}
    office(tmp_path, config()).alert(*map(signal, users))
    chance = random.Random(5)
    kills = 0

    def told() -> set[str]:
        return {request.json["subject"] for request in web.requests}

    while told() != users:
        process = start("alerts", "send", "--config", path)
        enough = len(web.requests) + chance.randint(1, 15)
        until = time.monotonic() + 60
        while len(web.requests) < enough and told() != users:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.001)
        kill_group(process)
        kills += 1
    succeed("alerts", "send", "--once", "--config", path)
    assert succeed("alerts", "send", "--once", "--config", path).stdout.startswith("0 messages sent")
    by_id = Counter(request.headers["webhook-id"] for request in web.requests)
    assert len(by_id) == len(users) and kills > 2
    assert by_id.total() - len(users) <= kills  # each kill costs one repetition at most


def test_the_message_of_a_shipped_rule(told: Path, web: Inbox) -> None:
    succeed("alerts", "send", "--once", "--config", told)
    text = web.requests[0].json["text"]
    told_of = ("Who:", "mara", "StopLogging", "trail/main", "198.51.100.23")
    assert not [each for each in told_of if each not in text]
    assert "Why it matters: " in text and "What to do:\n- Ask:" in text and "https://trailkeep.example.com/1" in text
    assert web.requests[0].json["level"] in LEVELS


def test_the_commands(told: Path, web: Inbox) -> None:
    web.answer = lambda _: Answer(410, b"the webhook is gone")
    send = ("alerts", "send", "--once", "--config", told)
    failed = run(*send)
    assert (failed.returncode, failed.stdout) == (1, "0 messages sent, 0 to be tried again, 1 dead\n")
    lake = ("--home", told.parent / "lake")
    assert "channel hook: 1 dead letter; see `trailkeep alerts redrive`" in run("status", *lake).stderr
    (row,) = json.loads(succeed("alerts", "outbox", *lake, "--state", "dead", "--format", "json").stdout)
    assert row["last_error"] == "127.0.0.1 answers 410: the webhook is gone"
    refused = run("alerts", "test", "hook", "--config", told)
    assert (refused.returncode, refused.stderr) == (
        1,
        "trailkeep: 127.0.0.1 answers 410: the webhook is gone\n",
    )
    web.answer = lambda _: Answer()
    assert succeed("alerts", "test", "hook", "--config", told).stdout == "hook: took the test message\n"
    assert succeed("alerts", "redrive", "hook", *lake).stdout == "1 message to be tried again\n"
    assert succeed(*send).stdout.startswith("1 message sent")
    (channel,) = json.loads(succeed("alerts", "channels", "--config", told, "--format", "json").stdout)
    assert (channel["channel"], channel["type"], channel["waiting"], channel["dead"]) == ("hook", "webhook", 0, 0)
    wrong = run("alerts", "test", "pigeon", "--config", told)
    assert wrong.returncode == 2 and "there are: hook" in wrong.stderr
    assert run("alerts", "outbox", *lake, "--state", "lost").returncode == 2


def test_collect_sends_by_itself(tmp_path: Path, web: Inbox) -> None:
    where = tmp_path / "log.json"
    path = configured(
        tmp_path, web.url, collect=f"collect:\n  logs: {{type: tail, files: ['{where}'], begin: start}}\n"
    )
    attack(tmp_path)
    process = start("collect", "--config", path)
    try:
        until = time.monotonic() + 60
        while not web.requests:
            assert process.poll() is None and time.monotonic() < until, "nothing was sent"
            time.sleep(0.1)
    finally:
        process.send_signal(SIGTERM)
        _, err = process.communicate(timeout=60)
    assert "Traceback" not in err
