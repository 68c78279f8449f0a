"""Reads status lines: OK, NO, BAD, BYE, PREAUTH, with their response codes (RFC 9051, section 7.1).

The text behind the code is for people; nothing in it, no bracket and no quote, is ever taken for data.
"""

import re

from bridge.imap.lexer import U32, U64, Cursor
from bridge.imap.quirks import Met, Quirk, ignore
from bridge.imap.responses import Appended, Code, CodeArguments, Copied, Status, StatusKind
from bridge.imap.sets import read_numbers
from bridge.violation import ProtocolViolation, excerpt

_STATUS = re.compile(rb"(OK|NO|BAD|BYE|PREAUTH)(?: +(.*))?", re.IGNORECASE | re.DOTALL)
# PERMANENTFLAGS first: a keyword in its list may hold a bracket.
_CODE = re.compile(rb"\[(PERMANENTFLAGS) +(\([^()]*\)) *\] ?|\[([A-Z][A-Z0-9.=_-]*)(?: +([^\]]*))?\] ?", re.IGNORECASE)

_NUMBERS = {"UIDVALIDITY": U32, "UIDNEXT": U32, "UNSEEN": U32, "HIGHESTMODSEQ": U64}


def read_status(octets: bytes, *, uids: int, met: Met = ignore) -> Status:
    """From the kind on, without tag or star. `uids`: how many numbers a code may stand for."""
    found = _STATUS.fullmatch(octets)
    if found is None:
        raise ProtocolViolation(f"not a status line: {excerpt(octets)}")
    kind = StatusKind(found[1].decode("ascii").upper())
    code, text = _read_code(found[2] or b"", uids)
    if not text:
        met(Quirk.MISSING_TEXT)
    return Status(kind, code, text.decode("utf-8", "replace"))


def _read_code(said: bytes, uids: int) -> tuple[Code | None, bytes]:
    """The code and the text behind it. What is no proper code is text: the grammar makes codes optional."""
    coded = _CODE.match(said)
    if coded is None:
        return None, said
    name = (coded[1] or coded[3]).decode("ascii").upper()
    try:
        return Code(name, _read_arguments(name, coded[2] or coded[4] or b"", uids)), said[coded.end() :]
    except ProtocolViolation:
        return None, said


def _read_arguments(name: str, octets: bytes, uids: int) -> CodeArguments:
    cursor = Cursor([octets])
    if name in _NUMBERS:
        return cursor.number(_NUMBERS[name])
    match name:
        case "CAPABILITY":
            return frozenset(octets.decode("ascii", "replace").upper().split())
        case "PERMANENTFLAGS":
            return cursor.flags()
        case "COPYUID":
            return _read_copied(cursor, uids)
        case "APPENDUID":
            uidvalidity = cursor.number()
            cursor.blank()
            return Appended(uidvalidity, read_numbers(cursor.atom(), uids))
        case "MESSAGELIMIT":
            return _read_limit(cursor)
        case "MODIFIED":
            return tuple(read_numbers(cursor.atom(), uids))
        case _:
            return octets


def _read_limit(cursor: Cursor) -> tuple[int, ...]:
    limit = cursor.number()
    if cursor.finished():
        return (limit,)
    cursor.blank()
    return limit, cursor.number()


def _read_copied(cursor: Cursor, uids: int) -> Copied:
    uidvalidity = cursor.number()
    cursor.blank()
    sources = read_numbers(cursor.atom(), uids)
    cursor.blank()
    targets = read_numbers(cursor.atom(), uids)
    if len(sources) != len(targets):
        raise ProtocolViolation("COPYUID with more sources than targets, or fewer")
    return Copied(uidvalidity, sources, targets)
