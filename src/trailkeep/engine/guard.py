"""SQL text from a person in, the syntax tree of one harmless SELECT out, or a UsageError that says why not.

What is not known to be harmless is refused: tables must be views of the lake, functions must be on a list.
The caller runs the printed tree, not the text it came from, so that nothing runs which was not looked at.
This is the first of two defences; engine/reading.py's locked connection is the second, and alone it would
allow writing inside the warehouse.
"""

import re
from collections.abc import Collection
from functools import cache
from importlib.resources import files

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from trailkeep.core.errors import UsageError

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Names that DuckDB resolves to views of its own settings, files and secrets.
_ENGINE_NAME = re.compile(r"(duckdb|pragma|sqlite|pg)_|sqlite_master$|information_schema$", re.IGNORECASE)
_INFORMATION_SCHEMA = frozenset({"tables", "columns"})
_MAX_LENGTH = 100_000

_REFUSED = (
    exp.Command,
    exp.DDL,
    exp.DML,
    exp.Into,
    exp.Lock,
    exp.Parameter,
    exp.Placeholder,
    exp.SessionParameter,
    exp.Pivot,
)


def check_select(sql: str, tables: Collection[str]) -> exp.Query:
    """The tree of `sql` if it is one SELECT over `tables` with known functions; else raises UsageError."""
    if len(sql) > _MAX_LENGTH:
        raise UsageError(f"the query is longer than {_MAX_LENGTH:,} characters; shorten it")
    if "\0" in sql:
        raise _refusal("it holds a NUL character")
    tree = _one_select(sql)
    names = {name.lower() for name in tables} | set(_cte_names(tree))
    for node in tree.walk():
        if isinstance(node, _REFUSED) and not isinstance(node, exp.Query):
            raise _refusal(f"{node.key.upper()} is not allowed")
        if isinstance(node, exp.Table):
            _check_table(node, names)
        elif isinstance(node, exp.Func):
            _check_function(node)
    return tree


def _one_select(sql: str) -> exp.Query:
    try:
        statements = [s for s in sqlglot.parse(sql, dialect="duckdb") if s is not None]
    except SqlglotError as error:
        raise _refusal(f"cannot read it: {_first_line(error)}") from error
    except RecursionError as error:
        raise _refusal("it is nested too deeply") from error
    if len(statements) != 1:
        raise _refusal(f"{len(statements)} statements")
    tree = statements[0]
    if not isinstance(tree, exp.Query) or isinstance(tree, exp.Table):
        raise _refusal(f"{tree.key.upper()} is not allowed")
    return tree


def _cte_names(tree: exp.Expr) -> list[str]:
    names = [cte.alias for cte in tree.find_all(exp.CTE)]
    for name in names:
        if not _PLAIN_NAME.fullmatch(name) or _ENGINE_NAME.match(name):
            raise _refusal(f"WITH {name!r}: use a name of letters, digits and _ that is not the engine's own")
    return [name.lower() for name in names]


def _check_table(table: exp.Table, names: Collection[str]) -> None:
    if isinstance(table.this, exp.Func):
        if table.args.get("db") or table.args.get("catalog"):
            raise _refusal(f"the table function {table.sql('duckdb')} is not allowed")
        kind = _function_name(table.this)
        if kind not in _functions("table"):
            raise _refusal(f"the table function {kind} is not allowed")
        return
    name, schema = table.name, table.db.lower()
    if not isinstance(table.this, exp.Identifier) or table.catalog:
        raise _refusal(f"the table {table.sql('duckdb')} is not allowed")
    if schema == "information_schema" and name.lower() in _INFORMATION_SCHEMA:
        return
    if schema or name.lower() not in names:
        known = ", ".join(sorted(n for n in names if not n.startswith("_")))
        raise _refusal(f"there is no table {table.sql('duckdb')}; there are {known}")


def _check_function(node: exp.Func) -> None:
    if isinstance(node.parent, exp.Table) and node.parent.this is node:
        return
    if isinstance(node.parent, exp.Dot) and node.parent.expression is node:
        # x.f(y) is f(x, y), and a.b.f() a function with its schema: one way of writing a call is enough.
        raise _refusal(f"write {_function_name(node)}(...) as a plain call")
    name = _function_name(node)
    if name not in _functions("scalar") and name not in _functions("table"):
        raise _refusal(f"the function {name} is not on the list of allowed functions")


def _function_name(node: exp.Func) -> str:
    """The name that DuckDB will see: that of the printed call."""
    if isinstance(node, exp.Anonymous):
        return str(node.name).lower()
    printed = re.match(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*\(", node.sql("duckdb"))
    return printed.group(1).lower() if printed else ""


@cache
def _functions(kind: str) -> frozenset[str]:
    text = files("trailkeep.engine").joinpath(f"{kind}_functions.txt").read_text(encoding="utf-8")
    words = (word for line in text.splitlines() if not line.startswith("#") for word in line.split())
    return frozenset(words) | ({""} if kind == "scalar" else set())


def _first_line(error: SqlglotError) -> str:
    return re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()[0]


def _refusal(why: str) -> UsageError:
    return UsageError(f"the query must be exactly one SELECT over the lake's views: {why}")
