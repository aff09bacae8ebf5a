"""The benchmark's data and rules: the same each time, of the promised shape, and reused when there."""

import gzip
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from sigma.collection import SigmaCollection

from bench.generator import GeneratedData, generate
from bench.rules import generate_rules
from trailkeep.demo.templates import TEMPLATES

EVENTS, FILES = 10_000, 20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> GeneratedData:
    return generate(tmp_path_factory.mktemp("data") / "set", EVENTS, FILES)


@pytest.fixture(scope="module")
def records(data: GeneratedData) -> list[tuple[Path, dict[str, Any]]]:
    found = []
    for path in sorted(data.folder.glob("AWSLogs/o-*/*/CloudTrail/*/*/*/*/*.json.gz")):
        found += [(path, record) for record in json.loads(gzip.decompress(path.read_bytes()))["Records"]]
    return found


def digest(folder: Path) -> str:
    files = sorted(folder.rglob("*.gz"))
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in files)).hexdigest()


def test_the_same_seed_is_the_same_bytes(data: GeneratedData, tmp_path: Path) -> None:
    generate(tmp_path / "again", EVENTS, FILES)
    assert digest(tmp_path / "again") == digest(data.folder)


def test_a_finished_set_is_reused_and_another_one_replaces_it(tmp_path: Path) -> None:
    first = generate(tmp_path, 100, 2)
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")}
    assert generate(tmp_path, 100, 2) == first
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.gz")} == times
    assert generate(tmp_path, 120, 3).files == len(list(tmp_path.rglob("*.gz"))) == 3


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"thesis\.txt"):
        generate(tmp_path, 100, 2)
    assert (tmp_path / "thesis.txt").read_text() == "dear"


def test_counts_are_those_of_the_files(data: GeneratedData, records: list[tuple[Path, dict[str, Any]]]) -> None:
    assert len(records) == data.events == EVENTS
    assert len({path for path, _ in records}) == data.files == FILES
    assert Counter(record["eventName"] for _, record in records) == data.event_weights
    assert len(data.event_weights) >= 60
    assert len({record["eventID"] for _, record in records}) == EVENTS


def test_records_look_like_cloudtrail(data: GeneratedData, records: list[tuple[Path, dict[str, Any]]]) -> None:
    assert 1_150 <= data.json_bytes / EVENTS <= 1_450
    assert len({template.name for template in TEMPLATES}) >= 70
    kinds = {record["userIdentity"]["type"] for _, record in records}
    assert kinds >= {"IAMUser", "AssumedRole", "AWSService", "AWSAccount", "WebIdentityUser"}
    assert {record["eventCategory"] for _, record in records} == {"Management", "Data", "NetworkActivity"}
    assert 0.01 < sum("errorCode" in record for _, record in records) / EVENTS < 0.05
    for path, record in records:
        assert record["recipientAccountId"] in path.name and record["awsRegion"] in path.name
        assert "<" not in json.dumps(record)


def test_the_needles_are_rare_and_counted(data: GeneratedData, records: list[tuple[Path, dict[str, Any]]]) -> None:
    keyed = [path for path, record in records if record["userIdentity"].get("accessKeyId") == data.needle_key]
    sent = [path for path, record in records if record["sourceIPAddress"] == data.needle_ip]
    assert (len(keyed), len(sent)) == (data.needle_key_events, data.needle_ip_events)
    assert 0 < len(keyed) <= EVENTS // 1000 and 0 < len(sent) <= EVENTS // 1000


def test_each_event_name_has_one_source() -> None:
    pairs = {(template.name, template.source) for template in TEMPLATES}
    assert len(pairs) == len({name for name, _ in pairs})


def test_rules_are_sigma_and_mostly_name_an_event(data: GeneratedData) -> None:
    texts = generate_rules(100, data.event_weights)
    rules = [SigmaCollection.from_yaml(text).rules[0] for text in texts]
    assert len({rule.id for rule in rules}) == 100
    assert sum("eventName:" in text for text in texts) == 95
    assert generate_rules(100, data.event_weights) == texts
    assert generate_rules(100, data.event_weights, seed=12) != texts
