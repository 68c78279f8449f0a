"""What an IMAP server may say, as values (RFC 9051, section 7, and the extensions named at each)."""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import NamedTuple

from attrs import frozen


class StatusKind(Enum):
    OK = "OK"
    NO = "NO"
    BAD = "BAD"
    BYE = "BYE"
    PREAUTH = "PREAUTH"


class Copied(NamedTuple):
    """COPYUID (RFC 4315): the nth source became the nth target."""

    uidvalidity: int
    sources: Sequence[int]
    targets: Sequence[int]


class Appended(NamedTuple):
    """APPENDUID (RFC 4315)."""

    uidvalidity: int
    uids: Sequence[int]


CodeArguments = int | frozenset[str] | Copied | Appended | tuple[int, ...] | bytes


@frozen
class Code:
    """A response code; `name` in upper case.

    Arguments: int for UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ and UNSEEN; frozenset for CAPABILITY (upper case) and
    PERMANENTFLAGS; Copied, Appended; a tuple of UIDs for MODIFIED, of the limit and the lowest UID that was dealt with,
    if it is told, for MESSAGELIMIT (RFC 9738); for every other code the octets as sent.
    """

    name: str
    arguments: CodeArguments = b""


@frozen
class Status:
    """A status line, tagged or not. The text is for people: never parsed, at most a line long."""

    kind: StatusKind
    code: Code | None
    text: str


@frozen
class Capabilities:
    """In upper case."""

    names: frozenset[str]


@frozen
class Exists:
    count: int


@frozen
class Recent:
    count: int


@frozen
class Expunged:
    number: int


@frozen
class Vanished:
    """RFC 7162: ranges (first, last) of UIDs that are gone; a UID never seen may be among them."""

    uids: list[tuple[int, int]]
    earlier: bool


class Fetched(NamedTuple):
    """One message's data. `internaldate` in seconds since 1970; None is what the response did not say.

    A tuple, because thousands of them are made at once.
    """

    number: int
    uid: int | None = None
    flags: frozenset[str] | None = None
    size: int | None = None
    internaldate: int | None = None
    modseq: int | None = None
    emailid: str | None = None
    gm_msgid: int | None = None


@frozen
class Searched:
    """SEARCH, or ESEARCH's ALL with its ranges spelled out."""

    uids: Sequence[int]
    modseq: int | None = None


@frozen
class Listed:
    """A mailbox; the attributes that the standards name are in their spelling, INBOX is in upper case."""

    attributes: frozenset[str]
    delimiter: str | None
    mailbox: str


@frozen
class Flags:
    flags: frozenset[str]


@frozen
class Namespace:
    prefix: str
    delimiter: str | None


@frozen
class Namespaces:
    """RFC 2342."""

    personal: tuple[Namespace, ...]
    others: tuple[Namespace, ...]
    shared: tuple[Namespace, ...]


@frozen
class Identified:
    """ID (RFC 2971): what the server says it is. Names in lower case; fields without a value are left out."""

    fields: Mapping[str, str]


@frozen
class Enabled:
    """In upper case."""

    names: frozenset[str]


@frozen
class MailboxStatus:
    """The items that are numbers, by name in upper case."""

    mailbox: str
    items: Mapping[str, int]


@frozen
class Rights:
    """MYRIGHTS (RFC 4314), a letter each."""

    mailbox: str
    rights: str


@frozen
class Unknown:
    """Something we did not ask for and do not know; `name` in upper case."""

    name: str


Response = (
    Status
    | Capabilities
    | Exists
    | Recent
    | Expunged
    | Vanished
    | Fetched
    | Searched
    | Listed
    | Flags
    | Namespaces
    | Identified
    | Enabled
    | MailboxStatus
    | Rights
    | Unknown
)
