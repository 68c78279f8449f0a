"""What is remembered of one source from session to session, as values; how it is kept is another matter.

A message's identity is (incarnation, UID): UIDVALIDITY belongs to the incarnation (S1).
"""

from array import array
from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen

from bridge.maildrop.exceptions import NONE, Exceptions
from bridge.maildrop.listing import Listing
from bridge.maildrop.uidl import Uidls, parse_format
from bridge.names import UidValidity


@frozen
class Issued:
    """UIDLs were computed by `template` for UIDs up to `highest`, in an earlier incarnation or until the account's
    format was changed; none of them is given away again (S2).
    """

    incarnation: int
    uidvalidity: UidValidity
    highest: int
    template: str


@frozen(kw_only=True)
class Memory:
    """One source as last listed.

    `place`: server, upstream login and mailbox; another one is another incarnation. `highest`: the highest UID ever
    listed in this incarnation. `exceptions`: the UIDLs of present messages that are not the computed ones.
    `template`: the format of the computed ones (`uidl.UidlFormat.template`). `true_sizes`: octets as sent by RETR, by
    UID, where they differ from RFC822.SIZE (S9). `learned_to`: fingerprints are known of every message up to this UID.
    `question`: why logins are refused until the owner answers, "" when they are not; `accepted`: the owner has said
    that the next change is to be taken as it is (S4). `version` counts what was stored, 0 before anything was.
    """

    version: int = 0
    place: str
    incarnation: int = 1
    listing: Listing
    highest: int = 0
    issued: tuple[Issued, ...] = ()
    exceptions: Exceptions = NONE
    template: str
    true_sizes: Mapping[int, int] = field(factory=dict)
    learned_to: int = 0
    question: str = ""
    accepted: bool = False

    def uidls(self) -> Uidls:
        """Of the messages listed."""
        return parse_format(self.template).over(self.listing.uidvalidity, self.exceptions)


@frozen
class Fingerprint:
    """What a message is recognised by: hashes of 16 octets, each b"" where nothing is there to hash; the server's own
    id, or "".
    """

    message_id: bytes
    header: bytes
    stable_id: str = ""


@frozen
class Moves:
    """A new incarnation: which message became which. `certain`: old UIDs that an id or the header hash proves."""

    uids: Mapping[int, int]
    certain: frozenset[int] = frozenset()


@frozen(kw_only=True)
class News:
    """What a new Memory changes, so that storing it costs no more than that.

    `columns`: the listing's columns differ from those stored. `given`: UIDLs to be stored, by UID. `carried`: UIDLs
    that belonged to the message in the incarnation before, by its new UID. `computed`: UIDLs that need no storing, of
    messages listed for the first time. `gone`: UIDs listed before and not now, in the same incarnation. `moves`: in a
    new one.
    """

    columns: bool = True
    given: Mapping[int, str] = field(factory=dict)
    carried: Mapping[int, str] = field(factory=dict)
    computed: Iterable[str] = ()
    gone: Sequence[int] = ()
    moves: Moves | None = None


@frozen(kw_only=True)
class Viewing:
    """What one viewer (a POP3 login with its view) was shown, in one incarnation.

    `ranks`: UIDs in the order in which they were first listed to it (S8). `kept`: what it deleted under `keep`.
    `floor`: what lies below this UID is older than the `newest` that its first login was shown; 0 without such a login.
    `numbers`: of the first of `ranks`, their places among the messages of all the account's sources (`merge`),
    ascending, but for 0: a copy of another source's message, which stays hidden. The others were listed while the
    source stood alone.
    """

    incarnation: int
    ranks: "array[int]" = field(factory=lambda: array("I"))
    numbers: "array[int]" = field(factory=lambda: array("I"))
    kept: frozenset[int] = frozenset()
    floor: int = 0
