"""Findings of Security Hub: as AWS sent them, each state once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collect.conftest import Collect
from tests.collect.fake_aws import OWNER, Call, FakeAws, Fault, fake_aws, iso, paged
from tests.e2e.picture import picture

SOURCES = Path(__file__).resolve().parents[2] / "src/trailkeep/sources"
HUB = "collect:\n  hub: {type: securityhub, settle_seconds: 0, requests_per_second: 50}\n"


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeAws]:
    with fake_aws(monkeypatch) as running:
        yield running


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


def test_findings_of_security_hub(fake: FakeAws, collect: Collect, tmp_path: Path) -> None:
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
