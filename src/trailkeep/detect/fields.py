"""A field's native name and a source in; where its value is found, and rules as SQL over that, out.

A relation to be searched has the stored columns (core/columns.py), and a column native_column(top) for each top-level
native field it keeps: its JSON text, or the bare text where the source is delimited. Others come from raw_data.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from trailkeep.core.columns import BY_NAME, native_column
from trailkeep.core.source import Source
from trailkeep.detect.tree import OTHER, TEXT, And, Listed, Node, Not, Null, Or, Pair, Test

RAW = "raw_data"
ANY_KEY = "*"
"""Not a key of its own in a JSON path, even in quotes."""
LOWERED = f"LOWER({TEXT})"


@dataclass(frozen=True)
class Field:
    """The SQL text of a value; as `json` it is a JSON document, whose members count when it is an array."""

    sql: str
    json: bool = False
    natives: tuple[str, ...] = ()
    """Top-level native fields that `sql` reads, or RAW for the record itself."""
    path: tuple[str, ...] = ()
    """The keys below the only native, where `sql` does no more than follow them."""

    @property
    def wide(self) -> bool:
        """Whether the text is large and hardly ever the same twice: a whole record, or a whole object of it."""
        return bool(self.natives) and not self.path and (self.json or self.sql == RAW)

    @property
    def texts(self) -> str:
        """SQL of the list of its texts, nulls left out."""
        return f"json_texts({self.sql})" if self.json else f"list_filter([{self.sql}], lambda v: v IS NOT NULL)"


def resolve(name: str, source: Source) -> Field:
    """The field that a rule calls `name`."""
    if not name:
        return Field(RAW, natives=(RAW,))
    if name in source.fields:
        return stored(source.fields[name])
    top, *rest = name.split(".")
    if source.format != "json":
        return Field("CAST(NULL AS VARCHAR)") if rest else Field(native(top), natives=(top,))
    if not rest:
        return Field(native(top), json=True, natives=(top,))
    direct = f"json_extract({native(top)}, {json_path(rest)})"
    return Field(below(direct, native(top), rest), json=True, natives=(top,), path=tuple(rest))


def stored(expression: str) -> Field:
    """The field that SQL over stored columns gives."""
    column = BY_NAME.get(expression.strip().strip('"'))
    if column is None or column.type != "VARCHAR":
        listed = column is not None and column.type.endswith("[]")
        if listed:
            return Field(f"CAST(to_json({expression}) AS VARCHAR)", json=True)
        return Field(f"CAST({expression} AS VARCHAR)")
    return Field(f'"{column.name}"')


def pair(node: Pair, source: Source) -> Field:
    """The comparison of two fields as a field of its own, whose text is 'true' or 'false'."""
    left, right = resolve(node.field, source), resolve(node.other, source)
    compared = node.sql.replace(TEXT, "v").replace(OTHER, "w")
    inner = f"len(list_filter({right.texts}, lambda w: {compared})) > 0"
    sql = f"CAST(len(list_filter({left.texts}, lambda v: {inner})) > 0 AS VARCHAR)"
    return Field(sql, natives=tuple(dict.fromkeys(left.natives + right.natives)))


def column_name(top: str) -> str:
    """The name of the column of a top-level native field, or of the record itself."""
    return RAW if top == RAW else native_column(top)


def native(top: str) -> str:
    """That column as SQL."""
    return RAW if top == RAW else quoted(column_name(top), '"')


def native_sql(top: str, source: Source) -> str:
    """The SQL that reads a top-level native field from raw_data, as a "$" column would have it."""
    if source.format == "lines":
        if top not in source.shape:
            return "CAST(NULL AS VARCHAR)"
        return f"line_text(raw_data, {quoted(source.line_with(top))}, 1)"
    if source.format == "delimited":
        name = top.replace("-", "_")
        header = "string_split(replace(trim(raw_format), '-', '_'), ' ')"
        listed = f"string_split(trim(raw_data), ' ')[list_position({header}, {quoted(name)})]"
        from_json = f"json_extract_string(raw_data, {json_path([name])})"
        return f"CASE WHEN raw_format IS NULL THEN {from_json} ELSE nullif({listed}, '-') END"
    return f"CAST(json_extract(raw_data, {json_path([top])}) AS VARCHAR)"


def json_path(keys: Sequence[str], start: str = "$") -> str:
    """The JSON path that follows `keys`, as an SQL string."""
    return quoted(start + "".join(f'."{key}"' for key in keys))


def below(direct: str, doc: str, keys: Sequence[str]) -> str:
    """`direct`, found when every step from `doc` is an object; else all that is reached through arrays, as one."""
    found = f"[CAST({doc} AS JSON)]"
    for key in keys:
        found = f"json_step({found}, {quoted(key)})"
    return f"json_below({direct}, {doc}, {quoted(keys[-1])}, {found})"


def hidden(doc: str, keys: Sequence[str]) -> str:
    """Whether arrays of `doc` may lead to the last of `keys`, as json_below has it."""
    key = quoted(f'"{keys[-1]}":')
    return f"contains({doc}, {key}) AND contains({doc}, '[')"


@dataclass(frozen=True)
class Texts:
    """SQL of a field's text, of it in lower case, and of the list of its texts, which replaces both if not null."""

    one: str
    lower: str
    several: str = ""


def holds(test: Test | Null, texts: Texts) -> str:
    """SQL that is true or false: whether a field passes `test`."""
    if isinstance(test, Null):
        alone = f"{texts.one} IS NULL"
        return f"coalesce(len({texts.several}) = 0, {alone})" if texts.several else alone
    alone = test.sql.replace(LOWERED, texts.lower).replace(TEXT, texts.one)
    if not texts.several:
        return f"coalesce({alone}, false)"
    return f"coalesce(CASE WHEN {texts.several} IS NULL THEN {alone} ELSE {any_of(texts.several, test)} END, false)"


def any_of(texts: str, test: Test) -> str:
    """SQL: whether any of the list `texts` passes `test`."""
    return f"len(list_filter({texts}, lambda v: {test.sql.replace(TEXT, 'v')})) > 0"


def predicate(node: Node, source: Source) -> str:
    """A rule as one boolean SQL expression over the stored columns and the "$" columns of `source`.

    DuckDB has no function in_list: it stands for what Members answers.
    """
    match node:
        case Not(inner):
            return f"(NOT {predicate(inner, source)})"
        case Or(()):
            return "false"
        case And(nodes) | Or(nodes):
            word = " AND " if isinstance(node, And) else " OR "
            return "(" + word.join(predicate(child, source) for child in nodes) + ")"
        case Pair():
            return f"coalesce({pair(node, source).sql} = 'true', false)"
        case Listed(name, key):
            inside = f"in_list({quoted(key.partition('@')[0])}, v)"
            return f"(len(list_filter({resolve(name, source).texts}, lambda v: {inside})) > 0)"
        case Null(name):
            return f"(len({resolve(name, source).texts}) = 0)"
        case Test(name):
            field = resolve(name, source)
            if field.json:
                return f"({any_of(field.texts, node)})"
            return holds(node, Texts(field.sql, f"LOWER({field.sql})"))


def quoted(text: str, quote: str = "'") -> str:
    """`text` as an SQL string or identifier."""
    return quote + text.replace(quote, quote * 2) + quote
