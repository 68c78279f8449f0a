"""UIDLs that are not the computed ones, as columns: after a renumbering every message of 100,000 has one."""

from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from attrs import frozen


@frozen
class Exceptions:
    """`uids` ascending; `text` holds their UIDLs in that order, each ended at its place in `ends`."""

    uids: "array[int]"
    ends: "array[int]"
    text: str

    def __len__(self) -> int:
        return len(self.uids)

    def get(self, uid: int) -> str | None:
        row = self._row(uid)
        return None if row is None else self._at(row)

    def over(self, uids: Iterable[int], computed: Callable[[int], str]) -> Iterator[str]:
        """The UIDLs of these UIDs, in their order; `computed` writes those that are not here."""
        row, rows = 0, len(self.uids)
        for uid in uids:
            if row == rows or self.uids[row] != uid:  # nearly always it is the row behind the last one
                row = bisect_left(self.uids, uid)
            if row < rows and self.uids[row] == uid:
                yield self._at(row)
                row += 1
            else:
                yield computed(uid)

    def items(self) -> Iterator[tuple[int, str]]:
        start = 0
        for uid, end in zip(self.uids, self.ends, strict=True):
            yield uid, self.text[start:end]
            start = end

    def changed(self, gone: Collection[int], more: Mapping[int, str]) -> "Exceptions":
        """Without those of UIDs that are gone, and with more, which stand over what was there."""
        if not more and all(self._row(uid) is None for uid in gone):
            return self
        gone = frozenset(gone)
        return exceptions({**{uid: uidl for uid, uidl in self.items() if uid not in gone}, **more})

    def _row(self, uid: int) -> int | None:
        row = bisect_left(self.uids, uid)
        return row if row < len(self.uids) and self.uids[row] == uid else None

    def _at(self, row: int) -> str:
        return self.text[self.ends[row - 1] if row else 0 : self.ends[row]]


def exceptions(uidls: Mapping[int, str]) -> Exceptions:
    """From UIDLs by UID."""
    uids, ends, pieces, end = array("I"), array("I"), [], 0
    for uid in sorted(uidls):
        piece = uidls[uid]
        end += len(piece)
        uids.append(uid)
        ends.append(end)
        pieces.append(piece)
    return Exceptions(uids, ends, "".join(pieces))


NONE = exceptions({})
