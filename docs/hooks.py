"""The program's own commands, sources, rules and columns in, the reference pages of this site out.

MkDocs calls `on_files` (`hooks:` of mkdocs.yml). Pages made from what they describe cannot go stale.
"""

# long: one function a page, and MkDocs loads a hook as a single file

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from functools import cache, reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import typer
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from pydantic import BaseModel

from trailkeep.alert import config as alerting
from trailkeep.alert.config import (
    AlertsConfig,
    Escalation,
    Heartbeat,
    Quiet,
    Route,
    Suppression,
    Weight,
    Which,
    channel_types,
)
from trailkeep.alert.message import steps_of
from trailkeep.alert.when import Times
from trailkeep.aws import AwsAccount
from trailkeep.cli.main import build
from trailkeep.cli.setup import SHIPPED_RULES
from trailkeep.collect.config import Baselines, CollectConfig, Commit, Silence, types
from trailkeep.core.columns import BOOKKEEPING, MAPPED, SIGHTINGS, Column
from trailkeep.core.drop import Drop
from trailkeep.core.levels import LEVELS
from trailkeep.core.ocsf import CLASSES
from trailkeep.core.secret import Secret
from trailkeep.core.source import Source, load_sources
from trailkeep.coverage.matrix import ATTACK_VERSION, CLOUD, NOTICE
from trailkeep.coverage.techniques import techniques
from trailkeep.detect.baseline import PLACES
from trailkeep.detect.declared import Canaries, Declared, ListFile, Logs, Organisation
from trailkeep.detect.rule import AnyRule, Baseline, Correlation, Rule
from trailkeep.detect.rules import load_rules
from trailkeep.geo.places import Geo

ROOT = Path(__file__).resolve().parent.parent


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """The site's files with the generated pages among them."""
    for uri, page in PAGES.items():
        files.append(File.generated(config, uri, content=page()))
    for uri, text in rule_pages().items():
        files.append(File.generated(config, uri, content=text))
    return files


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its words: `trailkeep alerts list`."""
    yield from _commands("trailkeep", typer.main.get_command(build()))


def _commands(words: str, command: Any) -> Iterator[tuple[str, Any]]:
    members = getattr(command, "commands", None)
    if members is None:
        yield words, command
    for name, member in (members or {}).items():
        yield from _commands(f"{words} {name}", member)


def commands_page() -> str:
    """reference/commands.md"""
    parts = [
        "# Command line",
        "Rows go to standard output, everything else to standard error. [Exit codes](exit-codes.md) are the same "
        "for every command.",
    ]
    for words, command in commands():
        text, _, example = (command.help or "").partition("Example:")
        parts += [f"## {words}", text.strip()]
        if example.strip():
            parts.append(f"```sh\n{example.strip()}\n```")
        rows = [(_names(p), p.help or "", _default(p)) for p in command.params]
        parts.append(_table(("Argument or option", "Meaning", "Default"), rows))
    return "\n\n".join(parts)


def _names(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return _code(parameter.metavar or parameter.name.upper())
    return ", ".join(map(_code, [*parameter.opts, *parameter.secondary_opts]))


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    variable = f"{_code('$' + parameter.envvar)}, else " if isinstance(parameter.envvar, str) else ""
    shown = getattr(parameter, "show_default", None)
    if isinstance(shown, str):
        return variable + _code(shown)
    value = parameter.default
    return variable + ("" if value in (None, False, "") else _code(str(value)))


def sources_page() -> str:
    """reference/sources.md"""
    parts = [
        "# Sources",
        "Each is a folder in `src/trailkeep/sources/`; [Add a source](../how-to/sources.md) says what is in it.",
    ]
    sources = load_sources().values()
    rows = [
        (
            f"[{_code(source.name)}](#{source.name})",
            ", ".join(_classes(source)),
            _form(source),
            ", ".join(map(_code, source.collectors)),
            f"{source.retention_days} days",
            _code(", ".join(source.logsource.values())),
        )
        for source in sources
    ]
    head = ("Source", "OCSF classes", "Form and wrappings", "Collectors", "Kept", "Sigma logsource")
    parts += ["Every form may come compressed and in archives.", _table(head, rows)]
    return "\n\n".join([*parts, *map(_source, sources)])


def _classes(source: Source) -> list[str]:
    """The OCSF classes of its samples."""
    text = "".join(path.read_text(encoding="utf-8") for path in sorted((source.folder / "expected").iterdir()))
    uids = sorted({int(uid) for uid in re.findall(r'"class_uid": (\d+)', text)})
    return [f"{CLASSES[uid].name} {uid}" if uid in CLASSES else str(uid) for uid in uids]


_FORMS = {
    "json": "JSON: one after another, lines, an array; CSV with a header, Parquet; any envelope",
    "delimited": "text under a header; CSV, Parquet",
    "lines": "lines; in envelopes one by one",
}


def _form(source: Source) -> str:
    """In which forms its records come."""
    if source.recognise.around:
        return f"envelopes only: {', '.join(source.recognise.around)}"
    if source.syslog:
        return "syslog of RFC 3164 and 5424; in envelopes one by one"
    if source.envelope:
        return f"{_FORMS['json']}, {', '.join(map(_code, source.envelope))}"
    if source.headless:
        return f"{_FORMS['delimited']}; lines without a header, also in envelopes"
    return _FORMS[source.format]


def _source(source: Source) -> str:
    service = ", ".join(f"{key}: {value}" for key, value in source.logsource.items())
    facts = [
        (
            "Records",
            source.format + (f", in the array {', '.join(map(_code, source.envelope))}" if source.envelope else ""),
        ),
        ("Sigma logsource", _code(service)),
        ("Version of the mapping", str(source.version)),
        ("View with native field names", _code(source.name)),
        ("Lines of syslog, of the program", _code(source.syslog) if source.syslog else ""),
        ("Recognised by a line, which is", _code(source.pattern) if source.pattern else ""),
        ("Recognised by its key", "<br>".join(map(_code, source.recognise.key))),
        ("Recognised by fields", "<br>".join(_code(" ".join(names)) for names in source.recognise.fields)),
        ("May hold personal data", ", ".join(map(_code, source.personal)) or "no field named"),
    ]
    stored = [(_code(name), _code(sql)) for name, sql in source.fields.items()]
    read = [_code(name) for name in source.shape if name not in source.fields]
    return "\n\n".join(
        [
            f"## {source.name}",
            f"{source.title}.",
            _table(("", ""), [(name, fact) for name, fact in facts if fact]),
            "Native fields that have a stored column, so that rules and searches need not open the record:",
            _table(("Native field", "Stored as"), stored),
            f"Fields read from the record when asked for: {', '.join(read)}.",
        ]
    )


def rules_page() -> str:
    """reference/rules.md"""
    rules = shipped_rules()
    parts = [
        "# Rules",
        f"The {len(rules)} rules that are shipped, by tactic; each has its tests inside. What is `informational` here "
        "and part of another rule makes no alert by itself.",
    ]
    for folder in sorted({rule.path.parent for rule in rules}):
        parts.append(f"## {folder.relative_to(SHIPPED_RULES)}")
        members = [rule for rule in rules if rule.path.parent == folder]
        members.sort(key=lambda rule: (-LEVELS.index(rule.level), rule.title))
        rows = [(f"[{rule.title}](rules/{_place(rule)}.md)", rule.level, _method(rule)) for rule in members]
        parts.append(_table(("Rule", "Level", "Kind"), rows))
    return "\n\n".join(parts)


def attack_page() -> str:
    """reference/attack.md"""
    parts = [
        "# ATT&CK coverage",
        f"What the shipped rules cover of MITRE ATT&CK {ATTACK_VERSION}, on the platforms IaaS, Containers, Identity "
        "Provider, SaaS and Office Suite, and why logs cannot show the rest. `trailkeep rules coverage` prints this of "
        "any rules, and writes a layer for the ATT&CK Navigator.",
    ]
    rows = []
    for each in techniques(shipped_rules()):
        if each.attack.platforms & CLOUD:
            links = "; ".join(f"[{rule.title}](rules/{_place(rule)}.md)" for rule in each.rules)
            name = f"[{each.id}](https://attack.mitre.org/techniques/{each.id.replace('.', '/')}) {each.attack.name}"
            rows.append((name, links or each.why or each.state))
    return "\n\n".join([*parts, _table(("Technique", "Rules, or why there are none"), rows), NOTICE])


@cache
def shipped_rules() -> tuple[AnyRule, ...]:
    """Rules, correlations and detectors."""
    return load_rules([SHIPPED_RULES]).every


def rule_pages() -> dict[str, str]:
    """The page of each rule, by its address."""
    titles = {rule.id: f"[{rule.title}](../../../{_place(rule)}.md)" for rule in shipped_rules()}
    return {f"reference/rules/{_place(rule)}.md": _rule_page(rule, titles) for rule in shipped_rules()}


def _place(rule: AnyRule) -> str:
    return rule.path.relative_to(SHIPPED_RULES).with_suffix("").as_posix()


def _method(rule: AnyRule) -> str:
    words = rule.method.replace("_", " ")
    return f"baseline: {words}" if isinstance(rule, Baseline) else words


def _rule_page(rule: AnyRule, titles: dict[str, str]) -> str:
    facts = [("Level", rule.level), ("Kind", _method(rule)), ("Id", _code(rule.id))]
    facts += [("Tags", ", ".join(map(_code, rule.tags))), ("Can be harmless", "<br>".join(rule.falsepositives))]
    if isinstance(rule, Correlation):
        facts.append(("Signals of", "<br>".join(titles[each].replace("../../../", "../../") for each in rule.rules)))
    elif isinstance(rule, Rule):
        facts.append(("Log source", ", ".join(f"{key}: {value}" for key, value in rule.logsource.items())))
        if rule.subject:
            facts.append(("Alerts are about", ", else ".join(rule.subject)))
        if rule.lists:
            facts.append(("Asks for", ", ".join(_code(f"%{name}%") for name in rule.lists) + ", which you declare"))
    facts.append(("File", _code(f"{_place(rule)}.yml")))
    document = rule.path.read_text(encoding="utf-8")
    asked = re.search(r"^(?:detection|correlation|baseline):\n(?:[ \n].*\n?)*", document, re.MULTILINE)
    tests = [(name, "matches" if match else "does not match") for name, match in rule.told_tests]
    return "\n\n".join(
        [
            f"# {rule.title}",
            rule.description,
            _table(("", ""), facts),
            "## What to do",
            "\n".join(f"- {step}" for step in steps_of(rule.runbook)),
            "## What it asks",
            f"```yaml\n{asked[0].strip() if asked else ''}\n```",
            "## Its tests",
            _table(("Record", "It"), tests),
        ]
    )


def columns_page() -> str:
    """reference/columns.md"""
    return "\n\n".join(
        [
            "# Stored columns",
            "## events: what the mapping yields",
            "Each column holds the value at one path of OCSF 1.5.0. Where OCSF has no place for it, the path is the "
            "column's own name.",
            _columns(MAPPED),
            "## events: bookkeeping",
            "Where an event came from: enough to find its record again and to prove that it is unchanged.",
            _columns(BOOKKEEPING),
            "## sightings",
            "Which data file holds which entity, derived by `trailkeep compact`.",
            _columns(SIGHTINGS),
            "## Places of addresses",
            "Not stored: detectors of baselines may name them where [files say it](../how-to/geo.md).",
            _table(
                ("Column", "Of", "Needs"),
                [
                    (_code(name), f"{what} of {_code(ip)}", _code(f"geo.{kind}"))
                    for name, (ip, what, kind) in PLACES.items()
                ],
            ),
        ]
    )


def _columns(columns: tuple[Column, ...]) -> str:
    rows = [(_code(column.name), column.type.lower(), _code(column.path)) for column in columns]
    return _table(("Column", "Type", "OCSF path"), rows)


def configuration_page() -> str:
    """reference/trailkeep-yaml.md"""
    parts = [
        "# trailkeep.yaml",
        "What `trailkeep collect` and `trailkeep alerts send` read, and, for [what is yours](#what-is-yours), every "
        "command that runs rules. [Collect logs as they come](../how-to/collect.md) shows it at work. A span of time "
        "is in seconds, a size in what its key says.",
        _keys(CollectConfig),
        "## accounts",
        "By name, a role to assume in an account:",
        _keys(AwsAccount),
        "A secret is named by one of:",
        _keys(Secret),
    ]
    for name, model in (
        ("commit", Commit),
        ("baselines", Baselines),
        ("geo", Geo),
        ("silence", Silence),
        ("drop", Drop),
    ):
        parts += [f"## {name}", (model.__doc__ or "").strip(), _keys(model)]
    parts += [
        "## What is yours",
        "What rules may ask for by name; [Declare what is yours](../how-to/declare.md) shows it at work.",
        _keys(Declared),
    ]
    for name, prefix, kind in (
        ("organisation", "organisation_", Organisation),
        ("canaries", "canary_", Canaries),
        ("logs", "log_", Logs),
    ):
        text = f"{(kind.__doc__ or '').strip()} In a rule `{name}.x` is `%{prefix}x%`."
        parts += [f"### {name}", text, _keys(kind)]
    parts += [
        "### lists",
        "By name, values, or a file of them. In a rule `lists.x` is `%x%`.",
        _keys(ListFile, "values"),
    ]
    parts += ["## collect", "By name, a collector; each has `type`, and `enabled: false` where it is not to run."]
    for name, kind in types().items():
        parts += [f"### {name}", " ".join((kind.__doc__ or "").split()), _keys(kind, "type", "enabled")]
    return "\n\n".join([*parts, *_alerts()])


def _alerts() -> list[str]:
    """The part `alerts:`, with every channel."""
    parts = [
        "## alerts",
        "Who is told of alerts; [Bring alerts to people](../how-to/alerts.md) shows it at work. A span of time is "
        "written `90s`, `15m`, `24h` or `7d`.",
        _keys(AlertsConfig),
    ]
    for name, model, base in (
        ("Which alerts", Which, None),
        ("Times", Times, None),
        ("routes", Route, Which),
        ("quiet", Quiet, Times),
        ("escalate", Escalation, None),
        ("heartbeat", Heartbeat, None),
        ("weights", Weight, Which),
        ("correlation", alerting.Correlation, None),
        ("updates", alerting.Updates, None),
        ("storm", alerting.Storm, None),
        ("suppressions", Suppression, Which),
    ):
        also = {Which: " Beside the keys of [which alerts](#which-alerts):", Times: " Beside those of [times](#times):"}
        inherited = base.model_fields if base else ()
        parts += [f"### {name}", (model.__doc__ or "").strip() + (also[base] if base else ""), _keys(model, *inherited)]
    parts += ["### channels", "By name, a channel; each has `type`, and `enabled: false` where it is to be off."]
    for name, kind in sorted(channel_types().items()):
        text = " ".join(f"{kind.__doc__} {kind.send.__doc__}".split())
        parts += [f"#### {name}", text, _keys(kind, "type", "enabled")]
    return parts


def _keys(model: type[BaseModel], *without: str) -> str:
    rows = [
        (
            _code(name),
            _code(_kind(field.annotation)),
            field.description or _said_of(field.annotation),
            "required" if field.is_required() else _shown(field.default),
        )
        for name, field in model.model_fields.items()
        if name not in without
    ]
    return _table(("Key", "Value", "Meaning", "Default"), rows)


def _kind(annotation: Any) -> str:
    """A type as a reader of YAML knows it."""
    annotation = _bare(annotation)
    text = getattr(annotation, "__name__", None) if not get_args(annotation) else str(annotation)
    text = re.sub(r"(?:[a-z_]+\.)+(?=\w)", "", text or str(annotation))
    words = {"str": "text", "int": "number", "float": "number", "bool": "true or false", "Path": "path", "date": "day"}
    words["timedelta"] = "span"
    text = re.sub(r"\b(str|int|float|bool|Path|date|timedelta)\b", lambda found: words[found[1]], text)
    text = text.replace(" | None", "").replace("NoneType", "nothing")
    text = re.sub(r"(?:list|tuple)\[([^\[\],]+)(?:, \.\.\.)?\]", r"list of \1", text)
    return re.sub(r"dict\[text, ([^\[\]]+)\]", r"\1 by name", text)


def _said_of(annotation: Any) -> str:
    """What the model of a key says of itself."""
    found = [each for each in (_bare(annotation), *get_args(annotation)) if isinstance(each, type)]
    models = [each for each in found if issubclass(each, BaseModel)]
    return re.split(r"(?<=[.;:])\s", (models[0].__doc__ or "").strip())[0].rstrip(".;:") if models else ""


def _bare(annotation: Any) -> Any:
    """A type without what is checked besides."""
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _bare(args[0])
    if origin in (list, dict):
        return origin[tuple(map(_bare, args))]
    if origin in (Union, UnionType):
        return reduce(or_, map(_bare, args))
    return annotation


def _shown(value: Any) -> str:
    if isinstance(value, timedelta):
        days, seconds = value.days, value.seconds
        return _code(f"{days}d" if not seconds else f"{seconds // 60}m")
    return "" if value is None or isinstance(value, BaseModel) or "Undefined" in repr(value) else _code(str(value))


def architecture_page() -> str:
    """explanation/architecture.md"""
    return (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")


def _code(text: str) -> str:
    return f"`{text}`"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table; nothing where there are no rows."""
    lines = [head, ("---",) * len(head), *rows] if rows else []
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines)


def _cell(text: str) -> str:
    """`text` on one line; a pipe inside backticks ends no cell."""
    return re.sub(r"`[^`]*`|\|", lambda found: found[0] if len(found[0]) > 1 else r"\|", " ".join(text.split()))


PAGES: dict[str, Callable[[], str]] = {
    "reference/commands.md": commands_page,
    "reference/sources.md": sources_page,
    "reference/rules.md": rules_page,
    "reference/attack.md": attack_page,
    "reference/columns.md": columns_page,
    "reference/trailkeep-yaml.md": configuration_page,
    "explanation/architecture.md": architecture_page,
}
