"""From an account to its open maildrop: listed, remembered, its journal applied, seen through its view.

Used by a login, and by the command line. The order is the promise: what is shown is stored before.
"""

from array import array
from collections.abc import Set as AbstractSet

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from bridge.accounts.account import Account
from bridge.events import Emit
from bridge.maildrop.errors import ListingIncomplete, MailboxReplaced, TooManyViews
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.memory import Memory, Viewing
from bridge.maildrop.source import Source
from bridge.maildrop.view import select
from bridge.postoffice.deletions import Deletions
from bridge.postoffice.listings import GoesOn, Listings
from bridge.postoffice.loops import Loops
from bridge.postoffice.visit import Visit
from bridge.state.store import VIEWERS_AT_MOST, Overtaken, Showing, Store

ROUNDS = 3
"""How often a login puts its messages in order, where others with the same view store theirs at the same time."""


class PostOffice:
    """Opens maildrops; one for the whole bridge."""

    def __init__(
        self, store: Store, clock: IReactorTime, emit: Emit, *, quit_wait: float, deletion_wait: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._emit = emit
        self._listings = Listings(store, clock, emit)
        self._deletions = Deletions(store, clock, emit, quit_wait=quit_wait, deletion_wait=deletion_wait)
        self._loops = Loops()
        self._departures: set[Deferred[None]] = set()

    async def open(self, account: Account, source: Source) -> Visit:
        """A complete snapshot, or a Trouble and the source given up. A cancelled login leaves nothing connected."""
        try:
            return await self._open(account, source)
        except GoesOn:
            raise
        except BaseException:
            source.abandon()
            raise

    def stop(self) -> None:
        """Nothing more behind anybody's back; the journal keeps what is to be done."""
        self._deletions.stop()
        self._listings.stop()
        for departure in list(self._departures):
            departure.cancel()

    async def _open(self, account: Account, source: Source) -> Visit:
        store, key, view = self._store, account.key, account.view
        before = await store.journal(key, self._clock.seconds())
        memory = await self._listings.synchronised(account, source)
        replayed = await self._deletions.replay(account, source, memory, before)
        found = await source.search(view.search) if view.search else None
        maildrop = Maildrop(
            memory.listing,
            await self._seen(account, memory, found, replayed.hidden),
            memory.uidls(),
            true_sizes=memory.true_sizes,
            max_deletions=account.settings.max_deletions,
        )
        return Visit(
            account=account,
            maildrop=maildrop,
            source=source,
            memory=memory,
            store=store,
            deletions=self._deletions,
            loops=self._loops,
            clock=self._clock,
            emit=self._emit,
            departures=self._departures,
            left_over=replayed.left_over,
        )

    async def _seen(
        self, account: Account, memory: Memory, found: AbstractSet[int] | None, hidden: AbstractSet[int]
    ) -> "array[int]":
        """UIDs in the order of this login's numbers, stored: other logins with the same view build on them (S8)."""
        store, key, viewer = self._store, account.key, account.viewer
        for _ in range(ROUNDS):
            before = await store.viewing(key, viewer)
            if before is not None and before.incarnation != memory.incarnation:
                raise _replaced()
            # Any other makes room for a new one; what these have deleted would come back.
            if before is None and viewer and await store.keepers(key) >= VIEWERS_AT_MOST:
                raise TooManyViews(
                    f"{VIEWERS_AT_MOST} views of this account have deleted mail for themselves alone; "
                    "use one of them, written as it was before"
                )
            now = self._clock.seconds()
            shown = select(memory.listing, account.view, before, now=now, found=found, hidden=hidden)
            if shown.ranks is None:
                return shown.uids
            viewing = Viewing(
                incarnation=memory.incarnation, ranks=shown.ranks, numbers=shown.numbers, floor=shown.floor
            )
            try:
                await store.show(viewer, [Showing(key, viewing, before)], {})
            except Overtaken:
                continue
            return shown.uids
        stored = await store.recall(key)
        if stored is None or stored.incarnation != memory.incarnation:
            raise _replaced()
        raise ListingIncomplete("other logins with this view change its order at the same time; try again later")


def _replaced() -> MailboxReplaced:
    """Another session saw it replaced while this one was being opened."""
    return MailboxReplaced("the mailbox was replaced upstream just now; log in again")
