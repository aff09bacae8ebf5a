"""`trailkeep rules replay|diff|hits|cost`: rules on what is stored."""

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer

from trailkeep.baselines import able, idle
from trailkeep.cli import setup
from trailkeep.cli.options import (
    DEFAULT_HOME,
    DeclaredOption,
    FormatOption,
    HomeOption,
    RulesOption,
    SourcesOption,
    cores,
)
from trailkeep.cli.output import counted, write_rows
from trailkeep.core.errors import UsageError
from trailkeep.core.timespan import parse_moment
from trailkeep.detect.rule import AnyRule, Baseline, Rule
from trailkeep.detect.rules import RulePack
from trailkeep.geo.places import Places
from trailkeep.lake.home import open_home

SinceOption = Annotated[str, typer.Option(help="Events at or after this time: 90d, 2026-11-01.")]
UntilOption = Annotated[str, typer.Option(help="Events before this time.")]


def with_what_they_need(pack: RulePack, wanted: Iterable[AnyRule]) -> RulePack:
    """A pack of these, and of the rules that correlations among them are about."""
    ids = {one.id for one in wanted}
    for one in reversed(pack.correlations):  # outer before inner
        if one.id in ids:
            ids.update(one.rules)
    return RulePack(
        tuple(rule for rule in pack.rules if rule.id in ids),
        tuple(one for one in pack.correlations if one.id in ids),
        tuple(one for one in pack.baselines if one.id in ids),
        lists=pack.lists,
        waiting={uid: names for uid, names in pack.waiting.items() if uid in ids},
    )


def replay(
    rule: Annotated[str | None, typer.Argument(help="Id, name or part of the title; all rules otherwise.")] = None,
    since: SinceOption = "90d",
    until: UntilOption = "now",
    alerts: Annotated[bool, typer.Option("--alerts", help="Show the alerts themselves.")] = False,
    rules: RulesOption = None,
    sources: SourcesOption = None,
    config: DeclaredOption = None,
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "table",
) -> None:
    """Show what rules would have said about what is stored: alerts a day, before you enable them.

    Example: trailkeep rules replay "many secrets" --since 30d
    """
    pack = setup.rules_of(rules, setup.lists_of(config))
    places = setup.places_of(config)
    setup.say_waiting(pack)
    wanted = setup.chosen(pack, rule)
    first, end = _span(since, until)
    if rule is None:
        wanted = _that_can(wanted, places)
    found = _replay(with_what_they_need(pack, wanted), sources, home, first, end, places)
    ids = {one.id for one in wanted}
    told = [alert for alert in found.alerts if alert["rule_uid"] in ids]
    events = Counter(row["alert_id"] for row in found.alert_events)
    days = max((end - first) / timedelta(days=1), 1e-9)
    if alerts:
        rows = [
            {
                "first_time": _utc(alert["first_time"]),
                "level": alert["level"],
                "title": alert["title"],
                "subject": alert["subject"],
                "events": events[alert["id"]],
                "last_time": _utc(alert["last_time"]),
            }
            for alert in sorted(told, key=lambda alert: alert["first_time"])
        ]
        write_rows(pa.Table.from_pylist(rows, schema=_ALERTS), format, sys.stdout)
    else:
        rows = [_row(one, [a for a in told if a["rule_uid"] == one.id], events, days) for one in wanted]
        rows.sort(key=lambda row: -row["alerts"])
        write_rows(pa.Table.from_pylist(rows, schema=_RULES), format, sys.stdout)
    print(
        f"{counted(len(told), 'alert')} in {days:.1f} days, {len(told) / days:.2f} a day; "
        f"{counted(found.events, 'event')} read that could match",
        file=sys.stderr,
    )


def diff(
    old: Annotated[Path, typer.Argument(help="Rule file or folder as it was, or `shipped`.")],
    new: Annotated[Path, typer.Argument(help="The same as it is to be.")],
    since: SinceOption = "30d",
    until: UntilOption = "now",
    sources: SourcesOption = None,
    config: DeclaredOption = None,
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "table",
) -> None:
    """Show which events a change of rules adds to alerts, and which it takes away.

    Example: trailkeep rules diff old/ new/ --since 30d
    """
    lists = setup.lists_of(config)
    packs = [setup.rules_of([path], lists) for path in (old, new)]
    hashes = [{one.id: one.content_hash for one in setup.chosen(pack, None)} for pack in packs]
    changed = {uid for uid in hashes[0].keys() | hashes[1].keys() if hashes[0].get(uid) != hashes[1].get(uid)}
    for pack in packs:  # what refers to a changed rule is changed
        for one in pack.correlations:
            if changed & set(one.rules):
                changed.add(one.id)
    first, end = _span(since, until)
    places = setup.places_of(config)
    told: list[dict[tuple[str, str], Any]] = []
    for pack in packs:
        wanted = _that_can([one for one in setup.chosen(pack, None) if one.id in changed], places)
        found = _replay(with_what_they_need(pack, wanted), sources, home, first, end, places)
        titles = {one.id: one.title for one in wanted}
        told.append(
            {
                (row["rule_uid"], row["event_uid"]): row | {"title": titles[row["rule_uid"]]}
                for row in found.alert_events
                if row["rule_uid"] in changed
            }
        )
    before, after = told
    rows = [
        {
            "change": change,
            **{name: row[name] for name in ("title", "event_name", "event_uid")},
            "time": _utc(row["time"]),
        }
        for change, some, others in (("added", after, before), ("removed", before, after))
        for key, row in some.items()
        if key not in others
    ]
    rows.sort(key=lambda row: (row["title"], row["time"]))
    write_rows(pa.Table.from_pylist(rows, schema=_DIFF), format, sys.stdout)
    added = sum(row["change"] == "added" for row in rows)
    print(
        f"{counted(len(changed), 'rule')} changed: {counted(added, 'event')} added, {len(rows) - added:,} removed, "
        f"{len(before.keys() & after.keys()):,} as before",
        file=sys.stderr,
    )


def hits(
    since: SinceOption = "90d",
    until: UntilOption = "now",
    rules: RulesOption = None,
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "table",
) -> None:
    """Show how often each rule matched what was stored, and when last; rules that never did come last.

    Example: trailkeep rules hits --since 400d
    """
    from trailkeep.engine.reading import connect_lake
    from trailkeep.replay import hits as counted_hits

    pack = setup.rules_of(rules)
    lake = open_home(home)
    first, end = _span(since, until)
    found = counted_hits(connect_lake(lake.warehouse, threads=cores(None)), lake, first, end)
    rows = [
        {"level": one.level, "title": one.title, "id": one.id, **found.get(one.id, {"hits": 0, "alerts": 0})}
        for one in pack.every
    ]
    rows.sort(key=lambda row: (-row["hits"], row["title"]))
    write_rows(pa.Table.from_pylist(rows, schema=_HITS), format, sys.stdout)
    never = sum(not row["hits"] for row in rows)
    print(f"{counted(never, 'rule')} of {len(rows):,} never matched since {first:%Y-%m-%d}", file=sys.stderr)


def cost(
    rule: Annotated[str | None, typer.Argument(help="Id, name or part of the title; all rules otherwise.")] = None,
    since: SinceOption = "90d",
    until: UntilOption = "now",
    most: Annotated[int, typer.Option(min=1, help="Most events of each source.")] = 50_000,
    rules: RulesOption = None,
    sources: SourcesOption = None,
    config: DeclaredOption = None,
    home: HomeOption = DEFAULT_HOME,
    format: FormatOption = "table",
) -> None:
    """Show how much CPU time each rule takes by itself for a million events of its sources, the dearest first.

    Example: trailkeep rules cost --since 7d
    """
    from trailkeep.engine.reading import connect_lake
    from trailkeep.replay import costs

    pack = setup.rules_of(rules, setup.lists_of(config))
    setup.say_waiting(pack)
    wanted = [one for one in setup.chosen(pack, rule) if isinstance(one, Rule)]
    if not wanted:
        raise UsageError(f"{rule!r} means correlations and detectors only: `trailkeep rules cost` is of single rules")
    lake = open_home(home)
    first, end = _span(since, until)
    alone = RulePack(tuple(wanted), lists=pack.lists)
    matcher = setup.matcher_of(alone, dict(setup.reading_of(sources, None, 64).sources))
    found = list(costs(connect_lake(lake.warehouse, threads=cores(None)), lake, matcher, first, end, most))
    rows = [
        {
            "level": one.rule.level,
            "title": one.rule.title,
            "cpu_seconds_a_million": round(one.seconds / one.events * 1e6, 2) if one.events else None,
            "events": one.events,
            "hits": one.hits,
            "id": one.rule.id,
        }
        for one in sorted(found, key=lambda one: (-one.seconds / max(one.events, 1), one.rule.title))
    ]
    write_rows(pa.Table.from_pylist(rows, schema=_COST), format, sys.stdout)
    met = sum(one.events > 0 for one in found)
    print(f"{counted(met, 'rule')} of {len(found):,} met events of its sources", file=sys.stderr)


def _that_can(wanted: Iterable[AnyRule], places: Places) -> list[AnyRule]:
    """Those of `wanted` that can run; of the others it is said why they cannot."""
    found = list(wanted)
    baselines = [one for one in found if isinstance(one, Baseline)]
    if why := idle(baselines, places):
        print(why, file=sys.stderr)
    can = {one.id for one in able(baselines, places)}
    return [one for one in found if not isinstance(one, Baseline) or one.id in can]


def _span(since: str, until: str) -> tuple[datetime, datetime]:
    now = datetime.now(UTC)
    return parse_moment(since, now), parse_moment(until, now)


def _replay(
    pack: RulePack, sources: list[Path] | None, home: Path, first: datetime, end: datetime, places: Places
) -> Any:
    from trailkeep.engine.reading import connect_lake
    from trailkeep.replay import replay as run

    lake = open_home(home)
    matcher = setup.matcher_of(pack, dict(setup.reading_of(sources, None, 64).sources))
    return run(connect_lake(lake.warehouse, threads=cores(None)), lake, matcher, first, end, places)


_RULES = pa.schema(
    [
        ("level", pa.string()),
        ("title", pa.string()),
        ("alerts", pa.int64()),
        ("events", pa.int64()),
        ("alerts_a_day", pa.float64()),
        ("most_in_a_day", pa.int64()),
        ("last_time", pa.timestamp("us", "UTC")),
        ("id", pa.string()),
    ]
)
_HITS = pa.schema(
    [
        ("level", pa.string()),
        ("title", pa.string()),
        ("hits", pa.int64()),
        ("alerts", pa.int64()),
        ("last_time", pa.timestamp("us", "UTC")),
        ("id", pa.string()),
    ]
)
_COST = pa.schema(
    [
        ("level", pa.string()),
        ("title", pa.string()),
        ("cpu_seconds_a_million", pa.float64()),
        ("events", pa.int64()),
        ("hits", pa.int64()),
        ("id", pa.string()),
    ]
)
_ALERTS = pa.schema(
    [
        ("first_time", pa.timestamp("us", "UTC")),
        ("level", pa.string()),
        ("title", pa.string()),
        ("subject", pa.string()),
        ("events", pa.int64()),
        ("last_time", pa.timestamp("us", "UTC")),
    ]
)
_DIFF = pa.schema(
    [
        ("change", pa.string()),
        ("title", pa.string()),
        ("time", pa.timestamp("us", "UTC")),
        ("event_name", pa.string()),
        ("event_uid", pa.string()),
    ]
)


def _row(one: AnyRule, told: Sequence[Any], events: Counter[int], days: float) -> dict[str, Any]:
    by_day = Counter(alert["first_time"].date() for alert in told)
    return {
        "level": one.level,
        "title": one.title,
        "alerts": len(told),
        "events": sum(events[alert["id"]] for alert in told),
        "alerts_a_day": round(len(told) / days, 2),
        "most_in_a_day": max(by_day.values(), default=0),
        "last_time": max((_utc(alert["last_time"]) for alert in told), default=None),
        "id": one.id,
    }


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
