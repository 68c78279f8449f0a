"""What came, what went, and what is not what it was, between two listings of a mailbox (S1).

Most polls find a few messages more at the end, or some missing in one place: what is the same around them is compared
as a whole, not message by message.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from itertools import filterfalse

from attrs import frozen

from bridge.maildrop.listing import Listing


@frozen
class Changes:
    """UIDs that are in the new listing only, and in the old one only, ascending."""

    new: Sequence[int]
    gone: Sequence[int]


def compare(old: Listing, new: Listing) -> Changes:
    known, gone = _beyond(old.uids, new.uids)
    now, came = _beyond(new.uids, old.uids)
    known, now = _differing(known, now)
    lost = list(filterfalse(frozenset(now).__contains__, known))
    if len(known) - len(lost) < len(now):
        came = array("I", filterfalse(frozenset(known).__contains__, now)) + came
    return Changes(came, [*lost, *gone])


def altered(old: Listing, new: Listing) -> int:
    """A UID that is in both and has another size, or another date where both are known; 0 if there is none."""
    changes = compare(old, new)
    before, after = _kept(old, changes.gone), _kept(new, changes.new)
    if (before.sizes, before.dates) == (after.sizes, after.dates):
        return 0
    rows = zip(before.uids, before.sizes, after.sizes, before.dates, after.dates, strict=True)
    for uid, size, size_now, date, date_now in rows:
        if size != size_now or (date != date_now and -1 not in {date, date_now}):
            return uid
    return 0


def _kept(listing: Listing, dropped: Sequence[int]) -> Listing:
    if not dropped:
        return listing
    kept = listing.copy()
    kept.drop([bisect_left(listing.uids, uid) for uid in dropped])
    return kept


def _beyond(uids: "array[int]", others: "array[int]") -> tuple["array[int]", "array[int]"]:
    """Parted where the others end: new messages have higher UIDs than all before."""
    end = bisect_right(uids, others[-1]) if others else 0
    return uids[:end], uids[end:]


def _differing(one: "array[int]", other: "array[int]") -> tuple["array[int]", "array[int]"]:
    """Both, less what is the same at the beginning and at the end."""
    same = _agreeing(one, other)
    one, other = one[same:], other[same:]
    same = _agreeing(one[::-1], other[::-1])
    return one[: len(one) - same], other[: len(other) - same]


def _agreeing(one: "array[int]", other: "array[int]") -> int:
    """How many at the beginning are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
