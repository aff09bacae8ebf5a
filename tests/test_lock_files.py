"""Everything that is installed is pinned, with hashes, and the lock files name no place to get it from."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "requirements-dev.lock")
_NAME = re.compile(r"[\w.-]+")
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)==(?P<version>[^ ;]+)(?: ; [^\\]+?)?(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


def locked(file: str) -> dict[str, str]:
    """Name -> version; fails on a line that is not a requirement with an exact version and hashes."""
    text = re.sub(r"^ *#.*\n", "", (ROOT / file).read_text(), flags=re.MULTILINE)
    pins = {}
    for line in re.sub(r" *\\\n +", " ", text).splitlines():
        found = _REQUIREMENT.fullmatch(line)
        assert found, f"{file}: not pinned with hashes: {line[:100]}"
        pins[canonical(found["name"])] = found["version"]
    return pins


def declared() -> dict[str, dict[str, str]]:
    """Lock file -> name -> version of what pyproject.toml asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    running = pins(project["project"]["dependencies"]) | pins(groups["build"])
    return {LOCKS[0]: running, LOCKS[1]: running | pins(entry for entry in groups["dev"] if isinstance(entry, str))}


def pins(requirements: object) -> dict[str, str]:
    """Name -> version of requirements such as `pyiceberg[sql-sqlite]==0.12.0`."""
    assert not isinstance(requirements, str)
    found = {}
    for requirement in requirements:  # type: ignore[attr-defined]
        bare, operator, version = re.sub(r"\[.*\]", "", requirement).partition("==")
        assert operator, f"pyproject.toml: {requirement} has no exact version"
        found[canonical(bare)] = version
    return found


def canonical(name: str) -> str:
    """The one spelling of a package's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("file", LOCKS)
def test_every_requirement_is_pinned_with_hashes(file: str) -> None:
    assert len(locked(file)) > 20


@pytest.mark.parametrize("file", LOCKS)
def test_no_address_is_named(file: str) -> None:
    text = (ROOT / file).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--(extra-)?index-url|--find-links)\b", text, re.MULTILINE)


@pytest.mark.parametrize("file", LOCKS)
def test_pins_are_those_of_pyproject(file: str) -> None:
    have = locked(file)
    assert {name: have.get(name) for name in declared()[file]} == declared()[file]


def test_developers_run_the_same_versions_as_users() -> None:
    running, developing = (locked(file) for file in LOCKS)
    assert running.items() <= developing.items()


def test_the_build_system_is_the_pinned_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert pins(project["build-system"]["requires"]).items() <= declared()[LOCKS[0]].items()
