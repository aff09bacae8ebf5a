"""A Parquet file in, each row as the line of text out that the same record would be in a text file.

So one mapping serves both: nulls become `-`, and column names take dashes for underscores (`account_id` is
`account-id`).
"""

from array import array
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from trailkeep.core.errors import InputError
from trailkeep.normalize.formats.delimited import fits
from trailkeep.normalize.records import BadPiece, Chunk, int32s

MAGIC = b"PAR1"
_ROWS = 65_536


def open_parquet(data: bytes) -> pq.ParquetFile:
    """The file. Raises InputError where its footer cannot be read."""
    try:
        return pq.ParquetFile(pa.BufferReader(data))
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
