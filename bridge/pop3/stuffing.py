"""The way of a message's octets to the mail program: line ends repaired, TOP's part cut out, lines with dots stuffed.
And the way back, for what a POP3 server upstream sends: `Unstuffing`.

The rules (S11, S13): a bare LF becomes CRLF, a bare CR stays, CR CR LF stays; a missing final CRLF is added; a line
that begins with a dot gets a second one, also at the very first octet. Since every LF that leaves here ends a line
for the stuffing too, no mail can end the reply early for a client that takes LF alone for a line's end.

An empty message stays empty: nothing but the terminator. TOP of a message whose header is not ended by an empty line
adds that line (Q16); RETR never does.

Nearly every message needs no repair, and nearly all of its cost is to find that out: `bytes` looks for two octets at
0.4 to 0.8 GB/s, StringZilla at 3 to 7.
"""

from collections.abc import Callable

import stringzilla

from bridge.pop3.replies import TERMINATOR

_count: Callable[[bytes, bytes], int] = stringzilla.count
_find: Callable[[bytes, bytes], int] = stringzilla.find
_View = stringzilla.Str

_CRLF = b"\r\n"
_HEADER_END = b"\n\r\n"
_LINE_END = frozenset(b"\r\n")
_END = _CRLF + TERMINATOR
_DOT_LINE = b"\n."


def whole_message(octets: bytes, nul: bytes | None = None) -> tuple[bytes, int]:
    """What to send for a message that is here as a whole, terminator included; and its size as a client sees it.

    The same as `MessageOctets` makes of it.
    """
    if _count(octets, b"\n") != _count(octets, _CRLF):
        octets = _with_crlf(octets)
    if octets and not octets.endswith(b"\n"):
        octets += _CRLF
    return _whole(octets, nul)


def _whole(octets: bytes, nul: bytes | None) -> tuple[bytes, int]:
    """Every line ends in CRLF."""
    if nul is not None and b"\0" in octets:
        octets = octets.replace(b"\0", nul)
    size = len(octets)
    if _find(octets, _DOT_LINE) >= 0:
        octets = octets.replace(_DOT_LINE, b"\n..")
    if octets.startswith(b"."):
        octets = b"." + octets
    return octets + TERMINATOR, size


def top_of_message(octets: bytes, lines: int, nul: bytes | None = None, *, whole: bool) -> tuple[bytes, int] | None:
    """The same for TOP, from a message or (not `whole`) its beginning; None where that is too little."""
    end = _find(octets, _HEADER_END)
    if end >= 0 and octets[0] not in _LINE_END:  # a header of a line at least, as nearly every message has
        end += len(_HEADER_END)
        if lines:
            behind = _View(octets)[end:].split(b"\n", lines)
            end = len(octets) - len(behind[lines]) if len(behind) > lines else 0
        top = octets[:end]
        # Where every LF is a CRLF's, no line before is empty to those who take LF alone for a line's end.
        if end and _count(top, b"\n") == _count(top, _CRLF):
            return _whole(top, nul)
    message = MessageOctets(lines=lines, nul=nul)
    begun = message.feed(octets)
    return (begun + message.end(), message.octets) if whole or message.complete else None


class MessageOctets:
    """One message on its way, in chunks of any size; the cuts between them make no difference.

    `lines` is TOP's count, None for RETR. `nul` replaces NUL octets (0x80 for old Outlook), None leaves them.
    `octets` counts what was let through, before the stuffing and without the terminator: the size as a client sees it.
    `complete` says that TOP's part is through: the rest of the message need not be fetched.
    """

    def __init__(self, *, lines: int | None = None, nul: bytes | None = None) -> None:
        self._lines = lines
        self._nul = nul
        self._in_header = lines is not None
        # The last two octets let through; a message begins as if after a line's end.
        self._tail = b"\n"
        self._after_cr = False
        self.complete = False
        self.octets = 0

    def feed(self, octets: bytes) -> bytes:
        """What to send for this piece of the message; the piece itself where nothing needs to be done to it."""
        if self.complete or not octets:
            return b""
        if self._nul is not None and b"\0" in octets:
            octets = octets.replace(b"\0", self._nul)
        octets = self._repaired(octets)
        if self._lines is not None:
            octets = self._cut(octets, self._lines)
        return self._let_through(octets)

    def end(self) -> bytes:
        """What to send after the last piece: what the message lacked, and the terminator."""
        lacking = b"" if self._tail.endswith(b"\n") else _CRLF
        if self._in_header:
            lacking += _CRLF
        self.octets += len(lacking)
        return lacking + TERMINATOR

    def _repaired(self, octets: bytes) -> bytes:
        split_crlf = self._after_cr and octets.startswith(b"\n")
        self._after_cr = octets.endswith(b"\r")
        if _count(octets, b"\n") == _count(octets, _CRLF) + split_crlf:
            return octets
        if split_crlf:
            return b"\n" + _with_crlf(octets[1:])
        return _with_crlf(octets)

    def _cut(self, octets: bytes, lines: int) -> bytes:
        """As much of these octets as TOP wants."""
        begin = 0
        if self._in_header:
            seam = self._tail + octets
            found = seam.find(_HEADER_END)
            if found < 0:
                return octets
            self._in_header = False
            begin = found + len(_HEADER_END) - len(self._tail)
        ends = octets.count(b"\n", begin)
        if ends < lines:
            self._lines = lines - ends
            return octets
        self.complete = True
        return octets[: len(octets) - len(octets[begin:].split(b"\n", lines)[lines])]

    def _let_through(self, octets: bytes) -> bytes:
        at_line_start = self._tail.endswith(b"\n")
        self.octets += len(octets)
        self._tail = (self._tail + octets[-2:])[-2:]
        stuffed = _stuffed(octets)
        return b"." + stuffed if at_line_start and octets.startswith(b".") else stuffed


class Unstuffing:
    """A multi-line reply as it arrives, in chunks of any size; the cuts between them make no difference.

    Lines end in CRLF and in nothing else: a server that takes a bare LF for text does not stuff behind it, and a mail
    that holds LF, dot, CRLF is not to end there. A single dot before more of a line stays: whoever stuffs sends none
    (RFC 1939, section 3), and whoever does not has meant it.
    `rest`: what came behind the terminator; None until that was seen.
    """

    def __init__(self) -> None:
        self._held = _CRLF  # a reply begins as if after a line's end
        self._begun = False
        self.rest: bytes | None = None

    def feed(self, octets: bytes) -> bytes:
        """What of the text is certain by now."""
        seam = self._held + octets
        # Looking for any dot first is nearly free, and encoded attachments have none.
        end = seam.find(_END) if b"." in seam else -1
        if end >= 0:
            self.rest = seam[end + len(_END) :]
            through = seam[: end + len(_CRLF)]
        else:
            held = next((count for count in range(len(_END) - 1, 0, -1) if seam.endswith(_END[:count])), 0)
            through, self._held = seam[: len(seam) - held], seam[len(seam) - held :]
        if not through:
            return b""
        if b"." in through:
            through = through.replace(b"\r\n..", b"\r\n.")
        if not self._begun:
            self._begun = True
            return through[len(_CRLF) :]
        return through


def _stuffed(octets: bytes) -> bytes:
    """Behind its first line end."""
    return octets if _find(octets, _DOT_LINE) < 0 else octets.replace(_DOT_LINE, b"\n..")


def _with_crlf(octets: bytes) -> bytes:
    return octets.replace(_CRLF, b"\n").replace(b"\n", _CRLF)
