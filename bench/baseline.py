"""CloudTrail files in, one zstd Parquet file of their records out: what plain DuckDB does, to compare with.

`python -m bench.baseline FOLDER FILE [--threads N]`. Nothing is recognised, mapped, sorted or checked.
"""

import argparse
from pathlib import Path

import duckdb

_QUERY = """
COPY (
    SELECT unnest(Records) AS record
    FROM read_json('{files}', columns = {{Records: 'JSON[]'}})
) TO '{target}' (FORMAT parquet, COMPRESSION zstd)
"""


def main() -> None:
    """Runs the baseline once."""
    parser = argparse.ArgumentParser(prog="python -m bench.baseline", description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--threads", type=int, help="default: the cores of the machine")
    args = parser.parse_args()
    connection = duckdb.connect()
    connection.execute("SET preserve_insertion_order = false")
    if args.threads:
        connection.execute(f"SET threads = {args.threads}")
    connection.execute(_QUERY.format(files=f"{args.folder}/**/*.json.gz", target=args.target))


if __name__ == "__main__":
    main()
