# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""What every Store remembers of listings and UIDLs, the one in memory included: so tests above it may believe that one.

The same promises are held against both, and against a file that is closed and opened again before every question.
"""

from array import array
from math import inf

from attrs import evolve

from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.journal import Stage
from bridge.maildrop.memory import Issued, Moves, News, Viewing
from bridge.maildrop.uidl import UPSTREAM
from bridge.names import AccountName, SourceKey, SourceName, UidValidity
from bridge.state.store import Overtaken, Showing, UidlTaken
from tests.contracts.stores import (
    ALICE,
    BOB,
    OTHER_TEMPLATE,
    TEMPLATE,
    WORK,
    Contract,
    OnMemory,
    OnSqlite,
    OnSqliteOpenedAgain,
    entry,
    learned,
    listing,
    memory,
)


class Listings(Contract):
    """Held by all three."""

    # Remembering.

    async def test_nothing_is_known_of_a_stranger(self) -> None:
        assert await self.store.recall(ALICE) is None
        assert await self.store.viewing(ALICE, "") is None
        assert await self.store.journal(ALICE, inf) == []
        assert await self.store.pending() == []
        assert await self.store.known() == []
        assert await self.store.fingerprints(ALICE, 1) == {}
        assert not await self.store.accept(ALICE)

    async def test_what_was_remembered_comes_back_as_it_was(self) -> None:
        issued = (Issued(1, UidValidity(5), 17, TEMPLATE), Issued(2, UidValidity(2**32 - 1), 2**32 - 1, OTHER_TEMPLATE))
        made = memory(
            (1, 2, 3, 2**32 - 1),
            incarnation=3,
            issued=issued,
            exceptions=exceptions({2: "two", 3: "!three~"}),
            true_sizes={1: 2**40},
            learned_to=2,
            question="3 of 4 messages are not recognised",
        )
        stored = await self.store.remember(ALICE, made, News(given={2: "two", 3: "!three~"}))
        assert stored == evolve(made, version=1)
        assert await self.store.recall(ALICE) == stored

    async def test_the_names_of_a_pop3_upstream_are_kept_and_one_that_is_back_is_the_same_message(self) -> None:
        """Nobody else's UIDL is given away all the same: of another format, or in another place, it stays taken."""
        for template, back in ((UPSTREAM, True), ("emailid", False)):
            key = SourceKey(AccountName(template))
            both = memory((1, 2), template=template, exceptions=exceptions({1: "a", 2: "b"}))
            both.listing.names = ["a", "b"]
            stored = await self.store.remember(key, both, News(given={1: "a", 2: "b"}))
            assert (await self.again(key)).listing.names == ["a", "b"]

            one = memory((2,), template=template, highest=2, exceptions=exceptions({2: "b"}))
            one.listing.names = ["b"]
            stored = await self.store.remember(key, evolve(one, version=stored.version), News(gone=[1]))
            assert await self.again(key) == stored

            again = evolve(memory((2, 3), template=template), version=stored.version)
            await self.refused(self.store.remember(key, again, News(given={3: "b"})), UidlTaken)
            if back:
                await self.store.remember(key, again, News(given={3: "a"}))
                assert dict((await self.again(key)).exceptions.items()) == {2: "b", 3: "a"}
            else:
                await self.refused(self.store.remember(key, again, News(given={3: "a"})), UidlTaken)

    async def test_an_empty_mailbox(self) -> None:
        stored = await self.first(())
        assert await self.store.recall(ALICE) == stored

    async def test_huge_sizes_and_strange_names(self) -> None:
        key = SourceKey(AccountName("imaps://h %00 ä'\"; DROP TABLE"), SourceName("☃"))
        made = memory((1,), place="imaps://h ä\n")
        made.listing.sizes[0] = 2**64 - 1
        made.listing.dates[0] = -(2**62)
        stored = await self.store.remember(key, made, News())
        assert await self.store.recall(key) == stored
        assert await self.store.known() == [key]

    async def test_each_change_makes_a_new_version(self) -> None:
        stored = await self.first()
        changed = evolve(stored, listing=listing(7, (1, 2, 3, 4)), highest=4)
        stored = await self.store.remember(ALICE, changed, News(computed=["7.4"]))
        assert stored == evolve(changed, version=2)
        assert await self.store.recall(ALICE) == stored

    async def test_a_listing_whose_columns_stay_is_stored_with_its_new_numbers(self) -> None:
        stored = await self.first()
        rows = evolve(stored.listing, uidnext=99, highestmodseq=5, mailbox_id="F2")
        await self.store.remember(ALICE, evolve(stored, listing=rows), News(columns=False))
        assert (await self.again()).listing == rows

    async def test_what_the_caller_does_to_its_values_changes_nothing_stored(self) -> None:
        made = memory((1, 2))
        given = {1: "one"}
        await self.store.remember(ALICE, made, News(given=given))
        made.listing.without([1])
        given[2] = "two"
        for _ in range(2):
            found = await self.again()
            assert (list(found.listing.uids), dict(found.exceptions.items())) == ([1, 2], {1: "one"})
            found.listing.without([1, 2])
        ranks = array("I", [2, 1])
        await self.store.show("", [Showing(ALICE, Viewing(incarnation=1, ranks=ranks), None)], {})
        ranks.append(3)
        for _ in range(2):
            viewing = await self.store.viewing(ALICE, "")
            assert viewing is not None
            assert list(viewing.ranks) == [2, 1]
            viewing.ranks.pop()

    async def test_who_comes_second_is_told_to_think_again(self) -> None:
        await self.refused(self.store.remember(ALICE, memory((1,), version=1), News()), Overtaken)
        stored = await self.first()
        newer = await self.store.remember(ALICE, stored, News(given={1: "first"}))
        for version in (0, 1, 3):
            late = evolve(stored, version=version, listing=listing(7, (9,)))
            await self.refused(self.store.remember(ALICE, late, News(given={9: "second"})), Overtaken)
        assert await self.again() == evolve(newer, exceptions=exceptions({1: "first"}))

    async def test_sources_are_known_apart(self) -> None:
        for key, uids in ((BOB, (1,)), (WORK, (2,)), (ALICE, (3,))):
            await self.store.remember(key, memory(uids, uidvalidity=uids[0]), News())
        assert await self.store.known() == [ALICE, WORK, BOB]
        assert [list((await self.again(key)).listing.uids) for key in (BOB, WORK, ALICE)] == [[1], [2], [3]]

    # UIDLs.

    async def test_no_stored_uidl_is_given_to_another_message_of_the_account(self) -> None:
        stored = await self.first(given={1: "a", 2: "b"})
        for news, uidls in (
            (News(given={3: "a"}), {"a"}),
            (News(given={4: "b"}), {"b"}),
            (News(carried={3: "a"}), {"a"}),
            (News(computed=["x", "b", "a"]), {"a", "b"}),
            (News(given={3: "c", 4: "c"}), {"c"}),
            (News(given={3: "c"}, computed=["c"]), {"c"}),
        ):
            error = await self.refused(self.store.remember(ALICE, stored, news), UidlTaken)
            assert isinstance(error, UidlTaken)
            assert error.uidls == uidls
        assert await self.again() == evolve(stored, exceptions=exceptions({1: "a", 2: "b"}))

    async def test_nor_to_one_of_another_source_of_the_account(self) -> None:
        await self.first((1, 2), given={1: "a"})
        error = await self.refused(self.first((5, 6), WORK, uidvalidity=9, given={5: "a", 6: "7.2"}), UidlTaken)
        assert isinstance(error, UidlTaken)
        assert error.uidls == {"a", "7.2"}
        error = await self.refused(self.first((1, 2, 3), WORK, computed=["7.1", "7.2", "7.3"]), UidlTaken)
        assert isinstance(error, UidlTaken)
        assert error.uidls == {"7.2"}
        assert await self.store.recall(WORK) is None

    async def test_other_accounts_have_their_own(self) -> None:
        await self.first(given={1: "a"}, computed=["7.2", "7.3"])
        await self.first(key=BOB, given={1: "a"}, computed=["7.2", "7.3"])
        assert dict((await self.again(BOB)).exceptions.items()) == {1: "a"}

    async def test_a_gone_messages_uidl_stays_taken(self) -> None:
        stored = await self.first((1, 2, 3), given={1: "a"}, computed=["7.2", "7.3"])
        left = evolve(stored, listing=listing(7, (3,)))
        stored = await self.store.remember(ALICE, left, News(gone=[1, 2]))
        assert dict((await self.again()).exceptions.items()) == {}
        for uidl in ("a", "7.2", "7.3"):
            error = await self.refused(self.store.remember(ALICE, stored, News(given={4: uidl})), UidlTaken)
            assert isinstance(error, UidlTaken)
            assert error.uidls == {uidl}

    async def test_so_when_the_highest_uid_is_told_lower(self) -> None:
        stored = await self.first((1, 2, 3), computed=["7.1", "7.2", "7.3"])
        left = evolve(stored, listing=listing(7, (1,)), highest=1)
        stored = await self.store.remember(ALICE, left, News(gone=[2, 3]))
        await self.refused(self.store.remember(ALICE, stored, News(given={4: "7.3"})), UidlTaken)

    async def test_a_message_may_be_given_its_own_uidl_again(self) -> None:
        stored = await self.first(given={1: "a"}, computed=["7.2", "7.3"])
        stored = await self.store.remember(ALICE, stored, News(given={1: "a", 2: "7.2"}, computed=["7.3"]))
        assert dict((await self.again()).exceptions.items()) == {1: "a", 2: "7.2"}

    async def test_a_message_given_another_uidl_leaves_its_old_ones_taken(self) -> None:
        stored = await self.first(given={1: "a"}, computed=["7.2", "7.3"])
        stored = await self.store.remember(ALICE, stored, News(given={1: "A", 2: "B"}))
        assert dict((await self.again()).exceptions.items()) == {1: "A", 2: "B"}
        error = await self.refused(self.store.remember(ALICE, stored, News(given={4: "a", 5: "7.2"})), UidlTaken)
        assert isinstance(error, UidlTaken)
        assert error.uidls == {"a", "7.2"}

    async def test_the_old_formats_uidls_stay_taken_after_the_format_has_changed(self) -> None:
        stored = await self.first((1, 2, 3), computed=["7.1", "7.2", "7.3"])
        issued = (Issued(1, UidValidity(7), 3, TEMPLATE),)
        changed = evolve(stored, template=OTHER_TEMPLATE, issued=issued, listing=listing(7, (1, 2, 4)), highest=4)
        news = News(given={1: "7.1", 2: "7.2"}, gone=[3], computed=["UID4-7"])
        stored = await self.store.remember(ALICE, changed, news)
        found = await self.again()
        assert (found.issued, dict(found.exceptions.items())) == (issued, {1: "7.1", 2: "7.2"})
        for uidl in ("7.1", "7.3", "UID4-7"):
            await self.refused(self.store.remember(ALICE, stored, News(given={5: uidl})), UidlTaken)
        await self.store.remember(ALICE, stored, News(given={5: "7.4"}))

    # A new incarnation.

    async def test_a_rematched_message_carries_its_uidl_along(self) -> None:
        old = await self.first((1, 2, 3), given={1: "a"}, computed=["7.2", "7.3"])
        news = News(carried={11: "a", 12: "7.3"}, computed=["8.13"], moves=Moves({1: 11, 3: 12}))
        stored = await self.renewed(old, (11, 12, 13), news)
        found = await self.again()
        assert found == evolve(stored, exceptions=exceptions({11: "a", 12: "7.3"}))
        assert found.issued == (Issued(1, UidValidity(7), 3, TEMPLATE),)
        for uidl in ("a", "7.2", "7.3", "8.13"):
            await self.refused(self.store.remember(ALICE, stored, News(given={14: uidl})), UidlTaken)

    async def test_with_the_same_uidvalidity_too(self) -> None:
        """The mailbox was rebuilt from a copy: the same numbers, and other messages under them."""
        old = await self.first((1, 2, 3), computed=["7.1", "7.2", "7.3"])
        clash = News(carried={1: "7.3"}, computed=["7.2"], moves=Moves({3: 1}))
        error = await self.refused(self.renewed(old, (1, 2), clash, uidvalidity=7), UidlTaken)
        assert isinstance(error, UidlTaken)
        assert error.uidls == {"7.2"}
        news = News(carried={1: "7.3"}, given={2: "7.2-1"}, moves=Moves({3: 1}))
        stored = await self.renewed(old, (1, 2), news, uidvalidity=7)
        assert dict((await self.again()).exceptions.items()) == {1: "7.3", 2: "7.2-1"}
        await self.refused(self.store.remember(ALICE, stored, News(given={5: "7.2"})), UidlTaken)

    async def test_there_and_back_again(self) -> None:
        """v1 → v2 → v1: a UIDL follows its message, and what was not carried on is nobody's any more."""
        first = await self.first((1, 2), computed=["7.1", "7.2"])
        second = await self.renewed(first, (1,), News(carried={1: "7.2"}, moves=Moves({2: 1})))
        for news in (News(carried={1: "7.1"}, moves=Moves({1: 1})), News(computed=["7.1"])):
            await self.refused(self.renewed(second, (1, 2), news, uidvalidity=7), UidlTaken)
        third = News(carried={1: "7.2"}, given={2: "7.2-1"}, moves=Moves({1: 1}))
        await self.renewed(second, (1, 2), third, uidvalidity=7)
        assert dict((await self.again()).exceptions.items()) == {1: "7.2", 2: "7.2-1"}

    async def test_a_gone_messages_uidl_is_not_carried(self) -> None:
        stored = await self.first((1, 2, 3), given={1: "a"}, computed=["7.2", "7.3"])
        left = evolve(stored, listing=listing(7, (3,)))
        stored = await self.store.remember(ALICE, left, News(gone=[1, 2]))
        for uidl in ("a", "7.2"):
            news = News(carried={11: uidl}, moves=Moves({3: 11}))
            await self.refused(self.renewed(stored, (11,), news), UidlTaken)

    async def test_what_was_learned_belongs_to_the_old_incarnation(self) -> None:
        old = await self.first()
        await self.store.learn(ALICE, 1, true_sizes={1: 5}, fingerprints=learned(1, 2), learned_to=2)
        stored = await self.renewed(old, (1, 2), News(moves=Moves({1: 1})), true_sizes={2: 6}, learned_to=1)
        found = await self.again()
        assert found == stored
        assert (found.true_sizes, found.learned_to) == ({2: 6}, 1)
        assert await self.store.fingerprints(ALICE, 2) == {}
        assert await self.store.fingerprints(ALICE, 1) == {}

    async def test_viewers_that_have_deleted_for_themselves_alone_are_counted(self) -> None:
        assert await self.store.keepers(ALICE) == 0
        await self.first((1, 2))
        await self.store.show("a", [Showing(ALICE, Viewing(incarnation=1, ranks=array("I", [2])), None)], {})
        for viewer in ("b", "d"):
            await self.store.keep(ALICE, viewer, 1, [1])
        await self.store.keep(ALICE, "c", 1, [9])  # not listed, so nothing to remember
        assert await self.store.keepers(ALICE) == 2

    async def test_every_viewers_order_and_deletions_move_along(self) -> None:
        old = await self.first((1, 2, 3, 4))
        await self.store.show(
            "a", [Showing(ALICE, Viewing(incarnation=1, ranks=array("I", [4, 1, 3]), floor=3), None)], {}
        )
        await self.store.keep(ALICE, "b", 1, [1, 2])
        await self.renewed(old, (11, 12, 14), News(moves=Moves({1: 12, 3: 11, 4: 14})))
        assert await self.store.viewing(ALICE, "a") == Viewing(incarnation=2, ranks=array("I", [14, 12, 11]), floor=13)
        assert await self.store.viewing(ALICE, "b") == Viewing(incarnation=2, kept=frozenset({12}))

    async def test_a_deletion_follows_its_message_only_where_that_is_certain(self) -> None:
        old = await self.first((1, 2, 3, 4))
        marked = [entry(uid, viewer=f"v{uid}", stage=Stage.SENT, due=5.0, modseq=9) for uid in (1, 2, 3, 4)]
        written = await self.store.write_down(ALICE, marked)
        moves = Moves({1: 2, 2: 1, 3: 13}, certain=frozenset({1, 2, 4}))
        await self.renewed(old, (1, 2, 13), News(moves=moves))
        followed = [written[0]._replace(uid=2, size=200, date=2), written[1]._replace(uid=1, size=100, date=1)]
        assert await self.store.journal(ALICE, inf) == [e._replace(incarnation=2, modseq=0) for e in followed]
        assert await self.store.viewing(ALICE, "v3") == Viewing(incarnation=2, kept=frozenset({13}))
        for viewer in ("v1", "v2", "v4"):
            assert await self.store.viewing(ALICE, viewer) is None

    async def test_an_entry_that_has_moved_is_not_touched_by_who_knows_the_old_one(self) -> None:
        old = await self.first((1,))
        written = await self.store.write_down(ALICE, [entry(1)])
        await self.renewed(old, (2,), News(moves=Moves({1: 2}, certain=frozenset({1}))))
        waiting = await self.store.journal(ALICE, inf)
        assert [(e.id, e.uid) for e in waiting] == [(written[0].id, 2)]
        await self.store.advance([written[0]._replace(stage=Stage.SENT, modseq=9)])
        await self.store.strike(written)
        await self.store.give_up(ALICE, written)
        assert await self.store.journal(ALICE, inf) == waiting
        assert await self.store.viewing(ALICE, "") is None


class ListingsOnMemory(Listings, OnMemory):
    pass


class ListingsOnSqlite(Listings, OnSqlite):
    pass


class ListingsOnSqliteOpenedAgain(Listings, OnSqliteOpenedAgain):
    pass
