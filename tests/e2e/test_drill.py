"""A drill through S3, a queue, a running collector and a webhook; and what it says when one of them is not there."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.alert.inbox import Inbox, inbox
from tests.alert.office import SECRET
from tests.aws import CREDENTIALS, REGION, aws_server, client
from tests.e2e.program import run, start
from trailkeep.drill.scenarios import SCENARIOS
from trailkeep.lake.home import create_home

BUCKET = "trail-logs"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with aws_server() as found:
        yield found


@pytest.fixture
def web() -> Iterator[Inbox]:
    with inbox() as box:
        yield box


@pytest.fixture
def config(endpoint: str, web: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bucket that notifies a queue, and a configuration that reads it and tells a webhook."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    s3, sqs = client(endpoint, "s3"), client(endpoint, "sqs")
    s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    queue = sqs.create_queue(QueueName="new-logs")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    told = {"QueueConfigurations": [{"QueueArn": arn, "Events": ["s3:ObjectCreated:*"]}]}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=told)
    for name, text in (("url", web.url), ("secret", SECRET)):
        (tmp_path / name).write_text(text)
    path = tmp_path / "trailkeep.yaml"
    path.write_text(
        f"home: {tmp_path / 'lake'}\naws_endpoint: {endpoint}\n"
        f"collect:\n  trail: {{type: s3_queue, queue: '{queue}', region: {REGION}}}\n"
        f"alerts:\n  channels:\n    hook:\n      type: webhook\n"
        f"      url: {{file: {tmp_path / 'url'}}}\n      secret: {{file: {tmp_path / 'secret'}}}\n"
    )
    return path


def test_through_s3_and_the_collector(config: Path, web: Inbox, tmp_path: Path) -> None:
    drill = ("drill", "--config", config, "--format", "json", "--who", "dana")
    collector = start("collect", "--config", config)
    try:
        until = time.monotonic() + 60
        while not (tmp_path / "lake/warehouse").exists():
            assert collector.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        done = run(*drill, "--to", f"s3://{BUCKET}/org")
        assert done.returncode == 0, done.stdout + done.stderr
        steps = json.loads(done.stdout)
        print("\nseconds to the message:", [step["seconds"] for step in steps if step["step"] == "message"])
        assert {step["scenario"] for step in steps} == set(SCENARIOS) and all(step["ok"] for step in steps)
        assert all("DRILL: " in text for text in web.texts) and web.texts
    finally:
        os.kill(collector.pid, signal.SIGTERM)
        out, err = collector.communicate(timeout=60)
    assert collector.returncode == 0 and "Traceback" not in err, out + err
    keys = [row["Key"] for row in client_of(config).list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert len(keys) == len(SCENARIOS)
    assert all(key.startswith("org/AWSLogs/000000000000/CloudTrail/us-east-1/") for key in keys)

    told = len(web.texts)
    lost = run(*drill, "--to", f"s3://{BUCKET}", "--scenario", "trail-stopped", "--timeout", "3")
    assert lost.returncode == 1
    assert "trail-stopped: failed at the step stored (1 of 1 events): not there; collectors: trail " in lost.stderr
    nowhere = run(*drill, "--to", "s3://no-such-bucket", "--scenario", "trail-stopped")
    assert nowhere.returncode == 1
    assert "failed at the step written (1 log file): s3://no-such-bucket/ cannot be written to" in nowhere.stderr
    assert len(web.texts) == told

    listed = json.loads(run("drill", "--config", config, "--list", "--format", "json").stdout)
    assert [row["state"] for row in listed] == ["failed", "failed", "passed"]
    assert f"last drill: {listed[0]['id']} failed, began 20" in run("status", "--home", tmp_path / "lake").stderr
    shown = json.loads(run("drill", "--config", config, "--show", listed[2]["id"], "--format", "json").stdout)
    assert shown == steps
    query = (
        "SELECT status_code FROM events WHERE source = 'trailkeep_audit' AND event_name = 'drill.play' ORDER BY time"
    )
    outcomes = json.loads(run("sql", query, "--home", tmp_path / "lake", "--format", "json").stdout)
    assert [row["status_code"] for row in outcomes] == ["success", "failure", "failure"]


def client_of(config: Path) -> Any:
    endpoint = next(line for line in config.read_text().splitlines() if line.startswith("aws_endpoint: "))
    return client(endpoint.removeprefix("aws_endpoint: "), "s3")


def test_into_the_lake_by_itself_and_incidents_end_with_it(tmp_path: Path, web: Inbox) -> None:
    for name, text in (("url", web.url), ("secret", SECRET), ("key", "R0UT1NG")):
        (tmp_path / name).write_text(text)
    config = tmp_path / "trailkeep.yaml"
    config.write_text(
        f"home: {tmp_path / 'lake'}\nalerts: {{channels: {{hook: {{type: webhook, url: {{file: {tmp_path / 'url'}}}, "
        f"secret: {{file: {tmp_path / 'secret'}}}}}, phone: {{type: pagerduty, key: {{file: {tmp_path / 'key'}}}, "
        f"url: '{web.url}'}}}}}}\n"
    )
    create_home(tmp_path / "lake")
    done = run("drill", "--config", config)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed; its alerts are closed" in done.stderr
    paged = [request.json for request in web.requests if request.path == "/v2/enqueue"]
    assert len(web.requests) - len(paged) == len(SCENARIOS)
    by_action = {
        action: sorted(each["dedup_key"] for each in paged if each["event_action"] == action)
        for action in ("trigger", "resolve")
    }
    assert by_action["trigger"] == by_action["resolve"] and len(by_action["trigger"]) == len(SCENARIOS)
    assert all("DRILL: " in each["payload"]["summary"] for each in paged if each["event_action"] == "trigger")


def test_a_kill_leaves_nothing_open_for_long(tmp_path: Path) -> None:
    (tmp_path / "trailkeep.yaml").write_text(f"home: {tmp_path / 'lake'}\n")
    command = ("drill", "--config", tmp_path / "trailkeep.yaml", "--scenario", "trail-stopped")
    create_home(tmp_path / "lake")
    killed = run(*command, failpoint="alerts.after")
    assert killed.returncode == -signal.SIGKILL
    assert run(*command).returncode == 0
    listed = json.loads(run("drill", "--config", command[2], "--list", "--format", "json").stdout)
    assert [(row["state"], row["note"]) for row in listed] == [
        ("passed", "no channels are configured: it ended at the alert"),
        ("failed", "interrupted"),
    ]
    alerts = json.loads(run("alerts", "list", "--home", tmp_path / "lake", "--format", "json").stdout)
    assert [row["status"] for row in alerts] == ["closed", "closed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--scenario", "flood"), "there are: trail-stopped, root-sign-in"),
        (("--account", "12"), "which has 12 digits"),
        (("--to", "bucket"), "name a bucket that a collector reads"),
        (("--to", "s3://bucket", "--to-account", "prod"), "there are in `accounts:` none"),
        (("--show", "drill-x"), "no drill drill-x; `trailkeep drill --list`"),
    ],
)
def test_wrong_use_says_what_is_right(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    (tmp_path / "trailkeep.yaml").write_text(f"home: {tmp_path / 'lake'}\n")
    create_home(tmp_path / "lake")
    done = run("drill", "--config", tmp_path / "trailkeep.yaml", *arguments)
    assert done.returncode == 2 and said in done.stderr, done.stderr
