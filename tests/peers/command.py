"""`popbridge …` as an owner types it: a process of its own, for it runs a reactor."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POPBRIDGE = "import sys; sys.argv[0] = 'popbridge'; from bridge.cli import main; main()"


def popbridge(
    folder: Path, *arguments: str | Path, typed: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A traceback in what it says is a failure by itself."""
    result = subprocess.run(
        [sys.executable, "-c", POPBRIDGE, *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        input=typed,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if "Traceback" in result.stdout + result.stderr:
        raise AssertionError(f"popbridge {' '.join(map(str, arguments))}:\n{result.stdout}{result.stderr}")
    return result
