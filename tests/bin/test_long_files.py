"""bin/long_files.py warns of long files, and takes a reason for an answer."""

import importlib.util
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "bin" / "long_files.py"


def warnings_for(root: Path, text: str, name: str = "module.py") -> list[str]:
    """What the script says about a project with one source file."""
    spec = importlib.util.spec_from_file_location("long_files", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    folder = root / "src"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(text)
    return list(module.long_files(root))


def test_a_long_file_is_named(tmp_path: Path) -> None:
    (warning,) = warnings_for(tmp_path, "x = 1\n" * 401)
    assert warning.startswith("src/module.py: 401 lines")


def test_a_file_at_the_limit_is_fine(tmp_path: Path) -> None:
    assert not warnings_for(tmp_path, "x = 1\n" * 400)


def test_a_reason_excuses(tmp_path: Path) -> None:
    assert not warnings_for(tmp_path, "# long: one table, read top to bottom\n" + "x = 1\n" * 500)
    assert not warnings_for(tmp_path, "-- long: one mapping\n" + "SELECT 1;\n" * 500, "map.sql")


def test_an_empty_reason_does_not(tmp_path: Path) -> None:
    assert warnings_for(tmp_path, "# long:\n" + "x = 1\n" * 500)
