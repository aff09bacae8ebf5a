"""Undocumented means failing, and so does documented but not there: commands, queries and examples are tried."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
import typer

from docs import hooks
from trailkeep.cli.main import build
from trailkeep.collect.config import types
from trailkeep.core.columns import EVENTS, SIGHTINGS
from trailkeep.core.source import load_source, load_sources
from trailkeep.core.yaml_file import load_yaml
from trailkeep.detect.baseline import PLACES
from trailkeep.detect.declared import Declared, group_names
from trailkeep.detect.rules import load_rules
from trailkeep.engine.duckdb import connect
from trailkeep.engine.guard import check_select
from trailkeep.investigate.search.conditions import Meaning, condition
from trailkeep.investigate.search.query import parse
from trailkeep.normalize.mapping import RAW, Mapper
from trailkeep.rule_tests import run_tests

ROOT = Path(__file__).resolve().parent.parent
PAGES = [
    *sorted((ROOT / "docs").rglob("*.md")),
    *(ROOT / f"{n}.md" for n in ("README", "ARCHITECTURE", "CONTRIBUTING")),
]
COMMANDS = dict(hooks.commands())
CLASSES = ("api_activity", "authentication", "network_activity")
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)


def shown() -> Iterator[list[str]]:
    """The words of every trailkeep command that stands in a block or in backticks on any page."""
    for page in PAGES:
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        prose = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        for line in [*lines, *re.findall(r"`(trailkeep [^`]*)`", prose)]:
            words = shlex.split(line, comments=True)
            if words[:1] == ["trailkeep"]:
                end = next((n for n, word in enumerate(words) if word in ("|", ">")), len(words))
                yield words[:end]


SHOWN = sorted({shlex.join(words) for words in shown()})


def is_group(words: list[str]) -> bool:
    """Whether these words name a group of commands, or the program itself."""
    return any(command.startswith(shlex.join(words) + " ") for command in COMMANDS)


def split(line: str) -> tuple[str, list[str]]:
    """The command that a line calls, and the arguments it gives it. Fails if there is none of that name."""
    words = shlex.split(line)
    for length in (3, 2):
        if (command := " ".join(words[:length])) in COMMANDS:
            return command, words[length:]
    raise AssertionError(f"the docs show a command that there is not: {line}")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    command = COMMANDS[name]
    assert f"Example: {name}" in command.help, f"{name}: its help has no example"
    unexplained = [parameter.name for parameter in command.params if not parameter.help]
    assert not unexplained, f"{name}: no help for {unexplained}"


def test_every_command_and_option_is_on_the_page() -> None:
    page = hooks.commands_page()
    for name, command in COMMANDS.items():
        section = page.partition(f"## {name}\n")[2].partition("\n## ")[0]
        options = [option for p in command.params if p.param_type_name == "option" for option in p.opts]
        assert section and all(f"`{option}`" in section for option in options), name


def test_every_source_and_field_is_on_the_page() -> None:
    page = hooks.sources_page()
    for source in load_sources().values():
        assert f"## {source.name}\n" in page
        assert all(f"`{field}`" in page for field in (*source.fields, *source.shape))


def test_every_rule_is_on_the_page() -> None:
    page, pages = hooks.rules_page(), hooks.rule_pages()
    pack = load_rules([hooks.SHIPPED_RULES])
    assert pack.rules and pack.correlations and not pack.faults
    assert len(pages) == len(pack.every)
    for rule in pack.every:
        uri = f"rules/{rule.path.relative_to(hooks.SHIPPED_RULES).with_suffix('')}.md"
        assert f"[{rule.title}]({uri})" in page
        text = pages[f"reference/{uri}"]
        assert f"# {rule.title}\n" in text and rule.id in text
        assert "detection:" in text or "correlation:" in text or "baseline:" in text
        assert all(name in text for name, _ in rule.told_tests)


def test_every_column_is_on_the_page() -> None:
    page = hooks.columns_page()
    assert all(f"| `{column.name}` |" in page for column in (*EVENTS, *SIGHTINGS))
    assert all(f"| `{name}` |" in page for name in PLACES)


def test_every_environment_variable_is_documented() -> None:
    page = (ROOT / "docs/reference/configuration.md").read_text()
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    used = {name for file in files for name in re.findall(r"\bTRAILKEEP_[A-Z]+\b", file.read_text())}
    assert used and not [name for name in used if f"`{name}`" not in page]


@pytest.mark.parametrize("line", SHOWN)
def test_every_command_shown_can_be_called_like_that(line: str) -> None:
    if is_group(shlex.split(line)):
        return
    name, arguments = split(line)
    given = {word.partition("=")[0] for word in arguments if word.startswith("--")}
    assert given <= {option for parameter in COMMANDS[name].params for option in parameter.opts}
    if arguments:  # in running text a command may stand without its arguments
        COMMANDS[name].make_context(name, list(arguments))


def queries(command: str) -> list[str]:
    """The queries that the docs give to `search` or `sql`."""
    calls = [shlex.split(line) for line in SHOWN if line.startswith(f"trailkeep {command} ")]
    return [words[2] for words in calls if "..." not in words[2]]


SEARCHES = [
    *queries("search"),
    *(line for page in PAGES for block in blocks(page, "search") for line in block.splitlines()),
]


@pytest.mark.parametrize("query", SEARCHES)
def test_every_search_shown_is_one(query: str) -> None:
    condition(parse(query), Meaning(query, load_sources(), NOW))


@pytest.mark.parametrize("query", queries("sql"))
def test_every_sql_statement_shown_is_allowed_and_runs(query: str) -> None:
    tree = check_select(query, ["events", *load_sources(), *CLASSES])
    columns = ", ".join(f'"{column.name}" {column.type}' for column in EVENTS)
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE events ({columns})")
        for source in load_sources().values():
            fields = ", ".join(f'"{name}" {duckdb_type(shape)}' for name, shape in source.shape.items())
            connection.execute(f"CREATE TABLE {source.name} ({fields})")
        connection.execute(tree.sql("duckdb"))


def duckdb_type(shape: Any) -> str:
    """The SQL type of a shape: a name, a list of one shape, or fields and their shapes."""
    if isinstance(shape, list):
        return f"{duckdb_type(shape[0])}[]"
    if isinstance(shape, dict):
        fields = ", ".join(f'"{name}" {duckdb_type(inner)}' for name, inner in shape.items())
        return f"STRUCT({fields})"
    return str(shape)


def test_the_rule_of_the_guide_passes_its_tests(tmp_path: Path) -> None:
    example, *_ = blocks(ROOT / "docs/how-to/rules.md", "yaml")
    (tmp_path / "rule.yml").write_text(example)
    pack = load_rules([tmp_path])
    assert not pack.faults
    results = list(run_tests(pack.rules, load_sources(), pack.correlations))
    assert len(results) == 2 and not [result.failure for result in results if result.failure]


def test_the_correlation_and_the_filter_of_the_guide_find_their_rules(tmp_path: Path) -> None:
    _, *examples = blocks(ROOT / "docs/how-to/rules.md", "yaml")
    (tmp_path / "more.yml").write_text("---\n".join(examples))
    shipped, more = load_rules([hooks.SHIPPED_RULES]), load_rules([hooks.SHIPPED_RULES, tmp_path])
    assert not more.faults
    assert len(more.baselines) == len(shipped.baselines) + 1
    assert len(more.correlations) == len(shipped.correlations) + 1
    changed = [rule.name for rule, old in zip(more.rules, shipped.rules, strict=True) if rule != old]
    assert changed == ["permission_denied"]


def test_what_the_guide_declares_is_read_and_its_filter_finds_its_rule(tmp_path: Path) -> None:
    declared, quiet, *_ = blocks(ROOT / "docs/how-to/declare.md", "yaml")
    (tmp_path / "trailkeep.yaml").write_text(declared)
    (tmp_path / "tor-exits.txt").write_text("203.0.113.201\n")
    (tmp_path / "quiet.yml").write_text(quiet)
    lists = load_yaml(tmp_path / "trailkeep.yaml", Declared, {}).as_lists().values
    assert len(lists) == 15
    shipped = load_rules([hooks.SHIPPED_RULES], lists=lists)
    more = load_rules([hooks.SHIPPED_RULES, tmp_path / "quiet.yml"], lists={**lists, "backup_roles": ["x"]})
    assert not shipped.faults and not more.faults
    changed = [rule.path.stem for rule, old in zip(more.rules, shipped.rules, strict=True) if rule != old]
    assert changed == ["canary_object_touched"]


def test_the_guide_names_every_list_that_rules_ask_for() -> None:
    guide, page = (ROOT / "docs/how-to/declare.md").read_text(), hooks.configuration_page()
    groups = group_names()
    for name in {name for rule in load_rules([hooks.SHIPPED_RULES]).rules for name in rule.lists}:
        key = groups[name].partition(".")[2] if name in groups else name
        assert f"`{key}`" in (page if name in groups else guide), name


def test_the_source_of_the_guide_maps_a_record(tmp_path: Path) -> None:
    guide = ROOT / "docs/how-to/sources.md"
    folder = tmp_path / "acme_gateway"
    folder.mkdir()
    for name, language in (("source.yaml", "yaml"), ("map.sql", "sql")):
        (example,) = blocks(guide, language)
        (folder / name).write_text(example)
    source = load_source(folder)
    assert source.key_patterns[0].search("logs/acme-gateway-20261117.json.gz")
    record = {"acmeRequestId": "r-1", "at": "2026-11-17T09:00:00Z", "user": "dana", "address": "192.0.2.7"}
    raw = pa.Table.from_pylist(
        [{"raw_data": json.dumps(text), "object_id": "o", "record_no": n} for n, text in enumerate([record, {}])],
        schema=RAW,
    )
    mapped = Mapper(connect()).map(source, raw)
    (event,) = mapped.events.to_pylist()
    assert (event["event_uid"], event["src_ip"]) == ("r-1", "192.0.2.7")
    assert set(event["entities"]) == {"dana", "192.0.2.7"}
    assert mapped.rejected["reason"].to_pylist() == ["no time"]


def test_guide_names_every_key_of_a_source() -> None:
    guide = (ROOT / "docs/how-to/sources.md").read_text()
    keys = set(type(load_sources().popitem()[1]).model_fields) - {"folder", "name", "recognise"}
    assert not [key for key in keys if f"| `{key}` |" not in guide]


def test_the_site_builds_and_fetches_nothing_from_elsewhere(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", tmp_path],
        cwd=ROOT,
        check=True,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )
    loads = re.compile(
        r"<(?:script|img|iframe)[^>]+src=\"?(?:https?:)?//|<link[^>]+rel=\"?stylesheet[^>]+href=\"?(?:https?:)?//"
    )
    pages = list(tmp_path.rglob("*.html"))
    assert len(pages) > 15
    assert not [page for page in pages if loads.search(page.read_text())]


def test_program_is_the_one_introspected() -> None:
    assert typer.main.get_command(build()).name == "trailkeep"


def test_every_source_says_which_collectors_bring_it() -> None:
    for source in load_sources().values():
        assert source.collectors, source.name
        assert set(source.collectors) <= set(types()), source.name
