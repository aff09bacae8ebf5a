"""Rows of Amazon Security Lake, as Parquet files and as JSON: OCSF events, nested values and maps included."""

import io
import json
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.content.ocsf_schema import faults
from trailkeep.core.source import load_sources
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.ocsf import to_ocsf
from trailkeep.normalize.read import key_time, read_object, to_table

SOURCES = load_sources()
TIME = 1_794_300_000_000
MOMENT = datetime.fromtimestamp(TIME / 1000, UTC)
FLOW = {
    "metadata": {
        "product": {"name": "Amazon VPC", "feature": {"name": "Flowlogs"}},
        "profiles": ["cloud"],
        "version": "1.1.0",
    },
    "cloud": {"account": {"uid": "555566667777"}, "region": "eu-west-1", "provider": "AWS"},
    "src_endpoint": {"port": 41000, "ip": "10.9.77.1", "svc_name": None},
    "dst_endpoint": {"port": 443, "ip": "192.0.2.190", "interface_uid": "eni-0d0e0f00000000190"},
    "connection_info": {"protocol_num": 6, "tcp_flags": 2, "direction_id": 2},
    "traffic": {"packets": 3, "bytes": 180},
    "time": TIME,
    "time_dt": MOMENT,
    "start_time_dt": MOMENT,
    "status_code": "OK",
    "severity_id": 1,
    "class_uid": 4001,
    "category_uid": 4,
    "activity_id": 6,
    "type_uid": 400106,
    "action_id": 1,
    "disposition_id": 1,
    "accountid": "555566667777",
    "observables": [{"name": "dst_endpoint.ip", "value": "192.0.2.190", "type_id": 2}],
    "unmapped": [("sublocation_id", "x"), ("traffic_path", "8")],
}
API = {
    "metadata": {"product": {"name": "CloudTrail"}, "version": "1.0.0-rc.2", "uid": "lake-0001"},
    "time": TIME,
    "cloud": {"account_uid": "555566667777", "region": "eu-west-1", "provider": "AWS"},
    "api": {"operation": "StopLogging", "service": {"name": "cloudtrail.amazonaws.com"}},
    "actor": {"user": {"uuid": "arn:aws:iam::555566667777:user/lake-ivan", "name": "lake-ivan"}, "session": None},
    "src_endpoint": {"ip": "192.0.2.191", "domain": None},
    "class_uid": 3005,
    "category_uid": 3,
    "activity_id": 99,
    "severity_id": 1,
    "unmapped": [("eventVersion", "1.08")],
}
KEY = "aws/VPC_FLOW/2.0/region=eu-west-1/accountId=555566667777/eventDay=20261110/part.gz.parquet"


def events(row: dict[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    columns = {name: [value] for name, value in row.items()}
    types = {"unmapped": pa.map_(pa.string(), pa.string()), "time_dt": pa.timestamp("ms", "UTC")}
    table = pa.table({name: pa.array(values, types.get(name)) for name, values in columns.items()})
    file = io.BytesIO()
    pq.write_table(table, file, compression="gzip")
    records = read_object(file.getvalue(), KEY, SOURCES, limit=10**7)
    assert (records.source, records.count, records.bad) == ("ocsf", 1, [])
    raw = to_table(records, "0" * 32, key_time(KEY))
    [stored] = Mapper().map(SOURCES["ocsf"], raw).events.to_pylist()
    [line] = to_ocsf(connect(), SOURCES["ocsf"], raw).lines
    event = json.loads(line)
    assert faults(event) == []
    return stored, event


def test_the_second_layout() -> None:
    stored, event = events(FLOW)
    assert (stored["time"], stored["account_uid"], stored["dst_ip"], stored["bytes"]) == (
        MOMENT,
        "555566667777",
        "192.0.2.190",
        180,
    )
    assert event["unmapped"]["sublocation_id"] == "x"
    assert event["unmapped"]["accountid"] == "555566667777"
    assert event["metadata"]["profiles"] == ["cloud", "datetime", "security_control"]
    assert event["start_time_dt"][:19] == "2026-11-10T08:40:00"


def test_the_first_layout() -> None:
    stored, event = events(API)
    assert (stored["class_uid"], stored["event_name"], stored["principal"], stored["event_uid"]) == (
        6003,
        "StopLogging",
        "arn:aws:iam::555566667777:user/lake-ivan",
        "lake-0001",
    )
    assert (event["cloud"]["account"], event["type_uid"]) == ({"uid": "555566667777"}, 600399)
    assert event["unmapped"]["eventVersion"] == "1.08"


@pytest.mark.parametrize("source", ["VPC_FLOW/2.0", "CLOUD_TRAIL_MGMT/1.0"])
def test_keys(source: str) -> None:
    key = f"aws/{source}/region=eu-west-1/accountId=555566667777/eventDay=20261110/x.gz.parquet"
    assert SOURCES["ocsf"].key_patterns[0].search(key)
