"""What a figure depends on besides the code: the machine and the versions of what takes part."""

import os
import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]


def describe() -> dict[str, str]:
    return {
        "processor": f"{os.cpu_count()} × {_field('/proc/cpuinfo', 'model name')}",
        "memory": _field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "twisted": version("twisted"),
        "popbridge": _said("git", "-C", str(_ROOT), "describe", "--always", "--dirty") or "unknown",
        "dovecot": _said("dovecot", "--version"),
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _field(path: str, name: str) -> str:
    lines = (line.partition(":") for line in Path(path).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "unknown")


def _said(program: str, *arguments: str) -> str:
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        return ""
    return subprocess.run([found, *arguments], capture_output=True, text=True, check=False).stdout.strip()
