"""The text of a query in, its syntax tree out, and back: the grammar of the search language.

    query  := any                          field  := a stored column, OCSF path or native field
    any    := all ("or" all)*              value  := word | "quoted text" | ( any ) | [low TO high]
    all    := one ("and"? one)*                    | >n | >=n | <n | <=n
    one    := ("not" | "-") one | ( any ) | field:value | word | "quoted text"

Words may hold the wildcards * and ?; a backslash makes the character after it plain. Quoted text has no
wildcards.
"""

import re
from dataclasses import dataclass
from dataclasses import field as attribute
from ipaddress import ip_network

from trailkeep.core.errors import UsageError

MAX_LENGTH = 20_000
_MAX_DEPTH = 60
_FIELD = re.compile(r"([A-Za-z_][\w.\-$]*(?:\[\][\w.]*)?):")
_WORD = re.compile(r'(?:\\.|[^\s()"\\])+', re.DOTALL)
_KEYWORD = re.compile(r"(and|or|not)(?=[\s()\"]|$)", re.IGNORECASE)
_COMPARE = re.compile(r"(>=|<=|>|<)")
_RANGE = re.compile(r'\[\s*("(?:\\.|[^"\\])*"|[^\s\]"]+)\s+TO\s+("(?:\\.|[^"\\])*"|[^\s\]"]+)\s*\]', re.IGNORECASE)
_QUOTED = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_ARN = re.compile(r"arn:aws[a-z\-*?]*:", re.IGNORECASE)
ACCESS_KEY = re.compile(r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{12,124}", re.IGNORECASE)
_ID = re.compile(r"\d{12}|m?i-[0-9a-f]{8}(?:[0-9a-f]{9})?", re.IGNORECASE)


@dataclass(frozen=True)
class Everything:
    """An empty query."""


@dataclass(frozen=True)
class Match:
    """A value of `field`, or of the whole event where it is None. Unquoted text keeps its backslashes."""

    field: str | None
    text: str
    quoted: bool = False
    at: int = attribute(default=0, compare=False)


@dataclass(frozen=True)
class Range:
    """A field between two bounds, either of them open (None)."""

    field: str
    low: str | None
    high: str | None
    low_included: bool = True
    high_included: bool = True
    at: int = attribute(default=0, compare=False)


@dataclass(frozen=True)
class Not:
    """What does not match."""

    node: "Node"


@dataclass(frozen=True)
class And:
    """What matches all."""

    nodes: tuple["Node", ...]


@dataclass(frozen=True)
class Or:
    """What matches any."""

    nodes: tuple["Node", ...]


Node = Everything | Match | Range | Not | And | Or


def parse(text: str) -> Node:
    """The tree of a query. Raises UsageError that points at the mistake."""
    if len(text) > MAX_LENGTH:
        raise UsageError(f"the query is longer than {MAX_LENGTH:,} characters; shorten it")
    return _Parser(text).query()


def mistake(text: str, at: int, why: str) -> UsageError:
    """A UsageError that shows where in the query the mistake is."""
    line = re.sub(r"\s", " ", text)
    start = max(0, at - 60)
    return UsageError(f"{why}\n  {line[start : at + 60]}\n  {' ' * (at - start)}^ at character {at + 1}")


def is_entity(word: str) -> bool:
    """Whether a word looks like one of `entities`: an address or network, an ARN, an access key, an id."""
    return bool(is_network(word) or _ARN.match(word) or ACCESS_KEY.fullmatch(word) or _ID.fullmatch(word))


def is_network(word: str) -> bool:
    """Whether a word is an IP address or a network in CIDR notation."""
    if "%" in word or not re.search(r"[.:]", word):
        return False
    try:
        ip_network(word, strict=False)
    except ValueError:
        return False
    return True


def pieces(match: Match) -> list[str]:
    """The text of a match cut at its wildcards: plain texts, and "*" and "?" at odd places."""
    if match.quoted:
        return [match.text]
    parts = [""]
    for token in re.findall(r"\\.|\\|[*?]|[^\\*?]+", match.text, re.DOTALL):
        if token in ("*", "?"):
            parts += [token, ""]
        else:
            parts[-1] += token[1:] if len(token) == 2 and token[0] == "\\" else token
    return parts


def to_text(node: Node) -> str:
    """The query that parses to `node`."""
    match node:
        case Everything():
            return ""
        case Match(name, text, quoted):
            return (f"{name}:" if name else "") + (_quote(text) if quoted else text)
        case Range(name, None, str(high), _, included):
            return f"{name}:<{'=' if included else ''}{_quote(high)}"
        case Range(name, str(low), None, included, _):
            return f"{name}:>{'=' if included else ''}{_quote(low)}"
        case Range(name, low, high):
            return f"{name}:[{_bound(low)} TO {_bound(high)}]"
        case Not(inner):
            return f"not {_bracketed(inner)}"
        case And(nodes):
            return " and ".join(map(_bracketed, nodes))
        case Or(nodes):
            return " or ".join(map(_bracketed, nodes))


def _bracketed(node: Node) -> str:
    return to_text(node) if isinstance(node, Match | Range) else f"({to_text(node)})"


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _bound(text: str | None) -> str:
    return "*" if text is None else _quote(text)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


class _Parser:
    """Recursive descent over the text; `field` is the one whose brackets we are in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def query(self) -> Node:
        self._space()
        if self.at == len(self.text):
            return Everything()
        node = self._any(None)
        if self.at < len(self.text):
            raise self._error("this closing bracket has no opening one")
        return node

    def _any(self, name: str | None) -> Node:
        nodes = [self._all(name)]
        while self._keyword("or"):
            nodes.append(self._all(name))
        return nodes[0] if len(nodes) == 1 else Or(tuple(nodes))

    def _all(self, name: str | None) -> Node:
        nodes = [self._one(name)]
        while not self._ends() and not self._sees("or"):
            self._keyword("and")
            nodes.append(self._one(name))
        return nodes[0] if len(nodes) == 1 else And(tuple(nodes))

    def _one(self, name: str | None) -> Node:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise self._error(f"more than {_MAX_DEPTH} levels of brackets and nots; simplify the query")
        try:
            if self._keyword("not") or self._take("-"):
                return Not(self._one(name))
            if self._take("("):
                return self._group(name)
            return self._term(name)
        finally:
            self.depth -= 1

    def _group(self, name: str | None) -> Node:
        opened = self.at - 1
        self._space()
        if self.at == len(self.text):
            raise mistake(self.text, opened, "this bracket is never closed")
        if self._take(")"):
            return Everything()
        node = self._any(name)
        if not self._take(")"):
            raise mistake(self.text, opened, "this bracket is never closed")
        return node

    def _term(self, name: str | None) -> Node:
        if self._ends():
            raise self._error("something to search for is missing here")
        if self._sees("and", "or"):
            raise self._error(f'"{self.text[self.at :].split()[0]}" joins two conditions; to search the word, quote it')
        start = self.at
        if name is None and (found := _FIELD.match(self.text, start)):
            word = _WORD.match(self.text, start)
            if word is None or not is_entity(word[0]):
                self.at = found.end()
                return self._value(found[1])
        return self._value(name) if name else self._match(None, start)

    def _value(self, name: str) -> Node:
        start = self.at
        if self._take("("):
            return self._group(name)
        if self._take("["):
            found = _RANGE.match(self.text, start)
            if found is None:
                self.at = start
                raise self._error(f"write a range as {name}:[1000 TO 2000], with * for an open end")
            self.at = found.end()
            self._space()
            low, high = (None if bound == "*" else _bound_text(bound) for bound in found.groups())
            return Range(name, low, high, at=start)
        if operator := _COMPARE.match(self.text, start):
            self.at = operator.end()
            bound = self._match(name, self.at)
            text = bound.text if bound.quoted else _unquote(bound.text)
            included = operator[1].endswith("=")
            if operator[1][0] == ">":
                return Range(name, text, None, low_included=included, at=start)
            return Range(name, None, text, high_included=included, at=start)
        return self._match(name, start)

    def _match(self, name: str | None, start: int) -> Match:
        if self.text[start : start + 1] == '"':
            quoted = _QUOTED.match(self.text, start)
            if quoted is None:
                raise self._error("this quote is never closed")
            self.at = quoted.end()
            self._space()
            return Match(name, _unquote(quoted[1]), quoted=True, at=start)
        word = _WORD.match(self.text, start)
        if word is None:
            what = f"a value is missing after {name}:" if name else "this cannot be searched; quote it"
            raise self._error(what)
        self.at = word.end()
        self._space()
        return Match(name, word[0], at=start)

    def _space(self) -> None:
        while self.text[self.at : self.at + 1].isspace():
            self.at += 1

    def _take(self, token: str) -> bool:
        if not self.text.startswith(token, self.at):
            return False
        self.at += len(token)
        if token != "[":
            self._space()
        return True

    def _sees(self, *words: str) -> bool:
        found = _KEYWORD.match(self.text, self.at)
        return found is not None and found[1].lower() in words

    def _keyword(self, word: str) -> bool:
        if not self._sees(word):
            return False
        self.at += len(word)
        self._space()
        return True

    def _ends(self) -> bool:
        return self.at == len(self.text) or self.text[self.at] == ")"

    def _error(self, why: str) -> UsageError:
        return mistake(self.text, self.at, why)


def _bound_text(text: str) -> str:
    return _unquote(text[1:-1] if text.startswith('"') else text)
