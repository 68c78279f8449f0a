"""One IMAP connection: commands go out, each answer comes back as a Deferred. Nothing here waits.

It keeps the wire (`imap/client`) and the transport together; what is so in either protocol is in `connection`.
"""

from collections.abc import Callable
from typing import Protocol as Shape

from attrs import define, evolve, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure

from bridge.imap import commands
from bridge.imap.client import (
    BodiesCame,
    BodyAbsent,
    BodyBegan,
    BodyEnded,
    BodyOctets,
    Challenged,
    Client,
    Completed,
    Event,
    Greeted,
    Idling,
    ListingRows,
    Responded,
    RowsCame,
    Tag,
)
from bridge.imap.commands import Command
from bridge.imap.listing import FetchedRows
from bridge.imap.quirks import Quirk
from bridge.imap.responses import Fetched, Response, Status, StatusKind
from bridge.imap.wordings import asked_rest, known
from bridge.maildrop.errors import Trouble
from bridge.names import Uid
from bridge.upstream.connection import Connection, Trace
from bridge.upstream.imap_answers import Answer, Kept
from bridge.upstream.in_words import trouble
from bridge.upstream.selected import Selected
from bridge.violation import ProtocolViolation

__all__ = ["Answer", "Bodies", "Body", "ImapConnection"]

AWAKE = 3.0  # seconds in which a connection that rested has to answer; a new one takes less than 30 of silence

READ_AT_ONCE = 64 * 1024  # octets
READ_AT_ONCE_OF_MANY = 256 * 1024  # the same while many messages come: the fewer turns, the less each of them costs
CHATTER_AT_MOST = 1_000_000  # responses of no use between two of use: more than all flags of a large mailbox
CHALLENGES_AT_MOST = 5  # turns in one authentication: more than any mechanism in use needs


class Body(Shape):
    """Who takes the octets of a FETCH BODY[…]."""

    def begin(self, size: int, flow: "ImapConnection") -> None: ...

    def write(self, octets: bytes) -> None: ...


class Bodies(Body, Shape):
    """Who takes those of many messages, one after the other."""

    def end(self, uid: Uid | None) -> None:
        """Whose body it was; None where the server never says."""

    def came(self, bodies: "list[tuple[Uid, bytes]]") -> None: ...

    def caught_up(self) -> None:
        """All that was read from the socket at once has been given: what waits for it may go on."""


@define(eq=False)
class _Asked:
    command: Command
    answer: "Deferred[Answer]"
    rows: Callable[[ListingRows], None] | None
    body: Body | None
    bodies: Bodies | None
    challenged: Callable[[bytes], None] | None
    kept: Kept = field(factory=Kept)
    challenges: int = 0


class ImapConnection(Connection):
    """`greeted` fires with the greeting; `ask` with each answer. Both fail with a Trouble when the connection ends."""

    client: Client
    greeted: "Deferred[Status]"
    speaks = "IMAP"

    def __init__(
        self,
        clock: IReactorTime,
        *,
        silence: float,
        close_abort: float,
        trace: Trace | None,
        on_quirk: Callable[[Quirk], None],
        on_rest: Callable[[float], None] = lambda _: None,
    ) -> None:
        """`on_rest`: the server asks for so many seconds without us."""
        super().__init__(clock, silence=silence, close_abort=close_abort, trace=trace)
        self.client = Client(on_quirk=self._met)
        self.mailbox = Selected()
        self.on_quirk = on_quirk
        self._on_rest = on_rest
        self.server = ""
        """The name by which it calls itself (RFC 2971)."""
        self.heard_at = clock.seconds()
        self._asked: dict[Tag, _Asked] = {}
        self._body: Body | None = None
        self._bodies: Bodies | None = None  # the same, where it is one of many
        self._body_uid: Uid | None = None
        self._behind: Bodies | None = None  # who was given something, and does not know whether that was all
        self._leaving = False  # it has said BYE
        self._resting = False
        self._idle: Tag | None = None
        self._doubt: IDelayedCall | None = None
        self._chatter = 0

    # What the source asks for.

    def ask(
        self,
        command: Command,
        *,
        rows: Callable[[ListingRows], None] | None = None,
        body: Body | None = None,
        bodies: Bodies | None = None,
        challenged: Callable[[bytes], None] | None = None,
    ) -> "Deferred[Answer]":
        """Send it behind whatever is in flight. Cancelling gives the whole connection up."""
        answer: Deferred[Answer] = Deferred(lambda _: self._given_up())
        if self.ended is not None:
            answer.errback(self.ended)
            return answer
        if self._resting:
            self._wake()
        tag = self.client.send(command)
        if isinstance(command, commands.Select | commands.Examine):
            self.mailbox = Selected()
        if bodies is not None:
            self.transport.bufferSize = READ_AT_ONCE_OF_MANY
        self._asked[tag] = _Asked(command, answer, rows, body, bodies, challenged)
        if self.trace is not None:
            self.trace("c", f"{tag} {command!r}")
        self._flush()
        return answer

    @property
    def reusable(self) -> bool:
        return self.ended is None and not self._leaving and (self.client.quiet or self._resting)

    # Between two sessions.

    def rest(self) -> None:
        """Nothing is asked for a while: let the server tell what happens, where it can. The next command ends that."""
        if not self._resting and "IDLE" in self.client.capabilities:
            tag = self.client.send(commands.Idle())
            self._asked[tag] = _Asked(commands.Idle(), Deferred(), None, None, None, None)
            self._asked[tag].answer.addErrback(lambda _: None)
            self._idle = tag
            self._flush()
        self._resting = True

    def probe(self) -> None:
        """At rest: see whether it still answers."""
        self.ask(commands.Noop()).addCallbacks(lambda _: self.rest(), lambda _: None)

    def quiet_since(self, moment: float) -> bool:
        """Nothing was told since SELECT, by a server that idles and has said something since that moment."""
        return self.client.idling and not self._leaving and self.heard_at >= moment and self.mailbox.quiet

    def _wake(self) -> None:
        """A connection may have died unseen while it rested; the first answer shows that it has not."""
        self._resting = False
        if self._idle is not None:
            self.client.done()
        self._doubt = self._clock.callLater(min(AWAKE, self._silence), self._silent, AWAKE)

    def _say_goodbye(self) -> None:
        self.ask(commands.Logout()).addErrback(lambda _: None)

    def _awaited(self) -> bool:
        return len(self._asked) > (self._resting and self._idle is not None)

    def _unanswered(self) -> "list[Deferred[Answer]]":
        asked, self._asked = self._asked, {}
        return [one.answer for one in asked.values()]

    # What the transport tells.

    def dataReceived(self, octets: bytes) -> None:
        self.heard_at = self._clock.seconds()
        self._believe()
        super().dataReceived(octets)
        if self._behind is not None:
            behind, self._behind = self._behind, None
            behind.caught_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.client.end_of_stream()
        super().connectionLost(reason)

    def _met(self, quirk: Quirk) -> None:
        """It goes to whose session it is now."""
        self.on_quirk(quirk)

    # What the client's half of the protocol makes of it.

    def _happened(self, event: Event) -> None:
        if self.trace is not None:
            self.trace("s", self._cleaned(repr(event)))
        match event:
            case BodiesCame(bodies, tag):
                taker = self._asked[tag].bodies
                if taker is not None:
                    taker.came(bodies)
                    self._behind = taker
                self._progress()
            case BodyOctets(octets):
                if self._body is not None:
                    self._body.write(octets)
                    self._progress()
            case ListingRows():
                listing = next((asked.rows for asked in self._asked.values() if asked.rows is not None), None)
                if listing is not None:
                    listing(event)
                self._progress()
            case Responded(response, _, tag):
                self._responded(response, tag)
            case RowsCame(rows, _, tag):
                self._chatter += len(rows) - 1
                self._bear()
                self._keep(rows, tag)
            case Completed(tag, _, status):
                self._completed(tag, status)
            case BodyBegan(_, _, _, size, tag):
                self._body_begins(size, tag)
            case BodyEnded(uid):
                self._body_ends(uid)
            case BodyAbsent() | Idling():
                self._progress()
            case Challenged(octets):
                asked = next(iter(self._asked.values()), None)
                if asked is None or asked.challenged is None or asked.challenges >= CHALLENGES_AT_MOST:
                    raise ProtocolViolation("a SASL challenge where none is due")
                asked.challenges += 1
                asked.challenged(octets)
                self._flush()
                self._progress()
            case Greeted(status):
                self._progress()
                self.greeted.callback(status)

    def _responded(self, response: Response, tag: Tag | None) -> None:
        self._bear()
        match response:
            case Status(kind, code, text):
                if kind is StatusKind.BYE:
                    self._goodbye, self._leaving = self._cleaned(text), True
                    self._understand(self._goodbye)
                elif kind is not StatusKind.OK:
                    self.mailbox.touch()  # Dovecot 2.3.19 in an IDLE: NO, when the mailbox was made anew
                elif code is not None:
                    self.mailbox.hear_code(code)
            case _ if not self.mailbox.hear(response):
                self._keep(response, tag)
            case _:
                pass

    def _bear(self) -> None:
        self._chatter += 1
        if self._chatter > CHATTER_AT_MOST:
            raise ProtocolViolation(f"more than {CHATTER_AT_MOST} responses that nobody asked for")

    def _keep(self, told: Response | FetchedRows, tag: Tag | None) -> None:
        asked = self._asked.get(tag) if tag is not None else None
        if asked is not None and asked.kept.keep(asked.command, told):
            self._progress()
        elif isinstance(told, FetchedRows):
            self.mailbox.flags_told += len(told)
        elif isinstance(told, Fetched):
            self.mailbox.flags_told += 1

    def _completed(self, tag: Tag, status: Status) -> None:
        asked = self._asked.pop(tag)
        if tag == self._idle:
            self._idle = None
        self._progress()
        self.resume()
        if asked.bodies is not None and not any(other.bodies for other in self._asked.values()):
            self.transport.bufferSize = READ_AT_ONCE
        if isinstance(asked.command, commands.Logout):
            self.transport.loseConnection()
        text = self._cleaned(status.text)
        self._words = None
        if status.kind is not StatusKind.OK:
            self._understand(text)
        asked.answer.callback(Answer(evolve(status, text=text), asked.kept.data))

    def _understand(self, text: str) -> None:
        """Exchange Online says why once, to the first command, and hangs up."""
        if (wording := known(text)) is not None:
            self._met(wording.quirk)
            # What is lasting is told by the command that it answers; a connection that is lost may be found again.
            self._words = trouble(wording, text) if wording.temporary else None
        if (rest := asked_rest(text)) > 0:
            self._on_rest(rest)

    def _body_begins(self, size: int, tag: Tag | None) -> None:
        """A body that nobody asked for has no tag: it is read over."""
        asked = self._asked.get(tag) if tag is not None else None
        self._body = self._bodies = self._body_uid = None
        if asked is None:
            return
        if asked.body is not None and isinstance(asked.command, commands.FetchBody):
            self._body, self._body_uid = asked.body, asked.command.uid
        else:
            self._body = self._bodies = asked.bodies
        if self._body is not None:
            self._body.begin(size, self)
            self._progress()

    def _body_ends(self, uid: Uid | None) -> None:
        if self._bodies is not None:
            self._bodies.end(uid)
            self._behind = self._bodies
        self._body = self._bodies = None
        if self._body_uid is not None and uid is not None and uid != self._body_uid:
            raise ProtocolViolation(f"the message sent as UID {self._body_uid} was UID {uid}")

    # The clock and the end.

    def _progress(self) -> None:
        """Something useful came. Unsolicited chatter is no progress, so that it cannot keep a dead command alive."""
        self._chatter = 0
        super()._progress()

    def _believe(self) -> None:
        if self._doubt is not None:
            doubt, self._doubt = self._doubt, None
            if doubt.active():
                doubt.cancel()

    def _end(self, trouble: Trouble) -> None:
        self._body = None
        self._believe()
        super()._end(trouble)
