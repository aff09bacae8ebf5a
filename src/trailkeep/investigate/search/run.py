"""A query's text and a lake in, the newest events that match it out, and where they were found.

First the hits by narrow columns, then the wide columns (raw_data above all) of those that are shown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

import pyarrow as pa
from sqlglot import exp

from trailkeep.core.columns import BY_NAME
from trailkeep.core.errors import UsageError
from trailkeep.core.source import Source
from trailkeep.core.timespan import parse_moment
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.reading import fetch, iceberg_table
from trailkeep.engine.reads import Reads, counted
from trailkeep.investigate.search.conditions import Meaning, condition, moment
from trailkeep.investigate.search.query import Node, parse
from trailkeep.investigate.search.reach import reach
from trailkeep.lake.home import Home
from trailkeep.lake.snapshot import Snapshot, Span, current_snapshot

DEFAULT_COLUMNS = (
    "time",
    "source",
    "account_uid",
    "region",
    "service",
    "event_name",
    "principal",
    "src_ip",
    "error_code",
    "event_uid",
)
_KEY = ("time", "event_uid", "object_id", "record_no", "source")
_NARROW = frozenset(DEFAULT_COLUMNS) | frozenset(_KEY)
_NEWEST = ("time DESC", "event_uid", "object_id", "record_no")
# With more times than this an engine no longer tests each row for them.
_MAX_SCANS = 16
_MAX_TIMES = 1_000


@dataclass(frozen=True)
class Explain:
    """What a search touched, by the engine's own log of file reads; nothing came from its cache.

    A file whose bounds exclude a match is pruned: not opened. `bytes_read` of the data files were read for
    the answer, `metadata_bytes_read` of Iceberg metadata and sightings. `spans` are the times that sightings
    left, or None.
    """

    files: int
    files_read: int
    bytes: int
    bytes_read: int
    metadata_bytes_read: int
    spans: list[Span] | None
    sql: str

    @property
    def files_pruned(self) -> int:
        """Data files that were not opened."""
        return self.files - self.files_read


@dataclass(frozen=True)
class SearchResult:
    """`rows`: newest first, each event once; `more`: whether older ones match too."""

    rows: pa.Table
    more: bool
    explain: Explain | None = None


@dataclass(frozen=True)
class Window:
    """Only events at or after `since` and before `until`."""

    since: datetime | None
    until: datetime | None

    @classmethod
    def of(cls, since: str | None, until: str | None, now: datetime) -> "Window":
        """From what a person wrote; see core/timespan.py. Raises UsageError."""
        window = cls(*(parse_moment(text, now) if text is not None else None for text in (since, until)))
        if window.since and window.until and window.since >= window.until:
            raise UsageError(f"--since {since} is not before --until {until}: nothing can lie between them")
        return window

    def tests(self) -> list[exp.Expr]:
        """The window as conditions on `time`."""
        time = exp.column("time")
        since = [time >= moment(self.since)] if self.since else []
        return since + ([time.copy() < moment(self.until)] if self.until else [])


def search(
    con: Connection,
    home: Home,
    sources: Mapping[str, Source],
    text: str,
    *,
    now: datetime,
    since: str | None = None,
    until: str | None = None,
    limit: int = 100,
    columns: Sequence[str] = DEFAULT_COLUMNS,
    explain: bool = False,
) -> SearchResult:
    """The newest `limit` events that match `text`; `con` is engine.reading.connect_lake's, and may be kept.

    Copies of one event (the same event_uid in several objects) count once: the newest, and of equal times the
    first by object and record. Raises UsageError for a query that cannot be read, or columns not stored.
    """
    if unknown := [name for name in columns if name not in BY_NAME]:
        raise UsageError(f"there is no column {unknown[0]}; there are {', '.join(BY_NAME)}")
    if limit < 1:
        raise UsageError("the limit must be at least 1")
    node = parse(text)
    meaning = Meaning(text, sources, now)
    where = [condition(node, meaning), *Window.of(since, until, now).tests()]
    snapshot = current_snapshot(home)
    if not explain:
        return _search(con, snapshot, node, meaning, where, limit, columns)[0]
    with counted(con) as reads:
        result, spans, select = _search(con, snapshot, node, meaning, where, limit, columns)
    return replace(result, explain=_explain(snapshot, reads, spans, select))


def _search(
    con: Connection,
    snapshot: Snapshot,
    node: Node,
    meaning: Meaning,
    where: list[exp.Expr],
    limit: int,
    columns: Sequence[str],
) -> tuple[SearchResult, list[Span] | None, exp.Select]:
    spans = reach(con, snapshot, node, meaning)
    early = [name for name in columns if name in _NARROW]
    select = exp.select(*dict.fromkeys([*_KEY, *early])).from_(_scans(snapshot, spans, where)).order_by(*_NEWEST)
    hits, more = _hits(con, select, limit)
    rows = hits.select(list(columns)) if len(early) == len(columns) else _whole(con, snapshot, hits, columns)
    return SearchResult(rows, more), spans, select


def _explain(snapshot: Snapshot, reads: Reads, spans: list[Span] | None, select: exp.Select) -> Explain:
    data = {file.path for file in snapshot.files}
    read = {path: size for path, size in reads.by_file.items() if path in data}
    return Explain(
        files=len(data),
        files_read=len(read),
        bytes=sum(file.size for file in snapshot.files),
        bytes_read=sum(read.values()),
        metadata_bytes_read=sum(reads.by_file.values()) - sum(read.values()),
        spans=spans,
        sql=select.sql(dialect="duckdb", pretty=True),
    )


def _scans(snapshot: Snapshot, spans: list[Span] | None, where: list[exp.Expr]) -> exp.Subquery:
    """The events in the spans that meet `where`: a scan each, as engines skip files by one range only.

    Each scan reads the metadata anew: where there would be many, sources that begin at about the same time share one.
    """
    scan = exp.select("*").from_(iceberg_table(snapshot.events)).where(*where)
    if spans is None:
        return scan.subquery("found")
    parts = [
        scan.copy().where(
            exp.column("source").isin(*sorted({span.source for span in together})),
            exp.column("time") >= moment(min(span.first for span in together)),
            exp.column("time") <= moment(max(span.last for span in together)),
        )
        for together in _shared(spans)
    ] or [scan.where(exp.false())]
    return (exp.union(*parts, distinct=False) if len(parts) > 1 else parts[0]).subquery("found")


def _shared(spans: list[Span]) -> list[list[Span]]:
    """The spans of each scan. All spans of a source are in one where several share it: no event is in two scans."""
    if len(spans) <= _MAX_SCANS:
        return [[span] for span in spans]
    first: dict[str, datetime] = {}
    for span in spans:
        first[span.source] = min(span.first, first.get(span.source, span.first))
    order = sorted(first, key=lambda source: (first[source], source))
    size = ceil(len(order) / _MAX_SCANS)
    place = {source: at // size for at, source in enumerate(order)}
    return [[span for span in spans if place[span.source] == at] for at in range(place[order[-1]] + 1)]


def _hits(con: Connection, select: exp.Select, limit: int) -> tuple[pa.Table, bool]:
    """The newest hits without copies, and whether there are more. Copies are rare: a few rows too many do."""
    wanted = limit * 2 + 1
    while True:
        rows = fetch(con, select.limit(wanted))
        kept: dict[str, int] = {}
        for at, uid in enumerate(rows["event_uid"].to_pylist()):
            kept.setdefault(uid, at)
        if len(kept) > limit or len(rows) < wanted:
            return rows.take(pa.array(list(kept.values())[:limit], pa.int64())), len(kept) > limit
        wanted *= 4


def _whole(con: Connection, snapshot: Snapshot, hits: pa.Table, columns: Sequence[str]) -> pa.Table:
    """Any columns of `hits`, in their order."""
    wanted = exp.select(*dict.fromkeys(["object_id", "record_no", *columns])).from_(iceberg_table(snapshot.events))
    if not len(hits):
        return fetch(con, wanted.limit(0)).select(list(columns))
    times = sorted(set(hits["time"].to_pylist()))
    time = exp.column("time")
    where: list[exp.Expr] = [time >= moment(times[0]), time <= moment(times[-1])]
    where.append(exp.column("source").isin(*sorted(set(hits["source"].to_pylist()))))
    if len(times) <= _MAX_TIMES:
        where.append(time.isin(*(moment(value) for value in times)))
        where.append(exp.column("object_id").isin(*sorted(set(hits["object_id"].to_pylist()))))
    rows = fetch(con, wanted.where(*where))
    places = {key: at for at, key in enumerate(_keys(rows))}
    return rows.take(pa.array([places[key] for key in _keys(hits)], pa.int64())).select(list(columns))


def _keys(rows: pa.Table) -> list[tuple[str, int]]:
    return list(zip(rows["object_id"].to_pylist(), rows["record_no"].to_pylist(), strict=True))
