"""Mailbox names as people read them, and as IMAP writes them: modified UTF-7, or UTF-8 where that was enabled.

RFC 3501, section 5.1.3; RFC 6855, section 3; RFC 9051, section 5.1.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error

from bridge.imap.quirks import Met, Quirk, ignore
from bridge.violation import ProtocolViolation, excerpt

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]+")
_SHIFTED = re.compile(rb"&([A-Za-z0-9+,]*)-")


def encode(name: str, *, utf8: bool = False) -> bytes:
    """The name for the wire. UnicodeEncodeError, a ValueError, for a lone surrogate."""
    if utf8:
        return name.encode("utf-8")
    return _UNPRINTABLE.sub(lambda run: _shift(run[0]), name.replace("&", "&-")).encode("ascii")


def decode(octets: bytes, *, utf8: bool = False) -> str:
    """Strict: only what `encode` would have written."""
    try:
        name = octets.decode("utf-8") if utf8 else _unshift(octets)
        if encode(name, utf8=utf8) == octets:
            return name
    except (UnicodeError, Base64Error):
        pass
    raise ProtocolViolation(f"not a mailbox name: {excerpt(octets)}")


def decode_tolerantly(octets: bytes, *, utf8: bool = False, met: Met = ignore) -> str:
    """Any name: what is not properly written is read as UTF-8, else as Latin-1, and may then not be found again."""
    try:
        return decode(octets, utf8=utf8)
    except ProtocolViolation:
        met(Quirk.RAW_MAILBOX_NAME)
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        return octets.decode("latin-1")


def _shift(run: str) -> str:
    return "&" + b64encode(run.encode("utf-16-be")).decode("ascii").rstrip("=").replace("/", ",") + "-"


def _unshift(octets: bytes) -> str:
    read: list[str] = []
    at = 0
    for shifted in _SHIFTED.finditer(octets):
        read.append(octets[at : shifted.start()].decode("ascii"))
        read.append(_base64(shifted[1]) if shifted[1] else "&")
        at = shifted.end()
    read.append(octets[at:].decode("ascii"))
    return "".join(read)


def _base64(run: bytes) -> str:
    padded = run.replace(b",", b"/") + b"=" * (-len(run) % 4)
    return b64decode(padded, validate=True).decode("utf-16-be")
