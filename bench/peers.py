"""The POP3 servers that are measured, side by side in front of one IMAP server.

native: that server's own POP3, with no hop between: the lower bound. imapc: Dovecot's POP3 in front of IMAP.
popbridge: this project, as `popbridge --upstream` starts it: one process, `delete = "flag"`, its state in a file.
"""

import abc
import contextlib
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from attrs import frozen

from bench.dovecot_pop3 import DovecotPop3
from bench.processes import cpu_seconds, pss_octets
from bench.wire import Door
from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificates

Kind = Literal["native", "imapc", "popbridge"]
KINDS: tuple[Kind, ...] = ("native", "imapc", "popbridge")

_HOST = "127.0.0.1"


@frozen
class Link:
    """What lies between a front and its IMAP server, and between the client and the front."""

    delay: int = 0
    """Milliseconds that a round trip to the IMAP server takes."""
    tls: bool = False
    """On both sides."""
    idle: bool = True
    """Whether the IMAP server shows that it has IDLE."""


class Front(abc.ABC):
    """A running POP3 server."""

    kind: Kind
    door: Door
    pid: int

    def cpu(self) -> float:
        """Seconds, of all its processes."""
        return cpu_seconds(self.pid)

    def memory(self) -> int:
        """Octets, of all its processes."""
        return pss_octets(self.pid)

    @abc.abstractmethod
    def restart(self) -> None:
        """As after a reboot: what it keeps on disk is still there."""

    @abc.abstractmethod
    def stop(self) -> None: ...


class DovecotFront(Front):
    """One of the two Dovecots; `begin` starts it in the directory, on what it left there."""

    def __init__(self, kind: Kind, begin: Callable[[Path], DovecotPop3]) -> None:
        self.kind = kind
        self.directory = Path(tempfile.mkdtemp(prefix=f"{kind}-"))
        self._begin = begin
        self._start()

    def _start(self) -> None:
        self._server = self._begin(self.directory)
        self.pid = self._server.pid
        tls_port = self._server.tls_port
        self.door = Door(_HOST, tls_port, tls=True) if tls_port else Door(_HOST, self._server.port)

    def restart(self) -> None:
        self._server.stop()
        self._start()

    def adopt(self, other: "DovecotFront", user: str) -> None:
        """What the other one has on disk about a mailbox."""
        ours, theirs = (folder / "mail" / user for folder in (self.directory, other.directory))
        shutil.rmtree(ours, ignore_errors=True)
        subprocess.run(["cp", "-a", theirs, ours], check=True)

    def stop(self) -> None:
        self._server.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


_POPBRIDGE = """
state = "sqlite:popbridge.sqlite"

[[listener]]
pop3 = "127.0.0.1:{port}"
%s
[[passthrough]]
upstream = "%s://127.0.0.1:%d"
delete = "flag"
%s
"""
_POPBRIDGE_TLS = """
[[listener]]
pop3s = "127.0.0.1:{tls_port}"
tls = { certificate = "%s", key = "%s" }
"""


class PopbridgeFront(Front):
    kind = "popbridge"

    def __init__(self, upstream: int, tls: Certificates | None) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="popbridge-"))
        if tls:
            listener = _POPBRIDGE_TLS % (tls.server.certificate, tls.server.key)
            self._config = _POPBRIDGE % (listener, "imaps", upstream, f'ca = "{tls.authority}"')
        else:
            self._config = _POPBRIDGE % ("", "imap", upstream, "")
        self._start()

    def _start(self) -> None:
        self._running = contextlib.ExitStack()
        server: Bridge = self._running.enter_context(bridge(self._directory, config=self._config, measured=True))
        self.pid = server.pid
        self.door = Door(_HOST, server.tls_port, tls=True) if server.tls_port else Door(_HOST, server.port)

    def restart(self) -> None:
        self._end()
        self._start()

    def stop(self) -> None:
        self._end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _end(self) -> None:
        with contextlib.redirect_stdout(io.StringIO()):  # its log is for tests
            self._running.close()
