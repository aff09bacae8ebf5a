"""The program in this process: arguments in, exit code and what it printed out; web servers that alerts are sent to."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.alert.inbox import Inbox, inbox
from trailkeep.cli.main import run


@dataclass(frozen=True)
class Done:
    """What became of the program."""

    code: int
    out: str
    err: str


Program = Callable[..., Done]


@pytest.fixture
def trailkeep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    def call(*arguments: str | Path) -> Done:
        monkeypatch.setattr(sys, "argv", ["trailkeep", *map(str, arguments)])
        with pytest.raises(SystemExit) as exited:
            run()
        printed = capsys.readouterr()
        code = exited.value.code
        assert isinstance(code, int)
        return Done(code, printed.out, printed.err)

    return call


@pytest.fixture
def web() -> Iterator[Inbox]:
    with inbox() as box:
        yield box


@pytest.fixture
def other() -> Iterator[Inbox]:
    with inbox() as box:
        yield box
