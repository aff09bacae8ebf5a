"""Every source folder: its samples map to its expected events, which are valid OCSF and lose nothing."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import unescape

import pyarrow as pa
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from content.ocsf_schema import faults
from content.records import leaves, raw_table
from trailkeep.core.columns import MAPPED
from trailkeep.core.source import Source, load_sources
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapped, Mapper
from trailkeep.normalize.ocsf import OcsfEvents, to_ocsf
from trailkeep.source_tests import Results, difference, sample_records, together
from trailkeep.source_tests import accept as write_expected

SOURCES = load_sources()
SAMPLES = [(s, path) for s in SOURCES.values() for path in sorted((s.folder / "samples").iterdir())]
FACTS = yaml.safe_load((Path(__file__).parent / "facts.yaml").read_text())


# Values that OCSF holds in another form, by source and native field.
def clf(value: str) -> str:
    moment = datetime.strptime(value, "%d/%b/%Y:%H:%M:%S %z").astimezone(UTC)
    return moment.isoformat().replace("+00:00", "Z")


def iso(value: str) -> str:
    return value.rstrip("Z").rstrip("0").rstrip(".") + "Z" if "." in value else value.rstrip("Z") + "Z"


def utc(value: str) -> str:
    return value.replace("+00:00", "Z")


def http_date(value: str) -> str | None:
    if not value.endswith("GMT"):
        return value or None
    return datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").isoformat() + "Z"


def spoken(value: str) -> str:
    moment = datetime.strptime(value, "%b %d, %Y, %I:%M:%S %p")
    return moment.isoformat() + "Z"


def unquoted(value: str) -> str:
    return value if "%FF" in value else unquote(value)


def url(request: str) -> str | None:
    return request.split(" ")[1] if request.endswith(("HTTP/1.0", "HTTP/1.1", "HTTP/2.0")) else None


def plain(value: str) -> str:
    return re.sub(r"\\(.)", r"\1", value)


def pairs(text: str) -> list[str]:
    """The values of `key=value` with spaces, tabs or ^ between them."""
    text = text.split("|")[-1]
    return [plain(value) for value in re.split(r"(?:^|[\s^]+)[\w.]+=", text)[1:]]


def logfmt(text: str) -> list[str]:
    pairs = re.findall(r'[\w.-]+=(?:"((?:[^"\\]|\\.)*)"|(\S*))', text)
    return [(quoted or plain).replace('\\"', '"').replace("\\\\", "\\") for quoted, plain in pairs if quoted or plain]


def plugin_time(value: str) -> str:
    """Of MySQL's audit plugin; Aurora counts microseconds."""
    seconds = float(value) / 1e6 if value.isdigit() else datetime.strptime(value + "Z", "%Y%m%d %H:%M:%S%z").timestamp()
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


FORMS = {
    "aws_access_analyzer": {"createdAt": utc},
    "aws_health": dict.fromkeys(("startTime", "endTime", "lastUpdatedTime"), http_date),
    "aws_inspector": {
        name: lambda value: value if "T" in value else spoken(value)
        for name in ("firstObservedAt", "lastObservedAt", "updatedAt")
    },
    "ocsf": {
        "raw_data": lambda value: None,
        "time_dt": lambda value: iso(value.replace(" ", "T")) if " " in value else value,
    },
    "aws_eks_authenticator": {"pairs": logfmt},
    "cef": {"message": pairs, "extension": pairs, "device_vendor": plain},
    "leef": {"message": pairs, "attributes": pairs},
    "windows_event_xml": {
        "event": lambda text: [unescape(value) for value in re.findall(r"<Data [^>]*>([^<]*)<", text)]
    },
    "aws_lambda": {"head": str},
    "aws_rds_mysql_audit": {
        "timestamp": plugin_time,
        "object": lambda value: value.removeprefix("'").removesuffix("'"),
    },
    "aws_rds_mysql_error": {"time": lambda value: iso(value.replace("  ", "T0").replace(" ", "T"))},
    "aws_rds_mysql_slow": {"time": lambda value: iso(value) if "T" in value else "2026-09-19T10:00:02Z"},
    "aws_rds_postgres": {"time": lambda value: iso(value.replace(" ", "T", 1).replace(" UTC", "Z"))},
    "aws_route53_resolver": {"query_name": lambda value: value.rstrip(".") or value},
    "aws_alb_access": {"time": iso, "request_creation_time": iso, "request": url},
    "aws_alb_connection": {"time": iso},
    "aws_alb_health": {"time": iso, "status": {"PASS": "1", "FAIL": "2"}.get},
    "aws_apigateway_access": {"requestTime": clf, "time": iso, "requestTimeEpoch": str, "request_time_epoch": str},
    "aws_cloudfront": {"date_time": lambda value: value.replace("\t", "T") + "Z", "cs_user_agent": unquoted},
    "aws_cloudfront_json": {
        "cs(User-Agent)": unquoted,
        # Together the event's time, as the facts say.
        "date": lambda value: None,
        "time": lambda value: None,
    },
    "aws_cloudfront_realtime": {"timestamp": lambda value: value.replace(".", ""), "cs_user_agent": unquoted},
    "aws_cloudwatch_alarm": {"StateChangeTime": lambda value: shortened(value.replace("+0000", "Z"))},
    "aws_elb_classic": {"time": iso, "request": url},
    "web_access": {"time": clf, "request": url},
    "aws_nlb_tls": {"time": iso, "tls_connection_creation_time": iso},
    "aws_s3_access": {"time": clf, "request_uri": lambda value: value.split(" ")[1]},
    "aws_tgw_flow": {
        "start": lambda value: value + "000",
        "end": lambda value: value + "000",
        "flow-direction": {"ingress": "1", "egress": "2"}.get,
    },
    "aws_vpc_flow": {
        "start": lambda value: value + "000",
        "end": lambda value: value + "000",
        "action": {"ACCEPT": "1", "REJECT": "2"}.get,
        "flow-direction": {"ingress": "1", "egress": "2"}.get,
        "traffic-path": lambda value: str(int(value) + 3),
    },
}
# Sources of JSON whose fields are `-` where there is no value.
DASHED = {"aws_apigateway_access", "aws_cloudfront_json"}
each_sample = pytest.mark.parametrize(("source", "path"), SAMPLES, ids=[f"{s.name}/{path.name}" for s, path in SAMPLES])


@cache
def records_of(name: str, path: Path) -> pa.Table:
    return sample_records(SOURCES[name], path, SOURCES)


@cache
def mapped_of(name: str, path: Path) -> Mapped:
    return Mapper().map(SOURCES[name], records_of(name, path))


@cache
def ocsf_of(name: str, path: Path) -> OcsfEvents:
    return to_ocsf(connect(), SOURCES[name], records_of(name, path))


def results_of(name: str, path: Path) -> Results:
    return together(records_of(name, path), mapped_of(name, path), ocsf_of(name, path))


@each_sample
def test_samples_map_to_what_is_expected(source: Source, path: Path, accept: bool) -> None:
    found = results_of(source.name, path)
    if accept:
        write_expected(source, path, found)
    assert not difference(source, path, found)


@each_sample
def test_both_forms_reject_the_same_records(source: Source, path: Path) -> None:
    mapped, ocsf = mapped_of(source.name, path), ocsf_of(source.name, path)
    assert mapped.rejected["reason"].to_pylist() == ocsf.rejected["reason"].to_pylist()


@each_sample
def test_events_are_valid_ocsf(source: Source, path: Path) -> None:
    for line in ocsf_of(source.name, path).lines:
        assert faults(json.loads(line)) == []


def native_leaves(source: Source, raw: dict[str, Any]) -> Iterator[str]:
    forms = FORMS.get(source.name, {})
    if source.format == "json":
        for name, value in json.loads(raw["raw_data"]).items():
            found = leaves(forms[name](value) if name in forms and isinstance(value, str) else value)
            yield from (leaf for leaf in found if source.name not in DASHED or leaf != "-")
        return
    if source.format == "lines":
        found = source.line.search(raw["raw_data"])
        for name, value in found.groupdict().items() if found else ():
            if value and value != "-":
                form = forms.get(name)
                held = (form(value) if form else None) or value.strip()
                yield from [held] if isinstance(held, str) else held
        return
    for name, value in zip(raw["raw_format"].split(" "), raw["raw_data"].split(" "), strict=False):
        if value != "-":
            form = forms.get(name)
            yield (form(value) if form else None) or value


def shortened(leaf: str) -> str:
    """A leaf without the zeros at its end, a time without those of its fraction."""
    if re.fullmatch(r"[\d-]{10}T[\d:]{8}\.\d+Z", leaf):
        return leaf.removesuffix("Z").rstrip("0").rstrip(".") + "Z"
    return leaf.rstrip("0")


@each_sample
def test_no_value_is_lost(source: Source, path: Path) -> None:
    records = records_of(source.name, path).to_pylist()
    for record, result in zip(records, results_of(source.name, path), strict=True):
        if "event" in result:
            held = set(leaves(result["event"]))
            unparsed = {shortened(leaf) for leaf in held}
            missing = [x for x in native_leaves(source, record) if x not in held and shortened(x) not in unparsed]
            assert missing == []


def at(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else (value or {}).get(name)
    return value


@pytest.mark.parametrize(
    ("source", "sample", "number", "facts"),
    [(s, f, n, facts) for s, files in FACTS.items() for f, rows in files.items() for n, facts in rows.items()],
)
def test_facts(source: str, sample: str, number: int, facts: dict[str, Any]) -> None:
    """What a person reads in the record: who, what, from where, with which outcome, on which resource."""
    result = results_of(source, SOURCES[source].folder / "samples" / sample)[number]
    for path, value in facts.items():
        if path == "entities":
            assert set(value) <= set(result["entities"])
        elif path == "not_entities":
            assert not set(value) & set(result["entities"])
        else:
            assert at(result if path in ("principal", "rejected") else result["event"], path) == value, path


@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES.keys())
def test_stored_columns_are_all_there_and_typed(source: Source) -> None:
    events = Mapper().map(source, raw_table([])).events
    assert events.column_names[: len(MAPPED)] == [column.name for column in MAPPED]
    assert not [f.name for f in events.schema if pa.types.is_null(f.type)]


TIMES = st.sampled_from(["2026-03-02T08:00:00Z", "infinity", "", "-1", "99999999999999999999", "0001-01-01"])
TEXTS = TIMES | st.text(max_size=20) | st.sampled_from(["$.a", "/a", "arn:aws:s3:::b/k", "::", "-", '\\"'])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
CLOUDTRAIL = SOURCES["aws_cloudtrail"]
FIELDS = st.sampled_from([*CLOUDTRAIL.shape, *CLOUDTRAIL.shape["userIdentity"], "state", "insightType", "roleArn"])
SERVICES = st.sampled_from(["iam.amazonaws.com", "sts.amazonaws.com", "signin.amazonaws.com"])
RECORD = st.fixed_dictionaries(
    {
        "eventTime": st.just("2026-03-02T08:00:00Z"),
        "eventName": TEXTS | st.sampled_from(["CreateUser", "AssumeRole"]),
    },
    optional={
        "eventSource": SERVICES,
        "eventCategory": st.just("Insight"),
        "userIdentity": st.dictionaries(FIELDS, JSON, max_size=4) | JSON,
        "requestParameters": st.dictionaries(FIELDS, JSON, max_size=3) | JSON,
        "resources": st.lists(st.dictionaries(st.sampled_from(["ARN", "type", "accountId", "x"]), JSON)) | JSON,
    },
)


MAPPER, CONNECTION = Mapper(), connect()


def assert_maps_or_rejects(source: Source, raw: pa.Table) -> None:
    mapped, ocsf = MAPPER.map(source, raw), to_ocsf(CONNECTION, source, raw)
    assert len(mapped.events) + len(mapped.rejected) == len(raw) == len(ocsf.lines) + len(ocsf.rejected)
    for line in ocsf.lines:
        assert faults(json.loads(line)) == []


@settings(max_examples=25, deadline=None)
@given(records=st.lists(st.tuples(RECORD, st.dictionaries(FIELDS, JSON, max_size=6) | JSON), max_size=20))
def test_any_json_maps_or_is_rejected(records: list[tuple[dict[str, Any], Any]]) -> None:
    texts = [json.dumps(r | rest if isinstance(rest, dict) else rest) for r, rest in records]
    assert_maps_or_rejects(CLOUDTRAIL, raw_table([*texts, '{"a":"\\ud800"}', '{"a":', "", "[1]", '{"a":"\\u0000"}']))


FLOW = SOURCES["aws_vpc_flow"]
NAMES = st.sampled_from([*(name.replace("_", "-") for name in FLOW.shape), "start", "unheard-of"])
VALUES = st.sampled_from(["-", "1772439000", "1e999", "nan", "-1", "70000", "10.0.0.1", "::1", "", "egress", "ACCEPT"])


@settings(max_examples=40, deadline=None)
@given(fields=st.lists(st.tuples(NAMES, VALUES | st.text(max_size=8)), min_size=1, max_size=12))
def test_any_flow_line_maps_or_is_rejected(fields: list[tuple[str, str]]) -> None:
    line, header = " ".join(value for _, value in fields), " ".join(name for name, _ in fields)
    assert_maps_or_rejects(FLOW, raw_table([line], header))
