"""What a program takes from the machine: CPU time and memory of a process and all that it has started."""

import os
from pathlib import Path

from tests.peers.child import family

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Of the process and its descendants since they started, those that have ended included; in steps of 10 ms each."""
    # proc(5): fields 14 to 17 are utime, stime, and the same of children that have ended and were waited for.
    ticks = sum(sum(map(int, fields[11:15])) for fields in map(_stat, _pids(pid)))
    return ticks / _TICKS


def pss_octets(pid: int) -> int:
    """Memory of the process and its descendants; what they share counts once."""
    return sum(map(_pss, _pids(pid)))


def _pids(pid: int) -> list[int]:
    return [member for member, _ in family(pid)]


def _stat(pid: int) -> list[str]:
    try:
        # The second field is the program's name in brackets, and may hold blanks.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ["0"] * 20  # ended meanwhile: its time is now its parent's


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
