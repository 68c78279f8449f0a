"""hoodiecrow, an IMAP server of npm: any set of extensions down to bare IMAP4rev1, and UID last in a FETCH reply."""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.peers.child import Child, free_port
from tests.peers.need import need
from tests.peers.servers.imap_server import SingleUserServer

_MODULES = Path(__file__).resolve().parents[2] / "install" / "npm" / "node_modules"
_SCRIPT = Path(__file__).with_name("hoodiecrow.js")
TRASH = {"INBOX": {}, "": {"separator": "/", "folders": {"Trash": {"special-use": "\\Trash"}}}}


class Hoodiecrow(SingleUserServer):
    """A running hoodiecrow; see `hoodiecrow()`."""

    name = "hoodiecrow"

    def __init__(self, directory: Path, plugins: Sequence[str], storage: Mapping[str, Any]) -> None:
        node = shutil.which("node")
        if node is None:
            need("node", "apt-get install nodejs npm")
        if not (_MODULES / "hoodiecrow-imap").is_dir():
            need("hoodiecrow-imap", "npm ci --prefix tests/install/npm")
        self.port = free_port()
        settings = {
            "port": self.port,
            "plugins": list(plugins),
            "user": self.user,
            "password": self.password,
            "storage": storage,
        }
        self._child = Child(
            [node, _SCRIPT, json.dumps(settings)],
            directory / "hoodiecrow.log",
            environment={**os.environ, "NODE_PATH": str(_MODULES)},
        )
        self.pid = self._child.pid
        self._started(self._child)

    def log(self) -> str:
        return self._child.text()

    def stop(self) -> None:
        self._child.kill()


@contextlib.contextmanager
def hoodiecrow(
    directory: Path, plugins: Sequence[str] = (), storage: Mapping[str, Any] = TRASH
) -> Iterator[Hoodiecrow]:
    """A hoodiecrow for the time of the block; its log goes into the directory.

    plugins: such as ID, IDLE, STARTTLS, LITERALPLUS, NAMESPACE, UNSELECT, ENABLE, CONDSTORE, MOVE, UIDPLUS,
    SPECIAL-USE, SASL-IR, XOAUTH2, LOGINDISABLED, X-GM-EXT-1. storage: mailboxes, as the package's README shows.
    """
    server = Hoodiecrow(directory, plugins, storage)
    try:
        yield server
    finally:
        server.stop()
