"""One client's connection: octets in and out, TLS, pace and time-outs. What is said is in `dialogue`.

The rules: a session whose replies are not read is not read from; a client that goes cancels only what serves it
alone; a QUIT once begun is carried through.
"""

from collections.abc import Callable, Coroutine, Iterator
from secrets import token_hex
from typing import Any, cast

from attrs import frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from bridge.config import Limits, Timeouts
from bridge.downstream.address import host_of, is_loopback
from bridge.downstream.at_once import Over, begin
from bridge.downstream.dialogue import Dialogue, InParts, Rules, StartTls
from bridge.downstream.login import Logins
from bridge.downstream.outflow import Accepted, Layer, Outflow
from bridge.downstream.pace import Pace
from bridge.downstream.patience import Patience
from bridge.downstream.retrieval import Cut
from bridge.events import BugMet, Emit, QuirkMet, SessionClosed, SessionOpened, WireTraced
from bridge.maildrop.source import Flow
from bridge.names import SessionId
from bridge.passwords.apop import make_timestamp
from bridge.pop3.replies import ResponseCode, err, ok
from bridge.pop3.server import Server, State
from bridge.violation import ProtocolViolation

READ_AHEAD = 32 * 1024
"""Octets of pipelined commands held for a client that is being served; above it nothing more is read from it."""

TURN = 0.02
"""Seconds that one client's pipelined commands may take before other sessions have their turn."""

REPLIES_AT_ONCE = 1000
"""Short replies joined into one write."""

OCTETS_AT_ONCE = 64 * 1024
"""The same, of messages that were read ahead."""


@frozen
class Listening:
    """What one listener offers."""

    tls: IOpenSSLServerConnectionCreator | None
    implicit: bool
    cleartext: bool
    mechanisms: tuple[str, ...]
    nul: bytes | None


@frozen
class House:
    """What all sessions share."""

    clock: IReactorTime
    emit: Emit
    logins: Logins
    timeouts: Timeouts
    limits: Limits
    implementation: str
    trace: bool


@implementer(IHandshakeListener)
class Session(Protocol):
    """From accept to close."""

    transport: Layer  # type: ignore[assignment]  # the part of it that is used here

    def __init__(self, house: House, listening: Listening, left: "Callable[[Session], None]") -> None:
        self.session = SessionId(token_hex(6))
        self.address = ""
        self._house = house
        self._listening = listening
        self._left = left
        self._tls = ""
        self._how = ""
        self._working: Deferred[Any] | None = None
        self._pieces: Iterator[bytes] | None = None
        self._not_reading = False
        self._proceeding = False
        self._spoke = True
        self._joined = 0
        self._in_message = False
        self._closing = False
        self._gone = False
        self._patience = Patience(house.clock, house.timeouts, self._idled, self._abort, self._mark)
        self._pace = Pace(self._patience, self._proceed)
        self._accepted = False
        self._greeted = False
        self._resting: IDelayedCall | None = None

    # The transport, and the layers on it.

    def makeConnection(self, transport: Accepted | Layer) -> None:
        """First the accepted TCP transport; then what the conversation goes over: the outflow, or TLS upon it."""
        if not self._accepted:
            self._accept(cast("Accepted", transport))
            if self._listening.implicit:
                self._start_tls()
                return
            transport = cast("Layer", self._outflow)
        super().makeConnection(transport)  # type: ignore[no-untyped-call]
        self.transport.registerProducer(self._pace, True)

    def connectionMade(self) -> None:
        if not self._greeted:
            self._greeted = True
            unique = self._server.timestamp
            self._send(ok("Popbridge ready" if unique is None else f"Popbridge ready {unique.decode('ascii')}"))
            self._expect_client()

    def _accept(self, tcp: Accepted) -> None:
        house, listening = self._house, self._listening
        self._accepted = True
        self._tcp = tcp
        tcp.setTcpNoDelay(True)
        tcp.setTcpKeepAlive(True)
        self.address = host_of(tcp.getPeer())
        self._since = house.clock.seconds()
        self._outflow = Outflow(tcp)
        self._server = Server(
            mechanisms=listening.mechanisms,
            implementation=house.implementation,
            stls=listening.tls is not None,
            secure=listening.implicit,
            cleartext=listening.cleartext or is_loopback(self.address),
            timestamp=make_timestamp(token_hex(16)) if house.logins.offers_apop else None,
            line_limit=house.limits.line,
            login_line_limit=house.limits.login_line,
            bad_commands=house.limits.unknown_commands,
        )
        timeouts = house.timeouts
        rules = Rules(listening.nul, house.limits.refused_logins, timeouts.refused_login_delay)
        self._dialogue = Dialogue(self.session, self._server, self, house.logins, house.clock, house.emit, rules)
        house.emit(SessionOpened(self.session, self.address, listening.implicit))

    def _start_tls(self) -> None:
        assert self._listening.tls is not None
        clock = self._house.clock
        factory = TLSMemoryBIOFactory(self._listening.tls, False, None, clock)  # type: ignore[arg-type]  # wraps no factory
        layer = TLSMemoryBIOProtocol(factory, self)  # type: ignore[no-untyped-call]
        self._tcp.protocol = layer  # where Twisted's own startTLS puts it
        self._patience.expect_handshake()
        layer.makeConnection(self._outflow)  # type: ignore[no-untyped-call]

    def handshakeCompleted(self) -> None:
        self._patience.met()
        handle = self.transport.getHandle()
        self._tls = f"{handle.get_protocol_version_name()} {handle.get_cipher_name()}"

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002  Twisted's signature
        self._gone = True
        self._patience.end()
        if self._resting is not None:
            self._resting.cancel()
        self._dialogue.over = True
        if self._working is None:
            self._leave(in_peace=True)
        elif not self._dialogue.committed:
            self._working.cancel()  # and its end leaves

    def _leave(self, *, in_peace: bool) -> None:
        """Nothing of this session goes on: hang up upstream and say in one line what it was.

        `in_peace`: nothing was cancelled, so that the upstream connection can still be used.
        """
        visit, did = self._dialogue.visit, self._dialogue.did
        if visit is not None:
            if in_peace:
                visit.leave()
            else:
                visit.abandon()
        for quirk in sorted(self._server.tolerated):
            self._house.emit(QuirkMet(self.session, quirk))
        self._house.emit(
            SessionClosed(
                session=self.session,
                peer=self.address,
                login=self._dialogue.login,
                tls=self._tls or None,
                how=self._how or "the client closed the connection",
                seconds=self._house.clock.seconds() - self._since,
                retrieved=did.retrieved,
                topped=did.topped,
                octets=did.octets,
                marked=did.marked,
                deleted=did.deleted,
            )
        )
        self._dialogue.visit = None  # a large listing need not wait for the garbage collector
        self._left(self)

    # From the client.

    def dataReceived(self, octets: bytes) -> None:
        if self._closing:
            return
        self._server.receive(octets)
        self._proceed()

    def _proceed(self) -> None:
        """Answer what can be answered now, in order; several short replies go out in one write."""
        if self._proceeding:
            return  # an answer that was ready at once; the loop below goes on by itself
        self._proceeding = True
        replies: list[bytes] = []
        clock = self._house.clock
        until = clock.seconds() + TURN
        try:
            self._send_pieces()
            while self._may_go_on() and (request := self._server.next_request()) is not None:
                self._spoke = True
                if self._house.trace:
                    self._trace("C", repr(request))
                answer = self._dialogue.answer(request)
                if isinstance(answer, bytes):
                    replies.append(answer)
                    self._joined += len(answer)
                    if len(replies) >= REPLIES_AT_ONCE or self._joined >= OCTETS_AT_ONCE:
                        self._flush(replies)
                else:
                    self._take(answer, replies)
                if clock.seconds() > until:
                    self._resting = clock.callLater(0, self._rested)
        except ProtocolViolation as violation:
            replies.append(err(str(violation)))
            self._dialogue.over = True
            self._how = f"protocol violation: {violation}"
        except Exception:  # noqa: BLE001  a bug of ours: told in the log, and in neutral words to the client
            self._bug(Failure())  # type: ignore[no-untyped-call]
            replies.append(err("internal error; the operator finds it in the log", ResponseCode.SYS_TEMP))
        finally:
            self._proceeding = False
        self._flush(replies)
        self._end_of_turn()

    def _may_go_on(self) -> bool:
        return not (self._closing or self._dialogue.over or self._is_busy())

    def _is_busy(self) -> bool:
        """It is our turn: what the client says meanwhile waits."""
        return bool(self._working or self._pieces or self._pace.blocked or self._resting)

    def _rested(self) -> None:
        self._resting = None
        self._proceed()

    def _take(self, answer: InParts, replies: list[bytes]) -> None:
        match answer:
            case StartTls(reply):
                self._server.start_tls()
                self._flush([*replies, reply])
                replies.clear()
                self.transport.unregisterProducer()
                self._start_tls()
            case Iterator():
                self._flush(replies)
                self._pieces = answer
                self._send_pieces()
            case _:
                self._flush(replies)
                self._work(answer)

    def _flush(self, replies: list[bytes]) -> None:
        self._send(b"".join(replies))
        replies.clear()
        self._joined = 0

    def _send_pieces(self) -> None:
        """A long list goes out piece by piece, as fast as the client takes it; other sessions run in between."""
        while self._pieces is not None and not self._pace.blocked:
            piece = next(self._pieces, None)
            if piece is None:
                self._pieces = None
            else:
                self._send(piece)

    def _work(self, answer: "Coroutine[Any, Any, bytes | Cut]") -> None:
        self._in_message = False
        try:
            working = begin(answer)
        except Exception:  # noqa: BLE001  # a bug of ours, like those that come later
            self._failed(Failure())  # type: ignore[no-untyped-call]  # Twisted has no types there
            self.follow(None)
            return
        if isinstance(working, Over):
            self._worked(working.result)
            self.follow(None)
            return
        self._working = working
        self._expect_client()
        working.addCallbacks(self._worked, self._failed).addErrback(self._bug).addBoth(self._work_ended)

    def _worked(self, outcome: "bytes | Cut") -> None:
        if isinstance(outcome, Cut) and not self._gone:
            self._dialogue.over = True
            self._how = "upstream was lost inside a message"
        elif not isinstance(outcome, Cut):
            self._send(outcome)

    def _failed(self, failure: Failure) -> None:
        if not self._gone or not isinstance(failure.value, CancelledError):
            self._bug(failure)
        if not self._in_message:
            self._send(err("internal error; the operator finds it in the log", ResponseCode.SYS_TEMP))

    def _work_ended(self, _: object) -> None:
        self._working = None
        self.follow(None)  # however the message ended
        if self._gone:
            self._leave(in_peace=self._dialogue.committed)
        elif not self._proceeding:
            self._proceed()

    def _end_of_turn(self) -> None:
        if self._dialogue.over and not self._working:
            if self._server.state is State.UPDATE:
                self._how = self._how or "QUIT"
            self._close()
        stop = self._is_busy() and self._server.buffered > READ_AHEAD and not self._closing
        if stop != self._not_reading and not self._gone:
            self._not_reading = stop
            (self._tcp.pauseProducing if stop else self._tcp.resumeProducing)()
        self._expect_client()

    # To the client.

    def _send(self, octets: bytes) -> None:
        if octets and not self._gone and not self._closing:
            if self._house.trace:
                line = octets.partition(b"\r\n")[0][:200].decode("ascii", "replace")
                # With what SCRAM's challenges say passwords can be tried (RFC 5802, section 9).
                self._trace("S", "+ …" if line.startswith("+ ") else line)
            self.transport.write(octets)

    def write(self, octets: bytes) -> None:
        """A piece of a message."""
        self._in_message = True
        if not self._gone and not self._closing:
            self.transport.write(octets)

    def follow(self, flow: Flow | None) -> None:
        self._pace.follow(flow)

    def drained(self) -> "Deferred[None]":
        self._patience.expect_reading()
        return self._outflow.drained().addCallback(lambda _: self._patience.met())

    # The clock and the end.

    def _mark(self) -> object:
        return self._outflow.mark()

    def _expect_client(self) -> None:
        """The client's clock runs while it is its turn to speak (S28)."""
        if self._gone or self._closing or self._is_busy():
            self._patience.expect_no_words()
        else:
            self._patience.expect_words(logged_in=self._server.state is not State.AUTHORIZATION, anew=self._spoke)
            self._spoke = False

    def _idled(self) -> None:
        self._how = "nothing was said for too long"
        self._send(err("nothing was said for too long", ResponseCode.SYS_TEMP))
        self._close()

    def shut(self, how: str) -> None:
        """The service stops: nothing new is begun, a QUIT under way is carried through."""
        if self._closing or (self._working is not None and self._dialogue.committed):
            return
        self._how = how
        if not (self._working or self._pieces):  # inside a message or a list it would be taken for a line of it
            self._send(err("the server is shutting down; try again later", ResponseCode.SYS_TEMP))
        self._close()

    def _close(self) -> None:
        if self._closing or self._gone:
            return
        self._closing = True
        if self._not_reading:
            self._not_reading = False
            self._tcp.resumeProducing()
        self._expect_client()
        self._outflow.expect_end()  # a QUIT that has begun nothing yet begins nothing any more (S16)
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self._patience.expect_farewell()

    def _abort(self, how: str) -> None:
        if not self._closing:
            self._how = how
        self._closing = True
        self._outflow.abortConnection()

    def _bug(self, failure: Failure) -> None:
        self._dialogue.over = True
        self._pieces = None
        self._how = "a bug of ours"
        self._house.emit(BugMet(self.session, failure.getTraceback(detail="brief")))

    def _trace(self, direction: str, line: str) -> None:
        self._house.emit(WireTraced(self.session, direction, line))
