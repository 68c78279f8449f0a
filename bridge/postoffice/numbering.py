"""Where each message of several mailboxes stands in the one maildrop: stored before anybody is shown it (S8)."""

from array import array
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet

from attrs import frozen
from twisted.internet.defer import DeferredLock

from bridge.accounts.account import Account
from bridge.maildrop.copies import Identity, Mailbox, Sieve, identity
from bridge.maildrop.errors import ListingIncomplete, MailboxReplaced, TooManyViews
from bridge.maildrop.memory import Memory, Viewing
from bridge.maildrop.merge import Merged, Part, merge
from bridge.maildrop.view import Ranked, rank
from bridge.names import AccountName
from bridge.state.store import VIEWERS_AT_MOST, Overtaken, Showing, Store

ROUNDS = 3
"""How often messages are put in order, where others with the same view store theirs at the same time."""


HELD = 64
"""Logins whose order is held in memory, the latest whose messages were put in order."""


@frozen
class Sight:
    """One source as it is now: `found` by the view's search, None where it has none; `hidden` by the journal."""

    account: Account
    memory: Memory
    found: AbstractSet[int] | None
    hidden: AbstractSet[int]


@frozen
class _Held:
    """What came of it the last time, when nothing had to be stored."""

    sights: Sequence[Sight]
    viewings: Sequence[Viewing | None]
    merged: Merged

    def holds_for(self, sights: Sequence[Sight], viewings: Sequence[Viewing | None]) -> bool:
        """A listing or a viewing that is held in memory is the same object as long as nothing has changed."""
        return len(sights) == len(self.sights) and all(
            one.memory.listing is other.memory.listing
            and now is then
            and one.account == other.account
            and one.account.view.since is None
            and (one.found, one.hidden) == (other.found, other.hidden)
            for one, other, now, then in zip(sights, self.sights, viewings, self.viewings, strict=True)
        )


class Numbering:
    """Of all logins of this process: those with one view number their new mail one after the other."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: OrderedDict[tuple[AccountName, str], _Held] = OrderedDict()
        self._locks: dict[tuple[AccountName, str], DeferredLock] = {}

    async def numbered(self, sights: Sequence[Sight], now: float, *, hides_copies: bool) -> Merged:
        """`hides_copies`: of a message that is in several sources only the first is shown. At least one source."""
        account = sights[0].account
        lock = self._locks.setdefault((account.name, account.viewer), DeferredLock())
        await lock.acquire()
        try:
            for _ in range(ROUNDS):
                try:
                    return await self._numbered(sights, now, hides_copies=hides_copies)
                except Overtaken:
                    continue
        finally:
            lock.release()
        raise ListingIncomplete("other logins with this view change its order at the same time; try again later")

    async def _numbered(self, sights: Sequence[Sight], now: float, *, hides_copies: bool) -> Merged:
        """Raises Overtaken."""
        store, name, viewer = self._store, sights[0].account.name, sights[0].account.viewer
        before = [await viewing_of(store, sight.account, sight.memory) for sight in sights]
        held = self._held.get((name, viewer))
        if held is not None and held.holds_for(sights, before):
            return held.merged
        parts = [part_of(sight, viewing, now) for sight, viewing in zip(sights, before, strict=True)]
        if not any(part.ranked.changed for part in parts) and all(_has_all(part.ranked) for part in parts):
            merged = merge(parts, 0)
            self._hold((name, viewer), _Held(sights, before, merged))
            return merged
        used = await store.highest_number(name, viewer)
        sieve = await self._sieve(sights, parts) if hides_copies else None
        merged = merge(parts, used, sieve.is_copy) if sieve is not None else merge(parts, used)
        showings = []
        for sight, part, placed, viewing in zip(sights, parts, merged.parts, before, strict=True):
            shown = viewing
            if placed.changed:
                shown = Viewing(
                    incarnation=sight.memory.incarnation,
                    ranks=placed.ranks,
                    numbers=placed.numbers,
                    floor=part.ranked.floor,
                )
            if shown is not None:  # a source without messages has nothing that others could change
                showings.append(Showing(sight.account.key, shown, viewing))
        await store.show(viewer, showings, sieve.news if sieve is not None else {})
        return merged

    def _hold(self, login: tuple[AccountName, str], held: _Held) -> None:
        self._held[login] = held
        self._held.move_to_end(login)
        if len(self._held) > HELD:
            self._held.popitem(last=False)

    async def _sieve(self, sights: Sequence[Sight], parts: Sequence[Part]) -> Sieve:
        mailboxes = [await self._known(*each) for each in zip(sights, parts, strict=True)]
        asked = {known for mailbox in mailboxes for message in mailbox.messages.values() for known in message.known}
        account = sights[0].account
        return Sieve(mailboxes, await self._store.shown_first(account.name, account.viewer, asked))

    async def _known(self, sight: Sight, part: Part) -> Mailbox:
        account, memory = sight.account, sight.memory
        # A POP3 server's UIDLs name its messages and no copies of them.
        server = account.guessed if account.settings.upstream.protocol == "imap" else ""
        messages: Mapping[int, Identity] = {}
        if part.ranked.new:
            learned = await self._store.fingerprints(account.key, memory.incarnation)
            sizes = dict(zip(memory.listing.uids, memory.listing.sizes, strict=True))
            messages = {uid: identity(server, sizes[uid], learned[uid]) for uid in part.ranked.new if uid in learned}
        return Mailbox(name=account.source, server=server, messages=messages)


async def viewing_of(store: Store, account: Account, memory: Memory) -> Viewing | None:
    """What this login was shown of the source before, in this incarnation."""
    viewing = await store.viewing(account.key, account.viewer)
    if viewing is not None and viewing.incarnation != memory.incarnation:
        raise replaced()
    # Any other makes room for a new one; what these have deleted would come back.
    if viewing is None and account.viewer and await store.keepers(account.key) >= VIEWERS_AT_MOST:
        raise TooManyViews(
            f"{VIEWERS_AT_MOST} views of this account have deleted mail for themselves alone; "
            "use one of them, written as it was before"
        )
    return viewing


def replaced() -> MailboxReplaced:
    """Another session saw it replaced while this one was being opened."""
    return MailboxReplaced("the mailbox was replaced upstream just now; log in again")


def part_of(sight: Sight, viewing: Viewing | None, now: float) -> Part:
    """`viewing`: what the viewer was shown of it before."""
    listing, view = sight.memory.listing, sight.account.view
    ranked = rank(listing, view, viewing, now=now, found=sight.found, hidden=sight.hidden)
    dates = array("q")
    if ranked.new:
        of = dict(zip(listing.uids, listing.dates, strict=True))
        dates.extend(map(of.__getitem__, ranked.new))
    return Part(ranked, dates)


def _has_all(ranked: Ranked) -> bool:
    return len(ranked.numbers) == len(ranked.ranks)
