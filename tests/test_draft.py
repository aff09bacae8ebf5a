"""A draft of a source from a log file: it loads, maps its own sample at once, and loses nothing of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Program
from tests.content.records import leaves
from trailkeep.core.source import Source, load_source, load_sources
from trailkeep.source_tests import check_source, results, sample_records, samples_of

PAIRS = """\
2026-11-17T09:00:00Z INFO gateway[12]: user=alice src=192.0.2.7 method=GET path="/a b" status=200
2026-11-17T09:00:01Z WARN gateway[12]: user=bob src=192.0.2.8 method=POST path="/c" status=500
"""
TABLE = """\
Time,User,Client IP,Action,Note
2026-11-17T09:00:00Z,alice,192.0.2.7,login,"a, b"
2026-11-17T09:00:01Z,bob,2001:db8:a::8,logout,
"""
WORDS = "time user src-ip bytes\n1794902400 alice 192.0.2.7 -\n1794902401 bob 192.0.2.8 7\n"
ENVELOPE = json.dumps(
    {
        "entries": [
            {
                "id": "a",
                "at": 1794902400123,
                "user": {"name": "alice"},
                "clientIp": "192.0.2.7",
                "event": "Go",
                "a-b": 1,
            },
            {"id": "b", "ID": "c", "at": 1794902400124, "user": {"name": "bob", "x": None}, "tags": [{"k": "v"}]},
        ]
    },
    indent=1,
)
OBJECTS = """\
{"@timestamp":"2026-11-17T09:00:00Z","userName":"alice","msg":"it's ok","ip":"192.0.2.7","big":99999999999999999999}
{"@timestamp":"2026-11-17T09:00:01+02:00","userName":"bob","extra":{"a":null,"b":[true,{"c":1.5}]}}
"""
CLF = """\
192.0.2.7 - alice [17/Nov/2026:09:00:00 +0000] "GET /x HTTP/1.1" 200 "a \\"quoted\\" agent"
192.0.2.8 - - [17/Nov/2026:09:00:01 +0000] "GET /y HTTP/1.1" 404 "-"
"""
SYSLOG = """\
Nov 17 09:00:00 host sshd[1]: Accepted publickey for alice from 192.0.2.7 port 22
Nov 17 09:00:01 host sshd[1]: Bye
"""


def drafted(trailkeep: Program, folder: Path, name: str, text: str) -> tuple[Source, str]:
    sample = folder / name
    sample.write_text(text)
    done = trailkeep("sources", "new", "acme_gateway", "--from", sample, "--to", folder / "mine")
    assert done.code == 0, done.err
    return load_source(folder / "mine" / "acme_gateway"), done.err


def events_of(source: Source) -> list[dict[str, Any]]:
    (sample,) = samples_of(source)
    return results(source, sample_records(source, sample, {source.name: source}))


@pytest.mark.parametrize(
    ("name", "text", "format", "user"),
    [
        ("gw-20261117.log", PAIRS, "lines", "alice"),
        ("t.csv", TABLE, "lines", "alice"),
        ("t.tsv", TABLE.replace(",", "\t"), "lines", "alice"),
        ("d.log", WORDS, "delimited", "alice"),
        ("e.json", ENVELOPE, "json", "alice"),
        ("j.jsonl", OBJECTS, "json", "alice"),
        ("c.log", CLF, "lines", None),
    ],
)
def test_a_draft_maps_its_sample(
    name: str, text: str, format: str, user: str | None, trailkeep: Program, tmp_path: Path
) -> None:
    source, said = drafted(trailkeep, tmp_path, name, text)
    assert said == ""
    assert source.format == format
    found = events_of(source)
    assert len(found) == 2
    assert [one["event"]["time_dt"][:10] for one in found] == ["2026-11-17"] * 2
    assert found[0]["event"]["src_endpoint"] == {"ip": "192.0.2.7"}
    assert "192.0.2.7" in found[0]["entities"]
    if user:
        assert found[0]["principal"] == found[0]["event"]["actor"]["user"]["name"] == user
    done = trailkeep("sources", "test", "--sources", tmp_path / "mine")
    assert (done.code, done.out) == (0, "1 sources, 1 samples: 0 faults\n"), done.err


@pytest.mark.parametrize("text", [ENVELOPE, OBJECTS])
def test_nothing_of_a_record_is_lost(text: str, trailkeep: Program, tmp_path: Path) -> None:
    source, _ = drafted(trailkeep, tmp_path, "e.json", text)
    records = [json.loads(line) for line in OBJECTS.splitlines()] if text == OBJECTS else json.loads(text)["entries"]
    for record, one in zip(records, events_of(source), strict=True):
        assert set(leaves(record)) <= {*leaves(one["event"]), "99999999999999999999"}


def test_what_has_no_time_says_so(trailkeep: Program, tmp_path: Path) -> None:
    source, said = drafted(trailkeep, tmp_path, "messages", SYSLOG)
    assert "to do: no field looks like a time" in said
    assert list(events_of(source)[0]) == ["rejected"]
    assert source.line.search(SYSLOG.splitlines()[0])


def test_a_file_of_envelopes_is_opened(trailkeep: Program, tmp_path: Path) -> None:
    events = [{"id": str(n), "timestamp": 1794902400000, "message": line} for n, line in enumerate(PAIRS.splitlines())]
    data = {"messageType": "DATA_MESSAGE", "owner": "1", "logGroup": "g", "logStream": "s", "logEvents": events}
    source, said = drafted(trailkeep, tmp_path, "w.json", json.dumps(data))
    assert "to do: the file wraps its records" in said
    assert (source.format, [one["principal"] for one in events_of(source)]) == ("lines", ["alice", "bob"])
    assert samples_of(source)[0].read_text() == PAIRS


def test_a_sample_that_another_source_takes(trailkeep: Program, tmp_path: Path) -> None:
    web = '192.0.2.7 - - [17/Nov/2026:09:00:00 +0000] "GET /x HTTP/1.1" 200 12 "-" "agent"\n'
    _, said = drafted(trailkeep, tmp_path, "c.log", web)
    assert "is recognised as web_access" in said


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["Acme", "--from", "SAMPLE"], 2, "'Acme' is no name for a source"),
        (["acme", "--from", "/none"], 2, "/none: no such file"),
        (["acme", "--from", "EMPTY"], 1, "holds nothing to draft a source from"),
        (["there", "--from", "SAMPLE"], 2, "there is there already"),
    ],
)
def test_no_draft(arguments: list[str], code: int, says: str, trailkeep: Program, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "sample").write_text(PAIRS)
    (tmp_path / "empty").write_text(" \n")
    places = {"SAMPLE": tmp_path / "sample", "EMPTY": tmp_path / "empty"}
    done = trailkeep("sources", "new", *(places.get(word, word) for word in arguments), "--to", tmp_path)
    assert (done.code, done.out) == (code, "")
    assert says in done.err
    assert not (tmp_path / "acme").exists()


def test_a_changed_mapping_is_shown(trailkeep: Program, tmp_path: Path) -> None:
    source, _ = drafted(trailkeep, tmp_path, "gw.log", PAIRS)
    mapping = source.folder / "map.sql"
    mapping.write_text(mapping.read_text().replace("99 AS activity_id", "2 AS activity_id"))
    command = ("sources", "test", "acme_gateway", "--sources", tmp_path / "mine")
    done = trailkeep(*command)
    assert done.code == 1
    assert '-   "activity_id": 99,\n+   "activity_id": 2,' in done.err
    assert trailkeep(*command, "--accept").code == 0
    assert trailkeep(*command).code == 0
    mapping.write_text(mapping.read_text().replace("2 AS activity_id", "77 AS activity_id"))
    done = trailkeep(*command, "--accept")
    assert done.code == 1
    assert "record 0 is no valid OCSF event: activity_id: 77" in done.err


def test_wrong_use_of_the_test(trailkeep: Program, tmp_path: Path) -> None:
    done = trailkeep("sources", "test", "nonsense")
    assert done.code == 2
    assert "no source 'nonsense'; there are aide" in done.err
    assert "--sources" in trailkeep("sources", "test", "aws_waf", "--accept").err
    assert trailkeep("sources", "test", "aws_waf").code == 0


def test_samples_that_cannot_be_read(tmp_path: Path, trailkeep: Program) -> None:
    source, _ = drafted(trailkeep, tmp_path, "j.jsonl", OBJECTS)
    sources = load_sources(tmp_path / "mine")
    (source.folder / "samples" / "broken.json").write_text('{"a":')
    ((fault),) = check_source(source, sources)
    assert "broken.json" in str(fault) and "invalid JSON" in str(fault)
    for sample in samples_of(source):
        sample.unlink()
    ((fault),) = check_source(source, sources)
    assert fault.reason == "holds no samples"
