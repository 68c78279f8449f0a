"""What a login is shown is stored before, the same tomorrow, and recognised after a mailbox was replaced."""

import pytest
from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from bridge.events import DeletionsAbandoned, MailboxRenumbered, StateTroubled
from bridge.maildrop.errors import (
    CredentialsRefused,
    ListingIncomplete,
    Renumbered,
    StateUnavailable,
    UpstreamUnavailable,
)
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, News
from bridge.postoffice.listings import CHEAP, GoesOn
from bridge.postoffice.visit import Visit
from tests.contracts.fake_source import FakeMessage
from tests.postoffice.kit import DurableStore, Ground, HeldSource, result


def bodies(count: int) -> list[bytes]:
    return [b"Message-ID: <%d@x>\r\n\r\nbody %d" % (n, n) for n in range(count)]


def renumber(ground: Ground, by: int = 100) -> None:
    """The same messages in a mailbox made anew."""
    ground.uidvalidity += 1
    ground.messages = {uid + by: message for uid, message in ground.messages.items()}
    ground.uidnext += by


def test_what_was_listed_is_not_asked_for_again() -> None:
    ground, asked = Ground(*bodies(3)), []

    class Watched(HeldSource):
        async def list(self, known: Listing | None = None) -> Listing:
            asked.append(None if known is None else list(known.uids))
            return await super().list(known)

    for _ in range(2):
        source = Watched(ground.messages, uidvalidity=7, uidnext=4)
        result(ground.office.open(ground.account, source))
        ground.restart()
    assert asked == [None, [1, 2, 3]]


def test_a_poll_without_news_stores_nothing() -> None:
    ground = Ground(*bodies(3))
    ground.open()
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    assert ground.uids(ground.open()) == [1, 2, 3]
    assert ground.events == []


def test_new_mail_that_cannot_be_stored_is_shown_under_its_computed_uidl_and_the_owner_told() -> None:
    ground = Ground(*bodies(2))
    ground.open()
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    ground.messages[3] = FakeMessage(b"new")
    ground.uidnext = 4
    shown = ground.uidls(ground.open())
    assert ground.told(StateTroubled) == [StateTroubled("the disk is full")]
    ground.store.broken = False
    assert ground.uidls(ground.open()) == shown


def test_a_first_login_that_cannot_be_stored_is_refused() -> None:
    ground = Ground(*bodies(2))
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    with pytest.raises(StateUnavailable):
        ground.open()


def test_a_mailbox_made_anew_keeps_its_uidls() -> None:
    ground = Ground(*bodies(30))
    before = ground.known()
    renumber(ground)
    assert ground.uidls(ground.open()) == {uid + 100: uidl for uid, uidl in before.items()}
    (told,) = ground.told(MailboxRenumbered)
    assert (told.recognised, told.before, told.asks) == (30, 30, False)
    memory = result(ground.store.recall(ground.account.key))
    assert memory is not None
    assert memory.learned_to == 130, "what was fetched to recognise them is not fetched again"
    assert len(result(ground.store.fingerprints(ground.account.key, 2))) == 30
    ground.restart()
    assert ground.uidls(ground.open()) == {uid + 100: uidl for uid, uidl in before.items()}


def test_a_mailbox_of_strangers_asks_once_and_goes_on_when_the_owner_says_so() -> None:
    ground = Ground(*bodies(30))
    before = ground.known()
    ground.messages = {n: FakeMessage(b"Message-ID: <%d@y>\r\n\r\nnobody's" % n) for n in range(1, 31)}
    ground.uidvalidity = 8
    for _ in range(2):
        with pytest.raises(Renumbered, match="popbridge uidl accept"):
            ground.open()
    (told,) = ground.told(MailboxRenumbered)
    assert told.asks, "told once, not at every poll"
    remembered = result(ground.store.recall(ground.account.key))
    assert remembered is not None
    assert "UIDVALIDITY changed" in remembered.question

    assert result(ground.store.accept(ground.account.key))
    now = ground.uidls(ground.open())
    assert len(now) == 30
    assert not set(now.values()) & set(before.values())
    remembered = result(ground.store.recall(ground.account.key))
    assert remembered is not None
    assert (remembered.question, remembered.accepted) == ("", False)


def test_the_mailbox_that_comes_back_before_the_owner_answers_is_the_old_one() -> None:
    ground = Ground(*bodies(30))
    before, mailbox = ground.known(), ground.messages
    ground.uidvalidity, ground.messages, ground.uidnext = 8, {}, 1
    with pytest.raises(Renumbered):
        ground.open()
    ground.uidvalidity, ground.messages, ground.uidnext = 7, mailbox, 31
    assert ground.uidls(ground.open()) == before
    remembered = result(ground.store.recall(ground.account.key))
    assert remembered is not None
    assert remembered.question == ""


def test_renumbered_accept_goes_on_and_reports_it() -> None:
    ground = Ground(*bodies(30), renumbered="accept")
    before = ground.known()
    ground.messages, ground.uidvalidity = {1: FakeMessage(b"Message-ID: <z@z>\r\n\r\n")}, 8
    assert not set(ground.uidls(ground.open()).values()) & set(before.values())
    (told,) = ground.told(MailboxRenumbered)
    assert not told.asks


def test_an_empty_answer_without_proof_is_no_empty_mailbox() -> None:
    ground = Ground(*bodies(3))
    ground.open()
    ground.messages = {}
    ground.uidnext = 0
    with pytest.raises(ListingIncomplete):
        ground.open()
    ground.uidnext = 4
    assert ground.uids(ground.open()) == []


def test_the_first_account_on_another_host_is_the_same_account() -> None:
    """Its memory hangs on the name; the place says that everything is to be looked at anew."""
    ground = Ground(*bodies(30))
    before = ground.known()
    settings = ground.account.settings
    moved = type(settings.upstream)("imap", "tls", "new.example.org", 993)
    ground.account = evolve(ground.account, settings=evolve(settings, upstream=moved))
    assert ground.uidls(ground.open()) == before
    assert len(ground.told(MailboxRenumbered)) == 1


def test_two_logins_at_once_and_new_mail_between_them() -> None:
    """The slower one lists again rather than store an older listing over a newer one."""
    ground = Ground(*bodies(2))
    ground.open()
    gate: Deferred[None] = Deferred()

    class Slow(HeldSource):
        lists = 0

        async def list(self, known: Listing | None = None) -> Listing:
            listing = await super().list(known)
            self.lists += 1
            if self.lists == 1:
                await gate
            return listing

    ground.messages[3] = FakeMessage(b"Message-ID: <3@x>\r\n\r\n")
    ground.uidnext = 4
    slow = Slow(ground.messages, uidvalidity=7, uidnext=4)
    waiting = Deferred.fromCoroutine(ground.office.open(ground.account, slow))
    ground.messages[4] = FakeMessage(b"Message-ID: <4@x>\r\n\r\n")
    ground.uidnext = 5
    assert ground.uids(ground.open()) == [1, 2, 3, 4]
    slow.uidnext = 5
    gate.callback(None)
    assert ground.uids(result(waiting)) == [1, 2, 3, 4]
    assert slow.lists == 2
    assert ground.uids(ground.open()) == [1, 2, 3, 4]


def test_two_logins_at_once_that_see_the_same_list_once_each() -> None:
    ground = Ground(*bodies(2))
    ground.open()
    ground.messages[3] = FakeMessage(b"new")
    ground.uidnext = 4
    gate: Deferred[None] = Deferred()

    class Slow(HeldSource):
        lists = 0

        async def list(self, known: Listing | None = None) -> Listing:
            self.lists += 1
            listing = await super().list(known)
            await gate
            return listing

    slow = Slow(ground.messages, uidvalidity=7, uidnext=4)
    waiting = Deferred.fromCoroutine(ground.office.open(ground.account, slow))
    ground.open()
    gate.callback(None)
    assert ground.uids(result(waiting)) == [1, 2, 3]
    assert slow.lists == 1


def test_a_mailbox_that_always_changes_is_given_up_in_the_end() -> None:
    ground = Ground(*bodies(2))
    ground.open()

    class Restless(HeldSource):
        async def list(self, known: Listing | None = None) -> Listing:
            listing = await super().list(known)
            memory = await ground.store.recall(ground.account.key)
            assert memory is not None
            listing.add([self._uidnext()], [1], [1], b"\0")
            await ground.store.remember(ground.account.key, memory, News())
            return listing

    with pytest.raises(ListingIncomplete, match="faster"):
        result(ground.office.open(ground.account, Restless(ground.messages, uidvalidity=7, uidnext=3)))


class Slowly(HeldSource):
    """Its first listing comes when `gate` opens; `entered` once its password was checked."""

    def __init__(self, ground: Ground, gate: "Deferred[None]") -> None:
        super().__init__(ground.messages, uidvalidity=ground.uidvalidity, uidnext=ground.uidnext)
        self.answers = []
        self.lists: list[Listing | None] = []
        self._gate = gate

    async def list(self, known: Listing | None = None) -> Listing:
        self.lists.append(known)
        if known is None:
            await self._gate
        return await super().list(known)


def test_a_first_listing_goes_on_when_the_client_does_not_wait_for_it() -> None:
    """S31: it is done at its next login."""
    ground, gate = Ground(*bodies(30)), Deferred[None]()
    slow = Slowly(ground, gate)
    waiting = Deferred.fromCoroutine(ground.office.open(ground.account, slow))
    waiting.cancel()
    with pytest.raises(GoesOn):
        result(waiting)
    assert [slow.abandoned, slow.closed] == [False, False]
    gate.callback(None)
    assert slow.closed
    again = Slowly(ground, gate)
    assert len(ground.uids(result(ground.office.open(ground.account, again)))) == 30
    assert [known is not None for known in again.lists] == [True], "only what changed since is asked for"


def test_two_first_logins_at_once_list_once() -> None:
    """The second has its own password checked, then waits for what the first brings."""
    ground, gate = Ground(*bodies(30)), Deferred[None]()
    sources = [Slowly(ground, gate) for _ in range(3)]
    first, second = (Deferred.fromCoroutine(ground.office.open(ground.account, one)) for one in sources[:2])
    sources[2].fails = CredentialsRefused("wrong")
    with pytest.raises(CredentialsRefused):
        result(ground.office.open(ground.account, sources[2]))
    assert [len(one.lists) for one in sources] == [1, 0, 0]
    gate.callback(None)
    assert ground.uids(result(first)) == ground.uids(result(second))
    assert [known is not None for one in sources for known in one.lists] == [False, True]


def test_who_waits_for_a_listing_that_fails_lists_for_himself() -> None:
    ground, gate = Ground(*bodies(3)), Deferred[None]()
    failing, other = Slowly(ground, gate), Slowly(ground, Deferred[None]())
    first, second = (Deferred.fromCoroutine(ground.office.open(ground.account, one)) for one in (failing, other))
    other._gate.callback(None)
    gate.errback(UpstreamUnavailable("the connection was lost"))
    with pytest.raises(UpstreamUnavailable):
        result(first)
    assert ground.uids(result(second)) == [1, 2, 3]


def test_recognising_goes_on_when_the_client_does_not_wait_for_it() -> None:
    """S31: the next login finds it done."""
    ground = Ground(*bodies(30))
    before = ground.known()
    renumber(ground)
    gate: Deferred[None] = Deferred()

    class Slow(HeldSource):
        async def fingerprints(self, uids: object) -> dict[int, Fingerprint]:
            await gate
            return await super().fingerprints(uids)  # type: ignore[arg-type]  # whatever was asked for

    slow = Slow(ground.messages, uidvalidity=8, uidnext=ground.uidnext)
    waiting = Deferred.fromCoroutine(ground.office.open(ground.account, slow))
    waiting.cancel()
    with pytest.raises(CancelledError) as given_up:
        result(waiting)
    assert given_up.type is GoesOn
    assert [slow.abandoned, slow.closed] == [False, False]
    gate.callback(None)
    assert slow.closed, "in good order: the next login may take its connection over"
    memory = result(ground.store.recall(ground.account.key))
    assert memory is not None
    assert memory.incarnation == 2
    assert set(ground.uidls(ground.open()).values()) == set(before.values())


def test_stable_ids_are_the_uidls_where_the_account_says_so() -> None:
    ground = Ground(*bodies(3), uidl="emailid")
    for uid, message in ground.messages.items():
        message.stable_id = f"M{uid}" if uid < 3 else "M1"
    shown = ground.uidls(ground.open())
    assert shown[1] == "M1"
    assert shown[2] == "M2"
    assert shown[3].startswith("M1")
    assert shown[3] != "M1", "two copies of one message are told apart"
    ground.messages[4] = FakeMessage(b"x", stable_id="M4")
    ground.uidnext = 5
    assert ground.known() == {**shown, 4: "M4"}
    renumber(ground)
    assert set(ground.uidls(ground.open()).values()) == {*shown.values(), "M4"}


def test_a_listing_of_another_place_is_no_help() -> None:
    ground, asked = Ground(*bodies(30)), []
    ground.known()

    class Watched(HeldSource):
        async def list(self, known: Listing | None = None) -> Listing:
            asked.append(known)
            return await super().list(known)

    settings = ground.account.settings
    moved = type(settings.upstream)("imap", "tls", "new.example.org", 993)
    ground.account = evolve(ground.account, settings=evolve(settings, upstream=moved))
    result(ground.office.open(ground.account, Watched(ground.messages, uidvalidity=7, uidnext=31)))
    assert asked == [None]


def test_recognised_uidls_that_cannot_be_stored_are_not_shown() -> None:
    ground = Ground(*bodies(30))
    ground.known()
    renumber(ground)
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    with pytest.raises(StateUnavailable):
        ground.open()
    ground.store.broken = False
    ground.uidvalidity, ground.messages = 7, {uid - 100: one for uid, one in ground.messages.items()}
    ground.open()
    assert ground.told(MailboxRenumbered)[1:] == []


def test_a_word_given_too_early_is_good_for_nothing_later() -> None:
    ground = Ground(*bodies(3))
    ground.open()
    assert result(ground.store.accept(ground.account.key))
    ground.open()
    memory = result(ground.store.recall(ground.account.key))
    assert memory is not None
    assert not memory.accepted


def test_a_uidl_that_only_the_store_can_keep_from_naming_two_messages_is_not_shown_unstored() -> None:
    ground = Ground(*bodies(2), uidl="cyrus-uid")
    ground.open()
    assert isinstance(ground.store, DurableStore)
    ground.store.broken = True
    assert ground.uids(ground.open()) == [1, 2]
    ground.messages[3], ground.uidnext = FakeMessage(b"new"), 4
    with pytest.raises(StateUnavailable):
        ground.open()


def test_promised_deletions_that_cannot_follow_a_renumbering_are_told() -> None:
    ground = Ground(*bodies(3), b"no header\r\n", delete="expunge", after=3600.0)
    ground.known()
    result(ground.quit(ground.open(), 1, 4))
    renumber(ground)
    assert ground.uids(ground.open()) == [102, 103]
    (told,) = ground.told(DeletionsAbandoned)
    assert told.messages == 1
    ground.clock.advance(3600)
    ground.open()
    assert list(ground.messages) == [102, 103, 104]


def test_while_the_question_waits_headers_are_not_fetched_at_every_poll() -> None:
    many = 2 * CHEAP
    ground, asked = Ground(*bodies(many)), []
    ground.known()
    ground.messages = {n: FakeMessage(b"Message-ID: <%d@y>\r\n\r\n" % n) for n in range(1, many + 1)}
    ground.uidvalidity = 8

    class Watched(HeldSource):
        async def fingerprints(self, uids: object) -> dict[int, Fingerprint]:
            asked.append(ground.clock.seconds())
            return await super().fingerprints(uids)  # type: ignore[arg-type]  # UIDs

    def poll() -> None:
        source = Watched(ground.messages, uidvalidity=ground.uidvalidity, uidnext=ground.uidnext)
        with pytest.raises(Renumbered):
            result(ground.office.open(ground.account, source))

    def times() -> int:
        poll()
        return len(asked)

    assert [times(), times()] == [1, 1]
    ground.messages[many + 1], ground.uidnext = FakeMessage(b"restored"), many + 2
    assert times() == 1, "not so soon"
    ground.clock.advance(3)
    assert [times(), times()] == [2, 2]
    ground.uidvalidity = 9
    assert times() == 3
    assert result(ground.store.accept(ground.account.key))
    assert len(ground.uids(ground.open())) == many + 1


def test_a_small_mailbox_is_looked_at_by_every_poll_so_that_a_restore_is_seen_at_once() -> None:
    ground = Ground(*bodies(30))
    before, mailbox = ground.known(), ground.messages
    ground.uidvalidity = 8
    for there in range(5):
        ground.messages = dict(list(mailbox.items())[:there])
        with pytest.raises(Renumbered):
            ground.open()
    ground.messages = mailbox
    assert ground.uidls(ground.open()) == before


def test_logins_that_come_while_messages_are_recognised_wait_for_it_and_fetch_nothing() -> None:
    ground = Ground(*bodies(30))
    before = ground.known()
    renumber(ground)
    gate: Deferred[None] = Deferred()

    class Slow(HeldSource):
        times = 0

        async def fingerprints(self, uids: object) -> dict[int, Fingerprint]:
            Slow.times += 1
            await gate
            return await super().fingerprints(uids)  # type: ignore[arg-type]  # whatever was asked for

    def login() -> "Deferred[Visit]":
        source = Slow(ground.messages, uidvalidity=8, uidnext=ground.uidnext)
        return Deferred.fromCoroutine(ground.office.open(ground.account, source))

    logins = [login() for _ in range(3)]
    logins[1].cancel()
    with pytest.raises(CancelledError):
        result(logins[1])
    gate.callback(None)
    for one in (logins[0], logins[2]):
        assert set(ground.uidls(result(one)).values()) == set(before.values())
    assert Slow.times == 1


def test_a_stopped_bridge_recognises_nothing_more() -> None:
    ground = Ground(*bodies(30))
    ground.known()
    renumber(ground)

    class Slow(HeldSource):
        given_up: "Deferred[None]"

        async def fingerprints(self, uids: object) -> dict[int, Fingerprint]:
            self.given_up = Deferred()
            await self.given_up
            raise AssertionError

        def abandon(self) -> None:
            super().abandon()
            if not self.given_up.called:
                self.given_up.errback(UpstreamUnavailable("the connection was given up"))

    slow = Slow(ground.messages, uidvalidity=8, uidnext=ground.uidnext)
    waiting = Deferred.fromCoroutine(ground.office.open(ground.account, slow))
    ground.office.stop()
    with pytest.raises(UpstreamUnavailable):
        result(waiting)


def test_messages_that_come_back_in_another_order_keep_their_numbers_order() -> None:
    """S8: UID order was append-only by itself until then."""
    ground = Ground(*bodies(3))
    before = ground.known()
    ground.uidvalidity, ground.uidnext = 8, 104
    ground.messages = {104 - uid: message for uid, message in sorted(ground.messages.items(), reverse=True)}
    assert list(ground.uidls(ground.open()).items()) == [(103, before[1]), (102, before[2]), (101, before[3])]
    ground.messages[104], ground.uidnext = FakeMessage(b"new"), 105
    ground.restart()
    assert ground.uids(ground.open()) == [103, 102, 101, 104]


def test_so_they_do_where_this_login_has_deleted_under_keep() -> None:
    ground = Ground(*bodies(4))
    before = ground.known()
    result(ground.store.keep(ground.account.key, "", 1, [2]))
    ground.uidvalidity, ground.uidnext = 8, 105
    ground.messages = {105 - uid: message for uid, message in sorted(ground.messages.items(), reverse=True)}
    assert list(ground.uidls(ground.open()).items()) == [(104, before[1]), (102, before[3]), (101, before[4])]


def test_a_mailbox_made_anew_in_its_order_needs_no_ranks() -> None:
    ground = Ground(*bodies(3))
    ground.known()
    renumber(ground)
    ground.open()
    assert result(ground.store.viewing(ground.account.key, "")) is None


def test_the_owner_s_word_is_for_what_he_was_asked() -> None:
    """A restore that was half done when he looked may be less done now."""
    ground = Ground(*bodies(40))
    before = ground.known()
    mailbox = ground.messages
    ground.uidvalidity, ground.messages = 8, dict(list(mailbox.items())[:25])
    with pytest.raises(Renumbered, match="15 of 40"):
        ground.open()
    assert result(ground.store.accept(ground.account.key))
    ground.messages = dict(list(mailbox.items())[:2])
    for _ in range(2):
        with pytest.raises(Renumbered, match="38 of 40"):
            ground.open()
    ground.messages = mailbox
    assert ground.uidls(ground.open()) == before
