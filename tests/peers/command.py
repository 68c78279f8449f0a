"""`popbridge …` as an owner types it: a process of its own, for it runs a reactor; forked, with its modules loaded."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryFile

from tests.peers.forked import Forked

ROOT = Path(__file__).resolve().parents[2]
POPBRIDGE = "import sys; sys.argv[0] = 'popbridge'; from bridge.cli import main; main()"


def popbridge(
    folder: Path, *arguments: str | Path, typed: str = "", environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """A traceback in what it says is a failure by itself."""
    variables = {**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})}
    with TemporaryFile() as typing, TemporaryFile() as output, TemporaryFile() as errors:
        typing.write(typed.encode())
        files = (typing, output, errors)
        for file in files:
            file.seek(0)
        words = [str(word) for word in arguments]
        program = Forked(POPBRIDGE, words, variables, folder, [file.fileno() for file in files])
        try:
            status = program.wait(120)
        finally:
            program.kill()
        output.seek(0)
        errors.seek(0)
        result = subprocess.CompletedProcess(words, status, output.read().decode(), errors.read().decode())
    if "Traceback" in result.stdout + result.stderr:
        raise AssertionError(f"popbridge {' '.join(map(str, arguments))}:\n{result.stdout}{result.stderr}")
    return result
