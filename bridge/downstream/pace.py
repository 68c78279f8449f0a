"""The pace of one client: while it does not take what is sent, whoever sends it a message is paused.

The rule: a flow that was paused is let go when the message ends, however it ends. Without that a message upstream
would hang for ever, with only some timing.
"""

from collections.abc import Callable

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from bridge.downstream.patience import Patience
from bridge.maildrop.source import Flow


@implementer(IPushProducer)
class Pace:
    """What the transport pauses and resumes for a session. `went_on`: the client takes octets again."""

    def __init__(self, patience: Patience, went_on: Callable[[], None]) -> None:
        self.blocked = False
        self._patience = patience
        self._went_on = went_on
        self._flow: Flow | None = None

    def follow(self, flow: Flow | None) -> None:
        """Whoever sends a message now is paused with the client, and let go when the message is through."""
        before, self._flow = self._flow, flow
        if before is not None and self.blocked:
            before.resume()
        if flow is not None and self.blocked:
            flow.pause()

    def pauseProducing(self) -> None:
        self.blocked = True
        if self._flow is not None:
            self._flow.pause()
        self._patience.expect_reading()

    def resumeProducing(self) -> None:
        self.blocked = False
        self._patience.met()
        if self._flow is not None:
            self._flow.resume()
        self._went_on()

    def stopProducing(self) -> None:
        """The connection is gone; the session hears of it by itself, and gives up what serves it alone."""
