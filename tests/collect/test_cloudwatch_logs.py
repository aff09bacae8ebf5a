"""Log groups of many accounts and regions: every event once, late ones too, killed or not; faults are told."""

import json
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.aws import REGION
from tests.collect.conftest import Collect
from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, Reset, fake_aws, paged
from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.program import run
from trailkeep.collect.cloudwatch_logs import CloudWatchLogs
from trailkeep.lake.home import open_home
from trailkeep.lake.tables import events_table

ONCE = "settle_seconds: 0, late_seconds: []"
OTHER = "444455556666"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        running.answers |= {"FilterLogEvents": Logs(running), "DescribeLogGroups": groups("/app/a", "/app/b", "/db")}
        yield running


class Logs:
    """FilterLogEvents over events that show up once they are ingested; at most a megabyte an answer."""

    def __init__(self, fake: FakeAws, events: list[dict[str, Any]] | None = None) -> None:
        self._fake = fake
        self.events = events or []

    def put(
        self, message: str, happened: float, came: float | None = None, group: str = "/app/a", **where: str
    ) -> None:
        self.events.append(
            {
                "logStreamName": where.get("stream", "s"),
                "timestamp": int(happened * 1000),
                "ingestionTime": int((happened if came is None else came) * 1000),
                "message": message,
                "eventId": f"{len(self.events):056d}",
                "where": (group, where.get("account", OWNER), where.get("region", "eu-west-1")),
            }
        )

    def __call__(self, call: Call) -> dict[str, Any]:
        body = call.body
        if body["logGroupName"] == "/gone":
            raise Fault("ResourceNotFoundException", message="no such group")
        found = [
            {name: value for name, value in each.items() if name != "where"}
            for each in self.events
            if each["where"] == (body["logGroupName"], call.account, call.region)
            and body["startTime"] <= each["timestamp"] <= body["endTime"]
            and each["ingestionTime"] <= self._fake.now() * 1000
        ]
        size = min(body["limit"], 1_000_000 // max([100, *(len(each["message"]) for each in found[:1])]))
        page, more = paged(found, call, size, "nextToken")
        return {"events": page, "searchedLogStreams": [], **more}


def groups(*names: str) -> Callable[[Call], dict[str, Any]]:
    def answer(call: Call) -> dict[str, Any]:
        found = [{"logGroupName": each} for each in names if each.startswith(call.body.get("logGroupNamePrefix", ""))]
        page, more = paged(found, call, 1, "nextToken")
        return {"logGroups": page, **more}

    return answer


def config(more: str = ONCE, groups: str = "['/app/*']") -> str:
    return f"collect:\n  logs: {{type: cloudwatch_logs, groups: {groups}, {more}}}\n"


def messages(lake: Path) -> list[str]:
    """The messages of the log events that are stored."""
    rows = events_table(open_home(lake)).scan(selected_fields=("raw_data",)).to_arrow()["raw_data"].to_pylist()
    return sorted(json.loads(row)["message"] for row in rows)


def health(lake: Path) -> dict[str, Any]:
    with sqlite3.connect(lake / "state.db") as state:
        state.row_factory = sqlite3.Row
        return dict(state.execute("SELECT * FROM collectors").fetchone())


def test_of_the_emulator(aws: Callable[[str], Any], collect: Collect, trailkeep: Program, tmp_path: Path) -> None:
    logs, group = aws("logs"), f"/app/{uuid4().hex}"
    for name in (group, group + "-other"):
        logs.create_log_group(logGroupName=name)
        for stream in ("one", "two"):
            logs.create_log_stream(logGroupName=name, logStreamName=stream)
    now = int(time.time() * 1000)
    for number in range(40):
        logs.put_log_events(
            logGroupName=group,
            logStreamName=("one", "two")[number % 2],
            logEvents=[{"timestamp": now - 7_200_000 + number, "message": f"event {number}"}],
        )
    done = collect(config(f"{ONCE}, page_events: 7, regions: [{REGION}]", f"['{group}*']"))
    assert done.code == 0, done.out + done.err
    assert messages(tmp_path / "lake") == sorted(f"event {number}" for number in range(40))
    again = collect(config(f"{ONCE}, regions: [{REGION}]", f"['{group}*']"))
    assert "0 records" in again.out
    found = trailkeep("sql", "SELECT DISTINCT source, account_uid FROM events", "--home", tmp_path / "lake")
    assert "aws_cloudwatch_logs" in found.out
    assert "123456789012" in found.out


def test_a_known_source_inside(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
    flow = "2 123456789010 eni-1235b8ca 172.31.16.139 172.31.16.21 20641 22 6 20 4249 1764000000 1764000060 ACCEPT OK"
    fake.answers["FilterLogEvents"].put(flow, fake.now() - 600)  # type: ignore[attr-defined]
    assert collect(config()).code == 0
    (key, _, kind, source, *_) = next(iter(picture(tmp_path / "lake").objects))
    assert (kind, source) == ("events", "aws_vpc_flow")
    assert key.startswith(f"logs://{OWNER}/eu-west-1//app/a/")


def test_accounts_and_regions(fake: FakeAws, collect: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXTERNAL", "between us")
    logs = fake.answers["FilterLogEvents"]
    for account in (OTHER, "777788889999"):
        for region in ("eu-west-1", "us-east-1"):
            logs.put(f"{account} {region}", fake.now() - 60, account=account, region=region)  # type: ignore[attr-defined]
    done = collect(
        f"accounts:\n  one: {{role: 'arn:aws:iam::{OTHER}:role/read', external_id: {{env: EXTERNAL}}}}\n"
        "  two: {role: 'arn:aws:iam::777788889999:role/read'}\n"
        + config(f"{ONCE}, accounts: [one, two], regions: [eu-west-1, us-east-1]")
    )
    assert done.code == 0, done.err
    expected = [f"{account} {region}" for account in (OTHER, "777788889999") for region in ("eu-west-1", "us-east-1")]
    assert messages(tmp_path / "lake") == sorted(expected)
    assumed = {
        call.body["RoleArn"][13:25]: call.body.get("ExternalId")
        for call in fake.calls
        if call.operation == "AssumeRole"
    }
    assert assumed == {OTHER: "between us", "777788889999": None}


def test_late_events(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
    logs, start = Logs(fake), fake.now()
    fake.answers["FilterLogEvents"] = logs
    logs.put("long there, and was late", start - 20_000, start - 5_000)
    logs.put("in time", start - 400)
    told = config("settle_seconds: 300, late_seconds: [3600, 86400]")
    assert collect(told).code == 0
    assert messages(tmp_path / "lake") == ["in time", "long there, and was late"]
    logs.put("two minutes late", start + 100, start + 220)
    logs.put("an hour late", start + 100, start + 2_900)
    logs.put("ten hours late", start + 100, start + 36_000)
    logs.put("late, of before the start", start - 300, start + 1_000)
    expected = ["in time", "long there, and was late"]
    for ahead, more in ((500, ["two minutes late"]), (5_000, ["an hour late", "late, of before the start"])):
        fake.ahead = ahead
        assert collect(told).code == 0
        expected += more
        assert messages(tmp_path / "lake") == sorted(expected)
    for ahead in (50_000, 100_000, 200_000, 300_000):
        fake.ahead = ahead
        assert collect(told).code == 0
    assert messages(tmp_path / "lake") == sorted([*expected, "ten hours late"])


def test_groups_that_come_and_go(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
    logs = Logs(fake)
    fake.answers["FilterLogEvents"] = logs
    logs.put("a", fake.now() - 60)
    assert collect(config()).code == 0
    logs.put("c", fake.now() - 3600, group="/app/c")
    fake.answers["DescribeLogGroups"] = groups("/app/b", "/app/c")
    assert collect(config()).code == 0
    assert messages(tmp_path / "lake") == ["a", "c"]


@pytest.mark.parametrize(
    "fault",
    [
        Fault("ThrottlingException"),
        Fault("ExpiredTokenException"),
        Fault("ServiceUnavailableException", 503),
        Fault("InternalFailure", 500),
        Reset(),
    ],
)
def test_passing_faults(fake: FakeAws, collect: Collect, tmp_path: Path, fault: Exception) -> None:
    logs = Logs(fake)
    fake.answers["FilterLogEvents"] = logs
    for number in range(30):
        logs.put(f"{number}", fake.now() - 60)
    fake.faults["FilterLogEvents"] = [fault]
    done = collect(config(f"{ONCE}, page_events: 10, requests_per_second: 100"))
    assert done.code == 0, done.err
    assert len(messages(tmp_path / "lake")) == 30


def test_lasting_faults_stop_no_other(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
    logs = Logs(fake)
    fake.answers["FilterLogEvents"] = logs
    logs.put("a", fake.now() - 60)
    done = collect(config(ONCE, "['/gone', '/app/a']"))
    assert done.code == 1
    assert "ResourceNotFoundException: no such group" in done.err
    assert messages(tmp_path / "lake") == ["a"]
    assert health(tmp_path / "lake")["condition"] == "failed"


@pytest.mark.parametrize("name", ["snapshot.before", "ledger.before", "ledger.after", "collect.settle.before"])
def test_killed(fake: FakeAws, tmp_path: Path, name: str) -> None:
    logs = Logs(fake)
    fake.answers["FilterLogEvents"] = logs
    for number in range(300):
        logs.put(f"{number:03}", fake.now() - 80_000 + number * 250)
    path, lake = tmp_path / "trailkeep.yaml", tmp_path / "lake"
    path.write_text("commit: {seconds: 0.1}\n" + config())
    command = ("collect", "--once", "--config", path, "--home", lake)
    for passage in ("1", "2"):
        assert run(*command, failpoint=f"{name}:{passage}").returncode == -signal.SIGKILL
    assert run(*command).returncode == 0
    assert messages(lake) == [f"{number:03}" for number in range(300)]
    assert picture(lake).totals["duplicate"] == 0


def test_large_answers_are_halved(
    fake: FakeAws, collect: Collect, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(CloudWatchLogs, "file_bytes", 1 << 20)
    start = fake.now() - 3_000
    logs = Logs(fake)
    fake.answers["FilterLogEvents"] = logs
    for number in range(20_000):
        logs.put(f"{number:06}", start + number / 100)
    assert collect(config(f"{ONCE}, requests_per_second: 1000", "['/app/a']")).code == 0
    found = picture(tmp_path / "lake")
    assert (found.totals["stored"], found.totals["duplicate"]) == (20_000, 0)
    assert len(found.objects) > 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("groups: []", "groups"),
        ("groups: [a], accounts: [nobody]", "no account 'nobody' in accounts"),
        ("groups: [a], page_events: 20000", "page_events"),
        ("groups: [a], since: some day", "since"),
    ],
)
def test_wrong_configuration(collect: Collect, wrong: str, told: str) -> None:
    done = collect(f"collect:\n  logs: {{type: cloudwatch_logs, {wrong}}}\n")
    assert done.code == 1
    assert "trailkeep.yaml:2: " in done.err
    assert told in done.err
