"""Rules and a batch of events in; who matched what out, as object_id, record_no and the number of the rule."""

from collections.abc import Collection, Mapping, Sequence

import pyarrow as pa

from trailkeep.core.source import Source
from trailkeep.detect.batch import MATCHES, Batch
from trailkeep.detect.fields import predicate
from trailkeep.detect.plan import Plan
from trailkeep.detect.rules import Rule
from trailkeep.detect.witness import witness
from trailkeep.engine.duckdb import Connection


class Matcher:
    """Matches `rules` on events of `sources`. Pickling leaves behind what it remembers between batches."""

    def __init__(self, rules: Sequence[Rule], sources: Mapping[str, Source]) -> None:
        self.rules = tuple(rules)
        self.sources = dict(sources)
        self._plans: dict[str, Plan] = {}

    def __reduce__(self) -> tuple[type["Matcher"], tuple[tuple[Rule, ...], dict[str, Source]]]:
        return Matcher, (self.rules, self.sources)

    def match(self, con: Connection, relation: str, source_name: str, available_natives: Collection[str]) -> pa.Table:
        """A row (object_id, record_no, rule) for each event of `relation` and each rule that matches it.

        `relation` is a table or view of `con` with the stored columns, and a column "$<top>" for each of
        `available_natives`; natives that rules need besides are read from raw_data. `rule` counts from 0.
        """
        plan = self._plans.get(source_name)
        if plan is None:
            plan = self._plans[source_name] = Plan(self.rules, self.sources[source_name])
        if not plan.named and not plan.open:
            return MATCHES.empty_table()
        return Batch(con, relation, plan, available_natives).matches()


def explain(rule: Rule, source: Source) -> str:
    """What `rule` becomes for `source`: the values that lead events to it, and its SQL predicate."""
    if not rule.applies_to(source.logsource):
        return f"-- {rule.title} ({rule.id}) is not for {source.name}: its logsource is {rule.logsource}"
    found = witness(rule.detection, source)
    pairs = "none, every event is tested" if found is None else ", ".join(f"{c} = {t!r}" for c, t in sorted(found))
    return f"-- {rule.title} ({rule.id}) on {source.name}\n-- witness: {pairs}\n{predicate(rule.detection, source)}"
