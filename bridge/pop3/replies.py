"""Everything a POP3 server may say: `+OK`, `-ERR` with its response code, lists, and the turns of an authentication.

Every reply carries a text (Q10) and fits in 512 octets (RFC 1939, section 3), whatever the text's origin was.
"""

from base64 import b64encode
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import islice
from typing import cast

TERMINATOR = b".\r\n"
_LONGEST_REPLY = 512


class ResponseCode(Enum):
    """What a program can understand of a refusal (RFC 2449, section 8; RFC 3206; RFC 6856, section 5)."""

    AUTH = "AUTH"
    SYS_TEMP = "SYS/TEMP"
    SYS_PERM = "SYS/PERM"
    IN_USE = "IN-USE"
    LOGIN_DELAY = "LOGIN-DELAY"
    UTF8 = "UTF8"


def ok(text: str) -> bytes:
    return _status("+OK ", _uncoded(_clean(text)) or "done")


def err(text: str, code: ResponseCode | None = None) -> bytes:
    if code is None:
        return _status("-ERR ", _uncoded(_clean(text)) or "refused")
    return _status(f"-ERR [{code.value}] ", _clean(text) or "refused")


def continuation(octets: bytes) -> bytes:
    """A challenge. The blank stands even before an empty one (RFC 5034, section 4; MailKit and c-client; Q7)."""
    return b"+ " + b64encode(octets) + b"\r\n"


def multiline(text: str, lines: Iterable[bytes]) -> bytes:
    """A whole list in one piece; each line without its end."""
    return b"".join(blocks(text, lines))


def blocks(text: str, lines: Iterable[bytes | str], per_block: int = 2000) -> Iterator[bytes]:
    """A list as pieces to write one by one, so that 100,000 lines hold nobody up.

    The status line comes with its first lines and the terminator with the last ones: some clients read a
    reply that arrives in other pieces wrongly (node-pop3, hydra; Q21).
    """
    rows = iter(lines)
    block = ok(text)
    waiting = False
    while chunk := list(islice(rows, per_block)):
        if waiting:
            yield block
            block = b""
        block += _stuffed(_joined(chunk)) + b"\r\n"
        waiting = True
    yield block + TERMINATOR


def _joined(chunk: "list[bytes | str]") -> bytes:
    """All are of one kind: text where each is formatted, which is encoded faster as a whole."""
    if isinstance(chunk[0], str):
        return "\r\n".join(cast("list[str]", chunk)).encode("ascii")
    return b"\r\n".join(cast("list[bytes]", chunk))


def _stuffed(rows: bytes) -> bytes:
    stuffed = rows.replace(b"\n.", b"\n..")
    return b"." + stuffed if rows.startswith(b".") else stuffed


def _clean(text: str) -> str:
    """Printable ASCII on one line; runs of anything blank become one blank, other characters question marks."""
    if text.isascii() and text.isprintable() and "  " not in text and text[:1] != " " != text[-1:]:
        return text
    words = "".join(c if c.isprintable() else " " for c in text).split()
    return " ".join(words).encode("ascii", "replace").decode("ascii")


def _uncoded(text: str) -> str:
    """No text looks like the response code that may stand in its place (RFC 2449, section 8): brackets become round."""
    return "(" + text[1:].replace("]", ")", 1) if text.startswith("[") else text


def _status(prefix: str, text: str) -> bytes:
    line = prefix + text
    room = _LONGEST_REPLY - len("\r\n")
    if len(line) > room:
        line = line[: room - 3] + "..."
    return line.encode("ascii") + b"\r\n"
