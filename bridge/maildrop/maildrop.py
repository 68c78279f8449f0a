"""A session's snapshot: message numbers, sizes, UIDLs and marks. Nothing here waits, nothing here goes upstream.

Numbers are 1..n without gaps at login and never change in the session (S8); a marked message keeps its number.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from operator import not_
from types import MappingProxyType

from bridge.maildrop.errors import MessageMarked, NoSuchMessage, TooManyDeletions
from bridge.maildrop.listing import Listing
from bridge.maildrop.uidl import Uidls
from bridge.names import MessageNumber, Uid, Uidl

_NOTHING: Mapping[int, int] = MappingProxyType({})


class Maildrop:
    """What one POP3 session sees. Raises NoSuchMessage and MessageMarked for numbers that cannot be meant.

    `uids`: of messages in the listing, in the order of their numbers. `true_sizes`: by UID, where the octets that RETR
    sends are known to be others than RFC822.SIZE (S9). `preface`: octets that the bridge sends before each message.
    The listing is looked into as long as the session lives.
    """

    def __init__(
        self,
        listing: Listing,
        uids: "array[int]",
        uidls: Uidls,
        *,
        true_sizes: Mapping[int, int] = _NOTHING,
        max_deletions: int | None = None,
        preface: int = 0,
    ) -> None:
        self._listing = listing
        self._uids = listing.uids if uids == listing.uids else uids
        sizes = self._shown_sizes(true_sizes)
        self._sizes = array("Q", map(preface.__add__, sizes)) if preface else sizes
        self._uidls = uidls
        self._max_deletions = max_deletions
        self._marked = bytearray(len(self._uids))
        self.count = len(self._uids)
        self.octets = self._all_octets = sum(self._sizes)
        self.refused_marks = 0
        self.last = 0

    def __len__(self) -> int:
        """How many numbers there are, marked ones included."""
        return len(self._uids)

    def size(self, number: MessageNumber) -> int:
        """As LIST shows it."""
        return self._sizes[self._place(number)]

    def read(self, number: MessageNumber) -> tuple[Uid, int]:
        """UID and size of a message that is to be read."""
        place = self._place(number)
        return Uid(self._uids[place]), self._sizes[place]

    def listed_size(self, number: MessageNumber) -> int:
        """RFC822.SIZE, as upstream gave it."""
        return self._listed_size(self._place(number))

    def readable(self, number: MessageNumber) -> int | None:
        """The same, or None of a number that names no message, or a deleted one."""
        if not 0 < number <= len(self._uids) or self._marked[number - 1]:
            return None
        return self._listing.sizes[number - 1] if self._uids is self._listing.uids else self._listed_size(number - 1)

    def uid(self, number: MessageNumber, *, marked: bool = False) -> Uid:
        """`marked`: also of one that is deleted."""
        return Uid(self._uids[number - 1 if marked else self._place(number)])

    def uidl(self, number: MessageNumber) -> Uidl:
        return self._uidls.uidl(self.uid(number))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """(number, size) of every unmarked message, ascending."""
        return zip(self._unmarked(range(1, len(self) + 1)), self._unmarked(self._sizes), strict=True)

    def uidls(self) -> Iterator[tuple[int, str]]:
        """(number, UIDL) of every unmarked message, ascending."""
        uidls = self._uidls.uidls(self._unmarked(self._uids))
        return zip(self._unmarked(range(1, len(self) + 1)), uidls, strict=True)

    def mark(self, number: MessageNumber) -> None:
        """DELE. Beyond `max_deletions` it is refused, and QUIT then deletes nothing at all (S21)."""
        place = self._place(number)
        if self._max_deletions is not None and len(self) - self.count >= self._max_deletions:
            self.refused_marks += 1
            raise TooManyDeletions(
                f"more than {self._max_deletions} deletions in one session are not allowed; nothing will be deleted"
            )
        self._marked[place] = 1
        self.count -= 1
        self.octets -= self._sizes[place]
        self.last = max(self.last, number)

    def reset(self) -> None:
        """RSET: every mark is taken back."""
        if self.count < len(self):
            self._marked = bytearray(len(self))
        self.count = len(self)
        self.octets = self._all_octets
        self.refused_marks = 0
        self.last = 0

    def accessed(self, number: MessageNumber) -> None:
        """The message was retrieved; LAST tells the highest of these (RFC 1460)."""
        self.last = max(self.last, number)

    def marked(self) -> list[int]:
        """The UIDs to delete, ascending."""
        return sorted(compress(self._uids, self._marked))

    def _shown_sizes(self, true_sizes: Mapping[int, int]) -> "array[int]":
        """The listing's own column wherever it says what is shown: 100,000 messages are not copied for nothing."""
        listing, sizes = self._listing, self._listing.sizes
        if self._uids is not listing.uids:
            first = bisect_left(listing.uids, min(self._uids, default=0))
            by_uid = dict(zip(listing.uids[first:], sizes[first:], strict=True))
            sizes = array("Q", map(by_uid.__getitem__, self._uids))
        return array("Q", map(true_sizes.get, self._uids, sizes)) if true_sizes else sizes

    def _unmarked(self, column: Sequence[int]) -> Iterable[int]:
        """At the cost of what is shown, and next to nothing for what is not: a client may ask again and again."""
        if self.count == len(self):
            return column
        return compress(column, map(not_, self._marked)) if self.count else ()

    def _listed_size(self, place: int) -> int:
        listing = self._listing
        if self._uids is not listing.uids:
            place = bisect_left(listing.uids, self._uids[place])
        return listing.sizes[place]

    def _place(self, number: MessageNumber) -> int:
        if not 0 < number <= len(self._uids):
            raise NoSuchMessage(f"no message {number}, there are {len(self)}")
        if self._marked[number - 1]:
            raise MessageMarked(f"message {number} is deleted")
        return number - 1
