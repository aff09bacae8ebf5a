"""What a person calls a time in, the moments it spans out: `7d`, `now`, `2026-10-01`, `2026-10-01T12:30:00Z`."""

import re
from datetime import UTC, datetime, timedelta

from trailkeep.core.errors import UsageError

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_AGO = re.compile(r"(\d{1,9})([smhdw])", re.IGNORECASE)
_ABSOLUTE = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.(?P<fraction>\d{1,9}))?)?)?"
    r"(?P<zone>Z|[+-]\d{2}:?\d{2})?)?",
    re.IGNORECASE,
)
_HELP = "write 30m, 24h, 7d or 2w ago, now, 2026-10-01 or 2026-10-01T12:30:00Z (UTC unless it says +02:00)"


def parse_interval(text: str, now: datetime) -> tuple[datetime, datetime]:
    """First moment and end (exclusive) of what `text` names: a date is its day, a minute its 60 seconds.

    Ages (`7d`) and `now` count from `now` and are moments. Raises UsageError.
    """
    text = text.strip()
    if text.lower() == "now":
        return now, now
    try:
        if ago := _AGO.fullmatch(text):
            moment = now - timedelta(**{_UNITS[ago[2].lower()]: int(ago[1])})
            return moment, moment
        if absolute := _ABSOLUTE.fullmatch(text):
            start, length = _absolute(absolute)
            return start, start + length
    except (ValueError, OverflowError) as error:
        raise UsageError(f"{text!r} is not a time that exists; {_HELP}") from error
    raise UsageError(f"{text!r} is not a time; {_HELP}")


def parse_moment(text: str, now: datetime) -> datetime:
    """The first moment of what `text` names. Raises UsageError."""
    return parse_interval(text, now)[0]


def _absolute(parts: re.Match[str]) -> tuple[datetime, timedelta]:
    hour, minute, second, fraction = parts["hour"], parts["minute"], parts["second"], parts["fraction"]
    zone = (parts["zone"] or "Z").upper().replace("Z", "+00:00")
    clock = f"{hour or '00'}:{minute or '00'}:{second or '00'}.{(fraction or '')[:6]:0<6}"
    start = datetime.fromisoformat(f"{parts['date']}T{clock}{zone}").astimezone(UTC)
    if hour is None:
        return start, timedelta(days=1)
    if minute is None:
        return start, timedelta(hours=1)
    if second is None:
        return start, timedelta(minutes=1)
    return start, timedelta(microseconds=10 ** (6 - min(len(fraction or ""), 6)))
