"""Real files from many projects: each is read as what it is, and none of another kind is taken for ours."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from trailkeep.core.source import Source
from trailkeep.normalize.read import ObjectRecords, read_object

REPOSITORY = Path(__file__).parents[2]
SAMPLES = Path(os.environ.get("TRAILKEEP_SAMPLES", REPOSITORY.parent / "shared" / "samples"))
OURS = ("cloudtrail", "vpcflow", "cloudtrail_digest")

# Files that are not what their folder says, with what is said about them.
REFUSED = {
    "cloudtrail/cloudgrep/bad_cloudtrail.json": "no JSON record can be read",  # cut inside its only record
    "cloudtrail/opensearch_security_analytics/cloudtrail-sample.json": "event_name",  # renamed
    "cloudtrail/plaso/aws_cloudtrail.jsonl": "CloudTrailEvent",  # answers of the LookupEvents API
    "cloudtrail/splunk_security_content/example_logs_even.jsonl": "example_log",  # events as text inside
}
# Folders of other kinds, and the sources that files in them may be of; those that are of none are told with a reason.
SOURCES_OF = {
    "eventbridge_cloudtrail": {"aws_cloudtrail"},  # in envelopes, and bare
    "delivery_envelope": {"aws_cloudtrail"},  # from CloudWatch Logs
    "config": {"aws_cloudtrail"},  # of calls of AWS Config, from EventBridge
    "s3_access": {"aws_s3_access"},
}


@pytest.fixture(scope="module")
def read(sources: Mapping[str, Source]) -> dict[str, ObjectRecords]:
    if not SAMPLES.is_dir():
        pytest.skip(f"NO REAL SAMPLES at {SAMPLES}: set TRAILKEEP_SAMPLES to test against them")
    files = [path for folder in SAMPLES.iterdir() if folder.is_dir() for path in folder.rglob("*") if path.is_file()]
    names = {str(path.relative_to(SAMPLES)): path for path in files}
    return {
        name: read_object(path.read_bytes(), name, sources, limit=10**9)
        for name, path in sorted(names.items())
        if not name.startswith("licences/")
    }


@pytest.fixture(scope="module")
def manifest() -> dict[str, tuple[int, str]]:
    with (SAMPLES / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = csv.reader(file, delimiter="\t")
        next(rows)
        return {name: (int(records), counted) for name, records, counted in rows}


def test_our_files_have_all_their_records(read: dict[str, ObjectRecords], manifest: dict[str, tuple[int, str]]) -> None:
    ours = {name: records for name, records in read.items() if name.split("/")[0] in OURS}
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


def test_each_other_file_is_what_its_folder_says_or_told(read: dict[str, ObjectRecords]) -> None:
    others = {name: records for name, records in read.items() if name.split("/")[0] not in OURS}
    for name, records in others.items():
        if records.kind in ("events", "digest"):
            assert records.source in SOURCES_OF.get(name.split("/")[0], ()), name
        else:
            assert (records.source, bool(records.reason)) == (None, True), name
    taken = {name.split("/")[0] for name, records in others.items() if records.kind == "events"}
    assert taken == set(SOURCES_OF)
