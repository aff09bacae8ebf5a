"""The contracts of .importlinter hold, and would be noticed if they did not."""

import re
from pathlib import Path

from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

ROOT = Path(__file__).resolve().parent.parent

BROKEN = """
[importlinter]
root_package = trailkeep

[importlinter:contract:broken]
name = An import that is there is forbidden
type = forbidden
source_modules = trailkeep.cli
forbidden_modules = trailkeep.core
"""


def test_import_contracts_hold() -> None:
    assert lint_imports(config_filename=str(ROOT / ".importlinter"), no_cache=True) == EXIT_STATUS_SUCCESS


def test_a_broken_contract_is_noticed(tmp_path: Path) -> None:
    config = tmp_path / ".importlinter"
    config.write_text(BROKEN)
    assert lint_imports(config_filename=str(config), no_cache=True) != EXIT_STATUS_SUCCESS


def test_what_the_architecture_page_names_exists() -> None:
    page = (ROOT / "ARCHITECTURE.md").read_text()
    tests = re.findall(r"`(tests/[\w/]+\.py)`", page)
    tree = page.partition("## Folders")[2].partition("```\n")[2].partition("```")[0]
    folders = [f"src/trailkeep/{name}" for name in re.findall(r"^  (\w+)/ ", tree, re.MULTILINE)]
    folders += re.findall(r"^(\w+)/ ", tree, re.MULTILINE)
    assert len(tests) > 10 and len(folders) > 10
    assert not [name for name in (*tests, *folders) if not (ROOT / name).exists()]
