"""Windows: which look takes which event is told by the event alone, and each is taken once."""

from collections.abc import Iterator
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from trailkeep.collect.pull import Place, Rate
from trailkeep.collect.windows import Stream, Told, Window, WindowReader, WindowsConfig, milliseconds, moment_of

HOUR = 3_600_000
BEGUN = 1000 * HOUR


class Looks(WindowsConfig):
    """Three looks."""

    type: str = "looks"

    def looks(self) -> list[float]:
        return [300.0, 3600.0, 86400.0]

    def fetch(self, place: Place, stream: Stream, window: Window) -> Iterator[Told]:
        yield from ()


def windows(moment: int) -> list[Window]:
    """Windows of all looks that hold a moment."""
    place = Place(None, "logs", None, None, Rate(1))  # type: ignore[arg-type]
    reader = WindowReader.__new__(WindowReader)
    reader._config, reader._place, reader._delays = Looks(), place, Looks().looks()
    return [reader._window(number, moment - moment % HOUR, moment - moment % HOUR + HOUR, BEGUN) for number in range(3)]


@given(
    moment=st.integers(BEGUN - 20 * HOUR, BEGUN + 100 * HOUR),
    late=st.integers(-HOUR, 200 * HOUR),
    skew=st.integers(0, 5),
)
def test_each_event_is_wanted_once(moment: int, late: int, skew: int) -> None:
    assert sum(window.wants(moment, moment + late) for window in windows(moment)) == 1


@given(moment=st.integers(BEGUN, BEGUN + 100 * HOUR), late=st.integers(0, 24 * HOUR - 5 * HOUR))
def test_a_look_takes_only_what_could_be_seen_by_then(moment: int, late: int) -> None:
    for window, delay in zip(windows(moment), Looks().looks(), strict=True):
        if window.wants(moment, moment + late):
            assert late < delay * 1000


def test_a_single_look_takes_everything() -> None:
    assert Window(0, 10).wants(9, 10**12)
    assert not Window(0, 10).wants(10, 10)
    assert not Window(5, 10).wants(4, 4)


@given(st.integers(0, 4_000_000_000_000))
def test_moments(value: int) -> None:
    assert milliseconds(moment_of(value)) == value
    assert milliseconds("2026-11-25T10:00:00.1239Z") == milliseconds(
        datetime(2026, 11, 25, 10, 0, 0, 123_900, tzinfo=UTC)
    )
