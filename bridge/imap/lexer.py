"""Reads the words of one IMAP response: atoms, numbers, strings, flags, nested lists (RFC 9051, section 9).

It never recurses, so that no depth of nesting can hurt; every refusal is a ProtocolViolation.
"""

import re
from collections.abc import Iterator, Sequence

from bridge.imap.quirks import Met, Quirk, ignore
from bridge.violation import ProtocolViolation, excerpt

# Wider than RFC 9051's ATOM-CHAR: names of the field have brackets, wildcards and 8-bit octets in them.
_ATOM = re.compile(rb'[^\x00-\x20\x7f()"{]+')
_FLAG = re.compile(rb"[^\x00-\x20\x7f()]+")
_QUOTED = re.compile(rb'"([^"\\]*+(?:\\.[^"\\]*+)*+)"', re.DOTALL)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_DIGITS = re.compile(rb"[0-9]{1,20}(?![0-9])")
_BLANKS = re.compile(rb" +")

U32 = 2**32 - 1
U63 = 2**63 - 1
U64 = 2**64 - 1

# One spelling each, whatever the server's: flags and attributes compare without regard to case (RFC 9051, 2.3.2).
_SPELLINGS = {
    word.lower(): word
    for word in (
        *("\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "\\Draft", "\\Recent", "$POP3Deleted"),
        *("\\Noinferiors", "\\Noselect", "\\NonExistent", "\\HasChildren", "\\HasNoChildren", "\\Marked", "\\Unmarked"),
        *("\\Subscribed", "\\Remote", "\\All", "\\Archive", "\\Drafts", "\\Junk", "\\Sent", "\\Trash", "\\Important"),
    )
}


class Cursor:
    """A place in a response: pieces of text with literals between them.

    The literal behind the last piece may be None: a body that is streamed, and not held here.
    """

    def __init__(
        self, texts: Sequence[bytes], literals: Sequence[bytes | None] = (), *, depth: int = 32, met: Met = ignore
    ) -> None:
        self._texts = texts
        self._literals = literals
        self._depth = depth
        self._piece = 0
        self._text = texts[0]
        self._at = 0
        self.met = met

    @property
    def at_literal(self) -> bool:
        return self._at == len(self._text) and self._piece < len(self._literals)

    @property
    def at_end(self) -> bool:
        return self._at == len(self._text) and not self.at_literal

    @property
    def at_body(self) -> bool:
        """The literal here is a body that is streamed."""
        return self.at_literal and self._literals[self._piece] is None

    def violated(self, wanted: str) -> ProtocolViolation:
        return ProtocolViolation(f"{wanted} expected: {excerpt(self._text[self._at :])}")

    def sees(self, octet: bytes) -> bool:
        return self._text.startswith(octet, self._at)

    def accept(self, octet: bytes) -> bool:
        seen = self.sees(octet)
        self._at += len(octet) * seen
        return seen

    def expect(self, octet: bytes) -> None:
        if not self.accept(octet):
            raise self.violated(octet.decode("ascii"))

    def blank(self) -> None:
        self._match(_BLANKS, "blank")

    def _match(self, pattern: re.Pattern[bytes], wanted: str) -> bytes:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise self.violated(wanted)
        self._at = found.end()
        if pattern is _BLANKS and len(found[0]) > 1:
            self.met(Quirk.DOUBLED_BLANK)
        return found[0]

    def match(self, pattern: re.Pattern[bytes]) -> re.Match[bytes] | None:
        """A word with a grammar of its own."""
        found = pattern.match(self._text, self._at)
        if found is not None:
            self._at = found.end()
        return found

    def number(self, maximum: int = U32) -> int:
        number = int(self._match(_DIGITS, "number"))
        if number > maximum:
            raise ProtocolViolation(f"number over {maximum}")
        return number

    def atom(self) -> bytes:
        return self._match(_ATOM, "atom")

    def word(self) -> str:
        """An atom, as text and in upper case."""
        return self.atom().decode("ascii", "replace").upper()

    def string(self) -> bytes:
        if self.at_literal:
            return self._literal()
        quoted = self._match(_QUOTED, "string")[1:-1]
        return _ESCAPED.sub(rb"\1", quoted) if b"\\" in quoted else quoted

    def _literal(self) -> bytes:
        literal = self._literals[self._piece]
        if literal is None:
            raise ProtocolViolation("a body where none belongs")
        self._piece += 1
        self._text = self._texts[self._piece]
        self._at = 0
        return literal

    def astring(self) -> bytes:
        return self.string() if self.at_literal or self.sees(b'"') else self.atom()

    def nstring(self) -> bytes | None:
        if self.at_literal or self.sees(b'"'):
            return self.string()
        if self.atom().upper() != b"NIL":
            raise self.violated("string or NIL")
        return None

    def elements(self) -> Iterator[None]:
        """Stops at each element of a parenthesised list; the caller reads it."""
        self.expect(b"(")
        while not self._closed():
            yield
            if not self.sees(b")"):
                self.blank()

    def _closed(self) -> bool:
        if self.accept(b")"):
            if self._text[self._at - 2 : self._at] == b" )":
                self.met(Quirk.TRAILING_BLANK)
            return True
        return False

    def flags(self) -> frozenset[str]:
        """A list of flags or of a mailbox's attributes; known ones in the standard's spelling."""
        return frozenset([spelled(self._match(_FLAG, "flag")) for _ in self.elements()])

    def words(self) -> frozenset[str]:
        """All atoms up to the end, in upper case."""
        words = set()
        while not self.finished():
            self.blank()
            words.add(self.word())
        return frozenset(words)

    def skip(self) -> None:
        """Over one value, whatever it is."""
        depth = 0
        while True:
            if self.accept(b"("):
                depth += 1
                if depth > self._depth:
                    raise ProtocolViolation(f"lists nested deeper than {self._depth}")
                continue
            if depth and self.accept(b")"):
                depth -= 1
            elif not (depth and self.accept(b" ")):
                self.astring()
            if not depth:
                return

    def finished(self) -> bool:
        """At the response's end, a blank before it forgiven."""
        blanks = _BLANKS.match(self._text, self._at)
        if blanks is not None and blanks.end() == len(self._text) and self._piece == len(self._literals):
            self._at = blanks.end()
            self.met(Quirk.TRAILING_BLANK)
        return self.at_end

    def finish(self) -> None:
        if not self.finished():
            raise self.violated("end of the response")


def spelled(flag: bytes) -> str:
    """A flag in the standard's spelling where it has one, else as it came; never an error."""
    text = flag.decode("utf-8", "replace")
    return _SPELLINGS.get(text.lower(), text)
