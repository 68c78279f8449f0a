"""Reads the untagged responses that carry data, one whole response at a time (RFC 9051, section 7.2 to 7.4).

FETCH is read in `fetch`, since its bodies come before its end; status lines in `codes`.
"""

import re
from array import array
from collections.abc import Callable

from attrs import frozen

from bridge.imap.lexer import U32, U64, Cursor
from bridge.imap.mailboxname import decode_tolerantly
from bridge.imap.quirks import Quirk
from bridge.imap.responses import (
    Capabilities,
    Enabled,
    Exists,
    Expunged,
    Flags,
    Identified,
    Listed,
    MailboxStatus,
    Namespace,
    Namespaces,
    Recent,
    Response,
    Rights,
    Searched,
    Unknown,
    Vanished,
)
from bridge.imap.sets import read_numbers, read_ranges
from bridge.violation import ProtocolViolation

_NUMBERS = re.compile(rb"(?: +[1-9][0-9]{0,9})*+")
_TEXT_LIMIT = 200  # of a foreign name that is shown to people


@frozen
class Reading:
    """What the meaning of a response depends on besides its octets. `uids`: how many numbers it may stand for."""

    utf8: bool = False
    uids: int = 2_000_000


def read_response(cursor: Cursor, reading: Reading) -> Response:
    """Behind the star and the blank. FETCH is not for here."""
    if cursor.sees(b"-"):
        raise cursor.violated("number")
    name = cursor.word()
    if name.isdigit():
        return _read_numbered(cursor, name)
    read = _READERS.get(name)
    if read is None:
        cursor.met(Quirk.UNKNOWN_RESPONSE)
        return Unknown(name[:_TEXT_LIMIT])
    response = read(cursor, reading)
    cursor.finish()
    return response


def _read_numbered(cursor: Cursor, digits: str) -> Response:
    number = Cursor([digits.encode("ascii", "replace")]).number(U32)
    cursor.blank()
    name = cursor.word()
    match name:
        case "EXISTS":
            response: Response = Exists(number)
        case "RECENT":
            response = Recent(number)
        case "EXPUNGE":
            if not number:
                raise ProtocolViolation("message number 0")
            response = Expunged(number)
        case _:
            cursor.met(Quirk.UNKNOWN_RESPONSE)
            return Unknown(name[:_TEXT_LIMIT])
    cursor.finish()
    return response


def _read_capabilities(cursor: Cursor, _reading: Reading) -> Capabilities:
    return Capabilities(cursor.words())


def _read_enabled(cursor: Cursor, _reading: Reading) -> Enabled:
    return Enabled(cursor.words())


def _read_flags(cursor: Cursor, _reading: Reading) -> Flags:
    cursor.blank()
    return Flags(cursor.flags())


def _read_search(cursor: Cursor, reading: Reading) -> Searched:
    found = cursor.match(_NUMBERS)
    numbers = found[0].split() if found else []
    if len(numbers) > reading.uids:
        raise ProtocolViolation(f"a search result of more than {reading.uids} numbers")
    try:
        uids = array("I", map(int, numbers))
    except OverflowError as overflow:
        raise ProtocolViolation(f"number over {U32}") from overflow
    modseq = None
    if not cursor.finished():
        # RFC 7162, section 3.1.5
        cursor.blank()
        for _ in cursor.elements():
            cursor.word()
            cursor.blank()
            modseq = cursor.number(U64)
    return Searched(uids, modseq)


def _read_esearch(cursor: Cursor, reading: Reading) -> Searched:
    """RFC 4731. The tag it may bear is passed over: one search is in flight at a time, or order tells."""
    uids = array("I")
    modseq = None
    while not cursor.finished():
        cursor.blank()
        if cursor.sees(b"("):
            cursor.skip()
            continue
        name = cursor.word()
        if name == "UID":
            continue
        cursor.blank()
        match name:
            case "ALL":
                uids = read_numbers(cursor.atom(), reading.uids)
            case "MODSEQ":
                modseq = cursor.number(U64)
            case _:
                cursor.skip()
    return Searched(uids, modseq)


def _read_vanished(cursor: Cursor, _reading: Reading) -> Vanished:
    cursor.blank()
    earlier = cursor.sees(b"(")
    if earlier:
        cursor.skip()
        cursor.blank()
    return Vanished(read_ranges(cursor.atom()), earlier)


def _read_list(cursor: Cursor, reading: Reading) -> Listed:
    cursor.blank()
    attributes = cursor.flags()
    cursor.blank()
    delimiter = _text(cursor.nstring())
    cursor.blank()
    mailbox = _read_mailbox(cursor, reading)
    if not cursor.finished():
        # Extended data items (RFC 5258), not asked for.
        cursor.blank()
        cursor.skip()
    return Listed(attributes, delimiter, mailbox)


def _read_mailbox(cursor: Cursor, reading: Reading) -> str:
    name = decode_tolerantly(cursor.astring(), utf8=reading.utf8, met=cursor.met)
    return "INBOX" if name.upper() == "INBOX" else name


def _read_namespaces(cursor: Cursor, reading: Reading) -> Namespaces:
    kinds = []
    for _ in range(3):
        cursor.blank()
        kinds.append(tuple(_read_namespace_kind(cursor, reading)))
    return Namespaces(*kinds)


def _read_namespace_kind(cursor: Cursor, reading: Reading) -> list[Namespace]:
    if not cursor.sees(b"("):
        cursor.nstring()
        return []
    found = []
    cursor.expect(b"(")
    while not cursor.accept(b")"):
        cursor.expect(b"(")
        prefix = decode_tolerantly(cursor.string(), utf8=reading.utf8, met=cursor.met)
        cursor.blank()
        found.append(Namespace(prefix, _text(cursor.nstring())))
        while not cursor.accept(b")"):
            cursor.blank()
            cursor.skip()
    return found


def _read_id(cursor: Cursor, _reading: Reading) -> Identified:
    cursor.blank()
    if not cursor.sees(b"("):
        cursor.nstring()
        return Identified({})
    fields = {}
    for _ in cursor.elements():
        name = _text(cursor.string()) or ""
        cursor.blank()
        value = _text(cursor.nstring())
        if value is not None:
            fields[name.lower()] = value
    return Identified(fields)


def _read_mailbox_status(cursor: Cursor, reading: Reading) -> MailboxStatus:
    cursor.blank()
    mailbox = _read_mailbox(cursor, reading)
    cursor.blank()
    items = {}
    for _ in cursor.elements():
        name = cursor.word()
        cursor.blank()
        if name == "MAILBOXID":
            cursor.skip()
        else:
            items[name] = cursor.number(U64)
    return MailboxStatus(mailbox, items)


def _read_rights(cursor: Cursor, reading: Reading) -> Rights:
    cursor.blank()
    mailbox = _read_mailbox(cursor, reading)
    cursor.blank()
    return Rights(mailbox, _text(cursor.astring()) or "")


def _text(octets: bytes | None) -> str | None:
    return None if octets is None else octets.decode("utf-8", "replace")


_READERS: dict[str, Callable[[Cursor, Reading], Response]] = {
    "CAPABILITY": _read_capabilities,
    "ENABLED": _read_enabled,
    "FLAGS": _read_flags,
    "SEARCH": _read_search,
    "ESEARCH": _read_esearch,
    "VANISHED": _read_vanished,
    "LIST": _read_list,
    "NAMESPACE": _read_namespaces,
    "ID": _read_id,
    "STATUS": _read_mailbox_status,
    "MYRIGHTS": _read_rights,
}
