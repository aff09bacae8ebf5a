"""What is dropped by rule: exactly what the rule says, counted object by object."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.records import document, record
from trailkeep.core.drop import Drop
from trailkeep.normalize.drop import to_drop

EVENTS = pa.table(
    {
        "user_agent": ["ELB-HealthChecker/2.0", "curl/8", None, "elb-healthchecker"],
        "http_code": pa.array([200, 200, 500, None], pa.int32()),
        "envelope": [
            None,
            '{"log_group":"/aws/lambda/debug-a","log_stream":"x"}',
            '{"log_stream":"\\"log_group\\":\\"/aws/lambda/debug-b\\""}',
            '{"log_group":"/aws/lambda/prod"}',
        ],
    }
)


@pytest.mark.parametrize(
    ("rule", "hits"),
    [
        ({"where": {"user_agent": "ELB-HealthChecker*"}}, [True, False, False, False]),
        ({"where": {"user_agent": "?url/8"}}, [False, True, False, False]),
        ({"where": {"user_agent": "curl"}}, [False, False, False, False]),
        ({"where": {"user_agent": "*", "http_code": 200}}, [True, True, False, False]),
        ({"where": {"http_code": "[0-9]00"}}, [False, False, False, False]),
        ({"log_group": "/aws/lambda/debug-*"}, [False, True, False, False]),
        ({"log_group": "/aws/lambda/*", "where": {"http_code": 200}}, [False, True, False, False]),
        ({"log_group": "/aws"}, [False, False, False, False]),
        ({"source": "web_*"}, [True, True, True, True]),
        ({"source": "web_*", "where": {"dst_port": 1}}, [False, False, False, False]),
    ],
)
def test_what_a_rule_hits(rule: dict[str, object], hits: list[bool]) -> None:
    found = to_drop(EVENTS, "web_access", [Drop.model_validate({"reason": "x", **rule})])
    assert found is not None
    assert found.to_pylist() == hits


def test_any_rule_drops_and_those_of_other_sources_do_not() -> None:
    other = Drop(reason="x", source="aws_*")
    assert to_drop(EVENTS, "web_access", [other]) is None
    both = [other, Drop(reason="x", where={"http_code": "500"}), Drop(reason="x", where={"user_agent": "curl*"})]
    found = to_drop(EVENTS, "web_access", both)
    assert found is not None
    assert found.to_pylist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"where": {"nonsense": 1}}, "no stored column nonsense; there are: time, "),
        ({"where": {"entities": "x"}}, "no stored column entities"),
        ({}, "would drop everything"),
    ],
)
def test_a_wrong_rule_is_refused(rule: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Drop.model_validate({"reason": "x", **rule})


def test_what_is_dropped_is_counted_and_seals_fit(trailkeep: Program, tmp_path: Path) -> None:
    from dataclasses import replace

    from trailkeep.cli import setup
    from trailkeep.collect.files import find_files
    from trailkeep.ingest import ingest
    from trailkeep.lake.home import create_home
    from trailkeep.pipeline import settings_of

    path, lake = tmp_path / "x.json", tmp_path / "lake"
    path.write_bytes(document(*(record(n, eventName="Noise" if n % 3 else "RunInstances") for n in range(9))))
    reading = setup.reading_of(None, None, 100)
    settings = settings_of(create_home(lake), reading, setup.matcher_of(None, dict(reading.sources)))
    settings = replace(settings, drop=(Drop(reason="noise", source="aws_cloudtrail", where={"event_name": "Noise"}),))
    report = ingest(settings, find_files([str(path)]), 1)
    assert (report.total("records"), report.total("stored"), report.total("dropped")) == (9, 3, 6)
    found = picture(lake)
    assert len(found.events) == found.totals["stored"] == 3
    assert found.totals["dropped"] == 6
    (ledger,) = (lake / "ledger").iterdir()
    assert json.loads(ledger.read_text())["objects"][0]["dropped"] == 6
    shown = trailkeep("status", "--home", lake, "--format", "jsonl")
    assert json.loads(shown.out.splitlines()[0])["dropped"] == 6
    assert "already stored" in trailkeep("ingest", path, "--home", lake).out
