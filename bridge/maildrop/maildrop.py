"""A session's snapshot: message numbers, sizes, UIDLs and marks. Nothing here waits, nothing here goes upstream.

Numbers are 1..n without gaps at login and never change in the session (S8); a marked message keeps its number.
"""

from collections.abc import Iterator

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
        self.octets = sum(self._listing.sizes)
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
        rows = enumerate(self._listing.sizes, 1)
        return rows if self.count == len(self) else (row for row in rows if not self._marked[row[0] - 1])

    def uidls(self) -> Iterator[tuple[int, str]]:
        """(number, UIDL) of every unmarked message, ascending."""
        rows = enumerate(self._format.uidls(self._listing.uidvalidity, self._listing.uids), 1)
        return rows if self.count == len(self) else (row for row in rows if not self._marked[row[0] - 1])

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
        self._marked = bytearray(len(self._listing))
        self.count = len(self._listing)
        self.octets = sum(self._listing.sizes)
        self.refused_marks = 0
        self.last = 0

    def accessed(self, number: MessageNumber) -> None:
        """The message was retrieved; LAST tells the highest of these (RFC 1460)."""
        self.last = max(self.last, number)

    def marked(self) -> list[int]:
        """The UIDs to delete, ascending."""
        return [uid for uid, marked in zip(self._listing.uids, self._marked, strict=True) if marked]

    def _row(self, number: MessageNumber) -> int:
        if not 1 <= number <= len(self):
            raise NoSuchMessage(f"no message {number}, there are {len(self)}")
        if self._marked[number - 1]:
            raise MessageMarked(f"message {number} is deleted")
        return number - 1
