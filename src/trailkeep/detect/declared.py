"""The part of trailkeep.yaml that says what is the user's own; `Lists` for placeholders of rules out.

`organisation.accounts` is `%organisation_accounts%` in a rule, `canaries.keys` is `%canary_keys%`, `logs.buckets` is
`%log_buckets%`, and what stands below `lists` keeps its name.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from trailkeep.core.located import Name
from trailkeep.core.yaml_file import BASE
from trailkeep.detect.lists import Lists, is_network

_PREFIXES = {"organisation": "organisation_", "canaries": "canary_", "logs": "log_"}
_COMMENT = re.compile(r"(^|\s)#.*")


def _text(value: object) -> object:
    """Numbers as they were most likely written; YAML knows more than texts, and lists do not."""
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is no text; write it in quotes")
    return str(value) if isinstance(value, int) else value


def _shaped(shape: str, what: str) -> AfterValidator:
    pattern = re.compile(shape)

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(f"{value!r} is not {what}")
        return value

    return AfterValidator(check)


def _network(value: str) -> str:
    if not is_network(value):
        raise ValueError(f"{value!r} is neither an address nor a network such as 10.0.0.0/8 (no bits after its mask)")
    return value


Text = Annotated[str, BeforeValidator(_text), _shaped(r"\S(.*\S)?", "a text that begins and ends with a character")]
Account = Annotated[Text, _shaped(r"\d{12}", "an account of 12 digits; write it in quotes, or a 0 in front is lost")]
Network = Annotated[Text, AfterValidator(_network)]
Bucket = Annotated[Text, _shaped(r"[a-z0-9.*?-]{3,63}", "the name of a bucket")]
Arn = Annotated[Text, _shaped(r"arn:[^:]+:\S+", "an ARN")]
Key = Annotated[Text, _shaped(r"[A-Z0-9]{16,128}", "the id of an access key, such as AKIAIOSFODNN7EXAMPLE")]
ObjectName = Annotated[Text, _shaped(r"[a-z0-9.-]{3,63}/.+", "a bucket and a key, such as acme-exports/customers.csv")]
Url = Annotated[Text, _shaped(r"https?://\S+", "a URL")]
RoleName = Annotated[Text, _shaped(r"[\w+=,.@*?-]{1,64}", "the name of a role")]
Domain = Annotated[Text, _shaped(r"[A-Za-z0-9_*-]+(\.[A-Za-z0-9_*-]+)+", "a DNS name without a dot at its end")]
PathName = Annotated[Text, _shaped(r"(/|[A-Za-z]:\\).+", "the whole path of a file")]
Resource = Annotated[Text, _shaped(r"\S{3,}", "an ARN or a name of 3 characters or more")]
Mark = Annotated[Text, _shaped(r".{6,}", "a text of 6 characters or more: it is looked for inside whole records")]


class ListFile(BaseModel):
    """A file with one value a line; what follows ` #` is not read."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path = Field(description="from the folder of trailkeep.yaml, read when a command starts")
    values: list[str] = Field(default_factory=list, exclude=True, repr=False)

    @model_validator(mode="before")
    @classmethod
    def _read(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, dict) or set(data) != {"file"} or not isinstance(data["file"], str | Path):
            raise ValueError("a list is values, or {file: ...} and nothing else")
        path = Path((info.context or {}).get(BASE, ".")) / data["file"]
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except OSError as error:
            raise ValueError(f"{path} cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise ValueError(f"{path}:{line}: is not UTF-8") from error
        found = ((_COMMENT.sub("", line) if "#" in line else line).strip() for line in lines)
        return data | {"values": [value for value in found if value]}


Values = Annotated[
    Annotated[list[Text], Tag("values")] | Annotated[ListFile, Tag("file")],
    Discriminator(lambda given: "file" if isinstance(given, dict | ListFile) else "values"),
]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Organisation(_Group):
    """What belongs to you: what is outside is a stranger."""

    accounts: list[Account] = Field(default_factory=list, description="AWS accounts, all of them")
    networks: list[Network] = Field(default_factory=list, description="networks, those inside and those you come from")
    closed_networks: list[Network] = Field(
        default_factory=list, description="those of your networks from which nothing goes to networks outside"
    )
    buckets: list[Bucket] = Field(default_factory=list, description="buckets, all of them; * and ? stand for others")
    principals: list[Arn] = Field(default_factory=list, description="roles and users, by ARN; * and ? stand for others")


class Canaries(_Group):
    """What nobody has a reason to touch: any touch alerts."""

    keys: list[Key] = Field(default_factory=list, description="ids of access keys that lie about to be found")
    principals: list[Arn] = Field(default_factory=list, description="users and roles that nobody uses")
    buckets: list[Bucket] = Field(default_factory=list, description="buckets that nobody reads")
    objects: list[ObjectName] = Field(default_factory=list, description="objects, as bucket/key")
    resources: list[Resource] = Field(
        default_factory=list,
        description="secrets, parameters, tables, functions, keys of KMS, by ARN and by the name that calls use",
    )
    addresses: list[Network] = Field(default_factory=list, description="addresses where nothing is")
    names: list[Domain] = Field(default_factory=list, description="DNS names that nothing asks for")
    files: list[PathName] = Field(default_factory=list, description="files on machines, by whole path")
    records: list[Mark] = Field(default_factory=list, description="texts that only an invented record has")


class Logs(_Group):
    """Where logs and the lake are kept, and what Trailkeep itself works with."""

    buckets: list[Bucket] = Field(default_factory=list, description="buckets of logs and of the lake")
    keys: list[Arn] = Field(default_factory=list, description="KMS keys that logs are encrypted with, by ARN")
    queues: list[Url] = Field(default_factory=list, description="queues that Trailkeep fetches from, by URL")
    roles: list[RoleName] = Field(default_factory=list, description="roles that Trailkeep works with, by name")
    readers: list[Arn] = Field(
        default_factory=list, description="who may read logs: roles and users by ARN; * and ? stand for others"
    )


class Declared(BaseModel):
    """What rules may ask for by name."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    lists: dict[Name, Values] = Field(default_factory=dict, description="by name, values or {file: path}")
    organisation: Organisation = Organisation()
    canaries: Canaries = Canaries()
    logs: Logs = Logs()

    @model_validator(mode="after")
    def _names_are_free(self) -> "Declared":
        taken = {name: where for name, where in group_names().items() if name in {own.lower() for own in self.lists}}
        if taken:
            told = "; ".join(f"{name} is what {where} declares" for name, where in taken.items())
            raise ValueError(f"lists: {told}")
        return self

    def as_lists(self) -> Lists:
        """All of it, by the names that rules use."""
        found: dict[str, Iterable[str]] = {
            name: given.values if isinstance(given, ListFile) else given for name, given in self.lists.items()
        }
        for group, prefix in _PREFIXES.items():
            found |= {f"{prefix}{name}": values for name, values in getattr(self, group)}
        return Lists.of(found)


def group_names() -> dict[str, str]:
    """The name of each list of a group -> the key that declares it."""
    return {
        f"{prefix}{name}": f"{group}.{name}"
        for group, prefix in _PREFIXES.items()
        for name in Declared.model_fields[group].annotation.model_fields  # type: ignore[union-attr]
    }


def waits_for(names: Iterable[str]) -> str:
    """What somebody must declare so that a rule can match."""
    groups = group_names()
    told = " and ".join(f"{groups.get(name, f'lists.{name}')} (%{name}%)" for name in names)
    return f"waits for {told} in trailkeep.yaml: it matches nothing until that is declared"
