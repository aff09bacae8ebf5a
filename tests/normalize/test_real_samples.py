"""Real files from many projects: each is read as what it is, and none of another kind is taken for ours."""

import csv
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.real_account import ACCOUNT, Account, Count
from trailkeep.core.source import Source
from trailkeep.normalize.read import ObjectRecords, read_objects

REPOSITORY = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("TRAILKEEP_SAMPLES", REPOSITORY.parent / "shared" / "samples"))
OURS = ("cloudtrail", "vpcflow", "cloudtrail_digest")

# Files that are not what their folder says, with what is said about them.
REFUSED = {
    "cloudtrail/cloudgrep/bad_cloudtrail.json": "no JSON record can be read",  # cut inside its only record
    "cloudtrail/opensearch_security_analytics/cloudtrail-sample.json": "event_name",  # renamed
    "cloudtrail/splunk_security_content/example_logs_even.jsonl": "example_log",  # events as text inside
}


@pytest.fixture(scope="module")
def read(sources: Mapping[str, Source]) -> dict[str, list[ObjectRecords]]:
    if not SAMPLES.is_dir():
        pytest.skip(f"NO REAL SAMPLES at {SAMPLES}: set TRAILKEEP_SAMPLES to test against them")
    files = [path for folder in SAMPLES.iterdir() if folder.is_dir() for path in folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(SAMPLES)): path for path in files}
    return {
        name: read_objects(path.read_bytes(), name, sources, limit=10**9)
        for name, path in sorted(names.items())
        if not name.startswith("licences/")
    }


@pytest.fixture(scope="module")
def manifest() -> dict[str, tuple[int, str]]:
    with (SAMPLES / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows)
        return {name: (int(records), counted) for name, records, counted in rows}


def test_our_files_have_all_their_records(
    read: dict[str, list[ObjectRecords]], manifest: dict[str, tuple[int, str]]
) -> None:
    ours = {name: records for name, (records, *_) in read.items() if name.split("/")[0] in OURS}
    assert len(ours) > 300
    for name, records in ours.items():
        expected, counted = manifest[name]
        if name in REFUSED:
            assert (records.kind, records.count) == ("unknown", 0), name
            assert REFUSED[name] in records.reason
            continue
        assert records.bad == [], name
        if name.startswith("cloudtrail_digest/"):
            assert (records.source, records.kind) == ("aws_cloudtrail", "digest")
        elif expected == 0:
            assert (records.kind, records.reason) == ("empty", "holds no records"), name
        else:
            header = counted.startswith("text lines")  # the manifest counts it
            source = "aws_vpc_flow" if name.startswith("vpcflow/") else "aws_cloudtrail"
            assert (records.source, records.kind, records.count) == (source, "events", expected - header), name


def test_each_other_folder_holds_what_it_says(read: dict[str, list[ObjectRecords]]) -> None:
    unknown: Counter[str] = Counter()
    found: dict[str, dict[str, Count]] = {folder: {} for folder in ACCOUNT}
    for name, objects in read.items():
        folder = name.split("/")[0]
        if folder in OURS or "/" not in name:
            continue
        for records in objects:
            assert records.kind in ("events", "unknown"), name
            assert records.bad == [], name
            if records.kind == "unknown":
                assert records.reason, name
                unknown[folder] += 1
            else:
                assert records.source, name
                files, count = found[folder].get(records.source, (0, 0))
                found[folder][records.source] = (files + 1, count + records.count)
    assert {name: Account(sources, unknown[name]) for name, sources in found.items()} == ACCOUNT
