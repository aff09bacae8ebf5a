"""What people write for times."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trailkeep.core.errors import UsageError
from trailkeep.core.timespan import parse_interval

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("now", NOW, timedelta(0)),
        ("7d", NOW - timedelta(days=7), timedelta(0)),
        ("24H", NOW - timedelta(hours=24), timedelta(0)),
        ("2w", NOW - timedelta(weeks=2), timedelta(0)),
        ("2026-10-01", datetime(2026, 10, 1, tzinfo=UTC), timedelta(days=1)),
        ("2026-10-01T10", datetime(2026, 10, 1, 10, tzinfo=UTC), timedelta(hours=1)),
        ("2026-10-01 10:30", datetime(2026, 10, 1, 10, 30, tzinfo=UTC), timedelta(minutes=1)),
        ("2026-10-01T10:30:05Z", datetime(2026, 10, 1, 10, 30, 5, tzinfo=UTC), timedelta(seconds=1)),
        ("2026-10-01T10:30:05.25+02:00", datetime(2026, 10, 1, 8, 30, 5, 250_000, UTC), timedelta(milliseconds=10)),
    ],
)
def test_an_interval(text: str, start: datetime, length: timedelta) -> None:
    assert parse_interval(text, NOW) == (start, start + length)


@pytest.mark.parametrize("text", ["", "7", "7x", "yesterday", "2026-13-01", "2026-10-01T25", "999999999w", "9999-12-31"])
def test_no_time(text: str) -> None:
    with pytest.raises(UsageError, match="write 30m"):
        parse_interval(text, NOW)


@given(st.text(max_size=30) | st.from_regex(r"\d{4}-\d\d-\d\d(T\d\d(:\d\d)*(\.\d+)?(Z|[+-]\d\d:?\d\d)?)?"))
def test_any_text_is_a_time_or_a_usage_error(text: str) -> None:
    try:
        start, end = parse_interval(text, NOW)
    except UsageError:
        return
    assert start <= end
