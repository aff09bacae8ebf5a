"""Shards: partitioned, sorted files with field ids, statistics and Bloom filters."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.lake.lakes import make_events
from trailkeep.lake.home import create_home
from trailkeep.lake.shard import sort, write_events, write_file
from trailkeep.lake.tables import events_arrow_schema, events_table


def write(path: Path, events: pa.Table) -> list[pq.ParquetFile]:
    schema = events_arrow_schema(events_table(create_home(path / "lake")))
    return [pq.ParquetFile(file.path) for file in write_events(path / "data", "b-0", events, schema)]


def test_one_file_a_partition(tmp_path: Path) -> None:
    events = make_events("a", "b", rows=200, days=2)
    files = write(tmp_path, events)
    assert len(files) == 2 * 2 + 1  # two days of two sources, and the day of the one signal
    assert sum(file.metadata.num_rows for file in files) == 200
    for path in (tmp_path / "data").rglob("*.parquet"):
        rows = pq.read_table(path, partitioning=None)
        day = date.fromisoformat(path.parts[-2].removeprefix("day="))
        assert {moment.date() for moment in rows["time"].to_pylist()} == {day}
        assert set(rows["source"].to_pylist()) == {path.parts[-3].removeprefix("source=")}
        assert rows.equals(sort(rows))
        assert path.name.startswith("b-0-")


def test_files_carry_the_tables_field_ids(tmp_path: Path) -> None:
    (file, *_) = write(tmp_path, make_events("a", "b", rows=200, days=2))
    table = events_table(create_home(tmp_path / "lake"))
    for field in file.schema_arrow:
        assert int(field.metadata[b"PARQUET:field_id"]) == table.schema().find_field(field.name).field_id


def test_statistics_bloom_filters_and_dictionaries(tmp_path: Path) -> None:
    (file, *_) = write(tmp_path, make_events("a", "b", rows=200, days=2))
    group = file.metadata.row_group(0)
    columns = {group.column(n).path_in_schema: group.column(n) for n in range(group.num_columns)}
    assert columns["time"].statistics.has_min_max
    assert columns["batch_id"].statistics.min == "b"
    assert columns["raw_data"].statistics is None
    assert columns["src_ip"].has_dictionary_page
    assert columns["entities.list.element"].has_dictionary_page
    assert not columns["raw_data"].has_dictionary_page
    assert columns["src_ip"].bloom_filter_offset
    assert not columns["service"].bloom_filter_offset


def test_columns_without_a_value_are_left_out(tmp_path: Path) -> None:
    (file, *_) = write(tmp_path, make_events("a", "b", rows=200, days=2))
    assert "access_key" not in file.schema_arrow.names
    assert "raw_data" in file.schema_arrow.names


def test_file_of_one_row(tmp_path: Path) -> None:
    schema = events_arrow_schema(events_table(create_home(tmp_path / "lake")))
    write_file(tmp_path / "one.parquet", make_events("a", "b", rows=1), schema, level=3)
    assert pq.read_metadata(tmp_path / "one.parquet").num_rows == 1


def test_null_texts_and_parts_of_a_table_keep_their_places(tmp_path: Path) -> None:
    events = make_events("a", "b", rows=200, days=2)
    texts = [None if n % 3 == 0 else f"{n}: a text longer than a view holds" for n in range(len(events))]
    place = events.column_names.index("raw_data")
    events = events.set_column(place, "raw_data", pa.array(texts)).set_column(
        events.column_names.index("event_uid"), "event_uid", pa.array([str(n) for n in range(len(events))])
    )
    parts = pa.concat_tables([events.slice(7, 50), events.slice(57, 1), events.slice(58)])
    rows = [row for file in write(tmp_path, parts) for row in file.read(["event_uid", "raw_data"]).to_pylist()]
    assert sorted(int(row["event_uid"]) for row in rows) == list(range(7, len(events)))
    assert all(row["raw_data"] == texts[int(row["event_uid"])] for row in rows)
