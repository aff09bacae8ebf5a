"""A Parquet file in, each row out as the record that it would be in a file of text: a line, or a JSON object.

So one mapping serves both. In lines nulls become `-`, and column names take dashes for underscores (`account_id` is
`account-id`). In JSON columns keep their names, and values their types: numbers, truth values, nested values; times are
text in ISO 8601, bytes are base64.
"""

from array import array
from collections.abc import Iterator

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trailkeep.core.errors import InputError
from trailkeep.normalize.formats.delimited import fits
from trailkeep.normalize.records import BadPiece, Chunk, chunks_of, int32s

MAGIC = b"PAR1"
_ROWS = 65_536
_JSON = msgspec.json.Encoder(decimal_format="number")


def open_parquet(data: bytes) -> pq.ParquetFile:
    """The file. Raises InputError where its footer cannot be read."""
    try:
        return pq.ParquetFile(pa.BufferReader(data), coerce_int96_timestamp_unit="us")
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"a damaged Parquet file: {error}") from error


def field_names(file: pq.ParquetFile) -> list[str]:
    """The native names of the columns."""
    return [name.replace("_", "-") for name in file.schema_arrow.names]


def read_parquet(data: bytes, file: pq.ParquetFile) -> tuple[list[Chunk], list[BadPiece]]:
    """Chunks of rows as lines; rows that make no line of as many fields are bad, and so is the
    whole file where its rest cannot be read.
    """
    header = " ".join(field_names(file))
    chunks: list[Chunk] = []
    bad: list[BadPiece] = []
    count = 0
    try:
        for lines in _lines(file):
            good = fits(lines, len(file.schema_arrow.names), has_nul=True)
            numbers = int32s(array("i", range(count, count + len(lines))))
            for row in pc.indices_nonzero(pc.invert(good)).to_pylist():
                reason = f"row {count + row} holds a value with a space or a NUL byte"
                bad.append(BadPiece(0, count + row, reason, lines[row].as_py().encode()))
            chunks.append(Chunk(lines.filter(good), numbers.filter(good), header))
            count += len(lines)
    except (pa.ArrowException, OSError) as error:
        bad.append(BadPiece(0, None, f"a damaged Parquet file, read up to row {count}: {error}", data))
    return chunks, bad


def _lines(file: pq.ParquetFile) -> Iterator[pa.StringArray]:
    for batch in file.iter_batches(_ROWS):
        texts = [pc.fill_null(column.cast(pa.string()), "-") for column in batch.columns]
        yield pc.binary_join_element_wise(*texts, " ")


def read_parquet_json(data: bytes, file: pq.ParquetFile) -> tuple[list[Chunk], list[BadPiece]]:
    """Chunks of rows as JSON objects; the whole file is bad where its rest cannot be read."""
    rows: list[bytes] = []
    bad: list[BadPiece] = []
    if len(set(file.schema_arrow.names)) < len(file.schema_arrow.names):
        return [], [BadPiece(0, None, "two columns of a Parquet file have one name", data)]
    try:
        for batch in file.iter_batches(_ROWS):
            rows += map(_JSON.encode, _exact(batch).to_pylist(maps_as_pydicts="strict"))
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        bad.append(BadPiece(0, None, f"a damaged Parquet file, read up to row {len(rows)}: {error}", data))
    return list(chunks_of(rows)), bad


def _exact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with its nanoseconds as text, which Python's times would cut."""
    for index, column in enumerate(batch.schema):
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            zone = "Z" if column.type.tz else ""
            times = batch.column(index).cast(pa.timestamp("ns", "UTC")) if zone else batch.column(index)
            batch = batch.set_column(index, column.name, pc.strftime(times, f"%Y-%m-%dT%H:%M:%S{zone}"))
    return batch
