"""Wrapped records through the program: stored once with their envelope, whatever becomes of them on the way."""

import json
import shutil
from pathlib import Path

from pyiceberg.table import Table

from tests.conftest import Program
from tests.e2e.picture import picture
from tests.e2e.records import document, flow, good, packed, record
from tests.e2e.test_bad_input import check_retried_once, ingest, rows
from trailkeep.core.source import SHIPPED
from trailkeep.lake.home import open_home
from trailkeep.lake.tables import events_table


def polled(*bodies: str) -> bytes:
    return json.dumps({"Messages": [{"MessageId": f"m{n}", "Body": body} for n, body in enumerate(bodies)]}).encode()


def watch(*messages: str) -> bytes:
    events = [{"id": str(n), "timestamp": 1709294400000 + n, "message": text} for n, text in enumerate(messages)]
    head = {"messageType": "DATA_MESSAGE", "owner": "999922223333", "logGroup": "g", "logStream": "s"}
    return json.dumps(head | {"logEvents": events}).encode()


FLOW, CALL = flow(1).decode(), json.dumps(record(1))


def test_several_sources_in_one_file(trailkeep: Program, tmp_path: Path) -> None:
    path, lake = tmp_path / "x.gz", tmp_path / "lake"
    path.write_bytes(packed(polled(FLOW, CALL, "hello", FLOW)))
    done = ingest(trailkeep, path, lake)
    assert done.code == 1
    assert "1 file, 4 records: 3 stored, 0 already stored, 1 quarantined" in done.out
    found = picture(lake)
    assert sorted((key.removeprefix(str(path)), *counts[:2]) for key, _, _, _, _, *counts in found.objects) == [
        ("#aws_cloudtrail", 1, 1),
        ("#aws_vpc_flow", 3, 2),
    ]
    again = ingest(trailkeep, path, lake)
    assert again.code == 0
    assert "0 stored, 4 already stored" in again.out
    (tmp_path / "y").write_bytes(polled(FLOW, CALL, "hello", FLOW))
    assert "0 stored, 4 already stored" in ingest(trailkeep, tmp_path / "y", lake).out
    assert picture(lake).events == found.events
    sql = "SELECT source, envelope FROM events WHERE source NOT LIKE 'trailkeep%' ORDER BY 1"
    for row in rows(trailkeep("sql", sql, "--home", lake, "--format", "jsonl")):
        assert json.loads(row["envelope"])["wraps"] == ["sqs"]
    assert len(trailkeep("normalize", path).out.splitlines()) == 3


def test_a_retry_keeps_the_envelope(trailkeep: Program, tmp_path: Path) -> None:
    path, lake, mine = tmp_path / "a.json", tmp_path / "lake", tmp_path / "mine"
    path.write_bytes(watch(CALL, json.dumps(record(2, eventTime=None))))
    assert ingest(trailkeep, path, lake).code == 1
    shutil.copytree(SHIPPED / "aws_cloudtrail", mine / "aws_cloudtrail")
    file = mine / "aws_cloudtrail" / "map.sql"
    text = file.read_text().replace("WHEN r.eventTime IS NULL THEN 'no eventTime'", "")
    # A mapping reads the envelope where the record itself says nothing.
    said = "strftime(to_timestamp(json_extract_string(envelope, '$.time')::BIGINT // 1000), '%xT%XZ')"
    file.write_text(text.replace("iso_time(r.eventTime)", f"iso_time(coalesce(r.eventTime, {said}))"))
    check_retried_once(trailkeep, lake, 1, "--sources", mine)
    sql = "SELECT envelope FROM events WHERE source = 'aws_cloudtrail' ORDER BY record_no"
    found = [json.loads(row["envelope"]) for row in rows(trailkeep("sql", sql, "--home", lake, "--format", "jsonl"))]
    assert [envelope["id"] for envelope in found] == ["0", "1"]


def test_a_lake_made_before_there_were_envelopes(trailkeep: Program, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    (tmp_path / "a.json").write_bytes(document(*good(2)))
    ingest(trailkeep, tmp_path / "a.json", lake)
    table: Table = events_table(open_home(lake))
    with table.update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("envelope")
    query = ("sql", "SELECT envelope FROM aws_cloudtrail ORDER BY 1", "--home", lake, "--format", "jsonl")
    assert rows(trailkeep(*query)) == [{"envelope": None}] * 2
    (tmp_path / "b.json").write_bytes(watch(CALL))
    assert ingest(trailkeep, tmp_path / "b.json", lake).code == 0
    assert sum(row["envelope"] is not None for row in rows(trailkeep(*query))) == 1
