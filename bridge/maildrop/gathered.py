"""Several mailboxes as one maildrop: every number names a message of one of them, by its number there.

Numbers are 1..n without gaps at login and never change in the session (S8); a marked message keeps its number.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress
from operator import itemgetter, not_
from typing import TypeVar

from bridge.maildrop.errors import MessageMarked, NoSuchMessage
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.merge import Order
from bridge.names import MessageNumber, Uidl

T = TypeVar("T")


class Gathered:
    """A Maildrop to whoever counts, lists and marks. `drops` hold what `order` puts in order, each in its own."""

    def __init__(self, drops: Sequence[Maildrop], order: Order) -> None:
        self._drops = drops
        self._order = order
        self._marked = bytearray(len(order))
        self.last = 0

    def __len__(self) -> int:
        """How many numbers there are, marked ones included."""
        return len(self._order)

    @property
    def count(self) -> int:
        return sum(drop.count for drop in self._drops)

    @property
    def octets(self) -> int:
        return sum(drop.octets for drop in self._drops)

    @property
    def refused_marks(self) -> int:
        return sum(drop.refused_marks for drop in self._drops)

    def at(self, number: MessageNumber) -> tuple[int, MessageNumber]:
        """Which of the mailboxes it is in, and its number there. Raises NoSuchMessage and MessageMarked."""
        if not 0 < number <= len(self):
            raise NoSuchMessage(f"no message {number}, there are {len(self)}")
        if self._marked[number - 1]:
            raise MessageMarked(f"message {number} is deleted")
        return self._order.sources[number - 1], MessageNumber(self._order.numbers[number - 1])

    def numbers_in(self, source: int, numbers: Iterable[MessageNumber]) -> Iterator[MessageNumber]:
        """Of these messages those that are in this mailbox, by their numbers there."""
        for number in numbers:
            if 0 < number <= len(self) and self._order.sources[number - 1] == source:
                yield MessageNumber(self._order.numbers[number - 1])

    def size(self, number: MessageNumber) -> int:
        source, there = self.at(number)
        return self._drops[source].size(there)

    def uidl(self, number: MessageNumber) -> Uidl:
        source, there = self.at(number)
        return self._drops[source].uidl(there)

    def sizes(self) -> Iterator[tuple[int, int]]:
        """(number, size) of every unmarked message, ascending."""
        return self._in_order([drop.sizes() for drop in self._drops])

    def uidls(self) -> Iterator[tuple[int, str]]:
        """(number, UIDL) of every unmarked message, ascending."""
        return self._in_order([drop.uidls() for drop in self._drops])

    def mark(self, number: MessageNumber) -> None:
        source, there = self.at(number)
        self._drops[source].mark(there)
        self._marked[number - 1] = 1
        self.last = max(self.last, number)

    def reset(self) -> None:
        for drop in self._drops:
            drop.reset()
        self._marked = bytearray(len(self))
        self.last = 0

    def accessed(self, number: MessageNumber) -> None:
        self.last = max(self.last, number)

    def marked(self) -> list[int]:
        """The numbers to delete; each mailbox knows which UIDs these are."""
        return list(compress(range(1, len(self) + 1), self._marked))

    def _in_order(self, rows: Sequence[Iterator[tuple[int, T]]]) -> Iterator[tuple[int, T]]:
        """Each mailbox tells its own in its order, which is theirs among all."""
        shown = bytes(map(not_, self._marked))
        told = map(itemgetter(1), map(next, map(rows.__getitem__, compress(self._order.sources, shown))))
        return zip(compress(range(1, len(self) + 1), shown), told, strict=True)
