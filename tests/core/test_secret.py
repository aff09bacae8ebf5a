"""Where secrets are, in configuration."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from trailkeep.core.errors import UsageError
from trailkeep.core.secret import Secret


def test_a_secret_that_is_written_down_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValidationError, match=r"never written down here: say where it is, as \{env: NAME\}"):
        Secret.model_validate("hunter2")
    with pytest.raises(ValidationError, match="one of env, file and aws_secret"):
        Secret.model_validate({"env": "A", "file": "b"})


def test_each_place_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("from a file\n")
    monkeypatch.setenv("A_SECRET", "from the environment")
    found = [Secret(env="A_SECRET"), Secret(file=tmp_path / "token"), Secret(aws_secret="id")]
    assert [each.read(lambda name: f"fetched {name}") for each in found] == [
        "from the environment",
        "from a file",
        "fetched id",
    ]
    monkeypatch.delenv("A_SECRET")
    for each in (Secret(env="A_SECRET"), Secret(file=tmp_path / "none")):
        with pytest.raises(UsageError, match="which holds a secret"):
            each.read(str)
