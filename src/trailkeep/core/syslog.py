"""The pattern of a syslog message in, the pattern of the whole line out: the header has groups of its own.

Headers are those of RFC 3164 (`<34>Oct 11 22:14:15 host su[42]: `, the priority may be missing), the same with an ISO
8601 time as rsyslog and systemd write it, and of RFC 5424 (`<34>1 2026-10-11T22:14:15Z host su 42 ID47 [a@1 b="c"] `).
"""

ANY = "*"  # in place of a program: any, or none
BARE = "?"  # the same, and there may be no header
TIME = "time"  # the group that no header leaves empty

_ORIGIN = (
    r"(?:<(?P<pri>\d{1,3})>)?(?:(?P<syslog_version>\d{1,2}) )?"
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d(?:\.\d+)?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?|-)"
    r" (?P<host>[^\s\[]*[^\s\[:])"
)
_ELEMENT = r'\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]'
_PROGRAM = r"[^\s:\[]+"


def whole_line(program: str, message: str) -> str:
    """The pattern of a line of `program` (a regular expression, ANY or BARE) that says `message`."""
    if program not in (ANY, BARE):
        return f"{_ORIGIN} {_tag(program)}(?:{message})"
    return f"(?:{_ORIGIN} (?:{_tag(_PROGRAM)})?){'?' if program == BARE else ''}(?:{message})"


def _tag(program: str) -> str:
    return (
        rf"(?P<program>{program})(?:(?:\[(?P<pid>[^\]\s]*)\])?: ?"
        rf"| (?P<procid>\S+) (?P<msgid>\S+) (?P<structured_data>-|(?:{_ELEMENT})+)(?: |$)" + "\ufeff?)"
    )
