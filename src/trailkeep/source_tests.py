"""A source folder in, what is wrong with it out: its samples are read, mapped, and compared with expected/.

The tests of the shipped sources and `trailkeep sources test` share these checks. Events are checked against the OCSF
schema where the packages ocsf-json-schema and jsonschema-rs are installed.
"""

import difflib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from trailkeep.core.errors import InputError
from trailkeep.core.ocsf import VERSION
from trailkeep.core.source import SHIPPED, Source
from trailkeep.engine.duckdb import connect
from trailkeep.normalize.mapping import Mapped, Mapper
from trailkeep.normalize.ocsf import OcsfEvents, to_ocsf
from trailkeep.normalize.read import key_time, read_objects
from trailkeep.normalize.records import ObjectRecords, chunks_of, to_table

_LIMIT = 64 * 1024 * 1024
_OBJECT_ID = "0" * 32
_DIFF_LINES = 40
_KEY_TIME = datetime(2026, 6, 30, tzinfo=UTC)  # of syslog: the year of times that name none

Results = list[dict[str, Any]]


@dataclass(frozen=True)
class SampleFault:
    """What is wrong with a sample of a source; `file` is the sample or what it is compared with."""

    file: Path
    reason: str

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}"


def samples_of(source: Source) -> list[Path]:
    """The source's samples."""
    folder = source.folder / "samples"
    return sorted(folder.iterdir()) if folder.is_dir() else []


def sample_records(source: Source, path: Path, sources: Mapping[str, Source]) -> pa.Table:
    """The raw records of a sample, read as a file of `source` is. Raises InputError where not all of it can be read.

    Its name may tell when it was delivered, as a key does: then times without a year have the same year for ever.
    """
    if source.format == "delimited":
        return to_table(_under_header(path), _OBJECT_ID, None)
    records, *others = read_objects(path.read_bytes(), path.name, sources, source=source.name, limit=_LIMIT)
    for piece in records.bad:
        raise InputError(f"at byte {piece.position}: {piece.reason}")
    if others or records.kind != "events":
        raise InputError(records.reason or "holds records of other sources, too")
    return to_table(records, _OBJECT_ID, key_time(path.name))


def _under_header(path: Path) -> ObjectRecords:
    """The lines of a sample under its first, which may name other fields than a file that is read has."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    chunks = list(chunks_of([line.encode() for line in lines], raw_format=header))
    return ObjectRecords(None, "events", "", "", 0, 0, chunks)


def results(source: Source, raw: pa.Table) -> Results:
    """For each record: its OCSF event (without raw_data), principal and entities, or why it was rejected."""
    return together(raw, Mapper().map(source, raw), to_ocsf(connect(), source, raw))


def together(raw: pa.Table, mapped: Mapped, ocsf: OcsfEvents) -> Results:
    """The same, of records that both forms were made of."""
    found = {row["record_no"]: {"rejected": row["reason"]} for row in mapped.rejected.to_pylist()}
    columns = mapped.events.select(["record_no", "principal", "entities"])
    for row, line in zip(columns.to_pylist(), ocsf.lines, strict=True):
        event = {name: value for name, value in json.loads(line).items() if name != "raw_data"}
        found[row["record_no"]] = {
            "event": event,
            "principal": row["principal"],
            "entities": sorted(row["entities"]),
        }
    return [found[number] for number in raw["record_no"].to_pylist()]


def expected_path(source: Source, sample: Path) -> Path:
    """Where it stands what a sample becomes."""
    return source.folder / "expected" / f"{sample.name}.json"


def written(found: Results) -> str:
    """Results as a file of expected/ has them."""
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def accept(source: Source, sample: Path, found: Results) -> None:
    """Write what a sample becomes as what is expected of it."""
    path = expected_path(source, sample)
    path.parent.mkdir(exist_ok=True)
    path.write_text(written(found), encoding="utf-8")


def difference(source: Source, sample: Path, found: Results) -> str:
    """How results differ from what is expected, to be read; empty where they do not."""
    path = expected_path(source, sample)
    if not path.is_file():
        return f"{path} is missing; --accept writes it"
    expected = path.read_text(encoding="utf-8")
    if json.loads(expected) == found:
        return ""
    lines = list(
        difflib.unified_diff(expected.splitlines(), written(found).splitlines(), "expected", "found", lineterm="", n=2)
    )
    more = len(lines) - _DIFF_LINES
    return "\n".join([*lines[:_DIFF_LINES], *([f"... and {more} more lines"] if more > 0 else [])])


@cache
def schema_check() -> Callable[[dict[str, Any]], list[str]] | None:
    """Tells what the schema of its class and profiles has against an event; None where the packages are missing."""
    try:
        import jsonschema_rs
        from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema
    except ImportError:
        return None
    schema = OcsfJsonSchemaEmbedded(get_ocsf_schema(VERSION))

    @cache
    def validator(class_uid: int, profiles: tuple[str, ...]) -> Any:
        name = schema.lookup_class_name_from_uid(class_uid)
        return jsonschema_rs.validator_for(schema.get_class_schema(name, list(profiles)))

    def check(event: dict[str, Any]) -> list[str]:
        found = validator(event["class_uid"], tuple(event["metadata"]["profiles"])).iter_errors(event)
        return [f"{'.'.join(map(str, error.instance_path))}: {error.message[:200]}" for error in found]

    return check


def check_source(source: Source, sources: Mapping[str, Source], accepting: bool = False) -> Iterator[SampleFault]:
    """What is wrong with a source's samples. `accepting`: what they become is from now on what is expected."""
    samples = samples_of(source)
    if not samples:
        yield SampleFault(source.folder / "samples", "holds no samples")
    for sample in samples:
        try:
            raw = sample_records(source, sample, sources)
            recognised = read_objects(sample.read_bytes(), sample.name, sources, limit=_LIMIT)[0].source
        except InputError as error:
            yield SampleFault(sample, str(error))
            continue
        if recognised != source.name and source.folder.parent != SHIPPED:
            yield SampleFault(sample, f"is recognised as {recognised or 'no source'}: see `recognise` in source.yaml")
        found = results(source, raw)
        check = schema_check()
        for number, one in enumerate(found):
            for reason in check(one["event"] | {"raw_data": ""}) if check and "event" in one else ():
                yield SampleFault(sample, f"record {number} is no valid OCSF event: {reason}")
        if accepting:
            accept(source, sample, found)
        elif differs := difference(source, sample, found):
            yield SampleFault(sample, f"becomes something else than expected:\n{differs}")
