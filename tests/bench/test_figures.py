"""The report of the benchmark: its verdicts, and that a comparison that failed is never silent."""

import json

from bench.__main__ import _run
from bench.figures import NOT_COMPARED, Figure, as_json, as_markdown
from bench.measure import BenchError


def test_the_median_is_judged() -> None:
    assert Figure("f", (1.0, 1.9, 9.0), limit=2).verdict == "met"
    assert Figure("f", (1.0, 2.1, 2.2), limit=2).verdict == "MISSED"
    assert Figure("f", (0.1, 0.9, 0.9), limit=0.85, at_least=True).verdict == "met"
    assert Figure("f", (0.8,), limit=0.85, at_least=True).verdict == "MISSED"
    assert Figure("f", (0.8,)).verdict == ""


def test_nothing_measured_is_not_compared() -> None:
    assert Figure("f", limit=2).verdict == NOT_COMPARED
    assert Figure("f", (1.0,), limit=2, problem="wrong data").verdict == NOT_COMPARED


def test_a_stage_that_fails_keeps_its_figures_and_says_why() -> None:
    def stage(_: object):  # type: ignore[no-untyped-def]
        yield Figure("first", (1.0,), limit=2)
        raise BenchError("399,999 events in the lake, not the 400,000 that were generated")

    first, second = _run("ingest", stage, None)  # type: ignore[arg-type]
    assert (first.verdict, second.verdict) == ("met", NOT_COMPARED)
    assert "399,999" in as_markdown([first, second], {})


def test_report() -> None:
    figures = [Figure("ratio", (1.5, 1.25, 2.0), limit=2), Figure("speed", (123456.0,), "events/s", note="cold")]
    lines = as_markdown(figures, {"processor": "one"}).splitlines()
    cells = [cell.strip() for cell in lines[2].split("|")]
    assert cells == ["", "ratio", "1.50", "1.25 - 2.00", "at most 2.00", "met", ""]
    assert "123,456 events/s" in lines[3]
    assert "- speed: cold" in lines and "- processor: one" in lines
    assert json.loads(json.dumps(as_json(figures, {})))["figures"][0]["median"] == 1.5
