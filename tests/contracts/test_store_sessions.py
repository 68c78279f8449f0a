# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""What every Store keeps for sessions: what they learn, show and delete, and the owner's word (see test_store.py)."""

from array import array
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred

from bridge.maildrop.errors import StateUnavailable
from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.journal import Stage
from bridge.maildrop.memory import Moves, News, Viewing
from bridge.maildrop.retention import Policy
from bridge.state.store import VIEWERS_AT_MOST, Overtaken, Pending, Showing, UidlTaken
from tests.contracts.stores import (
    ALICE,
    BOB,
    WORK,
    Contract,
    OnMemory,
    OnSqlite,
    OnSqliteOpenedAgain,
    entry,
    learned,
    listing,
)


class Sessions(Contract):
    """Held by all three."""

    # Trouble.

    async def test_a_source_in_trouble_is_known_with_its_latest_reason_until_it_is_over(self) -> None:
        """It may never have been listed."""
        for key, text in ((WORK, "away"), (ALICE, "no answer"), (WORK, "refused")):
            await self.store.note_trouble(key, text)
        assert [(one.key, one.text) for one in await self.store.troubles()] == sorted(
            [(ALICE, "no answer"), (WORK, "refused")], key=lambda one: (one[0].account, one[0].source)
        )
        assert all(one.since > 0 for one in await self.store.troubles())
        for key in (ALICE, BOB):
            await self.store.note_trouble(key, "")
        assert [one.key for one in await self.store.troubles()] == [WORK]

    # Learning.

    async def test_what_is_learned_adds_up_and_makes_no_new_version(self) -> None:
        stored = await self.first((1, 2, 3, 4))
        await self.store.learn(ALICE, 1, true_sizes={1: 5}, fingerprints=learned(1, 2), learned_to=2)
        await self.store.learn(ALICE, 1, true_sizes={1: 7, 3: 2**40}, fingerprints=learned(3), learned_to=1)
        found = await self.again()
        assert found == evolve(stored, true_sizes={1: 7, 3: 2**40}, learned_to=2)
        assert await self.store.fingerprints(ALICE, 1) == learned(1, 2, 3)
        await self.store.remember(ALICE, evolve(stored, true_sizes={2: 9}), News(columns=False))
        assert (await self.again()).true_sizes == {1: 7, 3: 2**40}

    async def test_of_another_incarnation_or_a_stranger_nothing_is_learned(self) -> None:
        stored = await self.first()
        for key, incarnation in ((ALICE, 2), (BOB, 1)):
            await self.store.learn(key, incarnation, true_sizes={1: 5}, fingerprints=learned(1), learned_to=3)
        assert await self.again() == stored
        assert await self.store.recall(BOB) is None

    async def test_of_gone_messages_nothing_stays_known(self) -> None:
        stored = await self.first((1, 2, 3))
        for _ in range(2):
            await self.store.learn(ALICE, 1, true_sizes={1: 5, 2: 6}, fingerprints=learned(1, 2), learned_to=3)
            await self.store.keep(ALICE, "a", 1, [1, 2])
            left = evolve(stored, listing=listing(7, (2, 3)))
            before = await self.store.viewing(ALICE, "a")
            await self.store.show(
                "a", [Showing(ALICE, Viewing(incarnation=1, ranks=array("I", [2, 1, 3]), floor=2), before)], {}
            )
            stored = await self.store.remember(ALICE, left, News(gone=[1]))
            assert (await self.again()).true_sizes == {2: 6}
            assert await self.store.fingerprints(ALICE, 1) == learned(2)
            shown = Viewing(incarnation=1, ranks=array("I", [2, 1, 3]), kept=frozenset({2}), floor=2)  # but its rank
            assert await self.store.viewing(ALICE, "a") == shown
        await self.store.keep(ALICE, "a", 1, [1])
        assert await self.store.viewing(ALICE, "a") == shown

    # Viewers.

    async def test_each_viewer_has_its_own_order_and_deletions(self) -> None:
        await self.first((1, 2, 3))
        await self.store.keep(ALICE, "a", 1, [1])
        await self.store.show(
            "a", [Showing(ALICE, Viewing(incarnation=1, ranks=array("I", [3, 1]), kept=frozenset({3})), None)], {}
        )
        await self.store.keep(ALICE, "a", 1, [2, 1, 2])
        await self.store.show("b", [Showing(ALICE, Viewing(incarnation=1), None)], {})
        shown = Viewing(incarnation=1, ranks=array("I", [3, 1]), kept=frozenset({1, 2}))
        assert await self.store.viewing(ALICE, "a") == shown
        assert await self.store.viewing(ALICE, "b") == Viewing(incarnation=1)
        assert await self.store.viewing(ALICE, "c") is None

    async def test_of_two_that_show_at_once_the_second_is_told_to_think_again(self) -> None:
        await self.first((1, 2, 3))
        first, second = (Viewing(incarnation=1, ranks=array("I", ranks), floor=2) for ranks in ([2, 3], [3, 2]))
        higher = evolve(first, floor=3)
        await self.store.show("a", [Showing(ALICE, first, None)], {})
        for before in (None, second, higher):
            await self.refused(self.store.show("a", [Showing(ALICE, higher, before)], {}), Overtaken)
        assert await self.store.viewing(ALICE, "a") == first
        await self.store.keep(ALICE, "a", 1, [1])  # is not what a login stores of its order
        await self.store.show("a", [Showing(ALICE, second, first)], {})
        await self.refused(self.store.show("a", [Showing(ALICE, higher, first)], {}), Overtaken)
        await self.store.show("b", [Showing(ALICE, higher, None)], {})
        assert await self.store.viewing(ALICE, "a") == evolve(second, kept=frozenset({1}))

    async def test_who_has_only_deleted_was_shown_nothing_before(self) -> None:
        await self.first((1, 2, 3))
        await self.store.keep(ALICE, "a", 1, [1])
        before = await self.store.viewing(ALICE, "a")
        shown = Viewing(incarnation=1, ranks=array("I", [2, 3]), kept=frozenset({1}))
        await self.refused(self.store.show("a", [Showing(ALICE, shown, shown)], {}), Overtaken)
        await self.store.show("a", [Showing(ALICE, shown, before)], {})
        assert await self.store.viewing(ALICE, "a") == shown

    async def test_a_new_viewer_takes_the_place_of_who_was_shown_something_new_longest_ago(self) -> None:
        old, shown = await self.first((1, 2, 3)), Viewing(incarnation=1, ranks=array("I", [2]))
        for viewer in ("", *map(str, range(VIEWERS_AT_MOST - 1, 0, -1))):
            await self.store.show(viewer, [Showing(ALICE, shown, None)], {})
        for viewer in ("49", "47", "other"):
            await self.store.keep(ALICE, viewer, 1, [1])
        again = Viewing(incarnation=1, ranks=array("I", [2, 3]))
        await self.store.show("48", [Showing(ALICE, again, shown)], {})
        await self.renewed(old, (1, 2, 3), News(moves=Moves({1: 1, 2: 2, 3: 3})))
        again, shown = evolve(again, incarnation=2), evolve(shown, incarnation=2)
        await self.store.show("48", [Showing(ALICE, shown, again)], {})
        assert await self.store.viewing(ALICE, "46") == shown
        await self.store.show("new", [Showing(ALICE, shown, None)], {})
        await self.store.show("other", [Showing(ALICE, shown, None)], {})
        await self.store.show("new", [Showing(ALICE, shown, shown)], {})
        for gone in ("46", "45"):
            assert await self.store.viewing(ALICE, gone) is None
            await self.refused(self.store.show(gone, [Showing(ALICE, shown, shown)], {}), Overtaken)
        for kept in ("", "1", "44", "47", "48", "49", "new", "other"):
            viewing = await self.store.viewing(ALICE, kept)
            assert viewing is not None
            assert viewing.ranks == shown.ranks

    async def test_who_has_deleted_for_itself_alone_makes_room_for_nobody(self) -> None:
        await self.first((1, 2, 3))
        shown, viewers = Viewing(incarnation=1, ranks=array("I", [2])), [*map(str, range(VIEWERS_AT_MOST)), "new"]
        for viewer in viewers:
            await self.store.show(viewer, [Showing(ALICE, shown, None)], {})
            await self.store.keep(ALICE, viewer, 1, [1])
        for viewer in viewers:
            assert await self.store.viewing(ALICE, viewer) == evolve(shown, kept=frozenset({1}))

    async def test_a_viewing_of_another_incarnation_is_refused(self) -> None:
        await self.first()
        for key, incarnation in ((ALICE, 2), (BOB, 1)):
            await self.refused(
                self.store.show("", [Showing(key, Viewing(incarnation=incarnation), None)], {}), Overtaken
            )
            await self.refused(self.store.keep(key, "", incarnation, [1]), Overtaken)
            await self.refused(self.store.write_down(key, [entry(1, incarnation=incarnation)]), Overtaken)
        assert await self.store.viewing(ALICE, "") is None
        assert await self.store.pending() == []

    # Several sources behind one login.

    async def test_several_sources_are_shown_together_or_not_at_all(self) -> None:
        await self.first((1, 2, 3))
        await self.first((1, 2), key=WORK)
        shown = Viewing(incarnation=1, ranks=array("I", [2, 1]), numbers=array("I", [1, 4]))
        beside = Viewing(incarnation=1, ranks=array("I", [1, 2]), numbers=array("I", [0, 3]))
        together = [Showing(ALICE, shown, None), Showing(WORK, beside, None)]
        for wrong in (evolve(together[1], before=beside), evolve(together[1], viewing=evolve(beside, incarnation=2))):
            await self.refused(self.store.show("", [together[0], wrong], {b"copy": WORK.source}), Overtaken)
        assert await self.store.viewing(ALICE, "") is None
        assert await self.store.shown_first(ALICE.account, "", [b"copy"]) == {}
        await self.store.show("", together, {})
        assert await self.store.viewing(ALICE, "") == shown
        assert await self.store.viewing(WORK, "") == beside
        more = evolve(shown, ranks=array("I", [2, 1, 3]), numbers=array("I", [1, 4, 5]))
        late = Showing(WORK, beside, evolve(beside, numbers=array("I", [2, 3])))
        await self.refused(self.store.show("", [Showing(ALICE, more, shown), late], {}), Overtaken)
        await self.store.show("", [Showing(ALICE, more, shown), Showing(WORK, beside, beside)], {})
        assert await self.store.viewing(ALICE, "") == more

    async def test_the_highest_number_is_that_of_all_sources_of_the_account(self) -> None:
        assert await self.store.highest_number(ALICE.account, "") == 0
        for key, number in ((ALICE, 5), (WORK, 2**32 - 1), (BOB, 7)):
            await self.first((1,), key=key)
            shown = Viewing(incarnation=1, ranks=array("I", [1]), numbers=array("I", [number]))
            await self.store.show("v", [Showing(key, shown, None)], {})
        assert await self.store.highest_number(ALICE.account, "v") == 2**32 - 1
        assert await self.store.highest_number(BOB.account, "v") == 7
        assert await self.store.highest_number(BOB.account, "") == 0

    async def test_whose_message_was_shown_first_stays_known_to_each_viewer(self) -> None:
        await self.first()
        await self.first((1,), key=WORK)
        await self.store.show("", [Showing(ALICE, Viewing(incarnation=1), None)], {b"a": ALICE.source})
        again = Showing(WORK, Viewing(incarnation=1), None)
        await self.store.show("", [again], {b"a": WORK.source, b"b": WORK.source})
        asked = [b"a", b"b", b"c"]
        assert await self.store.shown_first(ALICE.account, "", asked) == {b"a": ALICE.source, b"b": WORK.source}
        assert await self.store.shown_first(ALICE.account, "v", asked) == {}
        assert await self.store.shown_first(BOB.account, "", asked) == {}

    async def test_into_a_new_incarnation_numbers_move_with_their_ranks(self) -> None:
        old = await self.first((1, 2, 3))
        shown = Viewing(incarnation=1, ranks=array("I", [3, 1, 2]), numbers=array("I", [4, 7]))
        await self.store.show("", [Showing(ALICE, shown, None)], {})
        await self.renewed(old, (5, 6), News(computed=["8.5", "8.6"], moves=Moves({1: 6, 2: 5})))
        moved = Viewing(incarnation=2, ranks=array("I", [6, 5]), numbers=array("I", [7]))
        assert await self.store.viewing(ALICE, "") == moved
        assert await self.store.highest_number(ALICE.account, "") == 7

    # The journal.

    async def test_an_entry_waits_until_it_is_struck(self) -> None:
        await self.first((1, 2, 3))
        marked = [entry(uid, viewer="scanner", due=0.1 + uid, policy=policy) for uid, policy in enumerate(Policy, 1)]
        written = await self.store.write_down(ALICE, marked)
        assert [e._replace(id=0) for e in written] == marked
        assert len({e.id for e in written} - {0}) == len(marked)
        assert await self.store.journal(ALICE, inf) == written
        assert await self.store.journal(WORK, inf) == []
        sent = written[0]._replace(stage=Stage.SENT, due=9.25, modseq=2**63 - 1)
        await self.store.advance([sent, written[1]._replace(stage=Stage.FLAGGED)])
        await self.store.strike(written[2:])
        assert await self.store.journal(ALICE, inf) == [sent, written[1]._replace(stage=Stage.FLAGGED)]

    async def test_what_waits_for_its_purge_is_told_when_it_is_due(self) -> None:
        await self.first((1, 2, 3))
        written = await self.store.write_down(ALICE, [entry(uid, due=9.5) for uid in (1, 2, 3)])
        flagged = [e._replace(stage=Stage.FLAGGED, due=8.5 + e.uid) for e in written[:2]]
        await self.store.advance([*flagged, written[2]._replace(stage=Stage.SENT)])
        waits = await self.store.journal(ALICE, 0.0)
        assert waits == [written[2]._replace(stage=Stage.SENT)]
        assert await self.store.journal(ALICE, 9.5) == [flagged[0], *waits]
        assert await self.store.journal(ALICE, 10.5) == [*flagged, *waits]
        assert await self.store.pending() == [Pending(ALICE, 1, Contract.now, flagged=2)]
        await self.store.strike(written[2:])
        assert await self.store.pending() == [Pending(ALICE, 0, 0.0, flagged=2)]

    async def test_only_stage_due_and_modseq_advance(self) -> None:
        await self.first()
        written = await self.store.write_down(ALICE, [entry(1)])
        await self.store.advance([written[0]._replace(size=1, date=1, uid=2, policy=Policy.EXPUNGE, viewer="x")])
        assert await self.store.journal(ALICE, inf) == written

    async def test_what_was_struck_stays_struck(self) -> None:
        await self.first()
        written = await self.store.write_down(ALICE, [entry(1)])
        await self.store.strike(written)
        await self.store.advance(written)
        await self.store.strike(written)
        await self.store.give_up(ALICE, written)
        assert await self.store.journal(ALICE, inf) == []
        assert await self.store.viewing(ALICE, "") is None
        later = await self.store.write_down(ALICE, [entry(2)])
        assert later[0].id != written[0].id

    async def test_a_message_waits_only_once(self) -> None:
        await self.first()
        await self.first((1,), WORK, uidvalidity=9)
        others = await self.store.write_down(WORK, [entry(1)])
        old = await self.store.write_down(ALICE, [entry(1, viewer="a"), entry(2)])
        new = await self.store.write_down(ALICE, [entry(1, viewer="b")])
        assert await self.store.journal(ALICE, inf) == [old[1], *new]
        assert await self.store.journal(WORK, inf) == others
        await self.store.strike(old[:1])
        assert await self.store.journal(ALICE, inf) == [old[1], *new]

    async def test_what_is_given_up_is_kept_from_who_deleted_it(self) -> None:
        await self.first()
        written = await self.store.write_down(ALICE, [entry(1, viewer="a"), entry(2, viewer="b"), entry(3)])
        await self.store.give_up(WORK, written)
        await self.store.give_up(ALICE, written[:2])
        assert await self.store.journal(ALICE, inf) == written[2:]
        assert await self.store.viewing(ALICE, "a") == Viewing(incarnation=1, kept=frozenset({1}))
        assert await self.store.viewing(ALICE, "b") == Viewing(incarnation=1, kept=frozenset({2}))

    async def test_a_gone_messages_entry_is_struck_by_who_wrote_it(self) -> None:
        stored = await self.first((1, 2))
        written = await self.store.write_down(ALICE, [entry(1)])
        await self.store.remember(ALICE, evolve(stored, listing=listing(7, (2,))), News(gone=[1]))
        assert await self.store.journal(ALICE, inf) == written
        await self.store.give_up(ALICE, written)
        assert await self.store.viewing(ALICE, "") is None

    async def test_what_waits_is_counted_with_its_age(self) -> None:
        await self.first()
        await self.first(key=BOB)
        old = await self.store.write_down(BOB, [entry(1), entry(2)])
        self.now += 60
        await self.store.write_down(ALICE, [entry(1)])
        await self.store.write_down(BOB, [entry(3)])
        start = Contract.now
        assert await self.store.pending() == [Pending(ALICE, 1, start + 60), Pending(BOB, 3, start)]
        await self.store.strike(old)
        assert await self.store.pending() == [Pending(ALICE, 1, start + 60), Pending(BOB, 1, start + 60)]

    # The owner's word.

    async def test_the_owners_word_holds_for_the_next_change(self) -> None:
        stored = await self.first()
        assert await self.store.accept(ALICE)
        found = await self.again()
        assert found == evolve(stored, accepted=True, version=2)
        late = evolve(stored, question="asked before the word was heard")
        await self.refused(self.store.remember(ALICE, late, News(columns=False)), Overtaken)
        assert await self.again() == found
        changed = await self.store.remember(ALICE, found, News(columns=False))
        assert not changed.accepted
        assert not (await self.again()).accepted

    async def test_an_imported_list_overrides_what_messages_had(self) -> None:
        stored = await self.first(given={1: "a"}, computed=["7.2", "7.3"])
        await self.store.import_uidls(ALICE, 1, {1: "old-1", 2: "old-2", 9: "old-9"})
        found = await self.again()
        assert found == evolve(stored, version=2, exceptions=exceptions({1: "old-1", 2: "old-2"}))
        await self.refused(self.store.remember(ALICE, stored, News()), Overtaken)
        for uidl in ("a", "7.2", "old-1", "old-2"):
            await self.refused(self.store.remember(ALICE, found, News(given={3: uidl})), UidlTaken)
        await self.store.import_uidls(ALICE, 1, {1: "a", 2: "7.2", 3: "old-9"})
        assert dict((await self.again()).exceptions.items()) == {1: "a", 2: "7.2", 3: "old-9"}

    async def test_an_import_that_cannot_be_changes_nothing(self) -> None:
        stored = await self.first(given={1: "a"}, computed=["7.2", "7.3"])
        for key, incarnation in ((ALICE, 2), (BOB, 1)):
            await self.refused(self.store.import_uidls(key, incarnation, {1: "x"}), Overtaken)
        lists: tuple[Mapping[int, str], ...] = ({2: "a"}, {2: "x", 1: "x"}, {2: "x", 3: "7.2"})
        for uidls in lists:
            await self.refused(self.store.import_uidls(ALICE, 1, uidls), UidlTaken)
        assert await self.again() == evolve(stored, exceptions=exceptions({1: "a"}))

    # The end.

    async def test_after_the_end_nothing_is_promised(self) -> None:
        await self.first()
        await self.store.close()
        await self.store.close()
        asks: tuple[Callable[[], Deferred[Any]], ...] = (
            lambda: self.store.recall(ALICE),
            lambda: self.store.write_down(ALICE, [entry(1)]),
            self.store.pending,
        )
        for ask in asks:
            await self.refused(ask(), StateUnavailable)


class SessionsOnMemory(Sessions, OnMemory):
    pass


class SessionsOnSqlite(Sessions, OnSqlite):
    pass


class SessionsOnSqliteOpenedAgain(Sessions, OnSqliteOpenedAgain):
    pass
