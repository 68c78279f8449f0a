"""A forked program is as much a process of its own as one that was started from nothing."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.peers.child import alive, family
from tests.peers.forked import Forked, ForkedChild

_ROOT = Path(__file__).resolve().parents[2]
_SAYS = """
import os, sys
print(sys.argv[1:], os.getcwd(), sorted(os.environ), sys.stdin.read(), os.getpid() == os.getsid(0) == os.getpgid(0))
raise SystemExit(7)
"""
# It says where its own program is, and is killed before it can tidy anything up.
_DIES = f"""
import os, signal, sys
sys.path.insert(0, {str(_ROOT)!r})
from pathlib import Path
from tests.peers.forked import ForkedChild
child = ForkedChild("import signal; signal.pause()", [], Path("log"), environment={{}}, folder=Path.cwd())
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def _forked(code: str, folder: Path) -> ForkedChild:
    return ForkedChild(code, ["a", "b"], folder / "log", environment={"MINE": "1"}, folder=folder)


def test_it_has_what_it_was_given_and_nothing_else(tmp_path: Path) -> None:
    child = _forked(_SAYS, tmp_path)
    child.pause(30)

    assert child.stop() == 7
    assert child.text() == f"['a', 'b'] {tmp_path} ['MINE']  True\n"


def test_a_traceback_and_a_signal_are_told_as_of_any_program(tmp_path: Path) -> None:
    fails = _forked("1 / 0", tmp_path)
    fails.pause(30)
    waits = _forked("import signal; signal.pause()", tmp_path)

    assert fails.stop() == 1
    assert "ZeroDivisionError" in fails.text()
    assert waits.running()
    assert waits.stop() == -signal.SIGTERM
    assert not waits.running()


def test_all_that_it_started_is_killed_with_it(tmp_path: Path) -> None:
    child = _forked("import subprocess; print(1, flush=True); subprocess.run(['sleep', '100'])", tmp_path)
    while len(processes := family(child.pid)) < 2:
        child.pause(0.01)

    assert child.kill() == -signal.SIGKILL
    while alive(processes):  # nobody's children are reaped a moment later
        os.sched_yield()


def test_none_outlives_the_test_run(tmp_path: Path) -> None:
    run = subprocess.run([sys.executable, "-c", _DIES], cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False)

    assert run.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while family(int(run.stdout)):
        assert time.monotonic() < deadline


def test_whoever_waits_in_another_thread_hears_the_same_end(tmp_path: Path) -> None:
    """One thread may look after a program, and another end it."""
    files = [0, 1, 2]
    for _ in range(20):
        program = Forked("import signal; signal.pause()", [], {}, tmp_path, files)
        with ThreadPoolExecutor() as threads:
            waiting = [threads.submit(program.wait, 30) for _ in range(3)]
            program.terminate()

        assert {wait.result() for wait in waiting} == {-signal.SIGTERM}
        assert program.wait() == -signal.SIGTERM
