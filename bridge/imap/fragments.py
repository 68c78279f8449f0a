"""Cuts what an IMAP server sends into lines and literals, whatever the network made of it; a body is never held whole.

The kind of a line is decided first: the text of a status line is for people, and stays text even if it ends in `{12}`.
Everything is bounded before it is looked at.
"""

import re

from attrs import frozen

from bridge.imap.quirks import Met, Quirk, ignore
from bridge.violation import ProtocolViolation, excerpt


@frozen
class Limits:
    """What one response may cost, in octets unless said otherwise.

    `line`: its text and collected literals; `collected`: its literals that are not streamed; `streamed`: one body;
    `depth`: of nested lists; `uids`: how many numbers its sets may stand for.
    """

    line: int = 1 << 20
    collected: int = 256 << 10
    streamed: int = 2**63 - 1
    depth: int = 32
    uids: int = 2_000_000


DEFAULT_LIMITS = Limits()


@frozen
class Text:
    """A piece of a response without line end and announcement. `literal` octets follow, or the response ends here."""

    octets: bytes
    literal: int | None = None
    streamed: bool = False


@frozen
class Collected:
    """A whole literal that is not a body."""

    octets: bytes


@frozen
class Octets:
    """Part of the body that the last `Text` announced."""

    octets: bytes


Fragment = Text | Collected | Octets

_STATUS = re.compile(rb"\* (?:OK|NO|BAD|BYE|PREAUTH)(?: |$)", re.IGNORECASE)
_FETCH = re.compile(rb"\* [0-9]+ FETCH ", re.IGNORECASE)
_BODY = re.compile(rb"[( ](?:BODY|BINARY)\[[^\]]*\](?:<[0-9.]+>)? $", re.IGNORECASE)
_LONGEST_BODY_NAME = 2048
_NUMBER = re.compile(rb"[-+0-9]*")


class Fragments:
    """Feed with `add`, empty with `next`; between two responses `run`, `ahead` and `advance` take much at once."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, met: Met = ignore) -> None:
        self._limits = limits
        self._met = met
        self._buffer = b""
        self._at = 0
        self._line = bytearray()  # the line that is still without its end
        self._used = 0  # octets of this response so far, bodies not counted
        self._held = 0  # octets of this response's collected literals
        self._begun = False  # inside a response
        self._literals_allowed = False
        self._bodies_allowed = False
        self._collecting: bytearray | None = None
        self._left = 0  # octets of the open literal still to come

    @property
    def unread(self) -> bool:
        """Octets have been added that no fragment has given yet."""
        return self._at < len(self._buffer) or bool(self._line)

    @property
    def at_rest(self) -> bool:
        """Nothing is open and nothing is left over."""
        return not (self._begun or self.unread)

    def add(self, octets: bytes) -> None:
        self._buffer = octets if self._at == len(self._buffer) else self._buffer[self._at :] + octets
        self._at = 0

    def next(self) -> Fragment | None:
        """The next fragment, or None until more is added."""
        fragment = self._next()
        if fragment is None:
            self._buffer = b""  # all of it was taken; a parked connection shall not keep it
            self._at = 0
        return fragment

    def _next(self) -> Fragment | None:
        if self._collecting is not None:
            return self._collect(self._collecting)
        if self._left:
            return self._stream()
        return self._read_line()

    def run(self, lines: re.Pattern[bytes]) -> tuple[bytes, int, int]:
        """Buffer, begin and end of what matches at the beginning of a response; begin = end if there is none."""
        if self._begun:
            return self._buffer, 0, 0
        if self._line and b"\n" in self._buffer:
            self._buffer = bytes(self._line) + self._buffer[self._at :]
            self._at = 0
            self._line.clear()
        matched = None if self._line else lines.match(self._buffer, self._at)
        return self._buffer, self._at, matched.end() if matched else self._at

    def ahead(self) -> tuple[bytes, int] | None:
        """Buffer and where a response begins there, if one does."""
        return None if self._begun or self._line else (self._buffer, self._at)

    def advance(self, end: int) -> None:
        """What `run` found, or stands `ahead`, has been dealt with up to here."""
        self._at = end

    def _take(self, count: int) -> bytes:
        taken = self._buffer[self._at : self._at + count]
        self._at += len(taken)
        return taken

    def _stream(self) -> Octets | None:
        taken = self._take(self._left)
        self._left -= len(taken)
        return Octets(taken) if taken else None

    def _collect(self, collecting: bytearray) -> Collected | None:
        collecting += self._take(self._left - len(collecting))
        if len(collecting) < self._left:
            return None
        self._collecting = None
        self._left = 0
        return Collected(bytes(collecting))

    def _read_line(self) -> Text | None:
        end = self._buffer.find(b"\n", self._at)
        self._line += self._take((len(self._buffer) if end < 0 else end) - self._at)
        if self._used + len(self._line) > self._limits.line:
            raise ProtocolViolation(f"a response longer than {self._limits.line} octets")
        if end < 0:
            return None
        self._at += 1
        line = bytes(self._line)
        self._line.clear()
        return self._cut(self._without_cr(line))

    def _without_cr(self, line: bytes) -> bytes:
        if b"\0" in line:
            raise ProtocolViolation(f"NUL in a line: {excerpt(line)}")
        if line.endswith(b"\r"):
            return line[:-1]
        self._met(Quirk.BARE_LF)
        return line

    def _cut(self, line: bytes) -> Text:
        if not self._begun:
            self._begun = True
            self._literals_allowed = line.startswith(b"* ") and not _STATUS.match(line)
            self._bodies_allowed = bool(_FETCH.match(line))
        self._used += len(line)
        size = _announced(line) if self._literals_allowed else None
        if size is None:
            self._begun = False
            self._used = self._held = 0
            return Text(line)
        text = line[: line.rindex(b"{")].removesuffix(b"~")
        streamed = self._bodies_allowed and bool(_BODY.search(text[-_LONGEST_BODY_NAME:]))
        self._admit(size, streamed=streamed)
        return Text(text, size, streamed)

    def _admit(self, size: int, *, streamed: bool) -> None:
        """Decides about a literal before one octet of it is read."""
        self._left = size
        if streamed:
            if size > self._limits.streamed:
                raise ProtocolViolation(f"a literal of {size} octets")
            return
        self._held += size
        self._used += size
        if self._held > self._limits.collected:
            raise ProtocolViolation(f"a literal of {size} octets where none of that size belongs")
        self._collecting = bytearray()


def _announced(line: bytes) -> int | None:
    """The size of the literal that this line of data announces."""
    if not line.endswith(b"}"):
        return None
    digits = line[line.rfind(b"{") + 1 : -1]
    if b"{" not in line or not _NUMBER.fullmatch(digits):
        return None
    if digits.isdigit() and len(digits) <= 20:
        return int(digits)
    raise ProtocolViolation(f"not the size of a literal: {excerpt(digits)}")
