"""What we ask an IMAP server, as values, and how each is written (RFC 9051, section 6; extensions are named).

CLOSE does not exist here, and EXPUNGE only under a name that warns: they remove what others have marked (S19).
"""

from typing import NewType

from attrs import frozen

from bridge.imap.writing import ATOM, CRITERION, FLAG, SECTION, SET, Context, Line, base64_line, checked
from bridge.names import Uid, uid_set
from bridge.secret import Secret

Tag = NewType("Tag", str)

_LONGEST_COUNT = 2**32 - 1


@frozen
class Capability:
    def write(self, line: Line) -> None:
        line.say("CAPABILITY")


@frozen
class Noop:
    def write(self, line: Line) -> None:
        line.say("NOOP")


@frozen
class Logout:
    def write(self, line: Line) -> None:
        line.say("LOGOUT")


@frozen
class Starttls:
    def write(self, line: Line) -> None:
        line.say("STARTTLS")


@frozen
class Login:
    user: bytes
    password: Secret

    def write(self, line: Line) -> None:
        line.say("LOGIN")
        line.string(self.user)
        line.string(self.password.reveal())


@frozen
class Authenticate:
    """`initial` is the client's first message: sent at once with SASL-IR (RFC 4959), else at the server's first `+`."""

    mechanism: str
    initial: Secret | None = None

    def write(self, line: Line) -> None:
        line.say("AUTHENTICATE")
        line.word(self.mechanism)
        if self.initial is not None and line.context.offers("SASL-IR"):
            line.say(base64_line(self.initial.reveal()).decode("ascii") or "=")


@frozen
class Identify:
    """ID (RFC 2971)."""

    fields: tuple[tuple[str, str], ...]

    def write(self, line: Line) -> None:
        line.say("ID")
        line.strings([text.encode("utf-8") for pair in self.fields for text in pair])


@frozen
class Enable:
    """RFC 5161."""

    names: tuple[str, ...]

    def write(self, line: Line) -> None:
        line.say("ENABLE")
        for name in self.names:
            line.word(name)


@frozen
class Select:
    """`since`: the UIDVALIDITY and HIGHESTMODSEQ that are known; what vanished since is told (QRESYNC, RFC 7162)."""

    mailbox: str
    condstore: bool = False
    since: tuple[int, int] | None = None

    def write(self, line: Line) -> None:
        line.say("SELECT")
        line.mailbox(self.mailbox)
        if self.since is not None:
            line.say(f"(QRESYNC ({self.since[0]:d} {self.since[1]:d}))")
        elif self.condstore:
            line.say("(CONDSTORE)")


@frozen
class Examine:
    mailbox: str

    def write(self, line: Line) -> None:
        line.say("EXAMINE")
        line.mailbox(self.mailbox)


@frozen
class Unselect:
    """RFC 3691."""

    def write(self, line: Line) -> None:
        line.say("UNSELECT")


@frozen
class ListMailboxes:
    """`special_use` asks only for mailboxes of a special use, where the server can do that (RFC 6154 with RFC 5258)."""

    pattern: str = "*"
    special_use: bool = False

    def write(self, line: Line) -> None:
        asked = line.context.offers("IMAP4REV2") or (
            line.context.offers("SPECIAL-USE") and line.context.offers("LIST-EXTENDED")
        )
        line.say('LIST (SPECIAL-USE) ""' if self.special_use and asked else 'LIST ""')
        line.mailbox(self.pattern)
        if self.special_use and asked:
            line.say("RETURN (SPECIAL-USE)")


@frozen
class AskNamespace:
    """RFC 2342."""

    def write(self, line: Line) -> None:
        line.say("NAMESPACE")


@frozen
class AskStatus:
    mailbox: str
    items: tuple[str, ...]

    def write(self, line: Line) -> None:
        line.say("STATUS")
        line.mailbox(self.mailbox)
        line.words(self.items)


@frozen
class AskRights:
    """MYRIGHTS (RFC 4314)."""

    mailbox: str

    def write(self, line: Line) -> None:
        line.say("MYRIGHTS")
        line.mailbox(self.mailbox)


@frozen
class FetchListing:
    """`uids` here and below: a set such as "1:4,7" or "5:*"."""

    uids: str

    def write(self, line: Line) -> None:
        line.say("UID FETCH")
        line.word(self.uids, SET)
        line.say("(UID RFC822.SIZE FLAGS INTERNALDATE)")


@frozen
class FetchFlags:
    uids: str

    def write(self, line: Line) -> None:
        line.say("UID FETCH")
        line.word(self.uids, SET)
        line.say("(UID FLAGS)")


@frozen
class FetchStates:
    """Messages as they are now. `modseq` is only for mailboxes that have told a HIGHESTMODSEQ (RFC 7162)."""

    uids: str
    modseq: bool = False

    def write(self, line: Line) -> None:
        line.say("UID FETCH")
        line.word(self.uids, SET)
        line.say(f"(UID RFC822.SIZE INTERNALDATE FLAGS{' MODSEQ' if self.modseq else ''})")


@frozen
class FetchIds:
    """`item`: EMAILID (RFC 8474) or Gmail's X-GM-MSGID."""

    uids: str
    item: str

    def write(self, line: Line) -> None:
        line.say("UID FETCH")
        line.word(self.uids, SET)
        line.words(("UID", self.item))


@frozen
class FetchHeaders:
    """These header fields of many messages; `items` are asked for with them. Marks nothing."""

    uids: str
    fields: tuple[str, ...]
    items: tuple[str, ...] = ()

    def write(self, line: Line) -> None:
        line.say("UID FETCH")
        line.word(self.uids, SET)
        items = "".join(f" {checked(item, ATOM)}" for item in self.items)
        fields = " ".join(checked(field, ATOM) for field in self.fields)
        line.say(f"(UID{items} BODY.PEEK[HEADER.FIELDS ({fields})])")


@frozen
class FetchBody:
    """The message, or a section of it such as "HEADER"; of that, `count` octets from `start` on. Marks nothing."""

    uid: Uid
    section: str = ""
    start: int | None = None
    count: int | None = None

    def write(self, line: Line) -> None:
        line.say(f"UID FETCH {self.uid:d} (UID BODY.PEEK[{checked(self.section, SECTION)}]{self._part()})")

    def _part(self) -> str:
        if self.start is None and self.count is None:
            return ""
        return f"<{self.start or 0:d}.{_LONGEST_COUNT if self.count is None else self.count:d}>"


@frozen
class FetchBodies:
    """Many whole messages, or the first `count` octets of each. Marks nothing."""

    uids: frozenset[int]
    count: int | None = None

    def write(self, line: Line) -> None:
        part = "" if self.count is None else f"<0.{self.count:d}>"
        line.say("UID FETCH")
        line.word(uid_set(self.uids), SET)
        line.say(f"(UID BODY.PEEK[]{part})")


@frozen
class Store:
    """Sets (`add`) or takes away these flags; `silent` asks for no answer about each message."""

    uids: str
    flags: tuple[str, ...]
    add: bool = True
    silent: bool = True

    def write(self, line: Line) -> None:
        line.say("UID STORE")
        line.word(self.uids, SET)
        line.say(("+" if self.add else "-") + ("FLAGS.SILENT" if self.silent else "FLAGS"))
        line.words(self.flags, FLAG)


@frozen
class Expunge:
    """UID EXPUNGE: exactly these, if they are marked (RFC 4315)."""

    uids: str

    def write(self, line: Line) -> None:
        line.say("UID EXPUNGE")
        line.word(self.uids, SET)


@frozen
class ExpungeAll:
    """Bare EXPUNGE, everybody's \\Deleted messages: only where the owner accepted that race in so many words."""

    def write(self, line: Line) -> None:
        line.say("EXPUNGE")


@frozen
class Move:
    """RFC 6851."""

    uids: str
    mailbox: str

    def write(self, line: Line) -> None:
        line.say("UID MOVE")
        line.word(self.uids, SET)
        line.mailbox(self.mailbox)


@frozen
class Copy:
    uids: str
    mailbox: str

    def write(self, line: Line) -> None:
        line.say("UID COPY")
        line.word(self.uids, SET)
        line.mailbox(self.mailbox)


@frozen
class Search:
    """UID SEARCH. In `criteria` a str is sent as it is, such as "KEYWORD $POP3Deleted"; bytes are sent as a string.

    `returning` asks for the short answer (ESEARCH, RFC 4731).
    """

    criteria: tuple[str | bytes, ...]
    returning: bool = False

    def write(self, line: Line) -> None:
        line.say("UID SEARCH RETURN (ALL)" if self.returning else "UID SEARCH")
        # With UTF-8 enabled a CHARSET is forbidden (RFC 6855, section 3).
        if not line.context.utf8 and any(isinstance(one, bytes) and not one.isascii() for one in self.criteria):
            line.say("CHARSET UTF-8")
        for one in self.criteria:
            if isinstance(one, bytes):
                line.string(one)
            else:
                line.word(one, CRITERION)


@frozen
class Idle:
    """RFC 2177."""

    def write(self, line: Line) -> None:
        line.say("IDLE")


Command = (
    Capability
    | Noop
    | Logout
    | Starttls
    | Login
    | Authenticate
    | Identify
    | Enable
    | Select
    | Examine
    | Unselect
    | ListMailboxes
    | AskNamespace
    | AskStatus
    | AskRights
    | FetchListing
    | FetchFlags
    | FetchStates
    | FetchIds
    | FetchHeaders
    | FetchBody
    | FetchBodies
    | Store
    | Expunge
    | ExpungeAll
    | Move
    | Copy
    | Search
    | Idle
)


def encode(command: Command, tag: Tag, context: Context) -> tuple[bytes, ...]:
    """What to send: the first piece at once, each further one when the server has said `+`.

    ValueError for what must not be sent; nothing has been sent then.
    """
    line = Line(tag, context)
    command.write(line)
    return line.ended()
