"""A rule of the configuration for what is not kept: nobody stores everything just in case."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from trailkeep.core.columns import MAPPED

_COLUMNS = {column.name: column.type for column in MAPPED if not column.type.endswith("[]")}


class Drop(BaseModel):
    """A rule for events that are not kept; all of what it says must be so. Texts may hold the wildcards `*` and `?`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    reason: str = Field(min_length=1, description="why nobody needs them: for who asks later")
    source: str | None = None
    log_group: str | None = Field(default=None, description="of CloudWatch Logs, as the envelope tells it")
    where: dict[str, str] = Field(default_factory=dict, description="stored column -> the value it has")

    @field_validator("where", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        return {k: str(v) for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _says_something(self) -> "Drop":
        unknown = [name for name in self.where if name not in _COLUMNS]
        if unknown:
            raise ValueError(f"where: no stored column {', '.join(unknown)}; there are: {', '.join(_COLUMNS)}")
        if self.source is None and self.log_group is None and not self.where:
            raise ValueError("would drop everything: name a source, a log_group or a value")
        return self
