# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Opening a maildrop: a complete snapshot through the login's view, stored before it is shown, or a Trouble."""

from array import array
from typing import Any

import pytest
from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from bridge.accounts.account import Account
from bridge.config import PassThrough, Upstream
from bridge.maildrop.errors import (
    ListingIncomplete,
    MailboxReplaced,
    MessageMarked,
    StateUnavailable,
    TooManyDeletions,
    TooManyViews,
)
from bridge.maildrop.memory import Moves, News
from bridge.maildrop.view import View
from bridge.names import AccountName, MessageNumber, SourceKey
from bridge.postoffice.numbering import ROUNDS
from bridge.postoffice.opening import PostOffice
from bridge.postoffice.visit import Visit
from bridge.state.memory import MemoryStore
from bridge.state.store import VIEWERS_AT_MOST, Overtaken
from tests.contracts.fake_source import FakeMessage, FakeSource
from tests.postoffice.kit import DurableStore, Ground, result


def account(**settings: object) -> Account:
    upstream = Upstream("imap", "tls", "imap.example.org", 993)
    return Account(b"alice", AccountName("alice"), PassThrough(upstream=upstream, **settings))  # type: ignore[arg-type]  # its own


def opening(source: FakeSource, **settings: object) -> "Deferred[Visit]":
    ground = Ground()
    office = PostOffice(MemoryStore(), ground.clock, ground.events.append, quit_wait=2.5, deletion_wait=50)
    return Deferred.fromCoroutine(office.open(account(**settings), source))


class OpeningTest(SynchronousTestCase):
    def test_what_pop3_may_see_in_the_accounts_own_way(self) -> None:
        source = FakeSource({3: FakeMessage(b"abc"), 5: FakeMessage(b"x", hidden=True), 9: FakeMessage(b"defg")})
        drop = self.successResultOf(opening(source, uidl="courier", max_deletions=1)).maildrop
        self.assertEqual((drop.count, drop.octets), (2, 7))
        self.assertEqual(drop.uid(MessageNumber(2)), 9)
        drop.mark(MessageNumber(1))
        self.assertRaises(MessageMarked, drop.mark, MessageNumber(1))
        self.assertRaises(TooManyDeletions, drop.mark, MessageNumber(2))
        self.assertFalse(source.abandoned)

    def test_the_uidl_is_the_accounts_choice(self) -> None:
        made = set()
        for name in ("bridge", "courier", "dovecot"):
            drop = self.successResultOf(opening(FakeSource({3: FakeMessage(b"abc")}), uidl=name)).maildrop
            made.add(drop.uidl(MessageNumber(1)))
        self.assertEqual(made, {"00000007-00000003", "UID3-7", "0000000300000007"})

    def test_a_listing_that_fails_gives_the_source_up(self) -> None:
        source = FakeSource({3: FakeMessage(b"abc")}, fails=ListingIncomplete("not now"))
        self.failureResultOf(opening(source), ListingIncomplete)
        self.assertTrue(source.abandoned)

    def test_a_login_given_up_gives_the_source_up(self) -> None:
        class Slow(FakeSource):
            async def enter(self) -> None:
                await Deferred[None]()

        source = Slow({})
        opened = opening(source)
        self.assertNoResult(opened)
        opened.cancel()
        self.failureResultOf(opened, CancelledError)
        self.assertTrue(source.abandoned)

    def test_a_bug_gives_the_source_up_too(self) -> None:
        source = FakeSource({}, fails=ZeroDivisionError("a bug"))
        self.failureResultOf(opening(source), ZeroDivisionError)
        self.assertTrue(source.abandoned)


def test_numbers_stay_in_the_order_in_which_a_view_first_showed_them() -> None:
    ground = Ground(b"a", b"b", b"c")
    unseen = ground.seen_as("search=UNSEEN", View(search="UNSEEN"))
    ground.messages[1].seen = True
    assert ground.uids(ground.open(unseen)) == [2, 3]
    ground.messages[1].seen = False
    assert ground.uids(ground.open(unseen)) == [2, 3, 1]
    ground.messages[2].seen = True
    assert ground.uids(ground.open(unseen)) == [3, 1]
    ground.messages[2].seen = False
    ground.restart()
    assert ground.uids(ground.open(unseen)) == [2, 3, 1]
    assert ground.uids(ground.open()) == [1, 2, 3], "another login has its own"


def test_a_view_whose_order_cannot_be_stored_is_refused_and_one_that_needs_no_storing_is_not() -> None:
    ground = Ground(b"a", b"b")
    newest = ground.seen_as("newest=1", View(newest=1))
    assert ground.uids(ground.open(newest)) == [2]
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    assert ground.uids(ground.open(newest)) == [2]
    ground.messages[3] = FakeMessage(b"c")
    ground.uidnext = 4
    with pytest.raises(StateUnavailable):
        ground.open(newest)
    assert ground.sources[-1].abandoned


def test_what_a_viewer_was_shown_moves_with_a_renumbered_mailbox() -> None:
    ground = Ground(*[b"Message-ID: <%d@x>\r\n\r\n" % n for n in range(3)], delete="keep")
    scanner = ground.seen_as("as=scanner", View(newest=10))
    ground.known()
    result(ground.quit(ground.open(scanner), 2))
    ground.uidvalidity, ground.uidnext = 8, 14
    ground.messages = {uid + 10: message for uid, message in ground.messages.items()}
    assert ground.uids(ground.open(scanner)) == [11, 13]
    viewing = result(ground.store.viewing(ground.account.key, "as=scanner"))
    assert viewing is not None
    assert (viewing.ranks, viewing.kept) == (array("I", [11, 12, 13]), frozenset({12}))


def test_two_logins_at_once_lose_nothing_that_either_was_shown() -> None:
    """The one that is late builds on what the other has stored, though it saw a newer mailbox."""

    class Held(DurableStore):
        gates: "list[Deferred[None]]"

        async def show(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # awaited all the same
            if len(self.gates) < 2:
                gate = Deferred[None]()
                self.gates.append(gate)
                await gate
            return await super().show(*args, **kwargs)

    ground = Ground(b"a", b"b")
    ground.store = store = Held(ground.clock.seconds)
    store.gates = []
    ground.restart()
    newest = ground.seen_as("newest=1", View(newest=1))
    early = Deferred.fromCoroutine(ground.office.open(newest, ground.source()))
    ground.messages[3], ground.uidnext = FakeMessage(b"c"), 4
    late = Deferred.fromCoroutine(ground.office.open(newest, ground.source()))
    for gate in store.gates:
        gate.callback(None)
    assert ground.uids(result(early)) == [2]
    assert ground.uids(result(late)) == [2, 3]
    assert ground.uids(ground.open(newest)) == [2, 3]


def test_a_view_whose_order_others_keep_changing_is_refused_for_now() -> None:
    class Busy(DurableStore):
        asked = 0

        async def show(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # awaited all the same
            self.asked += 1
            raise Overtaken

    ground = Ground(b"a", b"b")
    ground.store = store = Busy(ground.clock.seconds)
    ground.restart()
    with pytest.raises(ListingIncomplete, match="try again later") as refused:
        ground.open(ground.seen_as("newest=1", View(newest=1)))
    assert refused.value.temporary
    assert store.asked == ROUNDS
    assert ground.sources[-1].abandoned


def test_a_mailbox_replaced_while_it_is_opened_is_opened_anew_by_the_next_login() -> None:
    """Ranks of another incarnation would name strangers."""

    class Elsewhere(DurableStore):
        replaced = False

        async def viewing(self, key: SourceKey, *args: Any) -> Any:  # type: ignore[override]  # awaited all the same
            memory = await self.recall(key)
            if memory is not None and self.replaced:
                await self.remember(key, evolve(memory, incarnation=2), News(moves=Moves({1: 1, 2: 2})))
            return await super().viewing(key, *args)

    for shown_before in (False, True):
        ground = Ground(b"a", b"b")
        ground.store = store = Elsewhere(ground.clock.seconds)
        ground.restart()
        newest = ground.seen_as("newest=1", View(newest=1))
        if shown_before:
            ground.open(newest)
        store.replaced = True
        with pytest.raises(MailboxReplaced):
            ground.open(newest)
        assert ground.sources[-1].abandoned


def test_a_new_view_takes_the_place_of_one_that_has_shown_nothing_new_for_long() -> None:
    ground = Ground(b"a", b"b")
    views = [ground.seen_as(f"newest={n}", View(newest=n)) for n in range(1, VIEWERS_AT_MOST + 2)]
    for account in views:
        ground.open(account)
    shown = [result(ground.store.viewing(one.key, one.viewer)) is not None for one in views]
    assert shown == [False, *[True] * VIEWERS_AT_MOST]
    assert len(ground.uids(ground.open(views[0]))) == 1, "it may come back"


def test_a_login_cannot_fill_the_state_with_views_that_have_deleted_mail() -> None:
    ground = Ground(b"a", b"b")
    views = [ground.seen_as(f"newest={n}", View(newest=n)) for n in range(1, VIEWERS_AT_MOST + 2)]
    for account in views[:-1]:
        ground.open(account)
        result(ground.store.keep(account.key, account.viewer, 1, [1]))
    with pytest.raises(TooManyViews):
        ground.open(views[-1])
    assert ground.sources[-1].abandoned
    assert ground.uids(ground.open(views[0])) == [2]
    assert len(ground.uids(ground.open())) == 2
