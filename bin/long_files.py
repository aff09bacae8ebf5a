"""Source files in, a warning for each one over 400 lines out, unless it says why: `# long: the reason`.

It never fails: a long file is a place to look at, not a mistake.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

LIMIT = 400
ROOTS = ("src", "tests", "bench", "bin", "docs")
SUFFIXES = {".py", ".sql"}
_REASON = re.compile(r"^(#|--) long: \S", re.MULTILINE)


def long_files(root: Path) -> Iterator[str]:
    """A line for each file under `root` that is longer than the limit and gives no reason."""
    for folder in ROOTS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in SUFFIXES:
                continue
            text = path.read_text(encoding="utf-8")
            lines = text.count("\n")
            if lines > LIMIT and not _REASON.search(text):
                yield f"{path.relative_to(root)}: {lines} lines (over {LIMIT}): split it, or say `# long: why`"


if __name__ == "__main__":
    for warning in long_files(Path(__file__).resolve().parent.parent):
        print(f"warning: {warning}", file=sys.stderr)
