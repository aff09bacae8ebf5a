"""Options and paths of the content tests: sources and rules as data."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--accept",
        action="store_true",
        help="rewrite expected/ of the sources (pytest tests/content --accept)",
    )


@pytest.fixture
def accept(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("accept", default=False))


@pytest.fixture(scope="session")
def real_samples() -> Path:
    """Real log samples that are not part of this repository."""
    folder = Path(os.environ.get("TRAILKEEP_SAMPLES", ROOT.parent / "shared" / "samples"))
    if not folder.is_dir():
        pytest.skip(f"REAL SAMPLES ARE ABSENT: {folder} (set TRAILKEEP_SAMPLES)")
    return folder
