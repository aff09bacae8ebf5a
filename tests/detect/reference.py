"""pysigma-backend-sqlite as an outside reference: rules and parsed records in, matches out.

Records are flattened whole into a table of (event, field, text), one row for each member of an array, so that a
leaf is an EXISTS over it; objects are there as JSON text too. What is set up around the backend: columns that
ignore case, a REGEXP function, numbers compared as numbers, and the record's JSON text for keywords.
"""

import json
import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from sigma.backends.sqlite import sqliteBackend
from sigma.collection import SigmaCollection
from sigma.conditions import ConditionFieldEqualsValueExpression
from sigma.conversion.state import ConversionState
from sigma.rule import SigmaRule
from sigma.types import SigmaCIDRExpression, SigmaExists, SigmaExpansion, SigmaFieldReference, SigmaNull, SigmaType

from tests.detect.naive import as_text

MEMBERS = "SELECT 1 FROM members l WHERE l.event = logs.event AND l.field = {field}"
PAIRS = (
    "SELECT 1 FROM members l JOIN members r ON r.event = l.event "
    "WHERE l.event = logs.event AND l.field = {field} AND r.field = {other}"
)


class Reference(sqliteBackend):  # type: ignore[misc]
    """The backend with its field access sent to the table of members."""

    compare_op_expression = "CAST({field} AS REAL) {operator} {value}"

    def convert_condition_field_eq_val(self, cond: ConditionFieldEqualsValueExpression, state: ConversionState) -> Any:
        field = literal(cond.field)
        match cond.value:
            case SigmaExpansion() | SigmaCIDRExpression():  # it makes these several leaves first
                return super().convert_condition_field_eq_val(cond, state)
            case SigmaNull():
                return f"NOT EXISTS ({MEMBERS.format(field=field)})"
            case SigmaExists():
                return f"{'' if cond.value else 'NOT '}EXISTS ({MEMBERS.format(field=field)})"
            case SigmaFieldReference():
                both = PAIRS.format(field=field, other=literal(cond.value.field))
                kinds = SigmaFieldReference("rhs", cond.value.starts_with, cond.value.ends_with)
                inner = super().convert_condition_field_eq_val(leaf_of("lhs", kinds), state)
                return f"EXISTS ({both} AND {inner.replace('lhs', 'l.text').replace('rhs', 'r.text')})"
        inner = super().convert_condition_field_eq_val(leaf_of("text", cond.value), state)
        return f"EXISTS ({MEMBERS.format(field=field)} AND ({inner}))"


def leaf_of(column: str, value: SigmaType) -> ConditionFieldEqualsValueExpression:
    leaf = ConditionFieldEqualsValueExpression(column, value)
    leaf.source = None
    return leaf


def literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def flattened(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """(field, text) of every value at every path; members of arrays under the path of the array."""
    if isinstance(value, list):
        for member in value:
            yield from flattened(member, path)
        return
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flattened(inner, f"{path}.{key}" if path else key)
    if path and value is not None:
        yield path, as_text(value)


def reference_matches(rules: str, records: Sequence[dict[str, Any]]) -> set[tuple[str, int]]:
    """(title of the rule, number of the record) for each match."""
    con = sqlite3.connect(":memory:")
    con.create_function("REGEXP", 2, lambda pattern, text: text is not None and bool(re.search(pattern, text)))
    con.execute("CREATE TABLE logs (event INTEGER PRIMARY KEY, record TEXT COLLATE NOCASE)")
    con.execute("CREATE TABLE members (event INTEGER, field TEXT, text TEXT COLLATE NOCASE)")
    con.execute("CREATE INDEX by_field ON members (event, field)")
    for number, record in enumerate(records):
        con.execute("INSERT INTO logs VALUES (?, ?)", (number, as_text(record)))
        con.executemany("INSERT INTO members VALUES (?, ?, ?)", [(number, *pair) for pair in flattened(record)])
    backend = Reference(fulltext_field="record")
    found: set[tuple[str, int]] = set()
    for rule in SigmaCollection.from_yaml(rules):
        assert isinstance(rule, SigmaRule)
        for query in backend.convert_rule(rule):
            found |= {(rule.title, row[0]) for row in con.execute(query)}
    return found


def dumped(records: Sequence[dict[str, Any]]) -> list[str]:
    return [json.dumps(record, ensure_ascii=False, separators=(",", ":")) for record in records]
