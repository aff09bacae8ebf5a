"""A folder of `sources/` in, a validated `Source` out: everything Trailkeep knows about one kind of log."""

import re
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from trailkeep.core import syslog
from trailkeep.core.errors import ConfigError, Fault

SHIPPED = Path(__file__).parent.parent / "sources"


class Recognise(BaseModel):
    """How a file shows that it belongs to a source: by its key, or by what a record in it holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: list[str] = Field(default_factory=list, description="regular expressions searched in the key")
    fields: list[list[str]] = Field(
        default_factory=list, description="sets of field names; a record that has one whole set is this source's"
    )
    line: str | None = Field(
        default=None,
        description="of lines: regular expression searched in a line that its pattern matches; it must be there",
    )
    last: bool = Field(default=False, description="whether content is tried against all other sources first")
    around: list[str] = Field(
        default_factory=list,
        description="kinds of envelopes: an event of such a kind is this source's where what it "
        "wraps is of no known source",
    )


class Source(BaseModel):
    """One kind of log. `folder` holds source.yaml, map.sql (unless `like`), samples/ and expected/."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folder: Path
    name: str
    title: str
    like: str | None = Field(default=None, description="a shipped source whose map.sql and keys this one shares")
    version: int = Field(ge=1, description="map_version: raised whenever map.sql changes what it yields")
    format: Literal["json", "delimited", "lines"]
    pattern: str | None = Field(
        default=None,
        description="of format lines: the regular expression (RE2) that a whole line matches, a named group for each "
        "field; the first group is never empty. Of fields, empty text and `-` are null",
    )
    syslog: str | None = Field(
        default=None,
        description="of format lines: the regular expression of the program whose syslog lines these are; `pattern` is "
        "for the message after the header. `*`: any program; `?`: any or none, and the header may be missing",
    )
    comments: str | None = Field(default=None, description="of format lines: what lines begin with that are no records")
    begins: str | None = Field(
        default=None,
        description="of format lines: a regular expression for the begin of a record's first line; lines that do not "
        "begin so belong to the record above",
    )
    headless: dict[str, str] = Field(
        default_factory=dict,
        description="of format delimited: what a whole line matches that comes without a header -> the header it has",
    )
    envelope: list[str] = Field(
        default_factory=list, description="of JSON: keys (or the one key) of the array that holds an object's records"
    )
    recognise: Recognise = Recognise()
    logsource: dict[str, str] = Field(description="Sigma logsource that selects this source")
    shape: dict[str, Any] = Field(
        default_factory=dict,
        description="field -> SQL type, or nested shape: what map.sql reads as r.field; of lines, the pattern's groups",
    )
    fields: dict[str, str] = Field(
        description="native field -> SQL over stored columns with exactly its value; others read raw_data"
    )
    natives: list[str] = Field(
        default_factory=list, description="top-level fields kept as JSON text while a batch is in memory, for rules"
    )
    collectors: list[str] = Field(default_factory=list, description="types of collectors that bring it, for the docs")
    retention_days: int = 400
    personal: list[str] = Field(default_factory=list, description="native fields that may hold personal data")

    @field_validator("envelope", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @model_validator(mode="before")
    @classmethod
    def _shape_of_pattern(cls, data: dict[str, Any]) -> dict[str, Any]:
        if data.get("format") != "lines":
            return data
        try:
            pattern = re.compile(_line_pattern(data.get("syslog"), data.get("pattern") or ""))
        except re.error as error:
            raise ValueError(f"pattern: no regular expression: {error}") from error
        if not pattern.groupindex or "shape" in data:
            raise ValueError("a source of lines needs a pattern with named groups, which are its shape")
        if pattern.groups > len(pattern.groupindex):
            raise ValueError("pattern, syslog: a group without a name; write (?:...) where nothing is to be kept")
        return data | {"shape": dict.fromkeys(pattern.groupindex, "VARCHAR")}

    @model_validator(mode="after")
    def _has_what_its_format_needs(self) -> "Source":
        if not self.shape:
            raise ValueError("shape: names no field")
        if self.format != "lines" and (self.pattern or self.comments or self.begins or self.syslog):
            raise ValueError("pattern, comments, begins, syslog: only a source of lines has them")
        if self.format != "delimited" and self.headless:
            raise ValueError("headless: only a source of delimited text has it")
        return self

    @property
    def whole_line(self) -> str:
        """Of format lines: the pattern, to be searched for in a line."""
        return f"^(?s:{_line_pattern(self.syslog, self.pattern or '')})$"

    def line_with(self, name: str) -> str:
        """Of format lines: `whole_line` with the group of this field alone; DuckDB numbers no more than nine."""
        return re.sub(rf"\(\?P<(?!{name}>)\w+>", "(?:", self.whole_line)

    @cached_property
    def filled(self) -> str:
        """Of format lines: the field that is never empty."""
        return (
            syslog.TIME
            if self.syslog not in (None, syslog.BARE)
            else next(iter(re.compile(self.pattern or "").groupindex))
        )

    @cached_property
    def line(self) -> re.Pattern[str]:
        """Of format lines: `whole_line`, to look at single lines with."""
        return re.compile(self.whole_line)

    def has_line(self, lines: Iterable[str]) -> bool:
        """Of format lines: whether one of these lines of a file, or a record of several of them, is this source's."""
        wanted = re.compile(self.recognise.line or "")
        records: list[str] = []
        for line in lines:
            if records and self.begins and not re.match(self.begins, line):
                records[-1] += f"\n{line}"
            else:
                records.append(line)
        return any(self.line.search(record) and wanted.search(record) for record in records)

    @cached_property
    def headers(self) -> tuple[tuple[re.Pattern[str], str], ...]:
        """Compiled `headless`."""
        return tuple((re.compile(pattern), header) for pattern, header in self.headless.items())

    @cached_property
    def map_sql(self) -> str:
        """The mapping: one SELECT from `records`, each output named by its OCSF path."""
        folder = SHIPPED / self.like if self.like else self.folder
        return (folder / "map.sql").read_text(encoding="utf-8")

    @cached_property
    def key_patterns(self) -> tuple[re.Pattern[str], ...]:
        """Compiled `recognise.key`."""
        return tuple(re.compile(pattern) for pattern in self.recognise.key)


def _line_pattern(program: str | None, pattern: str) -> str:
    return pattern if program is None else syslog.whole_line(program, pattern)


def load_source(folder: Path) -> Source:
    """The source in `folder`. Raises ConfigError naming every fault of its source.yaml."""
    path = folder / "source.yaml"
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        if data.get("like"):
            data = yaml.safe_load((SHIPPED / data["like"] / "source.yaml").read_text(encoding="utf-8")) | data
        return Source.model_validate({"folder": folder, "name": folder.name, **data})
    except (OSError, yaml.YAMLError, TypeError) as error:
        raise ConfigError([Fault(path, 1, str(error))]) from error
    except ValidationError as error:
        faults = [Fault(path, 1, f"{'.'.join(map(str, e['loc']))}: {e['msg']}") for e in error.errors()]
        raise ConfigError(faults) from error


def load_sources(*roots: Path) -> dict[str, Source]:
    """Name -> source of every folder under the shipped sources and `roots`; a user's folder wins by name."""
    folders = [f for root in (SHIPPED, *roots) for f in sorted(root.iterdir()) if (f / "source.yaml").is_file()]
    return {folder.name: load_source(folder) for folder in folders}
