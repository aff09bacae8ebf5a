"""A drill goes the whole way, says what is missing, and neither hides nor raises nor teaches anything real."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.alert.inbox import Answer, Inbox
from tests.alert.office import config, webhook
from tests.drill.stage import Stage, stage
from trailkeep.alert.desk import list_alerts, show_alert
from trailkeep.baselines import able, find
from trailkeep.core.errors import LakeError
from trailkeep.detect.match import Matcher
from trailkeep.detect.rules import load_rules
from trailkeep.drill.evidence import list_drills, steps_of
from trailkeep.drill.play import Drill
from trailkeep.drill.scenarios import SCENARIOS, Log, Run, log_of
from trailkeep.drill.ways import by_ingest
from trailkeep.engine.reading import connect_lake
from trailkeep.lake.completeness import Rhythm, completeness
from trailkeep.lake.snapshot import current_snapshot
from trailkeep.replay import hits, replay
from trailkeep.store.database import reading
from trailkeep.store.tables import drills

ACCOUNT = "111122223333"


@pytest.fixture
def scene(tmp_path: Path, web: Inbox) -> Stage:
    return stage(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}))


def missing(drill: Drill) -> list[tuple[str, str]]:
    return [(step.step, step.seen) for step in drill.steps if not step.ok]


def records_of(
    name: str, drill_id: str = "drill-20261129-120000-00000000", account: str = ACCOUNT
) -> list[dict[str, Any]]:
    """What an attacker may write who has read what a drill writes."""
    log = log_of(SCENARIOS[name], Run(drill_id, account, "us-east-1", datetime.now(UTC)))
    found: list[dict[str, Any]] = json.loads(log.content)["Records"]
    return found


def test_every_scenario_comes_through(scene: Stage, web: Inbox) -> None:
    drill = scene.drill(*SCENARIOS)
    drill.play()
    assert missing(drill) == [] and drill.passed
    assert [step.step for step in drill.steps if step.scenario == "sign-in-guessed"] == [
        *("written", "stored", "signals", "alert", "message")
    ]
    assert all(0 <= (step.seconds or 0) < 60 for step in drill.steps)
    assert len(web.texts) == len(SCENARIOS) and all("] DRILL: " in text for text in web.texts)
    for message in (request.json for request in web.requests):
        assert message["drill"] == drill.id and message["title"].startswith("DRILL: ")
        assert f"Drill:      {drill.id}: Trailkeep wrote the log itself; nothing has happened" in message["text"]
    assert {row["severity"] for row in scene.alerts()} == {"high", "medium"}
    assert {row["status"] for row in scene.alerts()} == {"closed"}
    assert show_alert(scene.office.home.state, 1)["history"][0]["why"] == f"the drill {drill.id} is over"
    assert all(title.startswith("DRILL: ") for title in list_alerts(scene.office.home.state)["title"].to_pylist())


def test_its_result_is_evidence_in_the_state_and_in_the_lake(scene: Stage) -> None:
    drill = scene.drill()
    drill.play()
    state = scene.office.home.state
    (row,) = list_drills(state).to_pylist()
    assert (row["id"], row["state"], row["who"], row["target"], row["missing"]) == (
        drill.id,
        "passed",
        "dana",
        "ingest",
        0,
    )
    assert steps_of(state, drill.id)["step"].to_pylist() == ["written", "stored", "signals", "alert", "message"]
    con = connect_lake(scene.office.home.warehouse)
    query = "SELECT raw_data FROM iceberg_scan($table) WHERE source = 'trailkeep_audit'"
    ((raw,),) = con.execute(query, {"table": current_snapshot(scene.office.home).events}).fetchall()
    event = json.loads(raw)
    assert (event["action"], event["outcome"], event["actor"]["name"]) == ("drill.play", "success", "dana")
    assert event["target"]["uid"] == drill.id and len(event["details"]["steps"]) == 5
    assert event["details"]["logs"][0]["sha256"] == drill.logs[0].sha256


def test_nobody_is_paged_twice(tmp_path: Path, web: Inbox, other: Inbox) -> None:
    channels = {"team": webhook(web.url, tmp_path, "team"), "boss": webhook(other.url, tmp_path, "boss")}
    steps = [{"after": "15m", "to": ["boss"]}]
    scene = stage(tmp_path, config(channels=channels, routes=[{"to": ["team"]}], escalate=steps))

    def put(logs: list[Log]) -> dict[str, datetime | str]:
        written = by_ingest(scene.settings)(logs)
        scene.send()
        scene.office.now += timedelta(hours=25)  # while the drill still plays
        assert scene.office.run() == {}
        return written

    scene.drill(put=put).play()
    assert len(web.texts) == 1 and not other.texts
    assert scene.office.run(hours=30) == {}


def test_without_channels_it_ends_at_the_alert_and_says_so(tmp_path: Path) -> None:
    scene = stage(tmp_path, config())
    drill = scene.drill()
    drill.play()
    assert drill.passed and drill.steps[-1].step == "alert"
    assert list_drills(scene.office.home.state)["note"].to_pylist() == [
        "no channels are configured: it ended at the alert"
    ]


def test_a_channel_that_refuses_is_named(scene: Stage, web: Inbox) -> None:
    web.answer = lambda _: Answer(403, b"invalid token")
    drill = scene.drill()
    drill.play()
    assert missing(drill) == [("message", "dead: 127.0.0.1 answers 403: invalid token")]
    assert list_drills(scene.office.home.state)["state"].to_pylist() == ["failed"]


def test_a_channel_that_is_down_is_waited_for_and_named(scene: Stage, web: Inbox) -> None:
    web.answer = lambda _: Answer(503, b"down")
    drill = scene.drill()
    drill.play()
    assert missing(drill) == [("message", "waiting: 127.0.0.1 answers 503: down")]
    web.answer = lambda _: Answer()
    assert scene.office.run(hours=1) == {"void": 1, "sent": 1}  # it is over: people hear that it failed, and only that
    assert web.texts[-1] == "[high] A drill did not come through"


def test_what_quiet_hours_and_suppressions_hold_back_is_named(tmp_path: Path, web: Inbox) -> None:
    channels = {"hook": webhook(web.url, tmp_path)}
    for told, seen in (
        ({"quiet": [{"hours": "00:00-00:00"}]}, "held back by quiet hours until"),
        ({"suppressions": [{"subjects": ["*drill*"], "until": "2999-01-01", "reason": "CHG-12"}]}, "suppressed until"),
    ):
        scene = stage(tmp_path / seen[:4], config(channels=channels, **told))
        drill = scene.drill()
        drill.play()
        ((step, found),) = missing(drill)
        assert step == "message" and found.startswith(seen)


def test_a_rule_that_is_not_in_use_is_named(tmp_path: Path, web: Inbox) -> None:
    scene = stage(tmp_path, config(channels={"hook": webhook(web.url, tmp_path)}))
    drill = scene.drill("trail-stopped")
    gone = SCENARIOS["trail-stopped"].expected[0].rule
    matcher = scene.settings.matcher
    without = type(matcher)([rule for rule in matcher.rules if rule.id != gone], matcher.sources, (), ())
    drill.settings = type(scene.settings)(**{**vars(scene.settings), "matcher": without})
    drill.rules = {key: rule for key, rule in drill.rules.items() if key != gone}
    drill.put = by_ingest(drill.settings)
    drill.play()
    assert not drill.passed
    assert [(step, seen[:36]) for step, seen in missing(drill)] == [
        ("signals", "none: the rule 1389ec8f-6894-4edd-9a"),
        ("alert", "none: the rule 1389ec8f-6894-4edd-9a"),
    ]


def test_only_one_plays_at_a_time(scene: Stage) -> None:
    with scene.office.home.exclusive("drill"), pytest.raises(LakeError, match="another process does `drill`"):
        scene.drill().play()
    assert list_drills(scene.office.home.state).num_rows == 0


def test_one_that_was_interrupted_is_ended_by_the_next(scene: Stage) -> None:
    def put(logs: list[Log]) -> dict[str, datetime | str]:
        by_ingest(scene.settings)(logs)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.drill(put=put).play()
    assert [row["status"] for row in scene.alerts()] == ["closed"]
    with scene.office.home.state.begin() as connection:  # as a kill leaves it
        connection.execute(drills.update().values(state="running", ended=None))
    scene.drill().play()
    assert [(row["state"], row["note"]) for row in list_drills(scene.office.home.state).to_pylist()] == [
        ("passed", None),
        ("failed", "interrupted"),
    ]


def test_what_comes_after_the_end_wakes_nobody(scene: Stage, web: Inbox) -> None:
    kept: list[Log] = []

    def put(logs: list[Log]) -> dict[str, datetime | str]:
        kept.extend(logs)
        return {log.scenario.name: datetime.now(UTC) for log in logs}

    drill = scene.drill(put=put)
    drill.play()
    assert [step for step, _ in missing(drill)] == ["stored", "signals", "alert"]
    by_ingest(scene.settings)(kept)
    assert scene.send() == {"sent": 1}
    assert web.texts == ["[high] A drill did not come through"]
    assert [row["status"] for row in scene.alerts() if row["drill"]] == ["closed"]


def test_nobody_hides_behind_the_marks_of_a_drill(scene: Stage, web: Inbox) -> None:
    stolen: list[dict[str, Any]] = []

    def put(logs: list[Log]) -> dict[str, datetime | str]:
        written = by_ingest(scene.settings)(logs)
        stolen.extend(json.loads(logs[0].content)["Records"])
        # The same run, principal and even event id, in a file of the attacker's own, while the drill plays.
        scene.store({**stolen[0], "requestParameters": {"name": "the real trail"}}, name=Path(logs[0].name).stem)
        return written

    drill = scene.drill(put=put)
    drill.play()
    assert drill.passed
    assert sorted(web.texts) == ["[high] CloudTrail logging stopped", "[high] DRILL: CloudTrail logging stopped"]
    by_drill = {row["drill"]: row["status"] for row in scene.alerts()}
    assert by_drill == {drill.id: "closed", None: "open"}
    scene.store(*records_of("trail-stopped", drill.id), name="later")  # and after it has ended
    assert scene.send() == {"sent": 1}
    assert web.texts[-1].startswith("[high] ") and "DRILL" not in web.texts[-1]


def test_real_guesses_and_those_of_a_drill_are_counted_apart(scene: Stage) -> None:
    five = records_of("sign-in-guessed")[:5]
    scene.store(*five)
    drill = scene.drill("sign-in-guessed")
    drill.play()
    assert drill.passed
    assert {row["drill"] for row in scene.alerts()} == {drill.id}  # the real five are no ten
    scene.store(*records_of("sign-in-guessed")[:5], name="more")
    assert [row["drill"] for row in scene.alerts()] == [drill.id, None]
    assert list_alerts(scene.office.home.state)["events"].to_pylist() == [10, 10]


def test_a_drill_makes_nothing_real_worse(tmp_path: Path, web: Inbox) -> None:
    channels = {"hook": webhook(web.url, tmp_path)}
    scene = stage(tmp_path, config(channels=channels, correlation={"rules": 2}))
    scene.store(*records_of("root-sign-in"))
    scene.send()
    drill = scene.drill("root-sign-in", account=ACCOUNT)
    drill.play()
    assert drill.passed
    threads = {request.json["thread"] for request in web.requests}
    assert len(threads) == 2  # one group each, though both are about the same root
    assert [(row["drill"], row["severity"]) for row in scene.alerts()] == [(None, "high"), (drill.id, "high")]


def test_no_baseline_learns_from_a_drill_and_it_speaks_for_no_source(scene: Stage, tmp_path: Path) -> None:
    detector = "title: New\nname: new\nlevel: low\nbaseline:\n  by: [account_uid]\n  history: 30d\n  warm_up: 1h\n"
    (tmp_path / "new.yml").write_text(detector + "  method: {type: first_seen, value: event_name}\n")
    (one,) = load_rules([tmp_path / "new.yml"]).baselines
    now = datetime.now(UTC)
    old = records_of("guardduty-disabled")[0] | {"eventTime": f"{now - timedelta(days=2):%Y-%m-%dT%H:%M:%SZ}"}
    scene.store(old)
    scene.drill("trail-stopped", account=ACCOUNT).play()
    home, until = scene.office.home, datetime.now(UTC) + timedelta(hours=1)
    con = connect_lake(home.warehouse)
    assert [each.entity for each in find(con, home, one, now - timedelta(hours=1), until)] == []
    assert ACCOUNT not in completeness(con, home, until, 3, Rhythm())["account_uid"].to_pylist()
    scene.store(*records_of("trail-stopped"), name="real")
    (found,) = find(con, home, one, now - timedelta(hours=1), until)
    assert found.entity == (ACCOUNT, "StopLogging")
    assert ACCOUNT in completeness(con, home, until, 3, Rhythm())["account_uid"].to_pylist()


def test_a_drill_is_no_hit_of_a_rule_now_or_in_a_replay(scene: Stage) -> None:
    scene.store(*records_of("trail-stopped"))
    scene.drill("trail-stopped", "sign-in-guessed").play()
    home, since, until = scene.office.home, datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC)
    con = connect_lake(home.warehouse)
    stopped, failed = (SCENARIOS[name].expected[0].rule for name in ("trail-stopped", "sign-in-guessed"))
    found = hits(con, home, since, until)
    assert (found[stopped]["hits"], found[stopped]["alerts"]) == (1, 1) and failed not in found
    every = scene.settings.matcher
    matcher = Matcher(every.rules, every.sources, every.correlations, able(every.baselines, None))
    replayed = replay(con, home, matcher, since, until)
    assert [row["rule_uid"] for row in replayed.alerts] == [stopped]


def test_the_heartbeat_counts_no_drill(scene: Stage) -> None:
    from trailkeep.alert.router import heartbeat

    scene.drill().play()
    with reading(scene.office.home.state) as connection:
        facts = dict(heartbeat(connection, datetime.now(UTC), timedelta(days=1)).facts)
        assert connection.execute(select(drills.c.id)).scalar() is not None
    assert facts["Alerts lately"] == "0"
