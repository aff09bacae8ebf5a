"""The contracts of .importlinter hold, and would be noticed if they did not."""

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
