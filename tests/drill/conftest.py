"""Web servers for the tests of the delivery."""

from collections.abc import Iterator

import pytest

from tests.alert.inbox import Inbox, inbox


@pytest.fixture
def web() -> Iterator[Inbox]:
    with inbox() as box:
        yield box


@pytest.fixture
def other() -> Iterator[Inbox]:
    with inbox() as box:
        yield box
