"""A lake and its sources in, views over the events table out: what `trailkeep sql` can select from.

`events`, `signals`, one view for each OCSF class under its name, and one for each source under its name. A class view
is of those sources that are in the lake, for to plan it over all that there are takes many seconds.
"""

from collections.abc import Callable, Collection, Mapping
from functools import partial

import pyarrow as pa
from sqlglot import exp

from trailkeep.core.columns import SIGNAL_SOURCE
from trailkeep.core.ocsf import CLASSES
from trailkeep.core.source import Source
from trailkeep.engine.duckdb import Connection
from trailkeep.engine.guard import check_select
from trailkeep.engine.reading import fetch_checked, iceberg_table
from trailkeep.engine.view_select import FINDING, class_select, makes, native_fields_select, signals_select
from trailkeep.lake.home import Home
from trailkeep.lake.snapshot import current_snapshot

EVENTS = "events"


def select(con: Connection, home: Home, sources: Mapping[str, Source], sql: str) -> pa.Table:
    """The rows of a SELECT from a person; `con` should be locked. Raises UsageError for anything else."""
    tree = check_select(sql, view_names(sources))
    register_views(con, home, sources, {table.name.lower() for table in tree.find_all(exp.Table)})
    return fetch_checked(con, tree)


def view_names(sources: Mapping[str, Source]) -> list[str]:
    """All views that there are over these sources."""
    return list(_views(sources))


def register_views(
    con: Connection, home: Home, sources: Mapping[str, Source], names: Collection[str] | None = None
) -> None:
    """Make the views on `con`: all, or those named; `events` always, as the lake is now."""
    snapshot = current_snapshot(home)
    _create(con, EVENTS, exp.select("*").from_(iceberg_table(snapshot.events)))
    for name, build in _views(sources, {file.span.source for file in snapshot.files}).items():
        if name != EVENTS and (names is None or name.lower() in names):
            _create(con, name, build())


def _views(sources: Mapping[str, Source], present: Collection[str] = ()) -> dict[str, Callable[[], exp.Expr]]:
    """View name -> its query, built when it is needed: that takes longer than most queries.

    `present`: the sources that are in the lake; a class of which none is has the columns that all would give it.
    """
    views: dict[str, Callable[[], exp.Expr]] = {
        EVENTS: lambda: exp.select("*").from_(EVENTS),
        "signals": _signals,
    }
    for uid, ocsf_class in CLASSES.items():
        makers = [source for source in sources.values() if makes(source, uid)]
        if makers or uid == FINDING:
            here = [source for source in makers if source.name in present]
            views[ocsf_class.name] = partial(_of_class, here or makers, uid)
    return views | {name: partial(native_fields_select, source, EVENTS) for name, source in sources.items()}


def _signals() -> exp.Expr:
    return exp.select("*").from_(EVENTS).where(exp.column("source").eq(exp.Literal.string(SIGNAL_SOURCE)))


def _of_class(makers: list[Source], class_uid: int) -> exp.Expr:
    parts = [class_select(source, EVENTS, class_uid) for source in makers]
    if class_uid == FINDING:
        parts.append(signals_select(EVENTS))
    first, *others = parts
    union: exp.Query = first
    for other in others:
        union = exp.Union(this=union.subquery(), expression=other.subquery(), distinct=False, by_name=True)
    return union


def _create(con: Connection, name: str, query: exp.Expr) -> None:
    view = exp.to_identifier(name, quoted=True).sql(dialect="duckdb")
    con.execute(f"CREATE OR REPLACE TEMP VIEW {view} AS {query.sql(dialect='duckdb', comments=False)}")
