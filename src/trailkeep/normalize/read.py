"""Bytes of one object and its key in, its raw records, their source and everything unreadable out.

Nothing is dropped: an object is read, or not recognised (kind "unknown", with a reason that says what was
seen), or refused as a whole by an InputError; within a read object, what is no good record is in `bad`, with
position and reason.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from trailkeep.core.errors import InputError
from trailkeep.core.source import Source
from trailkeep.normalize import recognise
from trailkeep.normalize.decompress import decompress
from trailkeep.normalize.envelopes import is_envelope
from trailkeep.normalize.family import family
from trailkeep.normalize.family import split as split_lines
from trailkeep.normalize.formats import csv_rows, parquet, w3c_rows
from trailkeep.normalize.formats.delimited import Lines, first_lines, names_only, read_delimited, read_lines
from trailkeep.normalize.formats.json_records import is_utf8, marks, read_json, top_fields
from trailkeep.normalize.formats.json_salvage import JsonRecords
from trailkeep.normalize.records import (
    BadPiece,
    Chunk,
    ObjectRecords,
    Slice,
    chunks_of,
    sha256s,
    to_table,
)
from trailkeep.normalize.wrapped import objects_of, parts, unwrapped

__all__ = ["BadPiece", "Chunk", "ObjectRecords", "key_time", "read_object", "read_objects", "sha256s", "to_table"]

_SAMPLE = 100  # records or lines looked at to recognise a source
_BLANK = b"\xef\xbb\xbf \t\r\n"  # byte order mark and white space
_NO_RECORDS = "holds no records"
_IN_NAME = re.compile(r"_(\d{8}T\d{4})(?:\d{2})?Z")
_IN_PATH = re.compile(r"(?:^|/)(?:year=)?(\d{4})/(?:month=)?(\d{2})/(?:day=)?(\d{2})/(?:(?:hour=)?(\d{2})/)?")


@dataclass(frozen=True)
class _Object:
    """What is known of a decompressed object. `named` is the source by its key, or by the user's word."""

    plain: bytes
    whole: bool
    key: str
    sources: Mapping[str, Source]
    named: Source | None
    forced: bool
    limit: int
    empty: ObjectRecords

    def candidates(self, format_: str) -> list[Source]:
        sources = [self.named] if self.forced and self.named else self.sources.values()
        return [source for source in sources if source.format == format_]

    def unknown(self, what: str) -> ObjectRecords:
        """Not recognised, because of what was seen. Raises InputError where the user named the source."""
        if self.forced and self.named:
            raise InputError(f"cannot be read as {self.named.name}: {what}")
        reason = f"not recognised: {what}"
        if self.named:
            reason = f"not recognised: the name says {self.named.name}, but the content does not: {what}"
        return replace(self.empty, kind="unknown", reason=reason, bad=[])

    def events(self, source: str, chunks: list[Chunk], bad: list[BadPiece]) -> ObjectRecords:
        reason = "" if chunks else f"{_NO_RECORDS} that could be read"
        return replace(self.empty, source=source, kind="events", reason=reason, chunks=chunks, bad=self.empty.bad + bad)


def read_object(
    data: bytes, key: str, sources: Mapping[str, Source], *, source: str | None = None, limit: int
) -> ObjectRecords:
    """The records of a file that holds one object, which all do but some that wrap records of several sources."""
    return read_objects(data, key, sources, source=source, limit=limit)[0]


def read_objects(
    data: bytes, key: str, sources: Mapping[str, Source], *, source: str | None = None, limit: int
) -> list[ObjectRecords]:
    """The records of a file as it was fetched: one object, or one for each source of wrapped records.

    `source` forces the source; `limit` bounds the decompressed bytes. Raises InputError where the object as a
    whole cannot be read: more than `limit` bytes, a Parquet file without a footer, not in the format of the
    forced source.
    """
    try:
        return _read(data, key, sources, source, limit)
    except InputError as error:
        raise InputError(f"{key}: {error}") from error


def _read(data: bytes, key: str, sources: Mapping[str, Source], forced: str | None, limit: int) -> list[ObjectRecords]:
    plain = decompress(data, limit)
    damage = [plain.damage] if plain.damage else []
    named = sources[forced] if forced else recognise.by_key(key, sources)
    empty = ObjectRecords(
        source=named.name if named else None,
        kind="empty",
        reason=_NO_RECORDS,
        sha256=hashlib.sha256(b"".join([plain.data, *(bad.data for bad in damage)])).hexdigest(),
        stored_size=len(data),
        size=len(plain.data),
        bad=damage,
    )
    obj = _Object(plain.data, plain.whole, key, sources, named, forced is not None, limit, empty)
    if obj.plain.startswith(parquet.MAGIC):
        return [_parquet(obj)]
    if not obj.plain.lstrip(_BLANK):
        return [empty]
    if not _looks_json(obj.plain):
        return _text(obj)
    found = _split(obj)
    if any(is_envelope(top_fields(raw)) for raw in islice(found.raws, _SAMPLE)):
        return _wrapped(obj, found)
    read = _json(obj, found)
    # Lines may begin with a bracket, too.
    return (_lines(obj) if read.kind == "unknown" else []) or [read]


def _split(obj: _Object, data: bytes | None = None) -> JsonRecords:
    """The JSON values of an object, wrapped or not; or of `data`, which was wrapped in it."""
    sources = [source for source in obj.sources.values() if source.format == "json"]

    def is_record(raw: Slice) -> bool:
        return _source_of([raw], sources) is not None or is_envelope(top_fields(raw))

    names = {name for source in sources for name in source.envelope}
    text = obj.plain if data is None else data
    if is_envelope(top_fields(text)) and is_utf8(text):
        return JsonRecords([text.strip()])
    return read_json(text, names, is_record)


def _json(obj: _Object, found: JsonRecords) -> ObjectRecords:
    candidates = obj.candidates("json")
    if not candidates:
        return obj.unknown("it holds JSON")
    fields = top_fields(found.raws[0]) if found.raws else frozenset()
    if recognise.is_digest(fields) or (not found.raws and recognise.is_digest_key(obj.key)):
        bad = obj.empty.bad + found.bad
        return replace(obj.empty, source=recognise.DIGEST_SOURCE, kind="digest", reason="", bad=bad)
    if not found.raws and not found.bad:
        return obj.empty
    source = _source_of(islice(found.raws, _SAMPLE), candidates)
    # A name is trusted where the content has no say: every record broken, or the user's word.
    if source is None and (obj.forced or (not found.raws and _looks_json(obj.plain))):
        source = obj.named if obj.named in candidates else None
    if source is None:
        return obj.unknown(_described(fields, obj.plain))
    return obj.events(source.name, list(_json_chunks(found)), found.bad)


def _json_chunks(found: JsonRecords) -> Iterator[Chunk]:
    """Chunks of records; raw_format is what stands beside them in their envelope."""
    start, head, numbers = 0, None, found.numbers or range(len(found.raws))
    for index, following in [*found.heads, (len(found.raws), None)]:
        yield from chunks_of(found.raws[start:index], numbers[start:index], head)
        start, head = index, following


def _wrapped(obj: _Object, found: JsonRecords) -> list[ObjectRecords]:
    """The records in envelopes, where any is of a known source."""
    sources = [obj.named] if obj.forced and obj.named else list(obj.sources.values())
    inner = unwrapped(obj.plain, found, sources, partial(_split, obj), obj.limit)
    if inner.records:
        return objects_of(inner, obj.empty)
    if not inner.bad:
        return [obj.empty]
    return [obj.unknown(f"in envelopes, {inner.bad[0].reason.removeprefix('not recognised: ')}")]


def _source_of(raws: Iterable[Slice], candidates: list[Source]) -> Source | None:
    return next(filter(None, (recognise.by_fields(marks(raw), candidates) for raw in raws)), None)


def _described(fields: frozenset[str], plain: bytes) -> str:
    if not fields:
        return f"no JSON record can be read; it {recognise.seen(plain)}"
    return f"JSON records of no known source, with the fields {', '.join(sorted(fields)[:12])}"


def _looks_json(plain: bytes) -> bool:
    return plain[:4096].lstrip(_BLANK)[:1] in (b"{", b"[")


def _text(obj: _Object) -> list[ObjectRecords]:
    candidates = obj.candidates("delimited")

    def header_source(line: str) -> Source | None:
        return recognise.by_fields(line.split(" "), candidates) if names_only(line) else None

    source, header = None, None
    for line in first_lines(obj.plain, _SAMPLE):
        if source := header_source(line):
            break
        if (header := recognise.default_header(line, candidates)) and (source := header_source(header)):
            break
    if source is None and obj.named and obj.named.format == "json":
        return [_json(obj, _split(obj))]  # damaged at its very beginning
    if source is None:
        return _csv(obj) or _lines(obj) or [_w3c(obj) or obj.unknown(recognise.seen(obj.plain))]
    lines = read_delimited(obj.plain, header, lambda line: header_source(line) is source, cut=not obj.whole)
    return [_of_lines(obj, source, lines)]


def _csv(obj: _Object) -> list[ObjectRecords]:
    """The rows of a CSV file: JSON records or lines of the source that its header fits, or envelopes; else none."""
    names = csv_rows.header(obj.plain)
    if is_envelope(names):
        rows = csv_rows.read_csv(obj.plain, names, as_lines=False, cut=not obj.whole)
        data = b"\n".join(text.encode() for chunk in rows.chunks for text in chunk.raw.to_pylist())
        empty = replace(obj.empty, bad=obj.empty.bad + rows.bad)
        return _wrapped(replace(obj, plain=data, empty=empty), _split(obj, data))
    source = recognise.by_fields(names, obj.candidates("json"))
    as_lines = source is None
    source = source or recognise.by_fields(csv_rows.line_names(names), obj.candidates("delimited"))
    if source is None or len(names) < 2:
        return []
    rows = csv_rows.read_csv(obj.plain, names, as_lines, cut=not obj.whole)
    if not rows.chunks and not rows.bad:
        return [replace(obj.empty, source=source.name)]
    return [replace(obj.events(source.name, rows.chunks, rows.bad), escaped=rows.escaped)]


def _w3c(obj: _Object) -> ObjectRecords | None:
    """The lines under `#Fields:`, as JSON records of the source that these fields are of; None without one."""
    source = recognise.by_fields(w3c_rows.field_names(obj.plain), obj.candidates("json"))
    if source is None:
        return None
    rows = w3c_rows.read_w3c(obj.plain, cut=not obj.whole)
    if not rows.chunks and not rows.bad:
        return replace(obj.empty, source=source.name)
    return replace(obj.events(source.name, rows.chunks, rows.bad), escaped=rows.escaped)


def _lines(obj: _Object) -> list[ObjectRecords]:
    """The records of a source without headers, or of several of syslog; none where no source has such lines."""
    candidates = obj.candidates("lines")
    lines = list(first_lines(obj.plain, _SAMPLE))
    source = recognise.by_lines(lines, candidates)
    if source is None and obj.named in candidates and (obj.forced or recognise.comments_only(lines, obj.named)):
        source = obj.named
    if source is None:
        return []
    found = read_lines(obj.plain, source.comments, not obj.whole, source.begins)
    read = _of_lines(obj, source, found)
    relatives = family(candidates) if source.syslog else []
    if len(relatives) < 2:
        return [read]
    return parts(read, split_lines(found.chunks, relatives, source)) or [read]


def _of_lines(obj: _Object, source: Source, lines: Lines) -> ObjectRecords:
    read = obj.events(source.name, lines.chunks, lines.bad)
    if not lines.count:
        return replace(read, kind="empty", reason=_NO_RECORDS)
    return replace(read, escaped=lines.escaped)


def _parquet(obj: _Object) -> ObjectRecords:
    """Rows as lines, where these have a source, or as JSON records of the source whose fields the columns are."""
    file = parquet.open_parquet(obj.plain)
    names = parquet.field_names(file)
    read = parquet.read_parquet
    source = recognise.by_fields(names, obj.candidates("delimited"))
    if source is None:
        names, read = file.schema_arrow.names, parquet.read_parquet_json
        source = recognise.by_fields(names, obj.candidates("json"))
    if source is None:
        return obj.unknown(f"a Parquet file with the columns {', '.join(names[:12])}")
    chunks, bad = read(obj.plain, file)
    if not chunks and not bad:
        return replace(obj.empty, source=source.name)
    return obj.events(source.name, chunks, bad)


def key_time(key: str) -> datetime | None:
    """When AWS delivered the object, by its key: to the minute from its name, else the day or hour of its
    folder.
    """
    path = recognise.path_of(key)
    try:
        if match := _IN_NAME.search(path):
            return datetime.strptime(match[1], "%Y%m%dT%H%M").replace(tzinfo=UTC)
        if match := _IN_PATH.search(path):
            year, month, day, hour = (int(part or 0) for part in match.groups())
            return datetime(year, month, day, hour, tzinfo=UTC)
    except ValueError:  # digits that are no date
        return None
    return None
