"""Methods of baselines on series: which buckets are odd, and the sentence about them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from trailkeep.detect.baseline import SeriesTest
from trailkeep.detect.series import Method

MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
METHOD: TypeAdapter[Any] = TypeAdapter(Method)


def odd(method: dict[str, Any], series: str, bucket: timedelta = timedelta(hours=1)) -> list[int]:
    values = SeriesTest(name="", match=True, series=series).values
    return [each.place for each in METHOD.validate_python(method).odd(values, MONDAY, bucket)]


def threshold(**told: Any) -> dict[str, Any]:
    return {"type": "threshold", **told}


@pytest.mark.parametrize(
    ("method", "series", "places"),
    [
        (threshold(gt=5), "5 6 5", [1]),
        (threshold(gte=5), "4 5 6", [1, 2]),
        (threshold(lt=5), "5 4 -", [1]),
        (threshold(lte=5), "6 5", [1]),
        (threshold(gt=5, datapoints=2, of=3), "9 1 9 1 1 9", [2]),
        (threshold(gt=5, datapoints=2, of=2), "9 9 9 1 9", [1, 2]),
        (threshold(gt=5, datapoints=2, of=2), "9 - 9", []),
        (threshold(gt=5, datapoints=2, of=2, missing="breaching"), "9 - 1", [1]),
        (threshold(gt=5, datapoints=2, of=2, missing="ignore"), "9 - 9", [2]),
        (threshold(lt=1, missing="breaching"), "1 -", [1]),
        (threshold(gt=5), "-*3", []),
        ({"type": "change", "factor": 3, "over": 4}, "2*4 6 2*4 7", [9]),
        ({"type": "change", "factor": 3, "over": 4}, "9*3 100", []),
        ({"type": "change", "factor": 2, "over": 3}, "1 - 1 3", [3]),
        ({"type": "seasonal"}, "5*168 5*168 5*168", []),
        ({"type": "seasonal"}, "5*168 5*168 5*100 50 5*67", [436]),
        ({"type": "seasonal"}, "5*168 5*100 50", []),  # one week is not enough
        ({"type": "seasonal", "deviations": 3}, "10 0*167 10 0*167 10 0*167 10", []),  # every Monday at midnight
        ({"type": "seasonal", "deviations": 3}, "10 0*167 10 0*167 10 0*167 0 10", [505]),
        ({"type": "seasonal"}, "100*168 100*168 1", []),
        ({"type": "seasonal", "below": True}, "100*168 100*168 1", [336]),
        ({"type": "seasonal", "floor": 10}, "5*168 5*168 50", []),
        ({"type": "seasonal"}, "-*168 5*168 90", []),
        ({"type": "macd"}, "10*60", []),
        ({"type": "macd"}, "10*40 90*3 10*40", [40]),
        ({"type": "macd"}, "10*40 90*3 10*40 90", [40, 83]),
        ({"type": "macd"}, "10*10 90", []),  # not warm yet
        ({"type": "macd"}, "90*40 10*40", []),
        ({"type": "macd", "fast": 2, "slow": 5, "signal": 2, "share": 0.2}, "10*8 60", [8]),
    ],
)
def test_which_buckets_are_odd(method: dict[str, Any], series: str, places: list[int]) -> None:
    assert odd(method, series) == places


def test_days_have_weeks_of_seven() -> None:
    assert odd({"type": "seasonal"}, "5*6 90 5*6 90 5*6 90", timedelta(days=1)) == []
    assert odd({"type": "seasonal"}, "5*6 90 5*6 90 90", timedelta(days=1)) == [14]


@pytest.mark.parametrize(
    ("method", "series", "expected", "seen"),
    [
        (threshold(gt=1000), "1 1200", "at most 1,000", "1,200"),
        (threshold(gt=5, datapoints=2, of=3), "9 1 9", "at most 5", "9 (2 of the last 3)"),
        (threshold(lt=1, missing="breaching"), "1 -", "at least 1", "nothing"),
        (
            {"type": "change", "factor": 3, "over": 2},
            "2 2 9.5",
            "at most 3 times 2, the mean of 2 buckets before",
            "9.50",
        ),
        ({"type": "seasonal"}, "5*168 5*168 5*14 50", "about 5 (± 6) on a Monday at 14:00", "50"),
        (
            {"type": "macd"},
            "10*40 90",
            "about 15.93, the slow average",
            "90, with which the fast average (22.31) left it behind",
        ),
    ],
)
def test_it_is_told_in_words(method: dict[str, Any], series: str, expected: str, seen: str) -> None:
    values = SeriesTest(name="", match=True, series=series).values
    *_, last = METHOD.validate_python(method).odd(values, MONDAY, timedelta(hours=1))
    assert (last.expected, last.seen) == (expected, seen)


@pytest.mark.parametrize(
    ("method", "why"),
    [
        (threshold(), "needs one of"),
        (threshold(gt=1, lt=2), "needs one of"),
        (threshold(gt=1, datapoints=3, of=2), "must not be more than of"),
        ({"type": "macd", "fast": 26, "slow": 12}, "must be less than slow"),
        ({"type": "seasonal", "deviation": 3}, "Extra inputs"),
        ({"type": "magic"}, "does not match any of the expected tags"),
    ],
)
def test_faults(method: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        METHOD.validate_python(method)
