"""The owner's own command that is run when a person has to act: it sends a message, or opens a ticket."""

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ProcessDone
from twisted.internet.interfaces import IDelayedCall, IProcessTransport, IReactorProcess, IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

PATIENCE = 60.0
"""Seconds; then it is killed."""


class Reactor(IReactorProcess, IReactorTime):
    """What it needs of Twisted's."""


def run_command(reactor: Reactor, command: Sequence[str], name: str, failed: Callable[[str], None]) -> None:
    """The command's words, with `name` behind them; no shell reads them. What it writes goes nowhere."""
    try:
        # Its own ends of the pipes are closed at once: 0 reads nothing, 1 and 2 go where the bridge's own do not.
        reactor.spawnProcess(
            _Watched(reactor, failed), command[0], [*command, name], env=None, childFDs={0: "w", 1: "r", 2: "r"}
        )
    except OSError as error:
        failed(f"{command[0]}: {error.strerror or error}")


class _Watched(ProcessProtocol):
    transport: IProcessTransport

    def __init__(self, reactor: Reactor, failed: Callable[[str], None]) -> None:
        self._reactor = reactor
        self._failed = failed
        self._alarm: IDelayedCall | None = None

    def connectionMade(self) -> None:
        self.transport.closeStdin()
        self._alarm = self._reactor.callLater(PATIENCE, self.transport.signalProcess, "KILL")

    def outReceived(self, data: bytes) -> None:  # noqa: N802
        """Read, so that it does not wait for us, and dropped."""

    def errReceived(self, data: bytes) -> None:  # noqa: N802
        """As above."""

    def processExited(self, reason: Failure) -> None:  # noqa: N802
        """What it has left running may hold its output open for long, and is nothing of ours."""
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        if not isinstance(reason.value, ProcessDone):
            self._failed(_said(reason.value))


def _said(ended: Any) -> str:
    """Of a ProcessTerminated."""
    if ended.exitCode is not None:
        return f"it ended with status {ended.exitCode}"
    return f"it was ended by signal {ended.signal}"
