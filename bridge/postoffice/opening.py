"""From an account to its open maildrop: listed, remembered, its journal applied, seen through its view.
Or from several to one.

Used by a login, and by the command line. The order is the promise: what is shown is stored before.
"""

from array import array
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from attrs import evolve, frozen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime

from bridge.accounts.account import Account
from bridge.events import Emit, SourceAway, StateTroubled
from bridge.maildrop.errors import (
    ListingIncomplete,
    MaildropInUse,
    Renumbered,
    StateUnavailable,
    Trouble,
    UpstreamUnavailable,
)
from bridge.maildrop.journal import Stage
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.memory import Memory, Viewing
from bridge.maildrop.source import Source
from bridge.maildrop.view import select
from bridge.names import SourceKey
from bridge.postoffice.deletions import NOTHING_WAITS, Deletions, Replayed
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.learning import learn_before_listing
from bridge.postoffice.listings import GoesOn, Listings
from bridge.postoffice.loops import Loops
from bridge.postoffice.numbering import ROUNDS, Numbering, Sight, replaced, viewing_of
from bridge.postoffice.preface import origin_line
from bridge.postoffice.remembered import Remembered
from bridge.postoffice.together import NotInTime, together
from bridge.postoffice.visit import Visit
from bridge.state.store import Overtaken, Showing, Store


@frozen
class Opening:
    """A source that is to be opened. `make` gives one that nothing is connected for yet."""

    account: Account
    make: Callable[[], Source]


@frozen
class _Looked:
    """A source whose listing is stored and whose journal is applied; `found` by the view's search, if it has one."""

    account: Account
    source: Source
    memory: Memory
    replayed: Replayed
    found: AbstractSet[int] | None

    @property
    def sight(self) -> Sight:
        return Sight(self.account, self.memory, self.found, self.replayed.hidden)


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
        self._numbering = Numbering(store)
        self._loops = Loops()
        self._departures: set[Deferred[None]] = set()
        self._noted: dict[SourceKey, str] = {}

    async def open(self, account: Account, source: Source) -> Visit:
        """A complete snapshot, or a Trouble and the source given up. A cancelled login leaves nothing connected."""
        try:
            looked = await self._look(account, source)
            return self._visit(looked, await self._seen(looked))
        except GoesOn:
            raise
        except BaseException:
            source.abandon()
            raise

    async def open_together(
        self, openings: Sequence[Opening], *, patience: float, hides_copies: bool = False
    ) -> Visit | Gathering:
        """The same of the sources behind one login, side by side: all of them open, or none. A Trouble says which.

        `patience`: how long one is waited for whose last listing is served otherwise (S10). Cancelled, it raises
        NotInTime.
        """
        looking = {
            opening.account.label: self._looked(opening, patience, hides_copies=hides_copies) for opening in openings
        }
        try:
            all_looked = await together(looking, lambda looked: looked.source.abandon())
        except NotInTime as late:
            for opening in openings:
                if opening.account.label in late.names:
                    self._note(opening.account, "no answer in time; it is tried again at each login")
            raise
        try:
            if len(all_looked) == 1:
                return self._visit(all_looked[0], await self._seen(all_looked[0]))
            return await self._gathered(all_looked, hides_copies=hides_copies)
        except BaseException:
            for looked in all_looked:
                looked.source.abandon()
            raise

    def stop(self) -> None:
        """Nothing more behind anybody's back; the journal keeps what is to be done."""
        self._deletions.stop()
        self._listings.stop()
        for departure in list(self._departures):
            departure.cancel()

    # One source.

    async def _look(self, account: Account, source: Source) -> _Looked:
        before = await self._store.journal(account.key, self._clock.seconds())
        memory = await self._listings.synchronised(account, source)
        self._deletions.listed(account)
        replayed = await self._deletions.replay(account, source, memory, before)
        found = await source.search(account.view.search) if account.view.search else None
        return _Looked(account, source, memory, replayed, found)

    async def _seen(self, looked: _Looked) -> "array[int]":
        """UIDs in the order of this login's numbers, stored: other logins with the same view build on them (S8)."""
        store, account, memory = self._store, looked.account, looked.memory
        for _ in range(ROUNDS):
            before = await viewing_of(store, account, memory)
            now = self._clock.seconds()
            hidden = looked.replayed.hidden
            shown = select(memory.listing, account.view, before, now=now, found=looked.found, hidden=hidden)
            if shown.ranks is None:
                if account.source and before is None:
                    await self._stands_alone(account, memory)
                return shown.uids
            viewing = Viewing(
                incarnation=memory.incarnation, ranks=shown.ranks, numbers=shown.numbers, floor=shown.floor
            )
            try:
                await store.show(account.viewer, [Showing(account.key, viewing, before)], {})
            except Overtaken:
                continue
            return shown.uids
        stored = await store.recall(account.key)
        if stored is None or stored.incarnation != memory.incarnation:
            raise replaced()
        raise ListingIncomplete("other logins with this view change its order at the same time; try again later")

    async def _stands_alone(self, account: Account, memory: Memory) -> None:
        """Should other sources join it one day, this viewer has seen it in the order of its UIDs: it stays first."""
        try:
            nothing = Viewing(incarnation=memory.incarnation)
            await self._store.show(account.viewer, [Showing(account.key, nothing, None)], {})
        except Overtaken:
            pass  # another login did
        except StateUnavailable as trouble:
            self._emit(StateTroubled(str(trouble)))

    def _visit(self, looked: _Looked, uids: "array[int]") -> Visit:
        account, memory = looked.account, looked.memory
        header = account.origin_header
        preface = origin_line(header, account.source) if header else b""
        maildrop = Maildrop(
            memory.listing,
            uids,
            memory.uidls(),
            true_sizes=memory.true_sizes,
            max_deletions=account.settings.max_deletions,
            preface=len(preface),
        )
        return Visit(
            account=account,
            maildrop=maildrop,
            source=looked.source,
            memory=memory,
            store=self._store,
            deletions=self._deletions,
            loops=self._loops,
            clock=self._clock,
            emit=self._emit,
            departures=self._departures,
            left_over=looked.replayed.left_over,
            preface=preface,
        )

    # One of several.

    async def _gathered(self, all_looked: Sequence[_Looked], *, hides_copies: bool) -> Gathering:
        sights = [looked.sight for looked in all_looked]
        merged = await self._numbering.numbered(sights, self._clock.seconds(), hides_copies=hides_copies)
        visits = [self._visit(looked, part.uids) for looked, part in zip(all_looked, merged.parts, strict=True)]
        return Gathering(visits, merged.order)

    async def _looked(self, opening: Opening, patience: float, *, hides_copies: bool) -> _Looked:
        """Or what was listed last, where that is what the owner wants."""
        account = opening.account
        looking = Deferred.fromCoroutine(self._looked_at(account, opening.make(), hides_copies=hides_copies))
        if account.is_remembered:
            looking.addTimeout(patience, self._clock)
        try:
            looked = await looking
        except TimedOut:
            away: Trouble = UpstreamUnavailable(f"no answer within {patience:g} seconds; try again later")
        except (UpstreamUnavailable, ListingIncomplete, MaildropInUse) as trouble:
            away = trouble
        except Trouble as trouble:
            self._note(account, _noteworthy(trouble))
            raise _of(account, trouble) from None
        else:
            self._note(account, "")
            return looked
        self._note(account, _noteworthy(away))
        recalled = await self._recalled(opening) if account.is_remembered else None
        if recalled is None:
            raise _of(account, away)
        self._emit(SourceAway(account.label, _told(away)))
        return recalled

    def _note(self, account: Account, text: str | None) -> None:
        """For `popbridge status`; "": all is well. Nobody waits for it, and nothing is lost with it."""
        if account.source and text is not None and self._noted.get(account.key) != text:
            self._noted[account.key] = text
            Deferred.fromCoroutine(self._store_note(account.key, text))

    async def _store_note(self, key: SourceKey, text: str) -> None:
        try:
            await self._store.note_trouble(key, text)
        except StateUnavailable:
            self._noted.pop(key, None)

    async def _looked_at(self, account: Account, source: Source, *, hides_copies: bool) -> _Looked:
        """What the messages are copies of is known before they are listed."""
        try:
            looked = await self._look(account, source)
            if not hides_copies:
                return looked
            learned_to = await learn_before_listing(self._store, account, looked.memory, source)
            return evolve(looked, memory=evolve(looked.memory, learned_to=learned_to))
        except GoesOn:
            raise
        except BaseException:
            source.abandon()
            raise

    async def _recalled(self, opening: Opening) -> _Looked | None:
        """None where nothing was ever listed."""
        account, store, now = opening.account, self._store, self._clock.seconds()
        memory = await store.recall(account.key)
        if memory is None:
            return None
        waiting = await store.journal(account.key, now)
        hidden = {e.uid for e in waiting if e.stage is not Stage.FLAGGED and e.incarnation == memory.incarnation}
        hidden |= self._deletions.done_since(account, memory)
        found = None
        if account.view.search:  # nobody can be asked: what it has ever found
            viewing = await store.viewing(account.key, account.viewer)
            found = frozenset(viewing.ranks if viewing is not None else ())
        source = Remembered(opening.make(), memory, account.place, account.label)
        return _Looked(account, source, memory, evolve(NOTHING_WAITS, hidden=frozenset(hidden)), found)


def _of(account: Account, trouble: Trouble) -> Trouble:
    """The same, and of which source."""
    text = str(trouble)
    said = text if text.startswith(account.label) else f"{account.label}: {text}"
    return type(trouble)(said, detail=trouble.detail)


def _noteworthy(trouble: Trouble) -> str | None:
    """What the owner has to know of. A session of somebody else's ends, and two kinds have a place of their own."""
    if isinstance(trouble, MaildropInUse | StateUnavailable | Renumbered):
        return None
    return _told(trouble)


def _told(trouble: Trouble) -> str:
    return f"{trouble} ({trouble.detail})" if trouble.detail else str(trouble)
