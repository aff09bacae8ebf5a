"""An emulated AWS, one for all tests of a process; each test makes buckets and queues of its own."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.aws import CREDENTIALS, REGION, aws_server, client
from tests.conftest import Done, Program


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    with aws_server() as found:
        yield found


@pytest.fixture
def aws(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Clients of the emulator by service; the program has the credentials for it, too."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    return lambda service: client(endpoint, service)


@pytest.fixture
def bucket(aws: Callable[[str], Any]) -> str:
    name = f"logs-{uuid4().hex[:12]}"
    aws("s3").create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    return name


Collect = Callable[..., Done]


@pytest.fixture
def collect(trailkeep: Program, tmp_path: Path) -> Collect:
    """`trailkeep collect --once` of the configuration given as text, into the folder `lake`."""

    def call(config: str, *options: str) -> Done:
        path = tmp_path / "trailkeep.yaml"
        path.write_text(config if "commit:" in config else config + "commit: {seconds: 0.1}\n")
        return trailkeep("collect", "--once", "--config", path, "--home", tmp_path / "lake", *options)

    return call


@pytest.fixture
def sources(trailkeep: Program, tmp_path: Path) -> Callable[[], dict[str, int]]:
    """How many events of each source the folder `lake` has."""

    def count() -> dict[str, int]:
        asked = "SELECT source, count(*) AS n FROM events GROUP BY source"
        done = trailkeep("sql", asked, "--home", tmp_path / "lake", "--format", "jsonl")
        return {row["source"]: row["n"] for row in map(json.loads, done.out.splitlines())}

    return count
