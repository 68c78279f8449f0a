"""The client's half of an IMAP conversation: commands in, octets out; octets in, happenings out. Nothing here waits.

The rule it keeps: what the server says is taken in the order of the wire, a body is passed on piece by piece as it
comes, and the first breach of the protocol ends the conversation.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import assert_never

from bridge.imap.bodies import Kind, whole_bodies
from bridge.imap.codes import read_status
from bridge.imap.commands import (
    Authenticate,
    Command,
    Enable,
    Examine,
    FetchBodies,
    FetchListing,
    Login,
    Select,
    Starttls,
    Tag,
    Unselect,
)
from bridge.imap.fetch import FetchReply
from bridge.imap.fragments import DEFAULT_LIMITS, Collected, Fragment, Fragments, Limits, Octets, Text
from bridge.imap.happenings import (
    BodiesCame,
    BodyAbsent,
    BodyBegan,
    BodyEnded,
    BodyOctets,
    Challenged,
    Completed,
    Event,
    Greeted,
    Idling,
    Responded,
    RowsCame,
)
from bridge.imap.lexer import U32, Cursor
from bridge.imap.listing import ListingRows, Shapes, one_row, read_fetched, read_rows
from bridge.imap.parser import Reading, read_response
from bridge.imap.quirks import Quirk, ignore
from bridge.imap.responses import Capabilities, Code, Enabled, Exists, Fetched, Response, Status, StatusKind
from bridge.imap.turns import Continuation, Turns
from bridge.imap.writing import Context
from bridge.secret import Secret
from bridge.violation import ProtocolViolation, excerpt

__all__ = [
    "BodiesCame",
    "BodyAbsent",
    "BodyBegan",
    "BodyEnded",
    "BodyOctets",
    "Challenged",
    "Client",
    "ClientState",
    "Completed",
    "Event",
    "Greeted",
    "Idling",
    "Limits",
    "ListingRows",
    "Quirk",
    "Responded",
    "RowsCame",
    "Tag",
]

_UNTAGGED_STATUS = re.compile(rb"\* ((?:OK|NO|BAD|BYE|PREAUTH)(?: .*)?)", re.IGNORECASE | re.DOTALL)
_FETCH = re.compile(rb"([0-9]{1,20}) FETCH ", re.IGNORECASE)
_STAR = re.compile(rb"\* ")
_FETCH_WORD = re.compile(rb" FETCH ", re.IGNORECASE)
_NEWS = Fetched(1)
_TAGGED_STATUS = re.compile(rb"([A-Za-z0-9]{1,20}) ((?:OK|NO|BAD)(?: .*)?)", re.IGNORECASE | re.DOTALL)


SPARE_UIDS = 1000
"""Numbers that an answer may stand for beyond twice the messages there are: some may come while it is asked for."""


class ClientState(Enum):
    GREETING = auto()
    NOT_AUTHENTICATED = auto()
    AUTHENTICATED = auto()
    SELECTED = auto()
    ENDED = auto()


class Client:
    """`on_quirk` hears of each quirk once."""

    def __init__(self, *, limits: Limits = DEFAULT_LIMITS, on_quirk: Callable[[Quirk], None] = ignore) -> None:
        self.state = ClientState.GREETING
        self.capabilities: frozenset[str] = frozenset()
        self.capabilities_known = False
        self.enabled: frozenset[str] = frozenset()
        self._limits = limits
        self._on_quirk = on_quirk
        self._quirks: set[Quirk] = set()
        self._fragments = Fragments(limits, self._met)
        self._turns = Turns()
        self._shapes = Shapes()
        self._rows_by_line = False  # this buffer holds a row that is out of bounds: its place must be found
        self._texts: list[bytes] = []
        self._literals: list[bytes | None] = []
        self._fetch: FetchReply | None = None
        self._enabling: set[str] = set()  # what was asked for; a server may say that it enabled more
        self._most_uids = limits.uids  # numbers that one answer may stand for
        self._told_at_login = False  # new capabilities have come with the login that is in flight

    # What the driver asks and tells

    @property
    def quiet(self) -> bool:
        """Nothing in flight, no literal open, no partial line: the connection may be used for something else."""
        return self._turns.quiet and self._fragments.at_rest

    @property
    def idling(self) -> bool:
        """Nothing but an IDLE in flight, which the server has begun, and no partial line."""
        return self._turns.idling and self._fragments.at_rest

    def send(self, command: Command) -> Tag:
        """Queues it. ValueError for what must not be sent, such as CR or LF in a password."""
        if isinstance(command, Enable):
            self._enabling |= {name.upper() for name in command.names}
        return self._turns.add(command)

    def respond(self, octets: Secret | None) -> None:
        """The answer to `Challenged`; None cancels the exchange."""
        self._turns.respond(octets)

    def done(self) -> None:
        """Ends IDLE."""
        self._turns.done()

    def octets_to_send(self) -> bytes:
        """What may go on the wire now; to be asked after `send`, `respond`, `done`, and each `receive`."""
        return b"" if self.state is ClientState.ENDED else self._turns.drain(self._context())

    def receive(self, octets: bytes) -> Iterator[Event]:
        """What these octets bring. ProtocolViolation at the place of the breach: then everything has ended."""
        self._fragments.add(octets)
        self._rows_by_line = False
        return self._events()

    def end_of_stream(self) -> None:
        """The transport has closed; commands in flight are the driver's to fail."""
        self.state = ClientState.ENDED

    # Octets in, happenings out

    def _events(self) -> Iterator[Event]:
        try:
            while self.state is not ClientState.ENDED:
                rows = self._take_rows()
                if rows is not None:
                    if rows.sizes:  # else news of flags, which whoever lists asks for by a search
                        yield rows
                    continue
                bodies = self._take_bodies() if self._turns.bodies else None
                if bodies is not None:
                    yield bodies
                    continue
                told = self._take_told()
                if told is not None:
                    yield told
                    continue
                fragment = self._fragments.next()
                if fragment is None:
                    return
                yield from self._take(fragment)
        except ProtocolViolation:
            self.state = ClientState.ENDED
            raise

    def _take_rows(self) -> ListingRows | None:
        shape = self._shapes.current
        if shape is None or self._rows_by_line or not self._turns.listing:
            return None
        if not shape.lists and not isinstance(self._told(_NEWS).command, FetchListing):
            return None
        octets, begin, end = self._fragments.run(shape.run)
        if begin == end:
            return None
        rows = read_rows(shape, octets, begin, end)
        if rows is None:
            self._rows_by_line = True
        else:
            self._fragments.advance(end)
        return rows

    def _take_told(self) -> RowsCame | None:
        """Rows of that shape which are no listing's."""
        shape = self._shapes.current
        if shape is None or self._rows_by_line or self._turns.listing:
            return None
        octets, begin, end = self._fragments.run(shape.run)
        if begin == end:
            return None
        rows = read_fetched(shape, octets, begin, end)
        if rows is None:
            self._rows_by_line = True
            return None
        self._fragments.advance(end)
        told = self._told(_NEWS)
        return RowsCame(rows, told.command, told.tag)

    def _take_bodies(self) -> BodiesCame | None:
        asked, here = self._turns.in_flight.of_bodies(), self._fragments.ahead()
        if asked is None or here is None:
            return None
        tag, command = asked
        wanted, kind = None, Kind.HEADER_FIELDS
        if isinstance(command, FetchBodies):
            alone = self._turns.in_flight.of_one()
            wanted = command.uids - alone if alone else command.uids  # those go to who waits for them
            kind = Kind.WHOLE if command.count is None else Kind.BEGINNING
        bodies, end = whole_bodies(*here, wanted, kind)
        if not bodies:
            return None
        self._fragments.advance(end)
        return BodiesCame(bodies, tag)

    def _take(self, fragment: Fragment) -> Iterator[Event]:
        match fragment:
            case Octets(octets):
                yield BodyOctets(octets)
            case Collected(octets):
                self._literals.append(octets)
            case Text(octets, size, streamed):
                self._texts.append(octets)
                if streamed:
                    self._literals.append(None)
                    yield from self._read_fetch(size or 0)
                elif size is None:
                    yield from self._complete_response()
            case _:
                assert_never(fragment)

    def _complete_response(self) -> Iterator[Event]:
        if self._fetch is not None or (self._texts[0][:2] == b"* " and _FETCH.match(self._texts[0], 2)):
            yield from self._read_fetch(0)
            return
        texts, literals = self._forget_response()
        line = texts[0]
        untagged = _UNTAGGED_STATUS.fullmatch(line)
        if self.state is ClientState.GREETING:
            yield self._greet(untagged)
        elif untagged is not None:
            yield self._told(self._hear(self._read_status(untagged[1])))
        elif line.startswith(b"* "):
            yield self._told(self._read_data(texts, literals))
        elif line.startswith(b"+"):
            yield from self._go_on(line[1:])
        else:
            yield self._complete(line)

    def _forget_response(self) -> tuple[list[bytes], list[bytes | None]]:
        parts = self._texts, self._literals
        self._texts, self._literals = [], []
        return parts

    def _told(self, response: Response) -> Responded:
        in_flight = self._turns.in_flight
        tag = in_flight.asker(response)
        return Responded(response, None if tag is None else in_flight.commands[tag], tag)

    # Status lines

    def _read_status(self, octets: bytes) -> Status:
        return read_status(octets, uids=self._limits.uids, met=self._met)

    def _greet(self, untagged: re.Match[bytes] | None) -> Greeted:
        status = self._read_status(untagged[1]) if untagged is not None else None
        match status:
            case Status(kind=StatusKind.OK):
                self.state = ClientState.NOT_AUTHENTICATED
            case Status(kind=StatusKind.PREAUTH):
                self.state = ClientState.AUTHENTICATED
            case Status(kind=StatusKind.BYE):
                # The stream ends soon; until then nothing can be asked.
                self.state = ClientState.NOT_AUTHENTICATED
            case _:
                raise ProtocolViolation("not an IMAP greeting")
        self._learn_from(status)
        return Greeted(status)

    def _hear(self, status: Status) -> Status:
        if status.kind is StatusKind.PREAUTH:
            raise ProtocolViolation("PREAUTH after the greeting")
        self._learn_from(status)
        return status

    def _complete(self, line: bytes) -> Completed:
        tagged = _TAGGED_STATUS.fullmatch(line)
        if tagged is None:
            raise ProtocolViolation(f"no IMAP response: {excerpt(line)}")
        tag = Tag(tagged[1].decode("ascii"))
        command = self._turns.complete(tag)
        status = self._read_status(tagged[2])
        self._conclude(command, status)
        return Completed(tag, command, status)

    def _conclude(self, command: Command, status: Status) -> None:
        done = status.kind is StatusKind.OK
        match command:
            case Starttls():
                if done and self._fragments.unread:
                    raise ProtocolViolation("octets behind the answer to STARTTLS")
                if done:
                    self._forget_capabilities()
            case Login() | Authenticate():
                self._conclude_login(status)
            case Select() | Examine():
                self.state = ClientState.SELECTED if done else ClientState.AUTHENTICATED
            case Unselect() if done:
                self.state = ClientState.AUTHENTICATED
            case _:
                pass
        if not isinstance(command, Starttls):
            self._learn_from(status)

    def _conclude_login(self, status: Status) -> None:
        if status.kind is StatusKind.OK:
            self.state = ClientState.AUTHENTICATED
            if self._told_at_login:
                self._learn(self.capabilities)
            else:
                self._forget_capabilities()
        self._told_at_login = False

    def _go_on(self, said: bytes) -> Iterator[Event]:
        if not said.startswith(b" "):
            self._met(Quirk.EMPTY_CONTINUATION)
        match self._turns.go_on():
            case Continuation.CHALLENGE:
                yield Challenged(_challenge(said))
            case Continuation.IDLING:
                yield Idling()
            case Continuation.GO_AHEAD:
                pass
            case meaning:
                assert_never(meaning)

    # Capabilities

    def _learn_from(self, status: Status) -> None:
        match status:
            case Status(StatusKind.OK | StatusKind.PREAUTH, Code("CAPABILITY", frozenset(names))):
                self._learn(names)
            case _:
                pass

    def _learn(self, names: frozenset[str]) -> None:
        if self.state in {ClientState.AUTHENTICATED, ClientState.SELECTED} and "LOGINDISABLED" in names:
            self._met(Quirk.LOGINDISABLED_AFTER_LOGIN)
            names -= {"LOGINDISABLED"}
        self.capabilities = names
        self.capabilities_known = True
        self._told_at_login = isinstance(self._turns.in_flight.oldest, Login | Authenticate)

    def _forget_capabilities(self) -> None:
        self.capabilities = frozenset()
        self.capabilities_known = False

    # Data

    def _cursor(self, texts: list[bytes], literals: list[bytes | None]) -> Cursor:
        return Cursor(texts, literals, depth=self._limits.depth, met=self._met)

    def _read_data(self, texts: list[bytes], literals: list[bytes | None]) -> Response:
        cursor = self._cursor(texts, literals)
        cursor.match(_STAR)
        response = read_response(cursor, Reading(self._context().utf8, self._most_uids))
        match response:
            case Capabilities(names):
                self._learn(names)
            case Enabled(names):
                self.enabled |= names & self._enabling
            case Exists(count):
                self._most_uids = min(self._limits.uids, 2 * count + SPARE_UIDS)
            case _:
                pass
        return response

    def _read_fetch(self, size: int) -> Iterator[Event]:
        """As much of a FETCH response as is here; `size` of the body that comes next."""
        if self.state is ClientState.GREETING:
            raise ProtocolViolation("not an IMAP greeting")
        cursor = self._cursor(*self._forget_response())
        if self._fetch is None:
            cursor.match(_STAR)
            self._fetch = FetchReply(cursor.number(U32), self._turns.in_flight.body_asker)
            cursor.match(_FETCH_WORD)
        yield from self._fetch.tell(cursor, size)
        if self._fetch.complete:
            yield from self._end_fetch(self._fetch)

    def _end_fetch(self, reply: FetchReply) -> Iterator[Event]:
        self._fetch = None
        yield from reply.end_body()
        if not reply.says_more:
            return
        rows = one_row(reply.fetched()) if self._turns.listing else None
        if rows is None:
            told = self._told(reply.fetched())
            if isinstance(told.command, FetchListing) or not self._turns.listing:
                self._shapes.learn(reply.names)
            yield told
        else:
            self._shapes.learn(reply.names)
            yield rows

    # Words of our own

    def _context(self) -> Context:
        revision_2_only = "IMAP4REV2" in self.capabilities and "IMAP4REV1" not in self.capabilities
        utf8 = revision_2_only or not self.enabled.isdisjoint({"UTF8=ACCEPT", "IMAP4REV2"})
        return Context(self.capabilities, utf8)

    def _met(self, quirk: Quirk) -> None:
        if quirk not in self._quirks:
            self._quirks.add(quirk)
            self._on_quirk(quirk)


def _challenge(said: bytes) -> bytes:
    try:
        return b64decode(said.strip(b" "), validate=True)
    except Base64Error as error:
        raise ProtocolViolation(f"a challenge that is not base64: {excerpt(said)}") from error
