"""Whose turn it is to speak: commands queued and in flight, and what must wait for the server's `+`.

Everything is pipelined but for four things that hold back what follows: a literal the server wants to be asked for,
AUTHENTICATE, STARTTLS and IDLE.
"""

from collections import deque
from enum import Enum, auto
from itertools import count

from bridge.imap.attribution import InFlight
from bridge.imap.commands import (
    Authenticate,
    Command,
    FetchBodies,
    FetchHeaders,
    FetchListing,
    Idle,
    Starttls,
    Tag,
    encode,
)
from bridge.imap.writing import Context, base64_line
from bridge.secret import Secret
from bridge.violation import ProtocolViolation


class Continuation(Enum):
    """What the server's `+` meant."""

    GO_AHEAD = auto()
    CHALLENGE = auto()
    IDLING = auto()


class Turns:
    def __init__(self) -> None:
        self._numbers = count(1)
        self._queue: deque[tuple[Tag, Command]] = deque()
        self.in_flight = InFlight()
        self._out = bytearray()
        self._holder: Tag | None = None  # nothing behind this command goes out yet
        self._pieces: deque[bytes] = deque()  # of the holder, each behind a `+`
        self._initial: Secret | None = None  # AUTHENTICATE's first message, where it has to wait
        self._challenged = False
        self._idling = False
        self._done_asked = False
        self._done_said = False
        self._listings = 0
        self._bodies = 0

    @property
    def quiet(self) -> bool:
        return not (self._queue or self.in_flight.commands or self._out)

    @property
    def idling(self) -> bool:
        """The server has said that it idles, and nothing else is under way."""
        alone = len(self.in_flight.commands) == 1 and not (self._queue or self._out)
        return self._idling and alone and not self._done_said

    @property
    def listing(self) -> bool:
        """A FetchListing is in flight."""
        return self._listings > 0

    @property
    def bodies(self) -> bool:
        """A FetchBodies or FetchHeaders is in flight."""
        return self._bodies > 0

    def add(self, command: Command) -> Tag:
        """ValueError for what must not be sent."""
        tag = Tag(f"A{next(self._numbers)}")
        encode(command, tag, Context())  # refused now or never: what is harmless does not hang on the context
        self._queue.append((tag, command))
        return tag

    def drain(self, context: Context) -> bytes:
        """What may go out now."""
        while self._queue and self._holder is None:
            self._start(*self._queue.popleft(), context)
        out = bytes(self._out)
        self._out.clear()
        return out

    def _start(self, tag: Tag, command: Command, context: Context) -> None:
        first, *others = encode(command, tag, context)
        self._out += first
        self.in_flight.commands[tag] = command
        self._pieces.extend(others)
        self._listings += isinstance(command, FetchListing)
        self._bodies += isinstance(command, FetchBodies | FetchHeaders)
        if others or isinstance(command, Authenticate | Starttls | Idle):
            self._holder = tag
        if isinstance(command, Authenticate) and not context.offers("SASL-IR"):
            self._initial = command.initial

    def go_on(self) -> Continuation:
        """The server said `+`."""
        command = self.in_flight.commands[self._holder] if self._holder else None
        if self._pieces:
            self._out += self._pieces.popleft()
            if not self._pieces:
                self._holder = None
            return Continuation.GO_AHEAD
        if isinstance(command, Authenticate) and not self._challenged:
            return self._take_turn_in_authenticate()
        if isinstance(command, Idle) and not self._idling:
            self._idling = True
            if self._done_asked:
                self._say_done()
            return Continuation.IDLING
        raise ProtocolViolation("a continuation that nobody waits for")

    def _take_turn_in_authenticate(self) -> Continuation:
        if self._initial is None:
            self._challenged = True
            return Continuation.CHALLENGE
        self._out += base64_line(self._initial.reveal()) + b"\r\n"
        self._initial = None
        return Continuation.GO_AHEAD

    def respond(self, octets: Secret | None) -> None:
        if not self._challenged:
            raise ValueError("there is no challenge to respond to")
        self._challenged = False
        self._out += (b"*" if octets is None else base64_line(octets.reveal())) + b"\r\n"

    def done(self) -> None:
        """Ends IDLE as soon as it has begun; nothing to do where the server ended it first."""
        if self._idling:
            self._say_done()
        else:
            self._done_asked = any(isinstance(one, Idle) for one in self.in_flight.commands.values()) or any(
                isinstance(one, Idle) for _, one in self._queue
            )

    def _say_done(self) -> None:
        if not self._done_said:
            self._out += b"DONE\r\n"
            self._done_said = True
            self._holder = None  # what follows goes in the same write: RFC 2177 has the server read it behind DONE

    def complete(self, tag: Tag) -> Command:
        """The tagged reply has come."""
        command = self.in_flight.complete(tag)
        if command is None:
            raise ProtocolViolation("a tagged reply that nobody asked for")
        self._listings -= isinstance(command, FetchListing)
        self._bodies -= isinstance(command, FetchBodies | FetchHeaders)
        if tag == self._holder:
            self._holder = None
            self._pieces.clear()
            self._initial = None
            self._challenged = False
        if isinstance(command, Idle):
            self._idling = self._done_asked = self._done_said = False
        return command
