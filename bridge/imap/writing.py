"""Writes one command: words as they are, everything a user typed in quotation marks or as a literal.

No string with CR, LF or NUL is written at all (S27): even where a literal could carry it, it would reach other ears.
"""

import re
from base64 import b64encode
from collections.abc import Iterable

from attrs import frozen

from bridge.imap import mailboxname

ATOM = re.compile(r"[A-Za-z0-9!#$&'+,\-./:;<=>?@^_`|~]+")
FLAG = re.compile(r"\\?[A-Za-z0-9!#$&'+,\-./:;<=>?@^_`|~\[]+")
SET = re.compile(r"[0-9*]+(?::[0-9*]+)?(?:,[0-9*]+(?::[0-9*]+)?)*")
SECTION = re.compile(r"[A-Za-z0-9.\-_ ()]*")
CRITERION = re.compile(r"[A-Za-z0-9!#$&'+,\-./:;<=>?@^_`|~*() ]+")

_QUOTABLE = re.compile(rb"[\x20-\x7e]*")
_FORBIDDEN = re.compile(rb"[\r\n\0]")


@frozen
class Context:
    """What the server said it can do; `utf8` when mailbox names and strings are UTF-8."""

    capabilities: frozenset[str] = frozenset()
    utf8: bool = False

    def offers(self, *names: str) -> bool:
        """One of these is announced."""
        return not self.capabilities.isdisjoint(names)


class Line:
    """One command on its way to the wire: pieces, of which each but the first waits for the server's `+`."""

    def __init__(self, tag: str, context: Context) -> None:
        self.context = context
        self._pieces = [bytearray(tag.encode("ascii"))]

    def say(self, words: str) -> None:
        """Words of our own."""
        self._pieces[-1] += b" " + words.encode("ascii")

    def word(self, text: str, grammar: re.Pattern[str] = ATOM) -> None:
        """Something given that is written as it is: ValueError unless it is of this grammar."""
        self.say(checked(text, grammar))

    def words(self, texts: Iterable[str], grammar: re.Pattern[str] = ATOM) -> None:
        """The same, as a parenthesised list."""
        self.say("(" + " ".join(checked(text, grammar) for text in texts) + ")")

    def string(self, octets: bytes) -> None:
        """Any octets but CR, LF, NUL: ValueError, which does not show them, since they may be a password."""
        self._pieces[-1] += b" "
        self._string(octets)

    def strings(self, all_octets: Iterable[bytes]) -> None:
        """The same, as a parenthesised list."""
        between = b" ("
        for octets in all_octets:
            self._pieces[-1] += between
            self._string(octets)
            between = b" "
        self._pieces[-1] += b")" if between == b" " else b" NIL"

    def _string(self, octets: bytes) -> None:
        if _FORBIDDEN.search(octets):
            raise ValueError("CR, LF or NUL in a string")
        if _QUOTABLE.fullmatch(octets):
            self._pieces[-1] += quoted(octets)
        else:
            self._literal(octets)

    def mailbox(self, name: str) -> None:
        # CR and LF would hide in modified UTF-7, and be a mailbox of that name: never what somebody meant.
        if _FORBIDDEN.search(name.encode("utf-8")):
            raise ValueError("CR, LF or NUL in a mailbox name")
        self.string(mailboxname.encode(name, utf8=self.context.utf8))

    def _literal(self, octets: bytes) -> None:
        """RFC 7888: LITERAL- and IMAP4rev2 take up to 4096 octets without being asked."""
        at_once = self.context.offers("LITERAL+") or (
            len(octets) <= 4096 and self.context.offers("LITERAL-", "IMAP4REV2")
        )
        self._pieces[-1] += b"{%d%s}\r\n" % (len(octets), b"+" if at_once else b"")
        if not at_once:
            self._pieces.append(bytearray())
        self._pieces[-1] += octets

    def ended(self) -> tuple[bytes, ...]:
        self._pieces[-1] += b"\r\n"
        return tuple(map(bytes, self._pieces))


def checked(text: str, grammar: re.Pattern[str]) -> str:
    if not grammar.fullmatch(text):
        raise ValueError(f"not to be written as it is: {text[:60]!r}")
    return text


def quoted(octets: bytes) -> bytes:
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def base64_line(octets: bytes) -> bytes:
    """For AUTHENTICATE; in one piece, however long (RFC 9051, section 6.2.2)."""
    return b64encode(octets)
