"""What a connection upstream is in either protocol: the transport, its pace, the clock of silence and the end.

Whatever ends the connection ends every command in flight with the same Trouble.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from typing import Any
from typing import Protocol as Shape

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from bridge.maildrop.errors import Trouble, UpstreamUnavailable
from bridge.upstream.quickack import acknowledge
from bridge.violation import ProtocolViolation

Trace = Callable[[str, str], None]
"""(direction, text) of what went over the wire, without mail text; "c" is us, "s" the server."""


def _nothing() -> None:
    """Nobody waits for its end."""


class Wire(Shape):
    """The transport's part that is used here."""

    bufferSize: int  # noqa: N815  # Twisted's name
    """Octets taken from the socket at once. TLS has its own measure."""

    def write(self, data: bytes) -> None: ...

    def pauseProducing(self) -> None: ...

    def resumeProducing(self) -> None: ...

    def loseConnection(self) -> None: ...

    def abortConnection(self) -> None: ...

    def setTcpNoDelay(self, enabled: bool) -> None: ...

    def startTLS(self, context: IOpenSSLClientConnectionCreator) -> None: ...


class Client(Shape):
    """The protocol without a transport."""

    def receive(self, octets: bytes) -> Iterable[Any]: ...

    def octets_to_send(self) -> bytes: ...


class Connection(Protocol):
    """`greeted` fires with the greeting, or fails with a Trouble when the connection ends before."""

    transport: Wire  # type: ignore[assignment]  # what a TCP transport gives, under TLS too
    client: Client
    speaks: str

    def __init__(self, clock: IReactorTime, *, silence: float, close_abort: float, trace: Trace | None) -> None:
        self.greeted: Deferred[Any] = Deferred()
        self.ended: Trouble | None = None
        self.trace = trace
        self.on_end: Callable[[], None] = _nothing
        self._clock = clock
        self._silence = silence
        self._close_abort = close_abort
        self._timer: IDelayedCall | None = None
        self._paused = False
        self._lost = False
        self._closing: IDelayedCall | None = None
        self._goodbye = ""
        self._words: Trouble | None = None  # of a refusal that has said more than its status
        self._hidden: tuple[str, ...] = ()

    # What each protocol does in its own way.

    @property
    @abstractmethod
    def reusable(self) -> bool: ...

    @abstractmethod
    def _say_goodbye(self) -> None: ...

    @abstractmethod
    def _happened(self, event: Any) -> None: ...

    @abstractmethod
    def _awaited(self) -> bool:
        """An answer is due."""

    @abstractmethod
    def _unanswered(self) -> "list[Deferred[Any]]":
        """Of all commands in flight, which are so no more."""

    # What the source asks for.

    def hide(self, forms: tuple[str, ...]) -> None:
        """What must not come back in anything the server says: some quote our line (S30). () when that is past."""
        self._hidden = forms

    def start_tls(self, context: IOpenSSLClientConnectionCreator) -> None:
        self.transport.startTLS(context)

    def close(self) -> None:
        """In good order, unless something is still in flight: then the end is abrupt."""
        if not self.reusable:
            self.abandon()
            return
        self._say_goodbye()
        self._closing = self._clock.callLater(self._close_abort, self.abandon)

    def abandon(self) -> None:
        """End now, whatever is under way."""
        if self.ended is None:
            self._end(UpstreamUnavailable("the connection was given up"))
        if not self._lost:  # Twisted 26.4 aborts no TLS connection that is gone without an AttributeError
            self.transport.abortConnection()

    def _given_up(self) -> None:
        """Cancelled. It is no trouble of upstream's: whoever waits here shall neither say so nor try again."""
        unanswered = self._unanswered()
        self.abandon()
        _fail(unanswered, CancelledError())

    # Flow: the receiver of a message sets the pace.

    def pause(self) -> None:
        if not self._paused and self.ended is None:
            self._paused = True
            self.transport.pauseProducing()
            self._watch()

    def resume(self) -> None:
        if self._paused and self.ended is None:
            self._paused = False
            self.transport.resumeProducing()
            self._watch()

    # What the transport tells.

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        acknowledge(self.transport)
        self._watch()

    def dataReceived(self, octets: bytes) -> None:
        acknowledge(self.transport)
        if self._is_over():
            return
        try:
            for event in self.client.receive(octets):
                self._happened(event)
                if self._is_over():
                    return
        except ProtocolViolation as violation:
            # Before the login an excerpt of what the server said may be an excerpt of our password, and cut anywhere.
            said = "" if self._hidden else str(violation)
            self._end(UpstreamUnavailable(f"upstream broke the {self.speaks} protocol", detail=said))
            self.transport.abortConnection()
            return
        self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost = True
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        if self.ended is None:
            why = self._words or UpstreamUnavailable("upstream closed the connection", detail=self._goodbye)
            why.__cause__ = reason.value
            self._end(why)

    def _cleaned(self, text: str) -> str:
        for form in self._hidden:
            text = text.replace(form, "…")
        return text

    def _is_over(self) -> bool:
        """A method, since an event may well have ended it between two looks."""
        return self.ended is not None

    # The wire, the clock and the end.

    def _flush(self) -> None:
        octets = self.client.octets_to_send()
        if octets:
            self.transport.write(octets)
        self._watch()

    def _progress(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.reset(self._silence)

    def _watch(self) -> None:
        """The clock of silence runs while something is awaited and nobody holds the connection paused."""
        awaited = self._awaited() or not self.greeted.called
        wanted = awaited and not self._paused and self.ended is None
        running = self._timer is not None and self._timer.active()
        if wanted and not running:
            self._timer = self._clock.callLater(self._silence, self._silent)
        elif self._timer is not None and running and not wanted:
            self._timer.cancel()

    def _silent(self, seconds: float | None = None) -> None:
        self._end(UpstreamUnavailable(f"upstream did not answer for {seconds or self._silence:g} seconds"))
        self.transport.abortConnection()

    def _end(self, trouble: Trouble) -> None:
        self.ended = trouble
        self._watch()
        self.on_end()
        unanswered = self._unanswered()
        if not self.greeted.called:
            self.greeted.errback(trouble)
        _fail(unanswered, trouble)


def _fail(answers: "list[Deferred[Any]]", error: Exception) -> None:
    for answer in answers:
        if not answer.called:
            answer.errback(error)
