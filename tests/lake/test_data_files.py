"""Written files on their way into a snapshot: what Iceberg keeps of them, and which are refused."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyiceberg.io.pyarrow import parquet_file_to_data_file
from pyiceberg.table import Table

from tests.lake.lakes import make_events
from trailkeep.core.errors import LakeError
from trailkeep.lake.data_files import data_files
from trailkeep.lake.home import Home, create_home
from trailkeep.lake.shard import WrittenFile, write_events, write_file
from trailkeep.lake.tables import events_arrow_schema, events_table


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return create_home(tmp_path / "lake")


@pytest.fixture
def table(home: Home) -> Table:
    return events_table(home)


def written(home: Home, table: Table) -> list[WrittenFile]:
    events = make_events("a", "b", rows=200, days=2)
    return list(write_events(home.events_data, "b-0", events, events_arrow_schema(table)))


def test_the_same_as_pyiceberg_finds_in_the_file(home: Home, table: Table) -> None:
    files = written(home, table)
    for file, found in zip(files, data_files(table, files), strict=True):
        expected = parquet_file_to_data_file(table.io, table.metadata, file.path)
        assert all(found[place] == expected[place] for place in range(len(expected)))


def test_a_footer_that_is_not_at_hand_is_read(home: Home, table: Table) -> None:
    files = written(home, table)
    read = data_files(table, [replace(file, footer=None) for file in files])
    assert [file.lower_bounds for file in read] == [file.lower_bounds for file in data_files(table, files)]


def test_file_named_twice(home: Home, table: Table) -> None:
    file, *_ = written(home, table)
    with pytest.raises(LakeError, match="named twice"):
        list(data_files(table, [file, file]))


def test_file_without_the_column_of_its_partition(home: Home, table: Table, tmp_path: Path) -> None:
    events = make_events("a", "b", rows=1).drop_columns(["source"])
    file = write_file(tmp_path / "one.parquet", events, events_arrow_schema(table), level=1)
    with pytest.raises(LakeError, match="does not fit the table: source"):
        list(data_files(table, [file]))


def test_file_of_other_field_ids(table: Table, tmp_path: Path) -> None:
    path = tmp_path / "one.parquet"
    pq.write_table(pa.table({"source": ["s"], "odd": [1]}), path)
    with pytest.raises(LakeError, match="does not fit the table: odd, source, time"):
        list(data_files(table, [WrittenFile(str(path))]))


def test_file_of_two_days(table: Table, tmp_path: Path) -> None:
    events = make_events("a", "b", rows=200, days=2)
    file = write_file(tmp_path / "two.parquet", events, events_arrow_schema(table), level=1)
    with pytest.raises(ValueError, match="partition"):
        list(data_files(table, [file]))


def test_file_that_is_gone(home: Home, table: Table) -> None:
    file, *_ = written(home, table)
    Path(file.path).unlink()
    with pytest.raises(FileNotFoundError):
        list(data_files(table, [file]))
