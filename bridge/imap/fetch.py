"""Reads FETCH responses item by item, as far as they have come: a body in the middle is announced, never held.

Items we did not ask for are passed over by their structure (RFC 9051, section 7.5.2).
"""

import re
from collections.abc import Callable, Iterator

from attrs import define, field, frozen

from bridge.imap.commands import Tag
from bridge.imap.happenings import BodyAbsent, BodyBegan, BodyEnded, BodyOctets
from bridge.imap.internaldate import read_date
from bridge.imap.lexer import U32, U63, U64, Cursor
from bridge.imap.quirks import Quirk
from bridge.imap.responses import Fetched
from bridge.names import Uid
from bridge.violation import ProtocolViolation

_BODY = re.compile(rb"(?:BODY|BINARY)\[([^\]]*)\](?:<([0-9]{1,19})(\.[0-9]{1,19})?>)?(?= |$)", re.IGNORECASE)


BodyEvent = BodyBegan | BodyOctets | BodyEnded | BodyAbsent


@frozen
class Body:
    """A BODY[…] or BINARY[…] item. `section` in upper case; `origin` of a part; `octets` None for NIL.

    `streamed`: the octets come next, they are not here.
    """

    section: str
    origin: int | None
    octets: bytes | None
    streamed: bool = False


@define
class FetchReply:
    """One FETCH response while it is being read. `names` are its items, as spelled and in order."""

    number: int
    asker: Callable[[Uid | None, str, int | None], Tag | None] = lambda _uid, _section, _origin: None
    uid: int | None = None
    flags: frozenset[str] | None = None
    size: int | None = None
    internaldate: int | None = None
    modseq: int | None = None
    emailid: str | None = None
    gm_msgid: int | None = None
    names: list[bytes] = field(factory=list)
    bodies: int = 0
    complete: bool = False
    _body_open: bool = False

    @property
    def says_more(self) -> bool:
        """There is something in it besides bodies and the UID."""
        return not self.bodies or len(self.names) > self.bodies + (self.uid is not None)

    def fetched(self) -> Fetched:
        return Fetched(
            self.number,
            self.uid,
            self.flags,
            self.size,
            self.internaldate,
            self.modseq,
            self.emailid,
            self.gm_msgid,
        )

    def read(self, cursor: Cursor) -> Iterator[Body]:
        """The bodies up to the end of what is here; the last one may be streamed, then more is to come."""
        if not self.number:
            raise ProtocolViolation("message number 0")
        if not self.names:
            cursor.expect(b"(")
        while not self._closed(cursor):
            body = self._read_item(cursor)
            if body is not None:
                self.bodies += 1
                yield body
                if body.streamed:
                    return

    def tell(self, cursor: Cursor, size: int) -> Iterator[BodyEvent]:
        """What is here, as happenings; `size` is that of a body that is streamed."""
        bodies = list(self.read(cursor))  # to the end: a UID behind a body belongs to it all the same
        for body in bodies:
            yield from self.end_body()
            yield from self._tell_body(body, size)

    def _tell_body(self, body: Body, size: int) -> Iterator[BodyEvent]:
        tag = self.asker(self._named(), body.section, body.origin)
        if body.octets is None and not body.streamed:
            yield BodyAbsent(self._named(), body.section, tag)
            return
        self._body_open = True
        octets = body.octets or b""
        yield BodyBegan(self._named(), body.section, body.origin, size if body.streamed else len(octets), tag)
        if octets:
            yield BodyOctets(octets)

    def end_body(self) -> Iterator[BodyEvent]:
        """The body that was begun, if any, is over."""
        if self._body_open:
            self._body_open = False
            yield BodyEnded(self._named())

    def _named(self) -> Uid | None:
        return None if self.uid is None else Uid(self.uid)

    def _closed(self, cursor: Cursor) -> bool:
        if self.names and not cursor.sees(b")"):
            cursor.blank()
            if cursor.sees(b")"):
                cursor.met(Quirk.TRAILING_BLANK)
        self.complete = cursor.accept(b")")
        if self.complete:
            cursor.finish()
        return self.complete

    def _read_item(self, cursor: Cursor) -> Body | None:
        labelled = cursor.match(_BODY)
        if labelled is not None:
            self.names.append(labelled[0])
            return _read_body(cursor, labelled)
        name = cursor.atom()
        self.names.append(name)
        cursor.blank()
        self._read_value(name.upper(), cursor)
        return None

    def _read_value(self, name: bytes, cursor: Cursor) -> None:
        match name:
            case b"UID":
                self._read_uid(cursor)
            case b"FLAGS":
                self.flags = cursor.flags()
            case b"RFC822.SIZE":
                self.size = cursor.number(U63)
            case b"INTERNALDATE":
                self._read_internaldate(cursor)
            case b"MODSEQ":
                self.modseq = int(_in_parentheses(cursor, U64))
            case b"EMAILID":
                cursor.expect(b"(")
                self.emailid = cursor.atom().decode("ascii", "replace")
                cursor.expect(b")")
            case b"X-GM-MSGID":
                self.gm_msgid = cursor.number(U64)
            case _:
                cursor.skip()

    def _read_uid(self, cursor: Cursor) -> None:
        uid = cursor.number(U32)
        if not uid:
            cursor.met(Quirk.ZERO_UID)
            return
        if self.bodies:
            cursor.met(Quirk.UID_LAST)
        self.uid = uid

    def _read_internaldate(self, cursor: Cursor) -> None:
        text = cursor.nstring()
        self.internaldate = None if text is None else read_date(b'"' + text + b'"')
        if self.internaldate is None:
            cursor.met(Quirk.BAD_INTERNALDATE)


def _in_parentheses(cursor: Cursor, maximum: int) -> int:
    cursor.expect(b"(")
    number = cursor.number(maximum)
    cursor.expect(b")")
    return number


def _read_body(cursor: Cursor, labelled: re.Match[bytes]) -> Body:
    section = labelled[1].decode("ascii", "replace").upper()
    origin = int(labelled[2]) if labelled[2] else None
    if labelled[3]:
        cursor.met(Quirk.PARTIAL_WITH_COUNT)
    cursor.blank()
    if cursor.at_body:
        return Body(section, origin, None, streamed=True)
    octets = cursor.nstring()
    cursor.met(Quirk.ABSENT_BODY if octets is None else Quirk.QUOTED_BODY)
    return Body(section, origin, octets)
