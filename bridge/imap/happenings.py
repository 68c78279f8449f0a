"""What a conversation with an IMAP server brings forth, in the order of the wire."""

from attrs import field, frozen

from bridge.imap.bodies import Bodies
from bridge.imap.commands import Command, Tag
from bridge.imap.listing import FetchedRows, ListingRows
from bridge.imap.responses import Response, Status
from bridge.names import Uid


@frozen
class Greeted:
    status: Status


@frozen
class Responded:
    """Untagged data; `command` is the oldest in flight that asks for such data, else the oldest. `tag` is its tag."""

    response: Response
    command: Command | None
    tag: Tag | None = field(default=None, eq=False)


@frozen
class RowsCame:
    """Many such at once, all of them FETCH's: news, or what `command` asks for."""

    rows: FetchedRows
    command: Command | None
    tag: Tag | None = field(default=None, eq=False)


@frozen
class BodyBegan:
    """A message, or a section of it (upper case), comes: `size` octets, from `origin` on if it is a part.

    `uid` where the server has named it already. `tag` of the FetchBody that it answers; None if nobody asked for it.
    """

    uid: Uid | None
    section: str
    origin: int | None
    size: int
    tag: Tag | None = field(default=None, eq=False)


@frozen
class BodyOctets:
    octets: bytes = field(repr=False)


@frozen
class BodyEnded:
    """The response is complete (or its next body begins). `uid` None: the server never named it."""

    uid: Uid | None


@frozen
class BodyAbsent:
    """NIL where a body belongs: the message is gone. `tag` as with BodyBegan."""

    uid: Uid | None
    section: str
    tag: Tag | None = field(default=None, eq=False)


@frozen
class BodiesCame:
    """Whole answers to a FetchBodies or FetchHeaders, by UID, as many as came in one piece."""

    bodies: Bodies = field(repr=False)
    tag: Tag = field(eq=False)


@frozen
class Challenged:
    """The server's turn in AUTHENTICATE, decoded; to be answered with `respond`."""

    octets: bytes = field(repr=False)


@frozen
class Idling:
    """IDLE has begun; `done` ends it."""


@frozen
class Completed:
    tag: Tag
    command: Command
    status: Status


Event = (
    Greeted
    | Responded
    | RowsCame
    | ListingRows
    | BodyBegan
    | BodyOctets
    | BodyEnded
    | BodyAbsent
    | BodiesCame
    | Challenged
    | Idling
    | Completed
)
