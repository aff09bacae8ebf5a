"""OCSF events of anyone: what is valid in 1.5.0 stays, what is not is kept beside it."""

import json
from typing import Any

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from bin import ocsf_schema
from tests.content.ocsf_schema import faults
from tests.content.records import raw_table
from trailkeep.core.errors import InputError
from trailkeep.core.source import load_sources
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.conform import conformed
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.ocsf import OcsfMapper

OCSF = load_sources()["ocsf"]
SAID = {
    "class_uid": 4001,
    "category_uid": 4,
    "activity_id": 6,
    "severity_id": 0,
    "time": 1_794_300_000_000,
    "metadata": {"version": "1.5.0", "uid": "u1", "product": {"name": "unknown"}},
}


def made(**attributes: Any) -> dict[str, Any]:
    event = conformed({"src_endpoint": {"ip": "192.0.2.120"}} | attributes, json.loads(json.dumps(SAID)))
    assert faults(event) == []
    return event


def test_the_schema_is_the_one_of_the_package() -> None:
    assert ocsf_schema.PATH.read_text(encoding="utf-8") == ocsf_schema.text()


def test_the_mapping_demands_what_the_schema_does() -> None:
    """Of each class, beside what can be said to be unknown."""
    schema = json.loads(ocsf_schema.PATH.read_text(encoding="utf-8"))
    demanded = {}
    for uid, made_of in schema["classes"].items():
        names = [
            name
            for name, spec in made_of["attributes"].items()
            if "!" in spec
            and "@" not in spec
            and (spec.split("!")[0].removesuffix("[]") in schema["objects"] or "[]" in spec)
        ]
        sets = ["|".join(of) for of in made_of["one_of"] if not set(of) & set(names)]
        demanded[int(uid)] = sorted(names + sets)
    literal = sqlglot.parse_one(OCSF.map_sql, dialect="duckdb").find(exp.ToMap)
    assert literal
    pairs = {int(p.this.this): sorted(p.expression.this.split()) for p in literal.find_all(exp.PropertyEQ)}
    assert pairs == demanded


def test_what_is_valid_stays() -> None:
    event = made(dst_endpoint={"ip": "2001:db8:a::120", "port": 443}, message="m", unmapped={"a": 1})
    assert (event["dst_endpoint"], event["message"], event["unmapped"]) == (
        {"ip": "2001:db8:a::120", "port": 443},
        "m",
        {"a": 1},
    )


@pytest.mark.parametrize(
    ("attributes", "unmapped"),
    [
        ({"new_in_2": [1]}, {"new_in_2": [1]}),
        ({"dst_endpoint": {"port": "443", "uid": "x"}}, {"dst_endpoint": {"port": "443"}}),
        ({"dst_endpoint": {"port": 443}}, {"dst_endpoint": {"port": 443}}),  # names no endpoint
        ({"observables": [{"name": "n", "type_id": 2}, {"value": "v"}]}, {}),
        ({"observables": ["text"]}, {"observables": ["text"]}),
        ({"start_time_dt": "yesterday"}, {"start_time_dt": "yesterday"}),
        ({"new": 1, "unmapped": {"new": 2}}, {"new": 2, "event.new": 1}),
        ({"time": 5}, {"time": 5}),
        ({"unmapped": "text"}, {"unmapped": "text"}),
        ({"cloud": None, "metadata": {"profiles": ["cloud"], "labels": []}}, {}),
    ],
)
def test_what_is_not_is_kept_beside(attributes: dict[str, Any], unmapped: dict[str, Any]) -> None:
    assert made(**attributes).get("unmapped", {}) == unmapped


def test_profiles_are_those_of_the_attributes() -> None:
    event = made(cloud={"provider": "AWS"}, action_id=1, metadata={"profiles": ["host", "osint"]})
    assert event["metadata"]["profiles"] == ["cloud", "datetime", "host", "security_control"]


def test_an_unlisted_number_is_other() -> None:
    event = made(status_id=55)
    assert (event["status_id"], event["unmapped"]) == (99, {"status_id": 55})


def test_its_own_raw_data_is_its_raw_data() -> None:
    assert conformed({"src_endpoint": {"uid": "x"}, "raw_data": "<1>"}, SAID | {"raw_data": "{}"})["raw_data"] == "<1>"


def test_a_class_has_what_it_demands() -> None:
    with pytest.raises(InputError, match="as dst_endpoint or src_endpoint of class 4001"):
        conformed({"src_endpoint": {"port": 1}}, json.loads(json.dumps(SAID)))


NAMES = st.sampled_from(
    [
        *("actor", "user", "device", "src_endpoint", "ip", "uid", "name", "type_id", "process", "pid", "metadata"),
        *("profiles", "cloud", "unmapped", "time_dt", "end_time", "activity_id", "resources", "evidences"),
        *("finding_info", "unheard_of"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["x", "", "::1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
MAPPER, OCSF_MAPPER = Mapper(), OcsfMapper(connect())


@settings(max_examples=20, deadline=None)
@given(
    records=st.lists(
        st.tuples(st.sampled_from([0, 1007, 2004, 3002, 4001, 6003, 9]), st.dictionaries(NAMES, VALUES, max_size=6)),
        max_size=10,
    )
)
def test_any_event_is_valid_or_rejected(records: list[tuple[int, dict[str, Any]]]) -> None:
    texts = [json.dumps({"time": 1_794_300_000_000} | fields | {"class_uid": uid}) for uid, fields in records]
    raw = raw_table(texts)
    mapped, ocsf = MAPPER.map(OCSF, raw), OCSF_MAPPER.map(OCSF, raw)
    assert len(mapped.events) + len(mapped.rejected) == len(raw) == len(ocsf.lines) + len(ocsf.rejected)
    assert set(mapped.rejected["record_no"].to_pylist()) <= set(ocsf.rejected["record_no"].to_pylist())
    for line in ocsf.lines:
        assert faults(json.loads(line)) == []
