"""Findings of GuardDuty: as AWS sent them, each state once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collect.conftest import Collect
from tests.collect.fake_aws import Call, FakeAws, fake_aws, iso, paged
from tests.conftest import Program
from tests.e2e.picture import picture
from trailkeep.collect.windows import milliseconds

SOURCES = Path(__file__).resolve().parents[2] / "src/trailkeep/sources"
GUARDDUTY = "collect:\n  gd: {type: guardduty, settle_seconds: 0}\n"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


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
    assert '"n": 71' in trailkeep("sql", asked, "--home", tmp_path / "lake", "--format", "jsonl").out.replace(
        '":7', '": 7'
    )


def test_guardduty_that_is_off(fake: FakeAws, collect: Collect) -> None:
    fake.answers["ListDetectors"] = lambda call: {"detectorIds": []}
    assert collect(GUARDDUTY).code == 0
