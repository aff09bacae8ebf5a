"""Findings of GuardDuty and Security Hub: as AWS sent them, each state once."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.collect.conftest import Collect
from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, fake_aws, paged
from tests.conftest import Program
from tests.e2e.picture import picture
from trailkeep.collect.windows import milliseconds

SOURCES = Path(__file__).resolve().parents[2] / "src/trailkeep/sources"
GUARDDUTY = "collect:\n  gd: {type: guardduty, settle_seconds: 0}\n"
HUB = "collect:\n  hub: {type: securityhub, settle_seconds: 0, requests_per_second: 50}\n"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


def iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Detector:
    """Findings by id; a finding has one state at a time."""

    def __init__(self, fake: FakeAws) -> None:
        text = (SOURCES / "aws_guardduty/samples/export.jsonl").read_text().splitlines()[0]
        self._sample: dict[str, Any] = json.loads(text)
        self.findings: dict[str, dict[str, Any]] = {}
        fake.answers |= {
            "ListDetectors": lambda call: {"detectorIds": ["d1"]},
            "ListFindings": self.list,
            "GetFindings": lambda call: {"findings": [self.findings[each] for each in call.body["findingIds"]]},
        }

    def put(self, id_: str, updated: float) -> None:
        self.findings[id_] = self._sample | {"id": id_, "updatedAt": iso(updated), "fieldOfTomorrow": "kept"}

    def list(self, call: Call) -> dict[str, Any]:
        updated = call.body["findingCriteria"]["criterion"]["updatedAt"]
        found = [
            id_
            for id_, finding in self.findings.items()
            if updated["greaterThanOrEqual"] <= milliseconds(finding["updatedAt"]) < updated["lessThan"]
        ]
        page, more = paged(found, call, 50, "nextToken")
        return {"findingIds": page, **more}


def test_findings_of_guardduty(fake: FakeAws, collect: Collect, trailkeep: Program, tmp_path: Path) -> None:
    detector = Detector(fake)
    for number in range(70):
        detector.put(f"f{number}", fake.now() - 3600)
    assert collect(GUARDDUTY).code == 0
    detector.put("f3", fake.now() + 10)
    fake.ahead = 60
    assert collect(GUARDDUTY).code == 0
    found = picture(tmp_path / "lake")
    assert (found.totals["stored"], found.totals["quarantined"]) == (71, 0)
    asked = "SELECT count(*) AS n FROM events WHERE source = 'aws_guardduty' AND raw_data LIKE '%fieldOfTomorrow%'"
    assert '"n": 71' in trailkeep("sql", asked, "--home", tmp_path / "lake", "--format", "jsonl").out.replace('":7', '": 7')


def test_guardduty_that_is_off(fake: FakeAws, collect: Collect) -> None:
    fake.answers["ListDetectors"] = lambda call: {"detectorIds": []}
    assert collect(GUARDDUTY).code == 0


class Hub:
    """GetFindings of Security Hub; both ends of its ranges are in them."""

    def __init__(self, moments: list[float]) -> None:
        sample = next(iter((SOURCES / "aws_securityhub/samples").iterdir())).read_text()
        self._sample: dict[str, Any] = _first_finding(sample)
        self.findings = [
            self._sample | {"Id": f"arn:hub/{number}", "UpdatedAt": iso(moment), "FieldOfTomorrow": "kept"}
            for number, moment in enumerate(moments)
        ]

    def __call__(self, call: Call) -> dict[str, Any]:
        (updated,) = call.body["Filters"]["UpdatedAt"]
        found = [each for each in self.findings if updated["Start"] <= each["UpdatedAt"] <= updated["End"]]
        page, more = paged(found, call, 100, "NextToken")
        return {"Findings": page, **more}


def _first_finding(text: str) -> dict[str, Any]:
    found: Any = json.JSONDecoder().raw_decode(text)[0]
    for name in ("detail", "findings", "Findings"):
        found = found.get(name, found) if isinstance(found, dict) else found
    result: dict[str, Any] = found[0] if isinstance(found, list) else found
    return result


def test_findings_of_security_hub(fake: FakeAws, collect: Collect, trailkeep: Program, tmp_path: Path) -> None:
    fake.answers["GetFindings"] = Hub([fake.now() - 7200 + number / 10 for number in range(250)])
    fake.faults["GetFindings"] = [Fault("LimitExceededException", 429), Fault("InternalException", 500)]
    assert collect(HUB).code == 0
    assert collect(HUB).code == 0
    found = picture(tmp_path / "lake")
    assert (found.totals["stored"], found.totals["quarantined"]) == (250, 0)
    assert {source for _, _, _, source, *_ in found.objects} == {"aws_securityhub"}
    assert all(key.startswith(f"securityhub://{OWNER}/eu-west-1/") for key, *_ in found.objects)


def test_security_hub_that_is_off(fake: FakeAws, collect: Collect) -> None:
    def off(call: Call) -> dict[str, Any]:
        raise Fault("InvalidAccessException", 401, "not subscribed to AWS Security Hub")

    fake.answers["GetFindings"] = off
    done = collect(HUB)
    assert done.code == 1
    assert "not subscribed to AWS Security Hub" in done.err
