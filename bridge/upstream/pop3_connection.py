"""One connection to a POP3 server: commands go out, each answer comes back as a Deferred. Nothing here waits.

It keeps the wire (`pop3/client`) and the transport together; what is so in either protocol is in `connection`.
"""

from collections import deque
from collections.abc import Callable
from typing import Protocol as Shape
from typing import assert_never

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from bridge.maildrop.errors import UpstreamUnavailable
from bridge.maildrop.source import Flow
from bridge.pop3.answers import Status
from bridge.pop3.client import Answered, Began, Came, Challenged, Client, Ended, Event, Greeted, Told
from bridge.pop3.commands import Command, Quit
from bridge.upstream.connection import Connection, Trace
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


class Pop3Connection(Connection):
    """`greeted` fires with the greeting, `lost` when the connection is gone; `ask` with each answer.

    `greeted` and answers fail with a Trouble when the connection ends.
    """

    client: Client
    greeted: "Deferred[Status]"
    speaks = "POP3"

    def __init__(self, clock: IReactorTime, *, silence: float, close_abort: float, trace: Trace | None) -> None:
        super().__init__(clock, silence=silence, close_abort=close_abort, trace=trace)
        self.client = Client()
        self.lost: Deferred[None] = Deferred()
        self._asked: deque[_Asked] = deque()

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
        if self.trace is not None:
            self.trace("c", repr(command))
        self._flush()
        return answer

    @property
    def reusable(self) -> bool:
        return self.ended is None and self.client.quiet

    def _say_goodbye(self) -> None:
        self.ask(Quit()).addErrback(lambda _: None)

    def _awaited(self) -> bool:
        return bool(self._asked)

    def _unanswered(self) -> "list[Deferred[Answer]]":
        asked, self._asked = self._asked, deque()
        return [one.answer for one in asked]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        super().connectionLost(reason)
        self.lost.callback(None)

    # What the client's half of the protocol makes of it.

    def _happened(self, event: Event) -> None:
        if self.trace is not None:
            self.trace("s", self._cleaned(repr(event)))
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
