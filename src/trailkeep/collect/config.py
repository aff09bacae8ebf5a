"""The part of trailkeep.yaml that says what to collect: found by type, one module a collector."""

from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trailkeep.collect.aws import AwsAccount
from trailkeep.collect.collector import CollectorConfig


class Commit(BaseModel):
    """When what was collected is committed: at so many raw megabytes, or so long after the first record came."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    megabytes: float = Field(default=128, gt=0, le=4096)
    seconds: float = Field(default=3, gt=0, le=3600)
    maintenance_every: int = Field(default=250, ge=1, description="commits after which small files are merged")


class CollectConfig(BaseModel):
    """Everything that `trailkeep collect` is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path | None = Field(default=None, description="folder of the lake")
    sources: list[Path] = Field(default_factory=list, description="folders of sources of your own")
    rules: list[Path] = Field(default_factory=list, description="rules instead of the shipped ones")
    accounts: dict[str, AwsAccount] = Field(default_factory=dict)
    aws_endpoint: str | None = Field(default=None, description="endpoint of all AWS services, for tests")
    spool_mb: int = Field(default=2048, ge=16, description="most megabytes that wait on disk before senders must wait")
    commit: Commit = Commit()
    collect: dict[str, CollectorConfig] = Field(min_length=1)

    @field_validator("collect", mode="before")
    @classmethod
    def _by_type(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: _collector(name, each) for name, each in value.items()}

    @model_validator(mode="after")
    def _accounts_exist(self) -> "CollectConfig":
        for name, each in self.collect.items():
            for field in ("account", "bucket_account"):
                account = getattr(each, field, None)
                if account is not None and account not in self.accounts:
                    known = ", ".join(self.accounts) or "none"
                    raise ValueError(f"collect.{name}.{field}: no account {account!r} in accounts; there are: {known}")
        return self


def types() -> dict[str, type[CollectorConfig]]:
    """Type -> configuration of every collector there is."""
    package = import_module("trailkeep.collect")
    for module in iter_modules(package.__path__, "trailkeep.collect."):
        import_module(module.name)
    found = {}
    waiting = [CollectorConfig]
    while waiting:
        for kind in waiting.pop().__subclasses__():
            waiting.append(kind)
            if "Literal" in str(kind.model_fields["type"].annotation):
                found[kind.model_fields["type"].annotation.__args__[0]] = kind  # type: ignore[union-attr]
    return dict(sorted(found.items()))


def _collector(name: object, value: object) -> CollectorConfig:
    known = types()
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in known:
        raise ValueError(f"{name}: type {kind!r}; one of {', '.join(known)}")
    return known[kind].model_validate(value)
