"""Every command explains itself, prints every format, and ends wrong use with a reason and the right exit code."""

import csv
import json
import re
import shlex
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.conftest import Program
from tests.content.ocsf_schema import faults
from tests.mmdb import write_mmdb
from trailkeep.cli.main import build
from trailkeep.cli.setup import SHIPPED_RULES
from trailkeep.core.ocsf import CLASSES


def commands(group: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


COMMANDS = dict(commands(typer.main.get_command(build())))
each_command = pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
PRINT_ROWS = [
    path for path, c in COMMANDS.items() if any(p.name == "format" for p in c.params) and path != ("normalize",)
]
ROWS = {
    ("hunt",): ["LOGS"],
    ("search",): ["event_name:*", "--home", "LAKE"],
    ("sql",): ["SELECT event_name, time, entities, raw_sha256 FROM events LIMIT 5", "--home", "LAKE"],
    ("status",): ["--home", "LAKE"],
    ("alerts", "list"): ["--home", "LAKE"],
    ("alerts", "show"): ["1", "--home", "LAKE"],
    ("alerts", "channels"): ["--config", "CONFIG", "--home", "LAKE"],
    ("alerts", "outbox"): ["--home", "LAKE"],
    ("drill",): ["--list", "--home", "LAKE"],
    ("quarantine", "list"): ["--home", "LAKE"],
    ("rules", "list"): [],
    ("rules", "coverage"): [],
    ("rules", "hits"): ["--since", "2020-01-01", "--home", "LAKE"],
    ("rules", "cost"): ["trail_stopped", "--since", "2020-01-01", "--home", "LAKE"],
    ("rules", "replay"): ["trail_stopped", "--since", "2020-01-01", "--home", "LAKE"],
    ("rules", "diff"): ["shipped", "OWN RULES", "--since", "2020-01-01", "--home", "LAKE"],
    ("sources", "list"): [],
}


@each_command
def test_help_has_an_example_that_can_be_typed(path: tuple[str, ...], trailkeep: Program) -> None:
    done = trailkeep(*path, "--help")
    assert done.code == 0
    assert f"Example: trailkeep {' '.join(path)}" in " ".join(done.out.split()), done.out
    text = COMMANDS[path].help
    example = next(line for line in text.splitlines() if "Example: " in line).partition("Example: ")[2]
    words = shlex.split(example.partition(" | ")[0])
    assert tuple(words[1 : len(path) + 1]) == path
    COMMANDS[path].make_context(" ".join(path), words[len(path) + 1 :])  # parsed, not run


def test_all_that_print_rows_are_tried_here() -> None:
    assert set(ROWS) == set(PRINT_ROWS)


MEASURED = re.compile(r"(?<=cpu_seconds_a_million\": )[0-9.]+")
"""What is another number each time."""


@pytest.mark.parametrize("path", ROWS, ids=" ".join)
def test_every_format(path: tuple[str, ...], trailkeep: Program, lake: Path, logs: Path, config: Path) -> None:
    places = {"LAKE": str(lake), "LOGS": str(logs), "CONFIG": str(config), "OWN RULES": str(OWN_RULES)}
    arguments = [places.get(word, word) for word in ROWS[path]]
    printed = {}
    for format in ("table", "json", "jsonl", "csv"):
        done = trailkeep(*path, *arguments, "--format", format)
        assert done.code == (1 if path == ("hunt",) else 0), done.err  # a bad record among the logs
        printed[format] = MEASURED.sub("0", done.out)
    assert printed["table"].strip() not in ("", "nothing")
    found = json.loads(printed["json"])
    if isinstance(found, dict):  # one alert is no table
        return
    assert found == [json.loads(line) for line in printed["jsonl"].splitlines()]
    rows = list(csv.DictReader(StringIO(printed["csv"])))
    assert len(rows) == len(found) > 0
    assert list(rows[0]) == list(found[0])
    wrong = trailkeep(*path, *arguments, "--format", "xml")
    assert (wrong.code, wrong.out) == (2, "")
    assert "table, json, jsonl, csv" in wrong.err


OWN_RULES = SHIPPED_RULES / "trailkeep"
NO_LAKE = "no lake here; make one with `trailkeep ingest PATH --home"


@pytest.mark.parametrize(
    "path",
    [p for p, c in COMMANDS.items() if any(o.name == "home" for o in c.params) and p != ("collect",)],  # it makes one
    ids=" ".join,
)
def test_no_lake_is_said_and_none_is_made(
    path: tuple[str, ...], trailkeep: Program, tmp_path: Path, config: Path
) -> None:
    if path in (("ingest",), ("demo",)):
        return  # these make one
    needed = {"alert": ["1"], "query": ["x"], "statement": ["SELECT 1"], "config": ["--config", str(config)]}
    needed |= {
        "channel": ["log"],
        "old": ["shipped"],
        "new": [str(OWN_RULES)],
        "rule": ["trail_stopped"],
        "event": ["x"],
    }
    arguments = [word for p in COMMANDS[path].params for word in needed.get(p.name, [])]
    if path == ("alerts", "close"):
        arguments += ["--why", "x"]
    done = trailkeep(*path, *arguments, "--home", tmp_path / "none")
    assert (done.code, done.out) == (1, "")
    assert NO_LAKE in done.err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nonsense"], "No such command"),
        (["ingest"], "Missing argument"),
        (["ingest", "--nonsense", "x"], "No such option"),
        (
            ["ingest", "/none/a", "/none/b", "--home", "NEW"],
            "/none/a: no such file, or an empty folder\n/none/b: no such",
        ),
        (["ingest", "EMPTY", "--home", "NEW"], "no such file, or an empty folder"),
        (
            ["ingest", "LOGS", "--source", "none", "--home", "NEW"],
            "no source 'none'; there are aide, app_json, aws_access_analyzer",
        ),
        (["ingest", "LOGS", "--sources", "/none", "--home", "NEW"], "/none: no such file or folder"),
        (["ingest", "LOGS", "--rules", "/none", "--home", "NEW"], "/none: no such file or folder"),
        (["ingest", "LOGS", "--workers", "0", "--home", "NEW"], "--workers"),
        (["ingest", "LOGS", "--limit-mb", "0", "--home", "NEW"], "--limit-mb"),
        (["ingest", "LOGS", "--batch-mb", "0", "--home", "NEW"], "--batch-mb"),
        (["ingest", "LOGS", "--batch-mb", "nan", "--home", "NEW"], "--batch-mb"),
        (["ingest", "LOGS", "--batch-mb", "inf", "--home", "NEW"], "--batch-mb"),
        (["normalize", "LOGS", "--format", "csv"], "jsonl"),
        (["hunt", "LOGS", "--fail-on", "urgent"], "informational, low, medium, high, critical"),
        (["search", "event_name:", "--home", "LAKE"], ""),
        (["search", "x", "--since", "yesterday", "--home", "LAKE"], "is not a time"),
        (["search", "x", "--columns", "nonsense", "--home", "LAKE"], "nonsense"),
        (["sql", "DELETE FROM events", "--home", "LAKE"], ""),
        (["sql", "SELECT nonsense FROM events", "--home", "LAKE"], "nonsense"),
        (["sql", "SELECT * FROM read_csv('/etc/passwd')", "--home", "LAKE"], ""),
        (["alerts", "list", "--status", "done", "--home", "LAKE"], "open, acked, closed"),
        (["alerts", "list", "--level", "urgent", "--home", "LAKE"], "informational, low"),
        (["alerts", "list", "--since", "soon", "--home", "LAKE"], "is not a time"),
        (["alerts", "show", "999", "--home", "LAKE"], "no alert 999"),
        (["alerts", "ack", "999", "--home", "LAKE"], "no alert 999"),
        (["alerts", "close", "1", "--home", "LAKE"], "--why"),
        (["rules", "list", "--rules", "/none"], "/none: no such file or folder"),
        (["rules", "explain", "no such rule"], "`trailkeep rules list`"),
    ],
    ids=" ".join,
)
def test_wrong_use(arguments: list[str], says: str, trailkeep: Program, lake: Path, logs: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    places = {"LAKE": lake, "LOGS": logs, "EMPTY": tmp_path / "empty", "NEW": tmp_path / "new"}
    done = trailkeep(*(places.get(word, word) for word in arguments))
    assert (done.code, done.out) == (2, "")
    assert says in re.sub(r"[│╭╮╰╯─]+", " ", done.err)
    assert not (tmp_path / "new").exists()


def test_a_lake_is_not_made_among_other_files(trailkeep: Program, logs: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("mine")
    for home, says in ((tmp_path, "holds other files and no lake"), (tmp_path / "diary.txt", "is a file")):
        done = trailkeep("ingest", logs, "--home", home)
        assert (done.code, done.out) == (1, "")
        assert says in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_no_arguments_is_help(trailkeep: Program) -> None:
    asked, helped = trailkeep("--help"), trailkeep()
    assert asked.code == 0
    assert "Security logs of AWS accounts" in asked.out
    assert asked.out.strip() == (helped.out + helped.err).strip()


def test_ingest_twice(trailkeep: Program, logs: Path, tmp_path: Path) -> None:
    command = ("ingest", logs, "--home", tmp_path / "lake", "--workers", "1")
    first, again = trailkeep(*command), trailkeep(*command)
    assert first.code == 1
    assert re.match(r"2 files, \d+ records: \d+ stored, 0 already stored, 1 quarantined\n", first.out)
    assert "trail.json: 1 of " in first.err
    assert "see `trailkeep quarantine list`" in first.err
    assert again.code == 0
    assert "nothing new was stored; of the files: 2 already stored" in again.out
    assert "quarantine" not in again.err


def test_hunt_fails_on_a_level_only_when_it_is_reached(trailkeep: Program, logs: Path) -> None:
    trail = logs / "flows.log"
    assert trailkeep("hunt", trail, "--fail-on", "informational").code == 0
    rule = logs.parent / "any.yml"
    rule.write_text(
        "title: Any refused flow\nid: 3f5a4d40-1111-4c1e-9a52-3d5c4c0a0001\nlevel: medium\n"
        "logsource: {product: aws, service: vpcflow}\ndetection: {selection: {action: REJECT}, condition: selection}\n"
    )
    for level, code in (("low", 1), ("medium", 1), ("high", 0)):
        done = trailkeep("hunt", trail, "--rules", rule, "--fail-on", level, "--format", "jsonl")
        assert done.code == code, done.err
        first = json.loads(done.out.splitlines()[0])
        assert set(first) == {
            *("rule_id", "title", "level", "event_uid", "event_name", "time", "source", "file", "record"),
        }
        assert (first["title"], first["level"], first["file"]) == ("Any refused flow", "medium", str(trail))


def test_a_bad_rule_is_told_and_disables_no_other(trailkeep: Program, logs: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text("title: Bad\nid: x\nlogsource: {product: aws}\ndetection: {condition: nothing}\n")
    good = "title: Good\nid: 3f5a4d40-1111-4c1e-9a52-3d5c4c0a0002\nlevel: low\nlogsource: {product: aws}\n"
    (tmp_path / "good.yml").write_text(good + "detection: {s: {action: '*'}, condition: s}\n")
    done = trailkeep("rules", "list", "--rules", tmp_path, "--format", "jsonl")
    assert done.code == 1
    assert [json.loads(line)["title"] for line in done.out.splitlines()] == ["Good"]
    assert re.search(r"bad\.yml:\d+: ", done.err)


def test_an_alert_shows_where_addresses_are(trailkeep: Program, lake: Path, tmp_path: Path) -> None:
    said = {"0.0.0.0/0": {"country_code": "NL"}}
    (tmp_path / "trailkeep.yaml").write_text(f"geo: {{country: {write_mmdb(tmp_path / 'geo.mmdb', said)}}}\n")
    show = ("alerts", "show", "1", "--home", lake, "--config", tmp_path / "trailkeep.yaml")
    events = json.loads(trailkeep(*show, "--format", "json").out)["events"]
    assert {event["place"] for event in events if event["src_ip"]} == {"NL"}
    assert "place" in trailkeep(*show).out
    assert "place" not in trailkeep("alerts", "show", "1", "--home", lake).out


def test_decisions_on_alerts(trailkeep: Program, logs: Path, tmp_path: Path) -> None:
    lake = ("--home", tmp_path / "lake")
    trailkeep("ingest", logs, *lake, "--workers", "1")
    assert trailkeep("alerts", "ack", "1", "--who", "dana", *lake).out == "alert 1: acked\n"
    assert trailkeep("alerts", "close", "1", "--who", "dana", "--why", "CHG-12", *lake).out == "alert 1: closed\n"
    assert trailkeep("alerts", "reopen", "1", "--why", "not after all", *lake).code == 0
    shown = trailkeep("alerts", "show", "1", *lake).out
    assert "closed by dana: CHG-12" in shown
    assert re.search(r"open by \S+: not after all", shown)
    steps = json.loads(trailkeep("alerts", "show", "1", "--format", "json", *lake).out)["history"]
    assert [(step["action"], step["why"]) for step in steps] == [
        ("acked", None),
        ("closed", "CHG-12"),
        ("open", "not after all"),
    ]


def test_status_names_what_is_in_quarantine_and_why(trailkeep: Program, lake: Path) -> None:
    done = trailkeep("status", "--home", lake, "--format", "jsonl")
    rows = {row["source"]: row for row in map(json.loads, done.out.splitlines())}
    assert set(rows) == {"aws_cloudtrail", "aws_vpc_flow"}
    for row in rows.values():
        assert row["records"] == row["stored"] + row["duplicate"] + row["quarantined"] + row["dropped"]
    assert "in quarantine: 1 piece: " in done.err


def test_normalize_prints_one_event_a_line(trailkeep: Program, logs: Path) -> None:
    done = trailkeep("normalize", logs / "flows.log")
    assert done.code == 0
    assert {json.loads(line)["class_uid"] for line in done.out.splitlines()} == {4001}
    assert trailkeep("normalize", logs).code == 1  # a bad record


def test_signals_are_valid_detection_findings(trailkeep: Program, lake: Path) -> None:
    whole = "SELECT * FROM detection_finding WHERE source = 'trailkeep_signal' LIMIT 1"
    columns = json.loads(trailkeep("sql", whole, "--home", lake, "--format", "json").out)[0].keys()
    # `resources` is a stored column there, of another form.
    names = ", ".join(sorted(CLASSES[2004].attributes & columns - {"unmapped", "resources", "status_detail"}))
    assert {"finding_info", "metadata", "time", "time_dt", "type_uid", "severity_id", "cloud"} <= columns
    query = f"SELECT {names}, rule_uid, related_event FROM detection_finding WHERE source = 'trailkeep_signal'"
    found = trailkeep("sql", query, "--home", lake, "--format", "jsonl")
    assert found.code == 0, found.err
    findings = [without_nulls(json.loads(line)) for line in found.out.splitlines()]
    counted = trailkeep("sql", "SELECT count(*) AS n FROM signals", "--home", lake, "--format", "json")
    assert [{"n": len(findings)}] == json.loads(counted.out)
    assert findings
    for finding in findings:
        rule, event = finding.pop("rule_uid"), finding.pop("related_event")
        assert faults(finding) == []
        assert finding["finding_info"]["analytic"]["uid"] == rule
        assert finding["finding_info"]["related_events"] == [{"uid": event}]


def without_nulls(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: without_nulls(inner) for name, inner in value.items() if inner is not None}


def test_a_lost_state_database_is_said_and_written_anew(trailkeep: Program, logs: Path, tmp_path: Path) -> None:
    lake = tmp_path / "lake"

    def counts() -> tuple[list[dict[str, Any]], int]:
        status = json.loads(trailkeep("status", "--home", lake, "--format", "json").out)
        listed = json.loads(trailkeep("alerts", "list", "--home", lake, "--format", "json").out)
        return [{**row, "latest": None} for row in status], len(listed)

    trailkeep("ingest", logs, "--home", lake, "--workers", "1")
    before = counts()
    assert before[0] and before[1]
    for file in lake.glob("state.db*"):
        file.unlink()
    for command in (["status"], ["ingest", logs]):
        said = trailkeep(*command, "--home", lake)
        assert said.code == 1 and "compact --rebuild-ledger" in said.err
    done = trailkeep("compact", "--rebuild-ledger", "--home", lake)
    assert done.code == 0 and "written into the ledger anew" in done.out, done.err
    assert counts() == before
    assert "already stored" in trailkeep("ingest", logs, "--home", lake).out
