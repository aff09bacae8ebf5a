"""Samples of every source in, how fast each is normalised out: `python -m bench.sources [SECONDS]`, JSON on stdout.

A source's samples are repeated to about four megabytes, read and mapped in portions as ingest does it, in one thread
of one process; what counts is the CPU time of that, after a first portion that is not counted.
"""

import json
import sys
import time
from collections.abc import Mapping

import pyarrow as pa

from trailkeep.core.source import Source, load_sources
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapper
from trailkeep.source_tests import sample_records, samples_of

BYTES = 4_000_000


def speed(source: Source, sources: Mapping[str, Source], mapper: Mapper, seconds: float) -> dict[str, float]:
    """Events and raw megabytes of `source` that one CPU second maps."""
    tables = [sample_records(source, path, sources) for path in samples_of(source)]
    sample = pa.concat_tables(tables)
    size = sample["raw_data"].nbytes
    copies = max(1, BYTES // max(size, 1))
    table = pa.concat_tables([sample] * copies).combine_chunks()
    mapper.map(source, table)
    rounds, begun = 0, time.process_time()
    while time.process_time() - begun < seconds:
        mapper.map(source, table)
        rounds += 1
    spent = time.process_time() - begun
    return {"events": rounds * len(table) / spent, "megabytes": rounds * size * copies / 1e6 / spent}


def main() -> None:
    """Print what every shipped source reaches."""
    sources = load_sources()
    mapper = Mapper(connect(threads=1))
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    print(json.dumps({name: speed(source, sources, mapper, seconds) for name, source in sources.items()}))


if __name__ == "__main__":
    main()
