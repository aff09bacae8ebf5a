"""Rules and a batch of events in; who matched what out, as object_id, record_no and the number of the rule."""

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from trailkeep.core.source import Source
from trailkeep.detect.batch import MATCHES, Batch
from trailkeep.detect.correlations import needed_fields
from trailkeep.detect.declared import waits_for
from trailkeep.detect.fields import RAW, column_name, native, predicate, quoted
from trailkeep.detect.lists import Members
from trailkeep.detect.plan import Plan
from trailkeep.detect.rule import Baseline, Correlation, Rule
from trailkeep.detect.tree import Listed
from trailkeep.detect.values import columns_of, values_of
from trailkeep.detect.witness import witness
from trailkeep.engine.duckdb import Connection, connect

BATCH_ROWS = 50_000


class Matcher:
    """Matches `rules` on events of `sources`. Pickling leaves behind what it remembers between batches."""

    def __init__(
        self,
        rules: Sequence[Rule],
        sources: Mapping[str, Source],
        correlations: Sequence[Correlation] = (),
        baselines: Sequence[Baseline] = (),
        lists: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """`correlations` are about signals of the rules: `values` gives what they need of events.

        `baselines` are about what is stored, and come along for who looks at that. `lists` are the values of lists
        by the keys that stand in rules.
        """
        self.rules = tuple(rules)
        self.correlations = tuple(correlations)
        self.baselines = tuple(baselines)
        self.sources = dict(sources)
        self.lists = dict(lists or {})
        self._plans: dict[str, Plan] = {}
        self._known: dict[tuple[str, bool], Members] = {}

    def __reduce__(self) -> tuple[type["Matcher"], tuple[object, ...]]:
        return Matcher, (self.rules, self.sources, self.correlations, (), self.lists)

    @cached_property
    def needed(self) -> Mapping[str, tuple[str, ...]]:
        """Rule id -> fields of its events that correlations read."""
        return needed_fields(self.correlations)

    def match(
        self, con: Connection, events: pa.Table | str, source_name: str, available_natives: Collection[str]
    ) -> pa.Table:
        """A row (object_id, record_no, rule, row) for each event and each rule that matches it.

        `rule` and `row`, which is the event's place in `events`, count from 0.

        `events` has the stored columns that rules read, raw_data, object_id and record_no (unique together), and
        a column "$<top>" for each of `available_natives`; natives that rules need besides are read from raw_data.
        It is a table in memory, or the name of a table or view of `con`, which is read batch by batch.
        """
        plan = self._plan(source_name)
        if not plan.named and not plan.open:
            return MATCHES.empty_table()
        if isinstance(events, pa.Table):
            return Batch(con, events, plan, available_natives).matches() if len(events) else MATCHES.empty_table()
        stored = [quoted(name, '"') for name in plan.stored]
        columns = ", ".join([*stored, "object_id", "record_no", "raw_format", RAW, *map(native, available_natives)])
        reader = con.execute(f"SELECT {columns} FROM {events}").to_arrow_reader(BATCH_ROWS)  # noqa: S608
        own = connect()  # `con` is busy while it is read from
        found = [MATCHES.empty_table()]
        start = 0
        for batch in reader:
            if len(batch):
                part = Batch(own, pa.Table.from_batches([batch]), plan, available_natives).matches()
                found.append(part.set_column(3, "row", pc.add(part["row"], start)))
                start += len(batch)
        return pa.concat_tables(found)

    def values(self, con: Connection, events: pa.Table, matches: pa.Table, source_name: str) -> pa.Array:
        """For each of `matches` the values that correlations need of its event, as values_of gives them."""
        return values_of(con, events, matches, self.rules, self.needed, self.sources[source_name])

    def columns(self, source_name: str) -> frozenset[str]:
        """The columns of a source that `match` and `values` read: stored ones, and "$<top>" for natives."""
        plan = self._plan(source_name)
        needed = columns_of(self.needed, self.sources[source_name])
        return frozenset([*plan.stored, *map(column_name, plan.natives), *needed])

    def event_names(self, source_name: str) -> frozenset[str] | None:
        """In lower case the names that events of this source have if any rule matches them; None if some rule does not
        tell.
        """
        plan = self._plan(source_name)
        return None if plan.open else frozenset(plan.named)

    def _plan(self, source_name: str) -> Plan:
        if source_name not in self._plans:
            self._plans[source_name] = Plan(self.rules, self.sources[source_name], self.members)
        return self._plans[source_name]

    def members(self, asked: Listed) -> Members:
        """The members of the list that a rule asks for."""
        key = (asked.list, asked.networks)
        if key not in self._known:
            self._known[key] = Members(self.lists[asked.list], networks=asked.networks)
        return self._known[key]


def explain(rule: Rule, source: Source) -> str:
    """What `rule` becomes for `source`: the values that lead events to it, and its SQL predicate."""
    if not rule.applies_to(source.logsource):
        return f"-- {rule.title} ({rule.id}) is not for {source.name}: its logsource is {rule.logsource}"
    if rule.undeclared:
        return f"-- {rule.title} ({rule.id}) matches nothing: {waits_for(rule.undeclared)}"
    found = witness(rule.detection, source)
    pairs = "none, every event is tested" if found is None else ", ".join(f"{c} = {t!r}" for c, t in sorted(found))
    return f"-- {rule.title} ({rule.id}) on {source.name}\n-- witness: {pairs}\n{predicate(rule.detection, source)}"
