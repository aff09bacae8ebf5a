"""`trailkeep rules` on what is stored, and on rules themselves."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.e2e.records import document, event_uid, record

RULE = """\
title: Key created
name: key_created
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0b01
level: medium
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateAccessKey, errorCode: null}
  ours: {userIdentity.arn|endswith: user/rotation}
  condition: selection and not ours
"""
MANY = """\
title: Many keys created
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0b02
level: high
correlation: {type: event_count, rules: [key_created], group-by: [principal], timespan: 1h, condition: {gte: 3}}
"""


def created(number: int, day: int, user: str = "mara", **more: Any) -> dict[str, Any]:
    who = {"type": "IAMUser", "arn": f"arn:aws:iam::111122223333:user/{user}", "accountId": "111122223333"}
    name = more.pop("eventName", "CreateAccessKey")
    time = f"2026-11-{day:02}T08:{number:02}:00Z"
    return record(number, eventName=name, eventTime=time, userIdentity=who, **more)


@pytest.fixture
def lake(trailkeep: Program, tmp_path: Path) -> Path:
    """Three keys on the 10th, one on the 12th, one of the rotation, one that was refused, and another call."""
    records = [
        *(created(number, 10) for number in range(3)),
        created(3, 12, "tom"),
        created(4, 12, "rotation"),
        created(5, 12, errorCode="AccessDenied"),
        created(6, 12, eventName="ListUsers"),
    ]
    (tmp_path / "logs.json").write_bytes(document(*records))
    assert trailkeep("ingest", tmp_path / "logs.json", "--home", tmp_path / "lake", "--no-rules").code == 0
    return tmp_path / "lake"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "rules.yml").write_text(f"{RULE}---\n{MANY}")
    return folder


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_replay_tells_alerts_a_day(trailkeep: Program, lake: Path, rules: Path) -> None:
    span = ("--since", "2026-11-05", "--until", "2026-11-15", "--home", lake, "--format", "jsonl")
    done = trailkeep("rules", "replay", "key_created", "--rules", rules, *span)
    (row,) = lines(done.out)
    assert (row["alerts"], row["events"], row["alerts_a_day"], row["most_in_a_day"]) == (2, 4, 0.2, 1)
    assert row["last_time"].startswith("2026-11-12T08:03")
    assert "2 alerts in 10.0 days, 0.20 a day; 6 events read that could match" in done.err
    shown = lines(trailkeep("rules", "replay", "Many", "--rules", rules, "--alerts", *span).out)
    assert [(row["title"], row["subject"], row["events"]) for row in shown] == [
        ("Many keys created", "arn:aws:iam::111122223333:user/mara", 3)
    ]
    every = {row["title"]: row["alerts"] for row in lines(trailkeep("rules", "replay", "--rules", rules, *span).out)}
    assert every == {"Many keys created": 1, "Key created": 0}  # it is part of the other, without `generate`
    assert trailkeep("alerts", "list", "--home", lake, "--format", "jsonl").out == ""


def test_replay_keeps_to_its_span(trailkeep: Program, lake: Path, rules: Path) -> None:
    span = ("--since", "2026-11-11", "--until", "2026-11-12", "--home", lake, "--format", "jsonl")
    (row,) = lines(trailkeep("rules", "replay", "key_created", "--rules", rules, *span).out)
    assert (row["alerts"], row["last_time"]) == (0, None)
    assert trailkeep("rules", "replay", "no such rule", "--rules", rules, *span).code == 2


def test_diff_tells_what_a_change_adds_and_removes(trailkeep: Program, lake: Path, tmp_path: Path) -> None:
    old, new = tmp_path / "old.yml", tmp_path / "new.yml"
    old.write_text(RULE)
    new.write_text(RULE.replace("user/rotation", "user/tom"))
    span = ("--since", "2026-11-05", "--until", "2026-11-15", "--home", lake, "--format", "jsonl")
    done = trailkeep("rules", "diff", old, new, *span)
    assert [(row["change"], row["event_uid"]) for row in lines(done.out)] == [
        ("removed", event_uid(3)),
        ("added", event_uid(4)),
    ]
    assert "1 rule changed: 1 event added, 1 removed, 3 as before" in done.err
    done = trailkeep("rules", "diff", old, old, *span)
    assert (done.out, "0 rules changed" in done.err) == ("", True)


def test_cost_is_told_of_each_rule_that_meets_events(trailkeep: Program, lake: Path, rules: Path) -> None:
    flow = RULE.replace("cloudtrail", "vpcflow").replace("key_created", "flow").replace("0b01", "0b03")
    (rules / "flow.yml").write_text(flow.replace("Key created", "Flow"))
    span = ("--since", "2026-11-05", "--until", "2026-11-15", "--home", lake, "--format", "jsonl")
    done = trailkeep("rules", "cost", "--rules", rules, *span)
    assert [(row["title"], row["events"], row["hits"]) for row in lines(done.out)] == [
        ("Key created", 7, 4),
        ("Flow", 0, 0),
    ]
    costs = [row["cpu_seconds_a_million"] for row in lines(done.out)]
    assert costs[0] > 0 and costs[1] is None
    assert done.err == "1 rule of 2 met events of its sources\n"
    few = lines(trailkeep("rules", "cost", "key_created", "--most", 2, "--rules", rules, *span).out)
    assert [row["events"] for row in few] == [2]
    nothing = trailkeep("rules", "cost", "Many keys", "--rules", rules, *span)
    assert nothing.code == 2 and "correlations and detectors only" in nothing.err


def test_rules_without_a_source_are_counted(trailkeep: Program, lake: Path, rules: Path) -> None:
    other = RULE.replace("{product: aws, service: cloudtrail}", "{product: toaster, category: bread}")
    (rules / "toaster.yml").write_text(other.replace("0b01", "0b03").replace("key_created", "toast"))
    done = trailkeep("hunt", "--rules", rules, lake.parent / "logs.json")
    assert "1 of 2 rules cannot match, for lack of a source: toaster bread (1); `trailkeep rules lint`" in done.err
    (rules / "toaster.yml").unlink()
    assert "cannot match" not in trailkeep("hunt", "--rules", rules, lake.parent / "logs.json").err


def test_hits_tells_which_rules_match_and_which_never_do(trailkeep: Program, rules: Path, tmp_path: Path) -> None:
    (rules / "never.yml").write_text(
        RULE.replace("b01", "b03").replace("CreateAccessKey", "None").replace("key_c", "k")
    )
    (tmp_path / "logs.json").write_bytes(document(*(created(number, 10) for number in range(3)), created(3, 12, "tom")))
    trailkeep("ingest", tmp_path / "logs.json", "--home", tmp_path / "lake", "--rules", rules)
    span = ("--since", "2026-11-05", "--until", "2026-11-11", "--home", tmp_path / "lake", "--format", "jsonl")
    done = trailkeep("rules", "hits", "--rules", rules, *span)
    assert [(row["title"], row["hits"], row["alerts"]) for row in lines(done.out)] == [
        ("Key created", 3, 0),
        ("Many keys created", 3, 1),
        ("Key created", 0, 0),
    ]
    assert lines(done.out)[0]["last_time"].startswith("2026-11-10T08:02")
    assert "1 rule of 3 never matched since 2026-11-05" in done.err


def test_explain_tells_why_not(trailkeep: Program, lake: Path, rules: Path) -> None:
    done = trailkeep("rules", "explain", "key_created", event_uid(5), "--rules", rules, "--home", lake)
    told = [" ".join(line.split()) for line in done.out.splitlines()]
    assert told[:2] == ["Key created (0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0b01)", "no all of"]
    assert "yes eventName is 'createaccesskey' -- has 'CreateAccessKey'" in told
    assert "no errorCode is missing or null -- has 'AccessDenied'" in told
    done = trailkeep("rules", "explain", "key_created", event_uid(4), "--rules", rules, "--home", lake)
    assert "has 'arn:aws:iam::111122223333:user/rotation'" in done.out
    assert [line.split()[0] for line in done.out.splitlines()[1:]] == ["no", "yes", "yes", "no", "yes"]
    done = trailkeep("rules", "explain", "key_created", "none", "--rules", rules, "--home", lake)
    assert (done.code, "no event 'none' in this lake" in done.err) == (2, True)
    assert (
        "is about signals of other rules"
        in trailkeep("rules", "explain", "Many", event_uid(4), "--rules", rules, "--home", lake).out
    )


def test_explain_compiles(trailkeep: Program, rules: Path) -> None:
    assert (
        "witness: \"event_name\" = 'createaccesskey'"
        in trailkeep("rules", "explain", "key_created", "--rules", rules).out
    )
    assert "--   Key created (" in trailkeep("rules", "explain", "Many", "--rules", rules).out


def test_lint(trailkeep: Program, rules: Path) -> None:
    (rules / "weak.yml").write_text(
        "title: Weak\nlogsource: {product: aws, service: cloudtrail}\n"
        "detection: {s: {no_such_field|contains: x}, condition: s}\n"
        "tests: [{name: a, match: true, events: [{eventName: x}]}]\n"
    )
    (rules / "lost.yml").write_text("title: Lost\nlogsource: {product: sap}\ndetection: {s: {a: b}, condition: s}\n")
    done = trailkeep("rules", "lint", "--rules", rules)
    assert done.code == 1
    for note in (
        "lost.yml:1: cannot match: there is no source of product: sap",
        "lost.yml:1: has no tests: nobody knows whether it matches anything",
        "weak.yml:1: asks for no_such_field, which records of product: aws, service: cloudtrail are not known to have",
        "weak.yml:1: meets every event: it names no exact value that events must have, such as an event name",
        "weak.yml:1: has no near miss: a test that must not match",
        "rules.yml:1: has no runbook: whoever gets the alert does not know what to do",
    ):
        assert note in done.out


def test_lint_of_the_shipped_rules_finds_open_rules_only(trailkeep: Program) -> None:
    done = trailkeep("rules", "lint")
    notes = [line for line in done.out.splitlines() if " waits for " not in line]
    assert notes and all("meets every event" in line for line in notes), done.out


def test_coverage(trailkeep: Program, tmp_path: Path) -> None:
    layer = tmp_path / "layer.json"
    done = trailkeep("rules", "coverage", "--navigator", layer, "--format", "jsonl")
    rows = {row["technique"]: row for row in lines(done.out)}
    assert len(rows) > 170
    assert "credential-access" in rows["T1110.001"]["tactics"].split()
    assert rows["T1110.001"]["state"] == "covered"
    assert rows["T1110.001"]["name"] == "Password Guessing"
    assert rows["T1110.002"]["state"] == "not visible" and rows["T1110.002"]["why"]
    assert "not visible" in done.err
    told = json.loads(layer.read_text())
    assert {each["techniqueID"]: each.get("score", 0) for each in told["techniques"]} == {
        name: row["rules"] for name, row in rows.items()
    }
    assert told["domain"] == "enterprise-attack"
    assert told["gradient"]["maxValue"] == max(row["rules"] for row in rows.values())


LISTED = """\
title: Key created by one of a list
id: 0d5a1b30-5a0c-4a0a-9d0e-6a8f6f0b0b07
level: low
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventName: CreateAccessKey, userIdentity.arn|expand|endswith: 'user/%Watched%'}
  condition: selection
"""


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A rule that asks for a list, in a folder where trailkeep.yaml would be found."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "listed.yml").write_text(LISTED)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "own"


def test_a_rule_that_waits_for_a_list_is_told_and_matches_nothing(
    trailkeep: Program, lake: Path, listed: Path, tmp_path: Path
) -> None:
    told = trailkeep("rules", "list", "--rules", listed, "--format", "jsonl")
    assert json.loads(told.out)["waits_for"] == "watched"
    told = trailkeep("rules", "lint", "--rules", listed)
    assert "listed.yml:1: waits for lists.watched (%watched%) in trailkeep.yaml" in told.out
    assert "1 wait for lists" in told.err
    told = trailkeep("hunt", tmp_path / "logs.json", "--rules", listed, "--format", "jsonl")
    assert (told.out, told.code) == ("", 0)
    assert "1 rule of 1 can match nothing: 1 list of yours not declared" in told.err
    told = trailkeep("rules", "replay", "--rules", listed, "--home", lake, "--since", "2026-11-01", "--alerts")
    assert "can match nothing" in told.err and "0 alerts" in told.err
    told = trailkeep(
        "rules", "explain", "Key created by one of a list", event_uid(3), "--rules", listed, "--home", lake
    )
    assert "waits for lists.watched (%watched%)" in told.out


@pytest.mark.parametrize("workers", [1, 2])
def test_a_declared_list_reaches_every_process(
    trailkeep: Program, listed: Path, lake: Path, tmp_path: Path, workers: int
) -> None:
    for number in range(4):
        (tmp_path / "many").mkdir(exist_ok=True)
        (tmp_path / "many" / f"{number}.json").write_bytes(document(created(20 + number, 14, "tom")))
    (tmp_path / "trailkeep.yaml").write_text("lists: {watched: [tom]}\n")
    told = trailkeep("hunt", tmp_path / "many", "--rules", listed, "--format", "jsonl", "--workers", workers)
    assert len(told.out.splitlines()) == 4 and "can match nothing" not in told.err
    other = tmp_path / "other.yaml"
    other.write_text("lists: {watched: [rotation]}\n")
    told = trailkeep("hunt", tmp_path / "many", "--rules", listed, "--format", "jsonl", "--config", other)
    assert told.out == ""
    told = trailkeep("ingest", tmp_path / "many", "--rules", listed, "--home", lake, "--workers", workers)
    assert "4 signals" in told.out
    told = trailkeep("rules", "replay", "--rules", listed, "--home", lake, "--since", "2026-11-01", "--config", other)
    assert "1 alert " in told.err
    other.write_text("lists: {watched: [yes]}\n")
    told = trailkeep("hunt", tmp_path / "many", "--rules", listed, "--config", other)
    assert told.code == 1 and "other.yaml:1: lists.watched.0: True is no text; write it in quotes" in told.err


def test_tests_of_a_rule_have_lists_of_their_own(trailkeep: Program, listed: Path, tmp_path: Path) -> None:
    (tmp_path / "trailkeep.yaml").write_text("lists: {watched: [tom]}\n")
    tests = f"tests:\n- {{name: tom, match: true, events: [{json.dumps(created(1, 10, 'tom'))}]}}\n"
    file = listed / "listed.yml"
    file.write_text(LISTED + tests)
    told = trailkeep("rules", "test", "--rules", listed)
    assert told.code == 1 and "test_lists has no values for watched" in told.err
    file.write_text(LISTED + "test_lists: {watched: [mara]}\n" + tests)
    told = trailkeep("rules", "test", "--rules", listed)
    assert told.code == 1 and "tom: does not match, and should" in told.err
    file.write_text(LISTED + "test_lists: {WATCHED: [tom]}\n" + tests)
    assert trailkeep("rules", "test", "--rules", listed).code == 0


def test_collect_reads_lists_and_says_what_waits(trailkeep: Program, listed: Path, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.json").write_text(json.dumps(created(1, 10, "tom")) + "\n")
    collect = (
        f"home: lake\nrules: [{listed}]\ncollect: {{logs: {{type: tail, files: ['logs/*.json'], begin: start}}}}\n"
    )
    (tmp_path / "trailkeep.yaml").write_text(collect)
    told = trailkeep("collect", "--once")
    assert "1 rule of 1 can match nothing" in told.err and "signal" not in told.out and "1 stored" in told.out
    with (tmp_path / "logs" / "a.json").open("a") as file:
        file.write(json.dumps(created(2, 10, "tom")) + "\n")
    (tmp_path / "trailkeep.yaml").write_text(collect + "lists: {watched: [tom]}\n")
    told = trailkeep("collect", "--once")
    assert "can match nothing" not in told.err and "1 signal;" in told.out
