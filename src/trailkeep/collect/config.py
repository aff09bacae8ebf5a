"""The part of trailkeep.yaml that says what to collect: found by type, one module a collector."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from trailkeep.aws import AwsAccount
from trailkeep.collect.collector import CollectorConfig
from trailkeep.core.drop import Drop
from trailkeep.core.located import any_by_name, types_in
from trailkeep.geo.places import Geo


class Commit(BaseModel):
    """When what was collected is committed: at so many raw megabytes, or so long after the first record came."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    megabytes: float = Field(default=128, gt=0, le=4096)
    seconds: float = Field(default=3, gt=0, le=3600)
    maintenance_every: int = Field(default=250, ge=1, description="commits after which small files are merged")


class Silence(BaseModel):
    """When a source that normally speaks at an hour of the day counts as silent; an alert then says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: int = Field(default=2, ge=1, description="in which it should have spoken and did not")
    late_hours: int = Field(default=1, ge=0, description="that logs may be late")
    days: int = Field(default=14, ge=2, le=90, description="of the past that are looked at")
    least_days: int = Field(default=7, ge=1, description="for which a source must be known")
    share: float = Field(default=0.9, gt=0, le=1, description="of the days on which it spoke at that hour")
    every_seconds: float = Field(default=600, gt=0, description="how often it is looked for")


class Baselines(BaseModel):
    """When detectors of what is unusual look at what came in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    every_seconds: float = Field(default=900, gt=0, description="how often they look")
    late_minutes: int = Field(default=60, ge=0, description="that logs may be late: what is younger is looked at later")
    again_hours: int = Field(default=24, ge=0, description="that each look goes back, for events that came since")


class CollectConfig(BaseModel):
    """Everything that `trailkeep collect` is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    home: Path | None = Field(default=None, description="folder of the lake")
    sources: list[Path] = Field(default_factory=list, description="folders of sources of your own")
    rules: list[Path] = Field(default_factory=list, description="rules instead of the shipped ones")
    accounts: dict[str, AwsAccount] = Field(default_factory=dict)
    aws_endpoint: str | None = Field(default=None, description="endpoint of all AWS services, such as an emulator's")
    spool_mb: int = Field(default=2048, ge=16, description="most megabytes that wait on disk before senders must wait")
    commit: Commit = Commit()
    silence: Silence = Silence()
    baselines: Baselines = Baselines()
    geo: Geo = Geo()
    drop: list[Drop] = Field(default_factory=list, description="what is not kept, counted all the same")
    collect: dict[str, CollectorConfig] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _accounts_exist(self) -> "CollectConfig":
        for name, each in self.collect.items():
            asked = [
                ("account", getattr(each, "account", None)),
                ("bucket_account", getattr(each, "bucket_account", None)),
            ]
            asked += [("accounts", account) for account in getattr(each, "accounts", [])]
            for key, account in asked:
                if account is not None and account not in self.accounts:
                    known = ", ".join(self.accounts) or "none"
                    raise ValueError(f"collect.{name}.{key}: no account {account!r} in accounts; there are: {known}")
        return self


def collect_fields(required: bool = True) -> Any:
    """The field `collect` with every type of collector there is. `required`: whether one must be named."""
    return (any_by_name(types()), Field(min_length=1) if required else Field(default_factory=dict))


def types() -> dict[str, type[CollectorConfig]]:
    """Type -> configuration of every collector there is."""
    return types_in("trailkeep.collect", CollectorConfig)
