"""Servers whose Debian packages exclude Dovecot's: unpacked beside the system, laid over it for their own processes.

Each runs in a user, mount and process namespace of its own, so no root is needed, and killing the namespace's first
process ends everything that was started in it.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.peers.child import Child
from tests.peers.need import need

_CACHE = Path(__file__).resolve().parents[3] / ".cache" / "debian"
_SCRIPT = Path(__file__).with_name("overlaid.sh")
_NAMESPACES = ("--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child")
_FROM_ETC = ("passwd", "group", "hosts", "nsswitch.conf", "services", "localtime")


def unpack_into(own: Path, name: str) -> Path:
    """Gives the server its `etc` and `run` in its own directory; where the rest of its packages lies."""
    packages = _CACHE / name
    if not packages.is_dir():
        need(name.capitalize(), f"sh tests/install/debian-server.sh {name}")
    _need_namespaces(name.capitalize())
    shutil.copytree(packages / "etc", own / "etc", symlinks=True)
    for file in _FROM_ETC:
        if Path("/etc", file).exists():
            shutil.copy(Path("/etc", file), own / "etc" / file)
    (own / "run").mkdir()
    return packages


def start_overlaid(packages: Path, own: Path, command: Sequence[str | Path]) -> Child:
    """Runs the command where the packages seem installed, with the `etc` and `run` of the server's own directory."""
    return Child(
        ["unshare", *_NAMESPACES, "--", "sh", _SCRIPT, packages, own, *command],
        own / "output",
        at_parents_death="KILL",  # unshare turns a deaf ear to SIGTERM
    )


def _need_namespaces(what: str) -> None:
    unshare = shutil.which("unshare")
    if unshare is None:
        need(f"unshare, for {what},", "apt-get install util-linux")
    tried = subprocess.run([unshare, *_NAMESPACES, "--", "true"], capture_output=True, check=False)
    if tried.returncode:
        need(
            f"the right to user namespaces, for {what},", f"allow them on this machine or container ({tried.stderr!r})"
        )
