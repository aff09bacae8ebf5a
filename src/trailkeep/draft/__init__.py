"""A sample of a log in, the draft of a source folder out: how to recognise it, its shape, and a first mapping."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from trailkeep.core.errors import InputError, UsageError
from trailkeep.core.source import Source, load_source
from trailkeep.draft.json_draft import draft_json
from trailkeep.draft.map_draft import map_sql
from trailkeep.draft.sketch import Sketch
from trailkeep.draft.text_draft import draft_text
from trailkeep.normalize.decompress import decompress
from trailkeep.normalize.envelopes import Unwrapper, is_envelope
from trailkeep.normalize.formats.json_records import read_json, top_fields
from trailkeep.normalize.formats.json_salvage import JsonRecords
from trailkeep.normalize.records import view_of

_OPENED = "the file wraps its records, and envelopes are opened: this is a draft of what is in them"
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Draft:
    """A folder that was written, as a source, and what is left to do."""

    source: Source
    advice: list[str]


def draft(name: str, sample: Path, parent: Path, limit: int) -> Draft:
    """Write the folder `name` in `parent`, drafted from a sample. Raises UsageError where it is there, or no name."""
    folder = parent / name
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a source: small letters, digits and underscores, such as acme_gateway"
        )
    if folder.exists():
        raise UsageError(f"{folder} is there already")
    sketch = _sketch(sample, limit)
    (folder / "samples").mkdir(parents=True)
    (folder / "source.yaml").write_text(_source_yaml(name, sample, sketch), encoding="utf-8")
    mapped = map_sql(name, sketch)
    (folder / "map.sql").write_text(mapped.sql, encoding="utf-8")
    (folder / "samples" / sketch.sample_name).write_bytes(sketch.sample)
    return Draft(load_source(folder), [*sketch.advice, *mapped.advice])


def _sketch(sample: Path, limit: int) -> Sketch:
    try:
        plain = decompress(sample.read_bytes(), limit).data
    except OSError as error:
        raise InputError(f"{sample}: {error.strerror}") from error
    inner = _unwrapped(plain, limit)
    text = (b"\n".join(inner) or plain).decode("utf-8-sig", "backslashreplace")
    if not text.strip():
        raise InputError(f"{sample}: holds nothing to draft a source from")
    sketch = (draft_json(text) if text.lstrip()[:1] in "{[" else None) or draft_text(text)
    return replace(sketch, advice=[*sketch.advice, _OPENED]) if inner else sketch


def _unwrapped(plain: bytes, limit: int) -> list[bytes]:
    """What the envelopes in a file wrap; nothing where it holds none."""

    def split(data: bytes) -> JsonRecords:
        return read_json(data, (), lambda record: bool(top_fields(record)))

    raws = [plain] if is_envelope(top_fields(plain)) else split(plain).raws if plain.lstrip()[:1] in b"{[" else []
    if not any(is_envelope(top_fields(raw)) for raw in raws[:1]):
        return []
    unwrapper = Unwrapper(split, (), limit)
    return [bytes(view_of(one.data)) for raw in raws for one in unwrapper.open(raw) if not one.fault]


def _source_yaml(name: str, sample: Path, sketch: Sketch) -> str:
    stem = _DIGITS.sub(r"\\d+", re.escape(re.sub(r"\.(gz|bz2|zst)$", "", sample.name)).replace(r"\-", "-"))
    product, _, service = name.partition("_")
    data = {
        "title": f"Logs of {name.replace('_', ' ')}",
        "version": 1,
        "format": sketch.format,
        **sketch.keys,
        "recognise": {
            "key": [rf"(^|/){stem}(\.gz)?$"],
            **({"fields": [sketch.recognise]} if sketch.recognise else {}),
            **({"last": True} if sketch.format == "lines" else {}),  # a guessed pattern fits much
        },
        "logsource": {"product": product, **({"service": service} if service else {})},
        **({"shape": sketch.shape} if sketch.shape else {}),
        "fields": {},
        "personal": [],
    }
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
