# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""What is held is what is stored: every promise of a Store holds with it, whoever writes to the store meanwhile."""

from math import inf
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred, succeed

from bridge.maildrop.memory import Memory, News, Viewing
from bridge.names import SourceName
from bridge.state.held import HeldStore
from bridge.state.store import Glance, Showing, Store
from tests.contracts.stores import ALICE, BOB, OnMemory, OnSqlite, entry, listing, memory
from tests.contracts.test_store import Listings
from tests.contracts.test_store_sessions import Sessions


class OnHeldMemory(OnMemory):
    def setUp(self) -> None:
        super().setUp()
        self.store = HeldStore(self.store, 10_000_000)


class OnHeldSqlite(OnSqlite):
    def opened(self) -> Store:
        return HeldStore(super().opened(), 10_000_000)


class HeldListings(Listings):
    # Listings are shared here: nobody changes one that he has shown.
    test_what_the_caller_does_to_its_values_changes_nothing_stored = None  # type: ignore[assignment]  # left out


class ListingsOnHeldMemory(HeldListings, OnHeldMemory):
    pass


class ListingsOnHeldSqlite(HeldListings, OnHeldSqlite):
    pass


class SessionsOnHeldMemory(Sessions, OnHeldMemory):
    pass


class SessionsOnHeldSqlite(Sessions, OnHeldSqlite):
    pass


class HoldingTest(OnMemory):
    """`beneath` is the store as another process would use it."""

    now = 1_700_000_000.5

    def setUp(self) -> None:
        super().setUp()
        self.beneath = self.store
        self.held = HeldStore(self.beneath, 100_000)

    def told(self, deferred: "Deferred[Any]") -> Any:
        return self.successResultOf(deferred)

    def remembered(self, *uids: int) -> Memory:
        stored: Memory = self.told(self.held.remember(ALICE, memory(uids), News()))
        return stored

    def test_the_listing_that_was_remembered_is_the_very_same(self) -> None:
        stored = self.remembered(1, 2)
        again = self.told(self.held.recall(ALICE))
        assert (again, again.listing is stored.listing) == (stored, True)

    def test_what_was_recalled_is_not_read_again(self) -> None:
        self.told(self.beneath.remember(ALICE, memory((1, 2)), News()))
        first = self.told(self.held.recall(ALICE))
        assert self.told(self.held.recall(ALICE)) is first

    def test_what_another_process_has_changed_is_read(self) -> None:
        self.remembered(1, 2)
        self.told(self.beneath.import_uidls(ALICE, 1, {2: "two"}))
        again = self.told(self.held.recall(ALICE))
        assert again.exceptions.get(2) == "two"
        self.told(self.beneath.accept(ALICE))
        assert self.told(self.held.recall(ALICE)).accepted

    def test_what_was_learned_is_seen_and_the_listing_is_the_same_one(self) -> None:
        stored = self.remembered(1, 2)
        self.told(self.held.learn(ALICE, 1, true_sizes={1: 7}, fingerprints={}, learned_to=2))
        again = self.told(self.held.recall(ALICE))
        assert (again.true_sizes, again.learned_to) == ({1: 7}, 2)
        assert again.listing is stored.listing

    def test_a_journal_is_read_whenever_something_waits_there(self) -> None:
        self.remembered(1, 2)
        assert self.told(self.held.journal(ALICE, inf)) == []
        self.told(self.beneath.write_down(ALICE, [entry(1)]))
        assert [one.uid for one in self.told(self.held.journal(ALICE, inf))] == [1]
        assert self.told(self.held.journal(BOB, inf)) == []

    def test_what_a_viewer_was_shown_is_held_until_it_changes(self) -> None:
        self.remembered(1, 2)
        assert self.told(self.held.viewing(ALICE, "")) is None
        viewing = Viewing(incarnation=1, ranks=listing(7, [2, 1]).uids)
        self.told(self.held.show("", [Showing(ALICE, viewing, None)], {}))
        shown = self.told(self.held.viewing(ALICE, ""))
        assert list(shown.ranks) == [2, 1]
        assert self.told(self.held.viewing(ALICE, "")) is shown
        self.told(self.held.keep(ALICE, "", 1, [2]))
        assert self.told(self.held.viewing(ALICE, "")).kept == {2}

    def test_the_least_used_go_first(self) -> None:
        held = HeldStore(self.beneath, 10_000)
        self.told(held.remember(ALICE, memory((1,)), News()))
        self.told(held.recall(ALICE))
        alice = self.told(held.recall(ALICE))
        self.told(held.remember(BOB, memory((1, 2)), News()))
        assert self.told(held.recall(ALICE)) is alice
        third = evolve(BOB, source=SourceName("third"))
        self.told(held.remember(third, memory((1, 2)), News()))
        assert held.octets <= 10_000
        assert self.told(held.recall(ALICE)) is alice
        large = evolve(BOB, source=SourceName("large"))
        stored = self.told(held.remember(large, memory(range(1, 1000)), News()))
        assert self.told(held.recall(large)) is not stored, "too large to be held at all"
        assert self.told(held.recall(ALICE)) is alice

    def test_nothing_is_held_while_something_is_written(self) -> None:
        slow = _Slow(self.beneath)
        held = HeldStore(cast("Store", slow), 100_000)
        first = self.told(self.beneath.remember(ALICE, memory((1, 2)), News()))
        reading = held.recall(ALICE)
        writing = held.remember(ALICE, evolve(memory((1, 2, 3)), version=1), News())
        slow.answer()
        assert len(self.told(reading).listing) == len(first.listing)
        assert len(self.told(writing).listing) == 3
        assert len(self.told(held.recall(ALICE)).listing) == 3

    def test_a_store_that_cannot_say_now_is_asked(self) -> None:
        stored = self.remembered(1, 2)
        self.told(self.beneath.close())
        assert self.beneath.glance(ALICE, inf) is None
        self.failureResultOf(self.held.recall(ALICE))
        assert stored.version == 1


class _Slow:
    """It has read before the write, and says so after."""

    durable = False

    def __init__(self, store: Store) -> None:
        self._store = store
        self._waiting: list[tuple[Deferred[Any], Any]] = []

    def answer(self) -> None:
        waiting, self._waiting = self._waiting, []
        for deferred, result in waiting:
            deferred.callback(result)

    def glance(self, key: Any, now: float) -> Glance | None:
        return self._store.glance(key, now)

    def remember(self, *args: Any) -> Any:
        return self._store.remember(*args)

    def recall(self, key: Any) -> "Deferred[Any]":
        read: list[Any] = []
        self._store.recall(key).addCallback(read.append)
        if self._store.glance(key, 0.0) == Glance(1, waiting=False):
            late: Deferred[Any] = Deferred()
            self._waiting.append((late, read[0]))
            return late
        return succeed(read[0])
