"""Servers whose Debian packages exclude Dovecot's: unpacked beside the system, laid over it for their own processes.

Each runs in a user, mount and process namespace of its own, so no root is needed, and killing the namespace's first
process ends everything that was started in it.
"""

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.peers.child import Child
from tests.peers.need import need

_CACHE = Path(__file__).resolve().parents[3] / ".cache" / "debian"
_SCRIPT = Path(__file__).with_name("overlaid.sh")
_NAMESPACES = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")


def unpacked(name: str) -> Path:
    """Where the packages of the server lie."""
    folder = _CACHE / name
    if not folder.is_dir():
        need(name.capitalize(), f"sh tests/install/debian-server.sh {name}")
    if shutil.which("unshare") is None:
        need("unshare", "apt-get install util-linux")
    return folder


def start_overlaid(
    name: str, own: Path, command: Sequence[str | Path], environment: Mapping[str, str] | None = None
) -> Child:
    """Runs the command; `own` holds its files, with `etc` and `run` as overlaid.sh wants them."""
    return Child(
        ["unshare", *_NAMESPACES, "--", "sh", _SCRIPT, unpacked(name), own, *command],
        own / "output",
        environment={**os.environ, **(environment or {})},
        at_parents_death="KILL",  # unshare turns a deaf ear to SIGTERM
    )
