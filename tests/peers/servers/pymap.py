"""pymap, an IMAP server of PyPI that keeps every octet as it came; `popbridge demo` carries the same one."""

import contextlib
import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.peers.child import Child, free_port
from tests.peers.need import need
from tests.peers.servers.imap_server import SingleUserServer

_MAIN = "import sys; from pymap.main import main; sys.exit(main())"


class Pymap(SingleUserServer):
    """A running pymap; see `pymap()`."""

    name = "pymap"

    def __init__(self, directory: Path) -> None:
        if importlib.util.find_spec("pymap") is None:
            need("pymap", "pip install 'popbridge[test]'")
        self.port = free_port()
        service = ["--host", self.host, "--port", str(self.port), "--no-tls"]
        user = ["dict", "--demo-user", self.user, "--demo-password", self.password]
        self._child = Child([sys.executable, "-c", _MAIN, *service, *user], directory / "pymap.log")
        self.pid = self._child.pid
        self._started(self._child)

    def log(self) -> str:
        return self._child.text()

    def stop(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def pymap(directory: Path) -> Iterator[Pymap]:
    """A pymap with one user and an empty INBOX, for the time of the block; its log goes into the directory."""
    server = Pymap(directory)
    try:
        yield server
    finally:
        server.stop()
