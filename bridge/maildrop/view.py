"""Which of the messages one POP3 login sees, and in which order it numbers them.

Numbers are append-only from session to session (S8): what was listed once keeps its place among the others, and what
comes into sight later comes last, so that a program that looks only behind its last message misses none.
"""

from array import array
from collections.abc import Set as AbstractSet
from itertools import compress
from typing import TypeVar

from attrs import evolve, field, frozen

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Viewing

_Number = TypeVar("_Number", int, float)


@frozen(kw_only=True)
class View:
    """What of a mailbox is seen; nothing set: all of it.

    `since`: seconds before now at which the server received it. `newest`: so many at the viewer's first login; it
    keeps what it was shown and gets everything newer. `search`: IMAP's search keys. `device`: nothing is left out,
    but what it has deleted under `keep` is remembered for it alone.
    """

    mailbox: str | None = None
    since: float | None = None
    newest: int | None = None
    search: str | None = None
    device: str = ""

    @property
    def hides_nothing(self) -> bool:
        return self.since is None and self.newest is None and self.search is None

    @property
    def viewer(self) -> str:
        """The same text for the same view; "" where nothing is asked for. Another mailbox is another account."""
        said = [f"as={self.device}"] if self.device else []
        said += [f"newest={self.newest}"] if self.newest is not None else []
        said += [f"search={self.search}"] if self.search is not None else []
        said += [f"since={self.since:.0f}"] if self.since is not None else []
        return ",".join(said)

    def narrowed(self, wish: "View") -> "View":
        """This, and of that only what `wish` leaves; the mailbox stays."""
        both = f"({self.search}) {wish.search}" if self.search and wish.search else None
        return evolve(
            self,
            since=_least(self.since, wish.since),
            newest=_least(self.newest, wish.newest),
            search=both or self.search or wish.search,
            device=wish.device or self.device,
        )


PLAIN = View()


def _least(one: _Number | None, other: _Number | None) -> _Number | None:
    given = [number for number in (one, other) if number is not None]
    return min(given) if given else None


@frozen
class Selection:
    """`uids` in the order of their numbers. `ranks`, `numbers` and `floor` are to be stored first; None: nothing is."""

    uids: "array[int]"
    ranks: "array[int] | None" = None
    numbers: "array[int]" = field(factory=lambda: array("I"))
    floor: int = 0


@frozen(kw_only=True)
class Ranked:
    """A viewer's messages by rank, those `new` to it at the end of `uids`, which are in sight, and of `ranks`.

    `ranks`, `numbers` and `floor` as in `Viewing`; `changed`: they are others than those stored.
    """

    uids: "array[int]"
    ranks: "array[int]"
    numbers: "array[int]"
    floor: int
    new: "array[int]"
    changed: bool


def select(
    listing: Listing,
    view: View,
    viewing: Viewing | None,
    *,
    now: float,
    found: AbstractSet[int] | None = None,
    hidden: AbstractSet[int] = frozenset(),
) -> Selection:
    """What this viewer sees now. `viewing`: what it was shown before, in this incarnation.

    `found`: what `view.search` finds. `hidden`: UIDs in the journal. `now`: seconds since 1970.
    Without ranks the order is the UIDs': append-only by itself where nothing but deleted messages is left out.
    """
    seen = _in_sight(listing, view, now, found, hidden | _never(viewing))
    if view.hides_nothing and not (viewing and viewing.ranks):
        return Selection(seen)
    ranked = _ranked(listing, view.newest, viewing or Viewing(incarnation=0), seen)
    return (
        Selection(ranked.uids, ranked.ranks, ranked.numbers, ranked.floor) if ranked.changed else Selection(ranked.uids)
    )


def rank(
    listing: Listing,
    view: View,
    viewing: Viewing | None,
    *,
    now: float,
    found: AbstractSet[int] | None = None,
    hidden: AbstractSet[int] = frozenset(),
) -> Ranked:
    """The same of a source that is one of several: among others' messages UIDs are no order.

    Who was shown the source alone, without ranks, was shown it in the UIDs' order.
    """
    seen = _in_sight(listing, view, now, found, hidden | _never(viewing))
    if viewing is not None and not viewing.ranks and view.hides_nothing:
        return evolve(_ranked(listing, None, evolve(viewing, ranks=seen), seen), changed=bool(seen))
    return _ranked(listing, view.newest, viewing or Viewing(incarnation=0), seen)


def copies_of(viewing: Viewing | None) -> frozenset[int]:
    """Those of this source's messages that are copies of another's."""
    if viewing is None or 0 not in viewing.numbers:
        return frozenset()
    return frozenset(uid for uid, number in zip(viewing.ranks, viewing.numbers, strict=False) if not number)


def _never(viewing: Viewing | None) -> AbstractSet[int]:
    """What this viewer does not see again: what it has deleted for itself, and copies."""
    return viewing.kept | copies_of(viewing) if viewing is not None else frozenset()


def _in_sight(
    listing: Listing, view: View, now: float, found: AbstractSet[int] | None, hidden: AbstractSet[int]
) -> "array[int]":
    """Ascending; the listing's own column where all of it is seen. A message of unknown date is of any."""
    uids = listing.uids
    if any(listing.hidden):
        uids = array("I", [uid for uid, gone in zip(uids, listing.hidden, strict=True) if not gone])
    if view.since is not None:
        old = {uid for uid, date in zip(listing.uids, listing.dates, strict=True) if 0 <= date < now - view.since}
        hidden = hidden | old
    if hidden:
        uids = array("I", [uid for uid in uids if uid not in hidden])
    if found is not None:
        uids = array("I", [uid for uid in uids if uid in found])
    return uids


def _ranked(listing: Listing, newest: int | None, viewing: Viewing, seen: "array[int]") -> Ranked:
    """What has a rank comes first, then what is new; a viewer's first login decides where `newest` begins."""
    ranks, numbers, floor = viewing.ranks, viewing.numbers, viewing.floor
    first = newest is not None and not ranks and not floor
    if newest is not None and first:
        floor = seen[-newest - 1] + 1 if len(seen) > newest else 1
    known, in_sight = set(ranks), set(seen)
    new = array("I", [uid for uid in seen if uid not in known and (newest is None or uid >= floor)])
    order = array("I", [uid for uid in ranks if uid in in_sight]) + new
    if new or first:
        # What is gone never comes back; what is newer than this listing was shown by another login meanwhile.
        there, last = set(listing.uids), listing.uids[-1] if listing.uids else 0
        stay = [uid in there or uid > last for uid in ranks]
        ranks, numbers = array("I", compress(ranks, stay)) + new, array("I", compress(numbers, stay))
    return Ranked(uids=order, ranks=ranks, numbers=numbers, floor=floor, new=new, changed=bool(new or first))
