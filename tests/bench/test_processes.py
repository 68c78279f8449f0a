"""What a program takes is the sum of all its processes, those that have ended included."""

import subprocess
import sys
from pathlib import Path

from bench.processes import cpu_seconds, pss_octets
from tests.peers.child import Child

# Works in a child that ends and in itself, holds 50 MB twice, and stays.
_PROGRAM = """
import os, sys, time
def work():
    until = time.process_time() + 0.3
    while time.process_time() < until: pass
if not os.fork():
    work(); os._exit(0)
os.wait()
work()
held = b"x" * 50_000_000
if not os.fork():
    held = b"y" * 50_000_000
    print("ready", flush=True)
time.sleep(60)
"""


def test_cpu_and_memory_of_all_its_processes(tmp_path: Path) -> None:
    child = Child([sys.executable, "-c", _PROGRAM], tmp_path / "output")
    try:
        while "ready" not in child.text():
            assert child.running()
            child.pause(0.05)

        assert 0.58 <= cpu_seconds(child.pid) < 2
        assert 98_000_000 <= pss_octets(child.pid) < 150_000_000
    finally:
        child.kill()


def test_a_process_that_has_ended_takes_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    assert cpu_seconds(ended.pid) == 0
    assert pss_octets(ended.pid) == 0
