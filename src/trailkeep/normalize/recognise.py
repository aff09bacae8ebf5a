"""An object's key and first records in, the source it belongs to out: decided by content, never guessed.

A field set of `recognise.fields` matches when every name in it is there; `name=text` is there where that field holds
that text; `one|other` where either is; `!name` (wildcards allowed) must not be there.
"""

from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from itertools import repeat

from trailkeep.core.source import Source

DIGEST_SOURCE = "aws_cloudtrail"
_DIGEST_FIELDS = frozenset({"digestS3Object", "logFiles"})
_DIGEST_KEY = "CloudTrail-Digest"


def by_key(key: str, sources: Mapping[str, Source]) -> Source | None:
    """The source whose pattern is found in the key."""
    path = path_of(key)
    return next((s for s in sources.values() if any(p.search(path) for p in s.key_patterns)), None)


def path_of(key: str) -> str:
    """A key as a path, in which an archive is a folder."""
    return key.replace("!", "/")


def by_fields(names: Collection[str], sources: Iterable[Source]) -> Source | None:
    """The source one of whose field sets these names fulfil; of several, one that is not to be tried last."""
    ordered = sorted(sources, key=lambda s: s.recognise.last)
    return next((s for s in ordered if any(_fulfils(names, wanted) for wanted in s.recognise.fields)), None)


def by_lines(lines: Collection[str], sources: Iterable[Source]) -> Source | None:
    """The source whose pattern one of these lines matches; of several, one that is not to be tried last."""
    for source in sorted(sources, key=lambda s: s.recognise.last):
        if source.has_line(lines):
            return source
    return None


def comments_only(lines: Iterable[str], source: Source | None) -> bool:
    """Whether these lines are comments to a source, none of them a record."""
    return (
        source is not None and source.comments is not None and all(map(str.startswith, lines, repeat(source.comments)))
    )


def _fulfils(names: Collection[str], wanted: Iterable[str]) -> bool:
    def holds(name: str) -> bool:
        if name.startswith("!"):
            return not any(fnmatchcase(have, name[1:]) for have in names)
        return name in names or ("|" in name and not frozenset(name.split("|")).isdisjoint(names))

    return all(map(holds, wanted))


def is_digest(names: Collection[str]) -> bool:
    """Whether an object with these fields is a CloudTrail digest file."""
    return _DIGEST_FIELDS.issubset(names)


def is_digest_key(key: str) -> bool:
    """Whether CloudTrail would deliver a digest file under this key."""
    return _DIGEST_KEY in key


def default_header(line: str, sources: Iterable[Source]) -> str | None:
    """The header of a line that comes without one, in a format that these sources know."""
    known = (header for source in sources for pattern, header in source.headers if pattern.fullmatch(line))
    return next(known, None)


def seen(data: bytes) -> str:
    """In words, what the beginning of an object looks like, for a reason that a person reads."""
    for magic, name in _MAGIC.items():
        if data.startswith(magic):
            return name
    line = data[:4096].lstrip().split(b"\n", 1)[0].rstrip()
    return f"begins with {line[:60].decode('utf-8', 'replace')!r}"


_MAGIC = {
    b"PK\x03\x04": "a zip archive",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"BZh": "bzip2 data",
    b"\xfd7zXZ": "xz data",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
    b"PAR1": "a Parquet file",
}
