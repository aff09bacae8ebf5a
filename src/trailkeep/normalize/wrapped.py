"""An object whose records came in envelopes in, one object for each source of what they wrap out."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

import pyarrow as pa

from trailkeep.core.source import Source
from trailkeep.normalize import recognise
from trailkeep.normalize.envelopes import Message, Unwrapper
from trailkeep.normalize.formats.json_records import short_texts, top_fields
from trailkeep.normalize.formats.json_salvage import JsonRecords
from trailkeep.normalize.records import BadPiece, Chunk, ObjectRecords, Slice, chunks_of, view_of


class Known(NamedTuple):
    """The source of a wrapped record, and the header that its line stands under."""

    source: str
    raw_format: str | None = None


class Unwrapped(NamedTuple):
    """Wrapped records by their source and header, and what is no record of a known source."""

    records: dict[Known, list[tuple[int, Message]]]
    bad: list[BadPiece]


def unwrapped(
    plain: bytes,
    found: JsonRecords,
    sources: Sequence[Source],
    split: Callable[[bytes], JsonRecords],
    limit: int,
) -> Unwrapped:
    """What the envelopes `found` in `plain` wrap. Raises InputError where they unpack to more than `limit` bytes.

    `split` finds the records in JSON that is wrapped.
    """
    lists = {name for source in sources for name in source.envelope}
    recognised, unwrapper = _recogniser(sources), Unwrapper(split, lists, limit)
    events = {kind: Known(source.name) for source in sources for kind in source.recognise.around}
    records: dict[Known, list[tuple[int, Message]]] = defaultdict(list)
    bad = [replace(piece, record_no=None) for piece in found.bad]
    messages = ((place, message) for place, raw in _placed(plain, found.raws) for message in unwrapper.open(raw))
    number, taken = 0, None
    for place, message in messages:
        known = None if message.fault else recognised(message)
        around = message.around
        if known is None and around is not None and (known := events.get(around.kind)):
            if around is taken:
                continue  # of several that it wraps, another one is of no known source either
            taken, message = around, replace(message, data=around.data)
        if known is None:
            reason = message.fault or f"not recognised: {_seen(message.data)}"
            bad.append(BadPiece(place, number, reason, bytes(view_of(message.data)), message.envelope))
        else:
            records[known].append((number, message))
        number += 1
    return Unwrapped(records, bad)


def objects_of(found: Unwrapped, empty: ObjectRecords) -> list[ObjectRecords]:
    """One object for each source, the first with all that is bad."""
    chunks: dict[str, list[Chunk]] = defaultdict(list)
    for known, messages in found.records.items():
        chunks[known.source] += chunks_of(
            [message.data for _, message in messages],
            [number for number, _ in messages],
            known.raw_format,
            [message.envelope for _, message in messages],
        )
    return parts(replace(empty, kind="events", reason="", bad=empty.bad + found.bad), chunks)


def parts(whole: ObjectRecords, chunks: Mapping[str, list[Chunk]]) -> list[ObjectRecords]:
    """One object for each source of the records in `whole`, the first with all that is bad; where there are several,
    named `#source`.
    """
    objects: list[ObjectRecords] = []
    for name, own in chunks.items():
        made = replace(whole, source=name, chunks=own, bad=[] if objects else whole.bad)
        if len(chunks) > 1:
            # Its own, and the same whenever these bytes come: so that it is stored once.
            digest = hashlib.sha256(f"{whole.sha256}#{name}".encode()).hexdigest()
            numbers = {number for chunk in own for number in chunk.numbers.to_pylist()} if whole.escaped else set()
            escaped = [number for number in whole.escaped if number in numbers]
            made = replace(made, part=f"#{name}", sha256=digest, escaped=escaped)
        objects.append(made)
    return objects


def _placed(plain: bytes, raws: Sequence[Slice]) -> Iterator[tuple[int, Slice]]:
    """Each record with the position at which it stands in `plain`."""
    base = pa.py_buffer(plain).address
    for raw in raws:
        place = pa.py_buffer(raw).address - base
        yield (place if 0 <= place < len(plain) else 0), raw  # behind a byte order mark it is a copy


def _recogniser(sources: Sequence[Source]) -> Callable[[Message], Known | None]:
    """Tells the source of single records: JSON objects by their fields, lines by their pattern."""
    kinds = {kind: [source for source in sources if source.format == kind] for kind in ("json", "delimited", "lines")}

    telling = {
        mark.partition("=")[0] for source in kinds["json"] for mark in chain(*source.recognise.fields) if "=" in mark
    }

    @lru_cache(maxsize=4096)
    def by_marks(*names: str) -> Known | None:
        source = recognise.by_fields(names, kinds["json"])
        return Known(source.name) if source else None

    def known(message: Message) -> Known | None:
        if message.fields:
            texts = short_texts({name: message.fields[name] for name in telling.intersection(message.fields)})
            return by_marks(*message.fields, *texts)
        line = str(view_of(message.data), "utf-8")
        header = recognise.default_header(line, kinds["delimited"])
        if header and (source := recognise.by_fields(header.split(" "), kinds["delimited"])):
            return Known(source.name, header)
        source = recognise.by_lines([line], kinds["lines"])
        return Known(source.name) if source else None

    return known


def _seen(data: Slice) -> str:
    fields = top_fields(data)
    if fields:
        return f"a JSON record with the fields {', '.join(sorted(fields)[:12])}"
    return recognise.seen(bytes(view_of(data)))
