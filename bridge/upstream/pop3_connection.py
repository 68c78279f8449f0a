"""One connection to a POP3 server: commands go out, each answer comes back as a Deferred. Nothing here waits.

It keeps the wire (`pop3/client`) and the transport together: time-outs, back-pressure, the end. Whatever ends
the connection ends every command in flight with the same Trouble.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol as Shape
from typing import assert_never

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IOpenSSLClientConnectionCreator, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from bridge.maildrop.errors import Trouble, UpstreamUnavailable
from bridge.maildrop.source import Flow
from bridge.pop3.answers import Status
from bridge.pop3.client import Answered, Began, Came, Challenged, Client, Ended, Event, Greeted, Told
from bridge.pop3.commands import Command, Quit
from bridge.upstream.imap_connection import Trace, Wire
from bridge.upstream.quickack import acknowledge
from bridge.violation import ProtocolViolation

LIST_AT_MOST = 64 * 1024 * 1024  # octets of one LIST or UIDL: more than half a million of the longest lines
CHALLENGES_AT_MOST = 5  # turns in one authentication: more than any mechanism in use needs


@frozen
class Answer:
    """`lines`: of a list, as they came; a message goes to its Body."""

    status: Status
    lines: bytes = field(default=b"", repr=False)


class Body(Shape):
    """Who takes the octets of a message."""

    def begin(self, flow: Flow) -> None: ...

    def write(self, octets: bytes) -> None: ...


@define(eq=False)
class _Asked:
    command: Command
    answer: "Deferred[Answer]"
    body: Body | None
    challenged: Callable[[bytes], None] | None
    status: Status | None = None
    lines: list[bytes] = field(factory=list)
    octets: int = 0
    challenges: int = 0


class Pop3Connection(Protocol):
    """`greeted` fires with the greeting, `lost` when the connection is gone; `ask` with each answer.

    `greeted` and answers fail with a Trouble when the connection ends.
    """

    transport: Wire  # type: ignore[assignment]  # what a TCP transport gives, under TLS too

    def __init__(self, clock: IReactorTime, *, silence: float, close_abort: float, trace: Trace | None) -> None:
        self.client = Client()
        self.greeted: Deferred[Status] = Deferred()
        self.lost: Deferred[None] = Deferred()
        self.ended: Trouble | None = None
        self._clock = clock
        self._silence = silence
        self._close_abort = close_abort
        self._trace = trace
        self._asked: deque[_Asked] = deque()
        self._timer: IDelayedCall | None = None
        self._paused = False
        self._closing: IDelayedCall | None = None
        self._goodbye = ""
        self._hidden: tuple[str, ...] = ()

    # What the source asks for.

    def ask(
        self, command: Command, *, body: Body | None = None, challenged: Callable[[bytes], None] | None = None
    ) -> "Deferred[Answer]":
        """Send it behind whatever is in flight. Cancelling gives the whole connection up."""
        answer: Deferred[Answer] = Deferred(lambda _: self._given_up())
        if self.ended is not None:
            answer.errback(self.ended)
            return answer
        self.client.send(command)
        self._asked.append(_Asked(command, answer, body, challenged))
        if self._trace is not None:
            self._trace("c", repr(command))
        self._flush()
        return answer

    def hide(self, forms: tuple[str, ...]) -> None:
        """What must not come back in anything the server says: some quote our line (S30). () when that is past."""
        self._hidden = forms

    def start_tls(self, context: IOpenSSLClientConnectionCreator) -> None:
        self.transport.startTLS(context)

    @property
    def reusable(self) -> bool:
        return self.ended is None and self.client.quiet

    def close(self) -> None:
        """QUIT in good order, unless something is still in flight: then the end is abrupt."""
        if not self.reusable:
            self.abandon()
            return
        self.ask(Quit()).addErrback(lambda _: None)
        self._closing = self._clock.callLater(self._close_abort, self.abandon)

    def abandon(self) -> None:
        """End now, whatever is under way."""
        if self.ended is None:
            self._end(UpstreamUnavailable("the connection was given up"))
        if not self.lost.called:  # Twisted 26.4 aborts no TLS connection that is gone without an AttributeError
            self.transport.abortConnection()

    def _given_up(self) -> None:
        """Cancelled. It is no trouble of upstream's: whoever waits here shall neither say so nor try again."""
        asked, self._asked = list(self._asked), deque()
        self.abandon()
        for one in asked:
            if not one.answer.called:
                one.answer.errback(CancelledError())

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
            self._end(UpstreamUnavailable("upstream broke the POP3 protocol", detail=said))
            self.transport.abortConnection()
            return
        self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._closing is not None and self._closing.active():
            self._closing.cancel()
        if self.ended is None:
            trouble = UpstreamUnavailable("upstream closed the connection", detail=self._goodbye)
            trouble.__cause__ = reason.value
            self._end(trouble)
        self.lost.callback(None)

    def _cleaned(self, text: str) -> str:
        for form in self._hidden:
            text = text.replace(form, "…")
        return text

    def _is_over(self) -> bool:
        """A method, since an event may well have ended it between two looks."""
        return self.ended is not None

    # What the client's half of the protocol makes of it.

    def _happened(self, event: Event) -> None:
        if self._trace is not None:
            self._trace("s", self._cleaned(repr(event)))
        match event:
            case Came(octets):
                self._came(self._asked[0], octets)
            case Answered(_, status):
                self._answered(status)
            case Began(_, status):
                asked = self._asked[0]
                asked.status = status
                if asked.body is not None:
                    asked.body.begin(self)
            case Ended():
                begun = self._asked[0].status
                assert begun is not None, "an end without a beginning"
                self._answered(begun)
            case Challenged(octets):
                self._challenged(octets)
            case Greeted(status):
                self.greeted.callback(status)
            case Told(status):
                self._goodbye = self._cleaned(status.text)
            case _:
                assert_never(event)
        self._progress()

    def _came(self, asked: _Asked, octets: bytes) -> None:
        if asked.body is not None:
            asked.body.write(octets)
            return
        asked.octets += len(octets)
        if asked.octets > LIST_AT_MOST:
            raise ProtocolViolation(f"a list of more than {LIST_AT_MOST} octets")
        asked.lines.append(octets)

    def _answered(self, status: Status) -> None:
        asked = self._asked.popleft()
        self.resume()
        status = evolve(status, text=self._cleaned(status.text))
        if isinstance(asked.command, Quit):
            self._end(UpstreamUnavailable("the session upstream has ended"))
            self.transport.loseConnection()
        asked.answer.callback(Answer(status, b"".join(asked.lines)))

    def _challenged(self, octets: bytes) -> None:
        asked = self._asked[0]
        if asked.challenged is None or asked.challenges >= CHALLENGES_AT_MOST:
            raise ProtocolViolation("a SASL challenge where none is due")
        asked.challenges += 1
        asked.challenged(octets)
        self._flush()

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
        awaited = bool(self._asked) or not self.greeted.called
        wanted = awaited and not self._paused and self.ended is None
        running = self._timer is not None and self._timer.active()
        if wanted and not running:
            self._timer = self._clock.callLater(self._silence, self._silent)
        elif self._timer is not None and running and not wanted:
            self._timer.cancel()

    def _silent(self) -> None:
        self._end(UpstreamUnavailable(f"upstream did not answer for {self._silence:g} seconds"))
        self.transport.abortConnection()

    def _end(self, trouble: Trouble) -> None:
        self.ended = trouble
        self._watch()
        asked, self._asked = list(self._asked), deque()
        if not self.greeted.called:
            self.greeted.errback(trouble)
        for one in asked:
            if not one.answer.called:
                one.answer.errback(trouble)
