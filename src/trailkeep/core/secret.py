"""A reference to a secret in, the secret out; configuration files hold references only."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from trailkeep.core.errors import UsageError

Fetch = Callable[[str], str]  # the id of a secret kept elsewhere -> the secret


class Secret(BaseModel):
    """Where a secret is: an environment variable, a file, or an entry of AWS Secrets Manager."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str | None = None
    file: Path | None = None
    aws_secret: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        if isinstance(value, Mapping | Secret):
            return value
        raise ValueError("a secret is never written down here: say where it is, as {env: NAME} or {file: PATH}")

    @model_validator(mode="after")
    def _one(self) -> "Secret":
        if sum(place is not None for place in (self.env, self.file, self.aws_secret)) != 1:
            raise ValueError("a secret is named by one of env, file and aws_secret, and never written down here")
        return self

    def read(self, fetch: Fetch) -> str:
        """The secret itself. Raises UsageError where it is not there."""
        if self.env is not None:
            if not (value := os.environ.get(self.env)):
                raise UsageError(f"the environment variable {self.env}, which holds a secret, is not set")
            return value
        if self.file is not None:
            try:
                return self.file.expanduser().read_text(encoding="utf-8").strip()
            except OSError as error:
                raise UsageError(f"{self.file}, which holds a secret: {error.strerror}") from error
        assert self.aws_secret is not None
        return fetch(self.aws_secret)
