"""The part `alerts:` of trailkeep.yaml: times, spans, faults with their lines."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from trailkeep.alert.config import channel_types
from trailkeep.alert.when import Times
from trailkeep.config import config_model
from trailkeep.core.errors import ConfigError
from trailkeep.core.yaml_file import load_yaml


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


NIGHT = Times(hours="22:00-07:00", zone="Europe/Berlin")
WEEKEND = Times(days=("sat", "sun"), zone="Europe/Berlin")


@pytest.mark.parametrize(
    ("times", "moment", "holds", "end"),
    [
        (NIGHT, "2026-11-17T20:59", False, None),
        (NIGHT, "2026-11-17T21:00", True, "2026-11-18T06:00"),
        (NIGHT, "2026-11-18T05:59", True, "2026-11-18T06:00"),
        (NIGHT, "2026-11-18T06:00", False, None),
        (NIGHT, "2026-03-28T22:00", True, "2026-03-29T05:00"),  # summer time begins in that night
        (WEEKEND, "2026-11-21T12:00", True, "2026-11-22T23:00"),
        (WEEKEND, "2026-11-20T22:59", False, None),
        (Times(hours="22:00-07:00", days=("fri",)), "2026-11-21T03:00", True, "2026-11-21T07:00"),
        (Times(hours="22:00-07:00", days=("fri",)), "2026-11-21T23:00", False, None),
    ],
)
def test_times(times: Times, moment: str, holds: bool, end: str | None) -> None:
    assert times.holds(at(moment)) is holds
    if end:
        assert times.end(at(moment)) == at(end)


GOOD = """
alerts:
  link: https://trailkeep.example.com/alerts/{id}
  group: 15m
  channels:
    hook: {type: webhook, url: {env: HOOK_URL}, secret: {env: HOOK_SECRET}}
    mail: {type: smtp, host: mail.example.com, sender: trailkeep@example.com, to: [soc@example.com]}
  routes:
    - {to: [hook], level: high, when: {hours: "08:00-18:00", days: [mon, fri], zone: Europe/Berlin}}
    - {to: [mail], tags: [attack.exfiltration]}
  quiet: [{hours: "22:00-07:00", channels: [mail]}]
  escalate: [{after: 15m, to: [mail]}]
  heartbeat: {every: 24h, to: [mail]}
  suppressions: [{rules: [x], until: 2026-12-31, reason: planned}]
"""


def test_a_good_one_is_read(tmp_path: Path) -> None:
    (tmp_path / "trailkeep.yaml").write_text(GOOD)
    told = load_yaml(tmp_path / "trailkeep.yaml", config_model(collectors=False), {}).alerts
    assert list(told.channels) == ["hook", "mail"]
    assert told.escalate[0].after.total_seconds() == 900


@pytest.mark.parametrize(
    ("good", "bad", "line", "reason"),
    [
        (
            "to: [hook], level",
            "to: [slack], level",
            8,
            "alerts.routes: number 1: no channel 'slack' in alerts.channels",
        ),
        ("level: high", "level: bad", 9, "alerts.routes.0.level: Input should be 'informational'"),
        ("every: 24h", "every: daily", 13, "alerts.heartbeat.every: 'daily' is no span of time; write 90s, 15m"),
        ("zone: Europe/Berlin", "zone: Mars/Base", 9, "zone: no time zone 'Mars/Base'"),
        ("until: 2026-12-31, ", "", 14, "alerts.suppressions.0.until: Field required"),
        ("rules: [x], ", "", 14, "alerts.suppressions.0: a suppression of everything"),
        ("type: webhook", "type: pigeon", 6, "Input tag 'pigeon' found using 'type' does not match any of"),
        ("{env: HOOK_URL}", "https://example.com/token", 6, "alerts.channels.hook.url: a secret is never written down"),
        ("host: mail.example.com,", "host: mail.example.com, security: none,", 7, "is for this machine only"),
        ("host: mail.example.com,", "host: mail.example.com, user: dana,", 7, "user and password go together"),
        ("22:00-07:00", "10pm-7am", 11, "alerts.quiet.0.hours: String should match pattern"),
    ],
)
def test_faults_are_told_with_their_line(tmp_path: Path, good: str, bad: str, line: int, reason: str) -> None:
    path = tmp_path / "trailkeep.yaml"
    assert good in GOOD
    path.write_text(GOOD.replace(good, bad))
    with pytest.raises(ConfigError) as error:
        load_yaml(path, config_model(collectors=False), {})
    (fault, *_) = error.value.faults
    assert reason in fault.reason, fault
    assert fault.line == line, fault


def test_every_channel_is_found_by_location() -> None:
    folder = Path(__file__).parents[2] / "src/trailkeep/alert/channels"
    modules = {path.stem for path in folder.glob("*.py")} - {"__init__", "channel", "http"}
    assert set(channel_types()) == modules
