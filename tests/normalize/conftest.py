"""The shipped sources, for reading."""

import pytest

from trailkeep.core.source import Source, load_sources


@pytest.fixture(scope="session")
def sources() -> dict[str, Source]:
    return load_sources()
