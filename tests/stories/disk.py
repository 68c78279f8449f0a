"""A small disk for the bridge's state, which a test fills up, makes read-only, and looks into.

It is a tmpfs in a namespace that only the bridge and the test's own helpers see, so no root is needed.
"""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.peers.child import Child
from tests.peers.servers.overlaid import _need_namespaces

_HOLD = 'mount -t tmpfs -o size="$2" tmpfs "$1" && echo mounted && exec sleep infinity'


class Disk:
    """`folder` is its path for the bridge; `inside` what a command has to stand behind to see it."""

    def __init__(self, folder: Path, size: str) -> None:
        self.folder = folder
        folder.mkdir()
        namespaces = ["unshare", "--user", "--map-root-user", "--mount", "--"]
        self._holder = Child([*namespaces, "sh", "-c", _HOLD, "sh", folder, size], folder.with_suffix(".log"))
        while "mounted" not in self._holder.text():
            assert self._holder.running(), self._holder.text()
            self._holder.pause(0.01)
        pid = str(self._holder.pid)
        self.inside = ["nsenter", "--preserve-credentials", "--user", "--mount", "--target", pid, "--"]

    def fill(self) -> None:
        """Until not one octet more fits."""
        self._run("sh", "-c", f'cat /dev/zero >"{self.folder}/filler" 2>/dev/null; :')
        assert self.free() == 0

    def free(self) -> int:
        """In blocks of 1024 octets."""
        return int(self._run("df", "--output=avail", str(self.folder)).split()[-1])

    def make_room(self) -> None:
        self._run("rm", f"{self.folder}/filler")

    def read_only(self, yes: bool) -> None:
        """Nobody may have a file open for writing."""
        self._run("mount", "-o", f"remount,{'ro' if yes else 'rw'}", str(self.folder))

    def _run(self, *words: str) -> str:
        done = subprocess.run([*self.inside, *words], capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    def close(self) -> None:
        self._holder.kill()


@contextlib.contextmanager
def disk(folder: Path, size: str = "2m") -> Iterator[Disk]:
    _need_namespaces("a small disk")
    small = Disk(folder, size)
    try:
        yield small
    finally:
        small.close()
