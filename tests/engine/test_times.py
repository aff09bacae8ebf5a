"""Times whose text lacks something, and what is known of when a record was handed over."""

import pytest

from trailkeep.engine.duckdb import connect


@pytest.mark.parametrize(
    ("text", "form", "reference", "moment"),
    [
        ("0607 12:34:56.789", "%m%d %H:%M:%S.%f", "2026-06-07 13:00:00+00", "2026-06-07 12:34:56.789+00"),
        ("0607 12:34:56.789", "%m%d %H:%M:%S.%f", "2026-01-01 00:00:00+00", "2025-06-07 12:34:56.789+00"),
        ("Jan  1 00:00:01", "%b %d %H:%M:%S", "2025-12-31 23:59:00+00", "2026-01-01 00:00:01+00"),
        ("Feb 29 08:00:00", "%b %d %H:%M:%S", "2026-12-31 23:00:00+00", "2024-02-29 08:00:00+00"),
        ("Feb 30 08:00:00", "%b %d %H:%M:%S", "2026-12-31 23:00:00+00", None),
        ("soon", "%b %d %H:%M:%S", "2026-12-31 23:00:00+00", None),
    ],
)
def test_a_time_without_a_year(text: str, form: str, reference: str, moment: str | None) -> None:
    found = connect().execute("SELECT yearless_time(?, ?, ?::TIMESTAMPTZ)::VARCHAR", [text, form, reference]).fetchone()
    assert found == (moment,)


@pytest.mark.parametrize(
    ("envelope", "key_time", "moment"),
    [
        ('{"time":1790000000000}', "2026-01-01 00:00:00+00", "2026-09-21 14:13:20+00"),
        ('{"time":"2026-03-01T00:00:00Z"}', None, "2026-03-01 00:00:00+00"),
        ('{"log_group":"x"}', "2026-01-01 00:00:00+00", "2026-01-01 00:00:00+00"),
    ],
)
def test_when_a_record_was_handed_over(envelope: str, key_time: str | None, moment: str) -> None:
    found = connect().execute("SELECT handed_over(?, ?::TIMESTAMPTZ)::VARCHAR", [envelope, key_time]).fetchone()
    assert found == (moment,)


def test_pairs_of_a_line() -> None:
    line = r'no pair msg="a \"b\" \\" x=1 y= z.q-r=[]'
    found = connect().execute("SELECT logfmt(?)::VARCHAR", [line]).fetchone()
    assert found == (r'{"msg":"a \"b\" \\","x":"1","y":"","z.q-r":"[]"}',)
