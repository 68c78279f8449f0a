"""The client's half of a POP3 conversation: commands in, octets out; octets in, happenings out. Nothing here waits.

The rule it keeps: answers belong to commands in the order of the wire, a message is passed on piece by piece as it
comes, and the first breach of the protocol ends the conversation.

Tolerances beyond the RFCs, by name:
    lf-status-line     a status line that ends in LF without CR (servers that are a script of a few lines)
    any-case-status    +ok and -err (the same)
    challenge-text     a challenge that is not base64, such as "+ Username:"; what matters is whose turn it is
    unasked-err        an -ERR that nobody asked for, as most servers say goodbye ("-ERR idle for too long")
"""

from base64 import b64encode
from collections import deque
from collections.abc import Iterator, Mapping

from attrs import field, frozen

from bridge.pop3.answers import Status, read_capabilities, read_status
from bridge.pop3.commands import (
    Auth,
    Capa,
    Command,
    Dele,
    List,
    Noop,
    Quit,
    Retr,
    Rset,
    Stat,
    Stls,
    Top,
    Uidl,
    decode_response,
    encode,
)
from bridge.pop3.stuffing import Unstuffing
from bridge.secret import Secret
from bridge.violation import ProtocolViolation

_PIPELINED = (Stat, List, Uidl, Retr, Top, Dele, Noop, Rset, Quit)
"""What may be written before the answer to the command before has come (RFC 2449, section 6.6): once logged in."""

_UNASKED_AT_MOST = 10


@frozen
class Greeted:
    status: Status


@frozen
class Answered:
    """A status line that is the whole answer."""

    command: Command
    status: Status


@frozen
class Began:
    """+OK, and the lines of a message or list follow."""

    command: Command
    status: Status


@frozen
class Came:
    """The next of these octets, without their stuffing."""

    octets: bytes = field(repr=False)


@frozen
class Ended:
    command: Command


@frozen
class Challenged:
    """The server's turn in AUTH, decoded; to be answered with `respond`."""

    octets: bytes = field(repr=False)


@frozen
class Told:
    """What the server says unasked: as a rule why it hangs up."""

    status: Status


Event = Greeted | Answered | Began | Came | Ended | Challenged | Told


class Client:
    """Limits: octets of a status line or challenge, and of the list of capabilities; commands in flight."""

    def __init__(self, *, line: int = 8192, capabilities: int = 65536, at_once: int = 100) -> None:
        self.greeted = False
        self.capabilities: Mapping[str, tuple[str, ...]] = {}
        self.capabilities_known = False
        """CAPA was answered, though perhaps with -ERR: then there are none."""
        self._line_limit = line
        self._capabilities_limit = capabilities
        self._at_once = at_once
        self._waiting: deque[Command] = deque()
        self._in_flight: deque[Command] = deque()
        self._out = bytearray()
        self._received = b""
        self._at = 0  # where in it the next thing begins
        self._text: Unstuffing | None = None
        self._capa = b""
        self._unasked = 0

    # What the driver asks and tells.

    @property
    def quiet(self) -> bool:
        """Nothing in flight, no partial line: the connection may be used for something else."""
        return self.greeted and not (self._waiting or self._in_flight or self._at < len(self._received))

    def send(self, command: Command) -> None:
        """Queues it. ValueError for what must not be sent, such as CR or LF in a password."""
        encode(command)
        self._waiting.append(command)

    def respond(self, octets: Secret | None) -> None:
        """The answer to `Challenged`; None cancels the exchange."""
        self._out += b"*\r\n" if octets is None else b64encode(octets.reveal()) + b"\r\n"

    def octets_to_send(self) -> bytes:
        """What may go on the wire now; to be asked after `send`, `respond`, and each `receive`."""
        while self._waiting and self._may_go(self._waiting[0]):
            command = self._waiting.popleft()
            self._in_flight.append(command)
            self._out += encode(command) + b"\r\n"
        octets = bytes(self._out)
        self._out.clear()
        return octets

    def receive(self, octets: bytes) -> Iterator[Event]:
        """ProtocolViolation for what no POP3 server says; the conversation is over then."""
        self._received, self._at = self._received[self._at :] + octets, 0
        while self._at < len(self._received):
            if self._text is not None:
                yield from self._more(self._text)
                continue
            line = self._line()
            if line is None:
                return
            yield self._heard(line)

    # Whose turn it is.

    def _may_go(self, command: Command) -> bool:
        if not self._in_flight:
            return self.greeted
        pipelined = isinstance(command, _PIPELINED) and isinstance(self._in_flight[-1], _PIPELINED)
        return pipelined and "PIPELINING" in self.capabilities and len(self._in_flight) < self._at_once

    def _line(self) -> bytes | None:
        end = self._received.find(b"\n", self._at, self._at + self._line_limit)
        if end < 0:
            if len(self._received) - self._at >= self._line_limit:
                raise ProtocolViolation(f"a line is longer than {self._line_limit} octets")
            return None
        line = self._received[self._at : end]
        self._at = end + 1
        return line.removesuffix(b"\r")

    def _heard(self, line: bytes) -> Event:
        if not self.greeted:
            self.greeted = True
            return Greeted(read_status(line))
        if not self._in_flight:
            told = read_status(line)
            self._unasked += 1
            if told.ok or self._unasked > _UNASKED_AT_MOST:
                raise ProtocolViolation("an answer that nobody asked for")
            return Told(told)
        command = self._in_flight[0]
        if isinstance(command, Auth) and (line == b"+" or line.startswith(b"+ ")):
            challenge = decode_response(line[2:])
            return Challenged(challenge.reveal() if challenge is not None else b"")
        status = read_status(line)
        if status.ok and _has_lines(command):
            self._text = Unstuffing()
            return Began(command, status)
        self._in_flight.popleft()
        self._answered(command, status)
        return Answered(command, status)

    def _answered(self, command: Command, status: Status) -> None:
        match command:
            case Capa():  # -ERR: a server without RFC 2449
                self.capabilities, self.capabilities_known = {}, True
            case Stls() if status.ok:
                # What comes behind it may be an attacker's (S29); and what was said in clear, too.
                if self._at < len(self._received):
                    raise ProtocolViolation("octets behind the answer to STLS, before the handshake")
                self.capabilities, self.capabilities_known = {}, False
            case _:
                pass

    def _more(self, text: Unstuffing) -> Iterator[Event]:
        octets = text.feed(self._received[self._at :])
        self._received, self._at = text.rest or b"", 0
        command = self._in_flight[0]
        if isinstance(command, Capa):
            self._capa += octets
            if len(self._capa) > self._capabilities_limit:
                raise ProtocolViolation(f"more than {self._capabilities_limit} octets of capabilities")
        if octets:
            yield Came(octets)
        if text.rest is None:
            return
        self._text = None
        self._in_flight.popleft()
        if isinstance(command, Capa):
            self.capabilities, self.capabilities_known = read_capabilities(self._capa), True
            self._capa = b""
        yield Ended(command)


def _has_lines(command: Command) -> bool:
    match command:
        case Retr() | Top() | Capa() | List(None) | Uidl(None):
            return True
        case _:
            return False
