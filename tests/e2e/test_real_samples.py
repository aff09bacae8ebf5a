"""Real files through the program: every record is stored, or refused for the right reason; no event is invalid."""

import csv
import json
import re
from collections import Counter
from pathlib import Path

from tests.conftest import Done, Program
from tests.content.ocsf_schema import faults
from tests.e2e.picture import picture
from tests.real_account import ACCOUNT, Count

OURS = ("cloudtrail", "vpcflow", "cloudtrail_digest")
# Files that are not what their folder says: cut inside the only record, renamed fields, other envelopes.
NOT_OURS = {
    "cloudtrail/cloudgrep/bad_cloudtrail.json",
    "cloudtrail/opensearch_security_analytics/cloudtrail-sample.json",
    "cloudtrail/splunk_security_content/example_logs_even.jsonl",
}
NO_TIME = "cloudtrail/otrf_security_datasets/ec2_proxy_s3_exfiltration_2020-09-14011940.json"
UNREAD = "not a record that the mapping can read"
# Records of the other folders that are none of the source whose lines stand around them, or invented with a time of
# 1970.
MIXED_IN = Counter(
    {
        ("alb", UNREAD): 7,
        ("app", UNREAD): 8,
        ("app", "no time that can be read as a time"): 1,  # in a time zone that has no offset
        ("delivery_envelope", "time is before 2006"): 6,
        ("eventbridge", "time is before 2006"): 1,
        ("rds", "timestamp is before 2006"): 1,
    }
)


def expected_records(samples: Path) -> int:
    """Records in our files, as counted by hand; a flow log's header is counted as a line there."""
    with (samples / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file, delimiter="\t"))[1:]
    return sum(
        int(records) - counted.startswith("text lines")
        for name, records, counted in rows
        if name.split("/")[0] in OURS[:2] and name not in NOT_OURS
    )


def ingest(trailkeep: Program, lake: Path, *paths: Path) -> Done:
    return trailkeep("ingest", *paths, "--home", lake, "--workers", "1")


def unrecognised(samples: Path, done: Done) -> set[str]:
    found = re.findall(r"^(/.*?): not recognised: .", done.err, re.MULTILINE)
    return {str(Path(name).relative_to(samples)) for name in found}


def test_ours(real_samples: Path, trailkeep: Program, tmp_path: Path) -> None:
    samples, lake = real_samples.resolve(), tmp_path / "lake"
    folders = [samples / name for name in OURS]
    done = ingest(trailkeep, lake, *folders)
    assert done.code == 1
    assert unrecognised(samples, done) == NOT_OURS
    found = picture(lake)
    totals = found.totals
    assert totals["records"] == expected_records(samples) == 498
    assert totals["records"] == totals["stored"] + totals["duplicate"] + totals["quarantined"]
    assert totals["stored"] == sum(found.events.values()) == 278
    reasons = Counter((str(Path(key).relative_to(samples)), reason) for key, _, _, reason, *_ in found.quarantine)
    assert reasons == {(NO_TIME, "no eventTime"): 103}
    for _, _, kind, _, content, records, stored, duplicate, quarantined, dropped in found.objects:
        assert records == stored + duplicate + quarantined + dropped
        assert (kind == "digest") == (content is not None)
    digests = {content for _, _, kind, _, content, *_ in found.objects if kind == "digest"}
    assert digests == {path.read_bytes() for path in (samples / "cloudtrail_digest").rglob("*") if path.is_file()}
    assert {"StopLogging"} <= names_in_alerts(trailkeep, lake)
    again = ingest(trailkeep, lake, *folders)
    assert " 0 stored, 395 already stored, 103 quarantined" in again.out  # what is all bad is tried again
    assert picture(lake) == found


def names_in_alerts(trailkeep: Program, lake: Path) -> set[str]:
    numbers = [
        json.loads(line)["id"]
        for line in trailkeep("alerts", "list", "--home", lake, "--format", "jsonl").out.splitlines()
    ]
    shown = [json.loads(trailkeep("alerts", "show", n, "--home", lake, "--format", "json").out) for n in numbers[:20]]
    return {event["event_name"] for alert in shown for event in alert["events"]}


def test_every_normalized_event_is_valid(real_samples: Path, trailkeep: Program, tmp_path: Path) -> None:
    samples, lake = real_samples.resolve(), tmp_path / "lake"
    folders = [samples / name for name in OURS]
    done = trailkeep("normalize", *folders)
    events = [json.loads(line) for line in done.out.splitlines()]
    assert done.code == 1
    assert len(events) == 498 - 103
    assert Counter(event["class_uid"] for event in events) == {6003: 347, 3001: 21, 3002: 6, 4001: 21}
    for event in events:
        assert faults(event) == [], event["metadata"]["uid"]
        assert event["metadata"]["version"] == "1.5.0"
        assert event["raw_data"]
    said = Counter(re.sub(r"\d+", "N", line.rpartition(": ")[2]) for line in done.err.splitlines())
    assert said["no eventTime"] == 103
    assert unrecognised(samples, done) == NOT_OURS
    ingest(trailkeep, lake, *folders)
    assert {event["metadata"]["uid"] for event in events} == {uid for uid, _ in picture(lake).events}


def test_the_other_folders_add_up(real_samples: Path, trailkeep: Program, tmp_path: Path) -> None:
    samples, lake = real_samples.resolve(), tmp_path / "lake"
    others = [path for path in sorted(samples.iterdir()) if path.name not in OURS]
    files = [path for place in others for path in ([place] if place.is_file() else place.rglob("*")) if path.is_file()]
    done = ingest(trailkeep, lake, *others)
    assert done.code == 1
    found = picture(lake)
    folders: dict[str, dict[str, Count]] = {name: {} for name in ACCOUNT}
    for key, _, kind, source, _, records, stored, duplicate, quarantined, dropped in found.objects.elements():
        assert records == stored + duplicate + quarantined + dropped
        if kind == "events":
            sources = folders[Path(key).relative_to(samples).parts[0]]
            files_before, before = sources.get(source, (0, 0))
            sources[source] = (files_before + 1, before + records)
    assert folders == {name: one.sources for name, one in ACCOUNT.items()}
    assert found.totals["stored"] == sum(found.events.values())
    reasons = Counter(
        (Path(key).relative_to(samples).parts[0], why) for key, _, _, why, *_ in found.quarantine.elements()
    )
    assert reasons == MIXED_IN
    empty = sum(kind == "empty" for _, _, kind, *_ in found.objects.elements())
    counts = [count for one in ACCOUNT.values() for count in one.sources.values()]
    assert len(found.objects) == sum(files for files, _ in counts) + empty
    assert f"{len(files)} files, {sum(records for _, records in counts):,} records" in done.out
    problems = len(unrecognised(samples, done))
    more = re.search(r"\.\.\. and (\d+) more", done.err)
    assert more
    assert problems + int(more[1]) == len(files) - len({key.partition("#")[0] for key, *_ in found.objects})
