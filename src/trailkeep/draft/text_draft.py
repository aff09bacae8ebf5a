"""Lines of text in, a sketch of them out: fields under a header, or a pattern with a named group for each field."""

import csv
import re
from collections import Counter

from trailkeep.draft.sketch import Column, Sketch
from trailkeep.normalize.formats.delimited import names_only

_LINES = 200  # looked at
_KEPT = 20  # as a sample
_MOST = 60  # fields; lines with more are left as they are
_TIMES = (
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?",
    r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d",
)
_TOKEN = re.compile(
    rf'(?P<time>{"|".join(_TIMES)})|(?P<pair>[A-Za-z_][\w.-]*=(?:"(?:[^"\\]|\\.)*"|[^\s"]*))(?!\S)'
    r'|(?P<quoted>"(?:[^"\\]|\\.)*")(?!\S)|(?P<bracket>\[[^\]]*\])(?!\S)|(?P<word>\S+)'
)
_GROUPS = {
    "time": rf"(?P<NAME>{'|'.join(_TIMES)})",
    "quoted": r'(?:"(?P<NAME>(?:[^"\\]|\\.)*)"|-)',
    "bracket": r"\[(?P<NAME>[^\]]*)\]",
    "word": r"(?P<NAME>\S+)",
}
_ANY = r'(?P<NAME>"(?:[^"\\]|\\.)*"|\[[^\]]*\]|\S+)'


def draft_text(text: str) -> Sketch:
    """The sketch of lines."""
    lines = [line for line in text.splitlines()[: _LINES + 1] if line.strip()]
    comments = "#" if lines[0].startswith("#") and not all(line.startswith("#") for line in lines) else None
    lines = [line for line in lines if not comments or not line.startswith(comments)]
    if len(lines) > 1 and names_only(lines[0]) and len(lines[0].split(" ")) == len(lines[1].split(" ")):
        return _delimited(lines)
    delimiter = next((mark for mark in ",\t;|" if _is_table(lines, mark)), None)
    if delimiter:
        return _table(lines, delimiter)
    return _lines(lines, _pattern(lines), comments)


def _delimited(lines: list[str]) -> Sketch:
    """Words under a header of words. In map.sql underscores stand for the hyphens in their names."""
    header = lines[0].split(" ")
    rows = [line.split(" ") for line in lines[1:]]
    names = [name.replace("-", "_") for name in header]
    columns = [
        Column((name,), [value for row in rows if number < len(row) and (value := row[number]) != "-"])
        for number, name in enumerate(names)
    ]
    return Sketch(
        format="delimited",
        columns=columns,
        sample_name="records.log",
        sample="\n".join([*lines[: _KEPT + 1], ""]).encode(),
        shape=dict.fromkeys(names, "VARCHAR"),
        recognise=header[:8],
    )


def _is_table(lines: list[str], delimiter: str) -> bool:
    """Whether these are a header and rows of as many fields, by a delimiter."""
    rows = list(csv.reader(lines, delimiter=delimiter))
    if len(rows) < 2 or not 2 <= len(rows[0]) <= _MOST or {len(row) for row in rows} != {len(rows[0])}:
        return False
    return all(re.fullmatch(r"[A-Za-z_][\w .:/()-]*", name.strip()) for name in rows[0])


def _table(lines: list[str], delimiter: str) -> Sketch:
    """CSV and the like, as lines: the header is a comment, and a field may be quoted."""
    header = [name.strip() for name in next(csv.reader(lines[:1], delimiter=delimiter))]
    mark = re.escape(delimiter)
    value = rf'(?P<NAME>"(?:[^"]|"")*"|[^{mark}]*)'
    names = _unique([re.sub(r"\W+", "_", name.lower()).strip("_") or "field" for name in header])
    pattern = "(?P<line>" + mark.join(value.replace("NAME", name) for name in names) + ")"
    sketch = _lines(lines[1:], pattern, lines[0])
    sample = "\n".join([*lines[: _KEPT + 1], ""]).encode()
    return Sketch(**{**vars(sketch), "sample": sample, "columns": sketch.columns[1:]})


def _pattern(lines: list[str]) -> str:
    """The pattern of lines: of the words that all have in common, and the rest as `message`."""
    rows = [list(_TOKEN.finditer(line)) for line in lines]
    usual = Counter(len(row) for row in rows).most_common(1)[0][0]
    shortest = min(len(row) for row in rows)
    same = all(len(row) == usual for row in rows) and usual <= _MOST
    count = usual if same else min(shortest - 1, 6)
    parts, names = [], []
    for place in range(max(count, 0)):
        tokens = [row[place] for row in rows]
        kinds = {token.lastgroup for token in tokens}
        keys = {token[0].partition("=")[0] for token in tokens}
        if kinds == {"pair"} and len(keys) == 1:
            key = keys.pop()
            names.append(re.sub(r"\W", "_", key))
            parts.append(re.escape(key) + r'="?(?P<NAME>[^"]*?)"?')
        elif not same and kinds == {"word"} and not all(re.fullmatch(r"[\w.:/\[\]@-]+", token[0]) for token in tokens):
            break
        else:
            kind = kinds.pop() if len(kinds) == 1 else None
            kind = kind if kind in _GROUPS else None
            names.append(_name([token[0] for token in tokens], place))
            parts.append(_GROUPS[kind] if kind else _ANY)
    if not same:
        names.append("message")
        parts.append("(?P<NAME>.*)")
    filled = [part.replace("NAME", name) for part, name in zip(parts, _unique(names), strict=True)]
    begin, end = (r"\s*" if any(re.search(space, line) for line in lines) else "" for space in (r"^\s", r"\s$"))
    pattern = begin + r"\s+".join(filled) + end
    return pattern if all(re.fullmatch(pattern, line) for line in lines) else r"(?P<message>.+)"


def _name(values: list[str], place: int) -> str:
    bare = [value.strip('[]"') for value in values]
    for name, pattern in (
        ("time", r"\d{4}-\d\d-\d\d[T ].*|\d\d/[A-Z][a-z]{2}/\d{4}:.*|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"),
        ("address", r"\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:]+:[0-9a-fA-F.]*"),
        ("request", r"[A-Z]+ \S+ HTTP/.*"),
        ("method", r"GET|POST|PUT|DELETE|HEAD|OPTIONS|PATCH"),
        ("level", r"TRACE|DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|CRITICAL|FATAL"),
    ):
        if all(re.fullmatch(pattern, value) for value in bare):
            return name
    return f"field{place + 1}"


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        name = name if re.match(r"[a-zA-Z_]", name) else f"field_{name}"
        found.append(next(one for one in _numbered(name) if one not in (*found, "line")))
    return found


def _numbered(name: str) -> list[str]:
    return [name, *(f"{name}_{number}" for number in range(2, 200))]


def _lines(lines: list[str], pattern: str, comments: str | None) -> Sketch:
    line = re.compile(f"^(?:{pattern})$")
    found = [match.groupdict() for text in lines if (match := line.search(text))]
    columns = [
        Column((name,), [value.strip('"') for one in found if (value := one[name]) and value != "-"])
        for name in line.groupindex
    ]
    return Sketch(
        format="lines",
        columns=columns,
        sample_name="records.log",
        sample="\n".join([*lines[:_KEPT], ""]).encode("utf-8", "backslashreplace"),
        keys={"pattern": pattern} | ({"comments": comments} if comments else {}),
    )
