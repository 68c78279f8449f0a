"""The embedded IMAP server of `popbridge demo`, as the bridge sees it: a child process, there until it is stopped."""

import importlib.util
import os
import sys

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IProcessTransport, IReactorProcess
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

USER = "demo"
PASSWORD = "demo"  # noqa: S105  # no secret: it is printed, and the server listens on loopback only

_KEPT_ERRORS = 4096


class DemoUnavailable(Exception):
    """The embedded server cannot run; the text says what to do."""


class DemoServer:
    """One embedded server with user and password "demo", whose INBOX holds the sample mail. Nothing is kept."""

    def __init__(self) -> None:
        self._child: _Child | None = None

    def start(self, reactor: IReactorProcess) -> Deferred[int]:
        """Fires with its port on 127.0.0.1; fails with DemoUnavailable."""
        if importlib.util.find_spec("pymap") is None:
            return fail(DemoUnavailable("the demo needs an IMAP server: pip install 'popbridge[demo]'"))
        self._child = _Child()
        # The child finds the same code as this process, wherever that was started.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        reactor.spawnProcess(self._child, sys.executable, [sys.executable, "-m", "bridge.demo.server"], environment)
        return self._child.started

    def stop(self) -> Deferred[None]:
        """Fires when the process is gone. There is nothing in it to be saved, so it is not asked twice."""
        if self._child is None or self._child.transport is None:
            return succeed(None)
        self._child.kill()
        return self._child.ended


class _Child(ProcessProtocol):
    transport: IProcessTransport | None = None

    def __init__(self) -> None:
        self.started: Deferred[int] = Deferred()
        self.ended: Deferred[None] = Deferred()
        self._said = b""
        self._errors = b""

    def kill(self) -> None:
        if self.transport is not None and not self.ended.called:
            self.transport.signalProcess("KILL")

    def outReceived(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        self._said += data
        word, _, port = self._said.partition(b" ")
        if word == b"ready" and port.endswith(b"\n") and not self.started.called:
            self.started.callback(int(port))

    def errReceived(self, data: bytes) -> None:  # noqa: N802  # Twisted's name
        self._errors = (self._errors + data)[-_KEPT_ERRORS:]

    def processEnded(self, reason: Failure) -> None:  # noqa: N802  # Twisted's name
        if not self.started.called:
            last = self._errors.decode(errors="replace").strip().rpartition("\n")[2] or reason.getErrorMessage()
            self.started.errback(DemoUnavailable(f"the embedded IMAP server did not start: {last}"))
        self.ended.callback(None)
