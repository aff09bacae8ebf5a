"""Each record of the real CloudTrail and flow samples is a valid event, or rejected for the right reason."""

import json
from collections import Counter
from pathlib import Path

from content.ocsf_schema import faults
from content.records import json_records, raw_table, read_text
from trailkeep.core.source import Source, load_sources
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapper
from trailkeep.normalize.ocsf import to_ocsf
from trailkeep.normalize.recognise import by_fields

SOURCES = load_sources()


def is_record(source: Source, record: object) -> bool:
    return isinstance(record, dict) and by_fields(record, [source]) is not None


def test_cloudtrail(real_samples: Path) -> None:
    source, counts = SOURCES["aws_cloudtrail"], Counter[str]()
    origins, texts = [], []
    for path in sorted(p for p in (real_samples / "cloudtrail").rglob("*") if p.is_file()):
        for record in json_records(read_text(path)):
            if is_record(source, record):
                origins.append(path)
                texts.append(json.dumps(record))
            else:
                counts["not a CloudTrail record"] += 1
    raw = raw_table(texts)
    mapped, ocsf = Mapper().map(source, raw), to_ocsf(connect(), source, raw)
    assert len(mapped.events) == len(ocsf.lines) == len(raw) - len(mapped.rejected)
    for number, line in zip(mapped.events["record_no"].to_pylist(), ocsf.lines, strict=True):
        event = json.loads(line)
        assert faults(event) == [], origins[number]
        counts[f"class {event['class_uid']}"] += 1
    rejected = mapped.rejected.to_pylist()
    reasons = Counter((origins[row["record_no"]].parent.name, row["reason"]) for row in rejected)
    print(len(raw), counts, reasons)
    assert reasons == {("otrf_security_datasets", "no eventTime"): 103}
    assert len(mapped.events) > 350


def test_vpc_flow(real_samples: Path) -> None:
    source, counts = SOURCES["aws_vpc_flow"], Counter[str]()
    for path in sorted((real_samples / "vpcflow").rglob("*")):
        if path.is_file():
            header, *lines = read_text(path).splitlines()
            ocsf = to_ocsf(connect(), source, raw_table(lines, header))
            assert not len(ocsf.rejected)
            for line in ocsf.lines:
                assert faults(json.loads(line)) == [], path
            counts["4001"] += len(ocsf.lines)
    print(counts)
    assert counts["4001"] == 21
