"""The pattern of a syslog message in, the pattern of the whole line out: the header has groups of its own.

Headers are those of RFC 3164 (`<34>Oct 11 22:14:15 host su[42]: `, the priority may be missing), the same with an ISO
8601 time as rsyslog and systemd write it, and of RFC 5424 (`<34>1 2026-10-11T22:14:15Z host su 42 ID47 [a@1 b="c"] `).
"""

ANY = "*"  # in place of a program: any
BARE = "?"  # the same, or none, and there may be no header
TIME = "time"  # the group that no header leaves empty

_ORIGIN = (
    r"(?:<(?P<pri>\d{1,3})>)?(?:(?P<syslog_version>\d{1,2}) )?"
    r"(?P<time>[A-Z][a-z]{2} [ \d]\d(?: \d{4})? \d\d:\d\d:\d\d(?:\.\d+)?"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)|-)"
    r" (?P<host>{host})"
)
# Where the program may be any, a line of an application could pass for syslog: `2026-10-11T22:14:15Z ERROR db: ...`.
_HOST, _NO_LEVEL = r"[^\s\[]*[^\s\[:]", r"-|[^\s\[]*[a-z0-9._-][^\s\[]*"
_ELEMENT = r'\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\]'
_PROGRAM = r"[^\s:\[]+"


def whole_line(program: str, message: str) -> str:
    """The pattern of a line of `program` (a regular expression, ANY or BARE) that says `message`."""
    if program == BARE:
        return f"(?:{_origin(_HOST)} (?:{_tag(_PROGRAM)})?)?(?:{message})"
    if program == ANY:
        return f"{_origin(_NO_LEVEL)} {_tag(_PROGRAM)}(?:{message})"
    return f"{_origin(_HOST)} {_tag(program)}(?:{message})"


def _origin(host: str) -> str:
    return _ORIGIN.replace("{host}", host)


def _tag(program: str) -> str:
    return (
        rf"(?P<program>{program})(?:(?:\[(?P<pid>[^\]\s]*)\])?: ?"
        rf"| (?P<procid>\S+) (?P<msgid>\S+) (?P<structured_data>-|(?:{_ELEMENT})+)(?: |$)" + "\ufeff?)"
    )
