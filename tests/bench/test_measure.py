"""The measuring of process trees, against burners of known CPU time and memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from bench.measure import BenchError, measure, measure_together

# Burns CPU until this process has used so much of it, so that a busy machine changes the wall time only.
BURN = "import time\nwhile time.process_time() < {seconds}: pass\n"
BURNER = [sys.executable, "-S", "-c", BURN.format(seconds=0.3)]


def python(code: str) -> list[str]:
    return [sys.executable, "-S", "-c", code]


def spawn(command: list[str], how: str = "subprocess.run") -> str:
    return f"import subprocess\n{how}({command!r})\n"


def test_cpu_of_children_and_grandchildren() -> None:
    burn = BURN.format(seconds=0.3)
    tree = python(spawn(python(spawn(BURNER) + burn)) + burn)  # three generations, 0.3 s each
    usage = measure(tree)
    assert 0.9 <= usage.cpu_seconds < 1.4


def test_cpu_of_orphans() -> None:
    """A process whose parent does not wait for it counts too, as a worker does that outlives the pool."""
    usage = measure(python(spawn(BURNER, "subprocess.Popen") + "import os; os._exit(0)"))
    assert 0.3 <= usage.cpu_seconds < 0.6


def test_cpu_of_a_child_killed_by_its_parent() -> None:
    forever = python(BURN.format(seconds=0.3) + "print(flush=True)\ntime.sleep(60)")
    code = (
        f"import subprocess\nchild = subprocess.Popen({forever!r}, stdout=subprocess.PIPE)\n"
        "child.stdout.readline()\nchild.kill()\n"
    )
    assert 0.3 <= measure(python(code)).cpu_seconds < 0.6


def test_idle_time_is_no_cpu_time() -> None:
    usage = measure(python("import time; time.sleep(0.5)"))
    assert usage.cpu_seconds < 0.2
    assert usage.wall_seconds >= 0.5


def test_peak_memory_is_summed_over_the_tree() -> None:
    hold = "import time; data = bytearray(80 << 20); time.sleep(0.5)"
    tree = python(f"{spawn(python(hold), 'child = subprocess.Popen')}{hold}; del data; child.wait()")
    usage = measure(tree)
    assert 160 << 20 <= usage.peak_bytes < 200 << 20


def test_shared_memory_is_counted_once() -> None:
    code = "import os, time; data = bytearray(80 << 20); os.fork(); time.sleep(0.5)"
    assert 80 << 20 <= measure(python(code)).peak_bytes < 120 << 20


def test_output_goes_where_it_is_told(tmp_path: Path) -> None:
    measure(python("print('hello')"), stdout=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "hello\n"


def test_failure_is_an_error_with_its_words() -> None:
    with pytest.raises(BenchError, match=r"exit code 3:\nno such lake"):
        measure(python("import sys; print('no such lake', file=sys.stderr); sys.exit(3)"))
    assert measure(python("raise SystemExit(3)"), accept=(0, 3)).exit_code == 3


def test_death_by_signal_is_an_error() -> None:
    with pytest.raises(BenchError, match="exit code -9"):
        measure(python("import os; os.kill(os.getpid(), 9)"))


def test_a_command_that_does_not_exist_is_an_error() -> None:
    with pytest.raises(BenchError, match="No such file"):
        measure(["/nonexistent/command"])


def test_a_process_left_running_is_counted_and_killed() -> None:
    command = spawn(python("import time; time.sleep(60)"), "subprocess.Popen") + "import os; os._exit(0)"
    code = f"import bench.measure as m; m.GRACE_SECONDS = 0.1; print(m._supervise({python(command)!r}))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "left_behind=1" in said


def test_side_by_side() -> None:
    sleep = python("import time; time.sleep(0.4)")
    assert 0.4 <= measure_together([sleep, sleep]) < 0.8
