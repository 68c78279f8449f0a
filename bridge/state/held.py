"""A Store that holds what it was asked for last: a poll to which nothing is new reads one row, and waits for no thread.

What it holds is never older than what is stored: each time the store is asked for the version, since other processes
write there too; and while something of a source is being written nothing of it is held.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, succeed

from bridge.maildrop.journal import Entry
from bridge.maildrop.memory import Fingerprint, Memory, News, Viewing
from bridge.names import AccountName, SourceKey, SourceName
from bridge.state.store import Glance, Pending, Showing, Store, Troubled

T = TypeVar("T")
Hold = Callable[[SourceKey, T], T]

ROW = 24
"""Octets that a message takes in a listing, about; one that is not as computed takes more."""

EXCEPTION = 200

SOURCE = 4_000


@define(eq=False)
class _Held:
    """`fresh` False: it has to be read again, and is held for its listing, which somebody may know by its identity.

    `viewings` are of this version, like `memory`.
    """

    memory: Memory
    octets: int
    fresh: bool
    viewings: dict[str, Viewing | None] = field(factory=dict)


class HeldStore:
    """`most`: octets held, about; what was not used for longest goes first.

    A listing that is remembered or recalled is held as it is: whoever has it changes it no more.
    """

    def __init__(self, store: Store, most: int) -> None:
        self._store = store
        self._most = most
        self._octets = 0
        self._held: OrderedDict[SourceKey, _Held] = OrderedDict()
        self._written: dict[SourceKey, int] = {}  # how many writes are under way
        self._writes = 0  # so many have begun

    @property
    def durable(self) -> bool:
        return self._store.durable

    @property
    def octets(self) -> int:
        return self._octets

    # What is held.

    def recall(self, key: SourceKey) -> "Deferred[Memory | None]":
        held = self._current(key)
        if held is not None and held.fresh:
            self._held.move_to_end(key)
            return succeed(held.memory)

        return self._asked(key, self._store.recall(key), self._hold)

    def viewing(self, key: SourceKey, viewer: str) -> "Deferred[Viewing | None]":
        held = self._current(key)
        if held is not None and viewer in held.viewings:
            return succeed(held.viewings[viewer])

        def hold(key: SourceKey, viewing: Viewing | None) -> Viewing | None:
            if held is not None and self._held.get(key) is held:
                held.viewings[viewer] = viewing
            return viewing

        return self._asked(key, self._store.viewing(key, viewer), hold)

    def journal(self, key: SourceKey, now: float) -> "Deferred[list[Entry]]":
        glance = self._store.glance(key, now)
        if glance is not None and not glance.waiting:
            return succeed([])
        return self._store.journal(key, now)

    def _current(self, key: SourceKey) -> _Held | None:
        held = self._held.get(key)
        if held is None or key in self._written:
            return None
        glance = self._store.glance(key, 0.0)
        if glance is None:
            return None
        if glance.version != held.memory.version:
            self._drop(key)
            return None
        return held

    def _asked(self, key: SourceKey, answer: "Deferred[T]", hold: Hold[T]) -> "Deferred[T]":
        """What comes is held, unless something of this source is written meanwhile."""
        writes = self._writes

        def came(told: T) -> T:
            return hold(key, told) if writes == self._writes and key not in self._written else told

        return answer.addCallback(came)

    def _hold(self, key: SourceKey, memory: Memory | None) -> Memory | None:
        if memory is None:
            return None
        before = self._held.get(key)
        if before is not None and before.memory.version == memory.version and before.memory.listing == memory.listing:
            memory = evolve(memory, listing=before.memory.listing)
        self._put(key, memory, fresh=True)
        return memory

    def _put(self, key: SourceKey, memory: Memory, *, fresh: bool) -> None:
        self._drop(key)
        octets = SOURCE + ROW * len(memory.listing) + EXCEPTION * (len(memory.exceptions) + len(memory.true_sizes))
        if octets > self._most:
            return
        self._held[key] = _Held(memory, octets, fresh)
        self._octets += octets
        while self._octets > self._most:
            self._drop(next(iter(self._held)))

    def _drop(self, key: SourceKey) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._octets -= held.octets

    # What is written.

    def remember(self, key: SourceKey, memory: Memory, news: News) -> "Deferred[Memory]":
        def stored(memory: Memory) -> Memory:
            self._put(key, memory, fresh=False)
            return memory

        return self._writing(key, self._store.remember(key, memory, news)).addCallback(stored)

    def import_uidls(self, key: SourceKey, incarnation: int, uidls: Mapping[int, str]) -> "Deferred[None]":
        return self._writing(key, self._store.import_uidls(key, incarnation, uidls))

    def accept(self, key: SourceKey) -> "Deferred[bool]":
        return self._writing(key, self._store.accept(key))

    def learn(
        self,
        key: SourceKey,
        incarnation: int,
        *,
        true_sizes: Mapping[int, int],
        fingerprints: Mapping[int, Fingerprint],
        learned_to: int,
    ) -> "Deferred[None]":
        learning = self._store.learn(
            key, incarnation, true_sizes=true_sizes, fingerprints=fingerprints, learned_to=learned_to
        )
        held = self._held.get(key)
        if held is not None:
            held.fresh = False
        return self._writing(key, learning)

    def show(self, viewer: str, showings: Sequence[Showing], copies: Mapping[bytes, SourceName]) -> "Deferred[None]":
        writing = self._store.show(viewer, showings, copies)
        for showing in showings:
            writing = self._viewed(showing.key, writing)
        return writing

    def keep(self, key: SourceKey, viewer: str, incarnation: int, uids: Sequence[int]) -> "Deferred[None]":
        return self._viewed(key, self._store.keep(key, viewer, incarnation, uids))

    def give_up(self, key: SourceKey, entries: Sequence[Entry]) -> "Deferred[None]":
        return self._viewed(key, self._store.give_up(key, entries))

    def _viewed(self, key: SourceKey, writing: "Deferred[T]") -> "Deferred[T]":
        held = self._held.get(key)
        if held is not None:
            held.viewings.clear()
        return self._writing(key, writing)

    def _writing(self, key: SourceKey, writing: "Deferred[T]") -> "Deferred[T]":
        self._writes += 1
        self._written[key] = self._written.get(key, 0) + 1

        def written(result: T) -> T:
            self._written[key] -= 1
            if not self._written[key]:
                del self._written[key]
            return result

        return writing.addBoth(written)

    # What goes straight through.

    def glance(self, key: SourceKey, now: float) -> Glance | None:
        return self._store.glance(key, now)

    def known(self) -> "Deferred[list[SourceKey]]":
        return self._store.known()

    def fingerprints(self, key: SourceKey, incarnation: int) -> "Deferred[dict[int, Fingerprint]]":
        return self._store.fingerprints(key, incarnation)

    def note_trouble(self, key: SourceKey, text: str) -> "Deferred[None]":
        return self._store.note_trouble(key, text)

    def troubles(self) -> "Deferred[list[Troubled]]":
        return self._store.troubles()

    def keepers(self, key: SourceKey) -> "Deferred[int]":
        return self._store.keepers(key)

    def highest_number(self, account: AccountName, viewer: str) -> "Deferred[int]":
        return self._store.highest_number(account, viewer)

    def shown_first(
        self, account: AccountName, viewer: str, copies: Collection[bytes]
    ) -> "Deferred[dict[bytes, SourceName]]":
        return self._store.shown_first(account, viewer, copies)

    def write_down(self, key: SourceKey, entries: Sequence[Entry]) -> "Deferred[list[Entry]]":
        return self._store.write_down(key, entries)

    def advance(self, entries: Sequence[Entry]) -> "Deferred[None]":
        return self._store.advance(entries)

    def strike(self, entries: Sequence[Entry]) -> "Deferred[None]":
        return self._store.strike(entries)

    def pending(self) -> "Deferred[list[Pending]]":
        return self._store.pending()

    def close(self) -> "Deferred[None]":
        return self._store.close()
