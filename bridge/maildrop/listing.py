"""One source's messages as columns: 100,000 messages are a few arrays, never one object each."""

from array import array
from collections.abc import Iterable, Sequence
from itertools import compress, count, pairwise
from typing import TypeVar

from attrs import define, evolve, field

from bridge.names import UidValidity

_Column = TypeVar("_Column", "array[int]", bytearray, "list[str]")


def _uint32() -> "array[int]":
    return array("I")


def _uint64() -> "array[int]":
    return array("Q")


def _int64() -> "array[int]":
    return array("q")


@define
class Listing:
    """Rows in ascending UID order, each UID once.

    `sizes` are RFC822.SIZE as upstream gave them; `dates` INTERNALDATE in epoch seconds, -1 where unknown;
    `hidden` 1 where POP3 must not see the message (S7). `uidnext`, `highestmodseq` (RFC 7162) and `mailbox_id`
    (RFC 8474) as the server said them when it was complete; 0 and "" where it does not say. `names`: what the server
    calls its messages, where it has no UIDs and these are ours (`naming`); empty where it has.
    """

    uidvalidity: UidValidity
    uids: "array[int]" = field(factory=_uint32)
    sizes: "array[int]" = field(factory=_uint64)
    dates: "array[int]" = field(factory=_int64)
    hidden: bytearray = field(factory=bytearray)
    uidnext: int = 0
    highestmodseq: int = 0
    mailbox_id: str = ""
    names: "list[str]" = field(factory=list)

    def __len__(self) -> int:
        return len(self.uids)

    def add(self, uids: Sequence[int], sizes: Sequence[int], dates: Sequence[int], hidden: bytes) -> None:
        """Append rows as they arrive, in any order; `settle` puts them right."""
        self.uids.extend(uids)
        self.sizes.extend(sizes)
        self.dates.extend(dates)
        self.hidden.extend(hidden)

    def settle(self) -> None:
        """Sort by UID and keep the last row of a UID that came twice."""
        if all(a < b for a, b in zip(self.uids, memoryview(self.uids)[1:], strict=False)):
            return
        rows = {uid: row for row, uid in enumerate(self.uids)}
        self.take([rows[uid] for uid in sorted(rows)])

    def without(self, gone: Iterable[int]) -> None:
        """Drop the rows of these UIDs."""
        self.drop(list(compress(count(), map(frozenset(gone).__contains__, self.uids))))

    def visible(self) -> "Listing":
        """What POP3 may see; this very listing when nothing is hidden."""
        if not any(self.hidden):
            return self
        shown = self.copy()
        shown.take([row for row, hidden in enumerate(self.hidden) if not hidden])
        return shown

    def copy(self) -> "Listing":
        """One of its own columns."""
        return evolve(
            self,
            uids=self.uids[:],
            sizes=self.sizes[:],
            dates=self.dates[:],
            hidden=self.hidden[:],
            names=self.names[:],
        )

    def take(self, rows: Sequence[int]) -> None:
        """Keep only these rows, in this order."""
        self.uids = array("I", [self.uids[row] for row in rows])
        self.sizes = array("Q", [self.sizes[row] for row in rows])
        self.dates = array("q", [self.dates[row] for row in rows])
        self.hidden = bytearray(self.hidden[row] for row in rows)
        self.names = [self.names[row] for row in rows] if self.names else []

    def drop(self, rows: Sequence[int]) -> None:
        """Keep all but these rows, which ascend."""
        self.uids, self.sizes = _without(self.uids, rows), _without(self.sizes, rows)
        self.dates, self.hidden = _without(self.dates, rows), _without(self.hidden, rows)
        self.names = _without(self.names, rows) if self.names else []


def _without(column: _Column, rows: Sequence[int]) -> _Column:
    """What lies between these rows, joined: few of many are dropped as a rule."""
    kept = column[:0]
    for before, row in pairwise((-1, *rows, len(column))):
        kept += column[before + 1 : row]
    return kept
