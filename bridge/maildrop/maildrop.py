"""A session's snapshot: message numbers, sizes, UIDLs and marks. Nothing here waits, nothing here goes upstream.

Numbers are 1..n without gaps at login and never change in the session (S8); a marked message keeps its number.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import not_

from bridge.maildrop.errors import MessageMarked, NoSuchMessage, TooManyDeletions
from bridge.maildrop.listing import Listing
from bridge.maildrop.uidl import UidlFormat
from bridge.names import MessageNumber, Uid, Uidl


class Maildrop:
    """What one POP3 session sees. Raises NoSuchMessage and MessageMarked for numbers that cannot be meant."""

    def __init__(self, listing: Listing, uidl_format: UidlFormat, *, max_deletions: int | None = None) -> None:
        self._listing = listing.visible()
        self._format = uidl_format
        self._max_deletions = max_deletions
        self._marked = bytearray(len(self._listing))
        self.count = len(self._listing)
        self.octets = self._all_octets = sum(self._listing.sizes)
        self.refused_marks = 0
        self.last = 0

    def __len__(self) -> int:
        """How many numbers there are, marked ones included."""
        return len(self._listing)

    def size(self, number: MessageNumber) -> int:
        return self._listing.sizes[self._row(number)]

    def uid(self, number: MessageNumber) -> Uid:
        return Uid(self._listing.uids[self._row(number)])

    def uidl(self, number: MessageNumber) -> Uidl:
        return self._format.uidl(self._listing.uidvalidity, self.uid(number))

    def sizes(self) -> Iterator[tuple[int, int]]:
        """(number, size) of every unmarked message, ascending."""
        return zip(self._unmarked(range(1, len(self) + 1)), self._unmarked(self._listing.sizes), strict=True)

    def uidls(self) -> Iterator[tuple[int, str]]:
        """(number, UIDL) of every unmarked message, ascending."""
        uidls = self._format.uidls(self._listing.uidvalidity, self._unmarked(self._listing.uids))
        return zip(self._unmarked(range(1, len(self) + 1)), uidls, strict=True)

    def mark(self, number: MessageNumber) -> None:
        """DELE. Beyond `max_deletions` it is refused, and QUIT then deletes nothing at all (S21)."""
        row = self._row(number)
        if self._max_deletions is not None and len(self) - self.count >= self._max_deletions:
            self.refused_marks += 1
            raise TooManyDeletions(
                f"more than {self._max_deletions} deletions in one session are not allowed; nothing will be deleted"
            )
        self._marked[row] = 1
        self.count -= 1
        self.octets -= self._listing.sizes[row]
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
        return [uid for uid, marked in zip(self._listing.uids, self._marked, strict=True) if marked]

    def _unmarked(self, column: Sequence[int]) -> Iterable[int]:
        """At the cost of what is shown, and next to nothing for what is not: a client may ask again and again."""
        if self.count == len(self):
            return column
        return compress(column, map(not_, self._marked)) if self.count else ()

    def _row(self, number: MessageNumber) -> int:
        if not 1 <= number <= len(self):
            raise NoSuchMessage(f"no message {number}, there are {len(self)}")
        if self._marked[number - 1]:
            raise MessageMarked(f"message {number} is deleted")
        return number - 1
