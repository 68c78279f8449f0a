"""What every Source keeps, the fake one included: tests of what stands downstream may believe the fake.

The same promises are held against the fake, against `ImapSource` and `Pop3Source` on servers in memory, and on a real
Dovecot. What needs flags, searches, or others who change the mailbox under an open session is not for POP3.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

import pytest
from twisted.trial.unittest import TestCase

from bridge.config import Upstream
from bridge.maildrop.errors import (
    MailboxReplaced,
    MessageGone,
    RetrievalRefused,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Held, Source
from bridge.names import Uid, UidValidity
from tests.contracts.fake_source import FakeSource
from tests.contracts.stages import FakeStage, MemoryStage, Pop3Stage, RealStage, Stage
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.upstream.mailserver import BARE, DOVECOT, QRESYNC
from tests.upstream.session import Taken, mail

MAIL = (mail("a"), mail("b", 100_000), b"Subject: no body\r\n\r\n", mail("d"))
ENDLESS = 10**9


class Contract:
    """The promises. `stage` comes from the class that is a test case too."""

    stage: Stage
    messages: Sequence[bytes] = MAIL

    async def opened(self) -> tuple[Source, dict[int, int]]:
        """A source that has listed, and the sizes by UID."""
        source = self.stage.source()
        self.addCleanup(source.abandon)  # type: ignore[attr-defined]  # the test case's
        listing = await self.stage.do(source.list())
        return source, dict(zip(listing.uids, listing.sizes, strict=True))

    async def full(self) -> tuple[Source, dict[int, int], list[int]]:
        self.stage.fill(self.messages)
        source, sizes = await self.opened()
        return source, sizes, list(sizes)

    async def test_a_listing_has_every_message_once_in_the_order_of_uids(self) -> None:
        _, sizes, uids = await self.full()
        assert uids == sorted(set(uids))
        assert list(sizes.values()) == [len(octets) for octets in self.messages]

    async def test_having_the_password_checked_first_changes_nothing(self) -> None:
        self.stage.fill(self.messages)
        source = self.stage.source()
        self.addCleanup(source.abandon)  # type: ignore[attr-defined]  # the test case's
        await self.stage.do(source.enter())
        await self.stage.do(source.enter())
        assert len(await self.stage.do(source.list())) == len(self.messages)

    async def test_an_empty_mailbox(self) -> None:
        _, sizes = await self.opened()
        assert sizes == {}

    async def test_uids_and_uidvalidity_stay_from_session_to_session(self) -> None:
        self.stage.fill(self.messages)
        listings = []
        for _ in range(2):
            source = self.stage.source()
            listings.append(await self.stage.do(source.list()))
            source.close()
            await self.stage.settle()
        assert listings[0].uids == listings[1].uids
        assert listings[0].uidvalidity == listings[1].uidvalidity > 0

    async def test_a_message_octet_for_octet_and_begun_once(self) -> None:
        source, sizes, uids = await self.full()
        for uid, octets in zip(uids, self.messages, strict=True):
            taken = Taken()
            await self.stage.do(source.stream(Uid(uid), taken, sizes[uid]))
            assert (taken.octets, taken.begun) == (octets, 1)

    async def test_the_same_message_twice(self) -> None:
        source, sizes, uids = await self.full()
        for _ in range(2):
            taken = Taken()
            await self.stage.do(source.stream(Uid(uids[0]), taken, sizes[uids[0]]))
            assert taken.octets == self.messages[0]

    async def test_a_top_is_the_messages_beginning_and_no_shorter_than_wanted(self) -> None:
        source, sizes, uids = await self.full()
        for uid, octets in zip(uids, self.messages, strict=True):
            for enough in (1, 100, 20_000, ENDLESS):
                taken = Taken(enough)
                await self.stage.do(source.top(Uid(uid), taken, sizes[uid]))
                assert octets.startswith(taken.octets)
                assert len(taken.octets) >= min(enough, len(octets))
                assert taken.begun == 1

    async def test_a_message_that_is_gone(self) -> None:
        source, sizes, uids = await self.full()
        self.stage.remove(uids[1])
        taken = Taken(ENDLESS)
        for ask in (source.stream, source.top):
            try:
                await self.stage.do(ask(Uid(uids[1]), taken, sizes[uids[1]]))
            except MessageGone:
                pass
            else:
                raise AssertionError("it is not said to be gone")
        assert taken.begun == 0
        await self.stage.do(source.stream(Uid(uids[0]), taken, sizes[uids[0]]))
        assert taken.octets == self.messages[0]

    async def test_nothing_is_deleted_without_the_word(self) -> None:
        source, sizes, uids = await self.full()
        await self.stage.do(source.stream(Uid(uids[0]), Taken(), sizes[uids[0]]))
        source.abandon()
        await self.stage.settle()
        listing = await self.stage.do(self.stage.source().list())
        assert list(listing.visible().uids) == uids

    async def test_a_source_says_whether_its_connection_has_held_since_it_listed(self) -> None:
        source = self.stage.source()
        self.addCleanup(source.abandon)  # type: ignore[attr-defined]  # the test case's
        held = [source.unbroken]
        await self.stage.do(source.list())
        held.append(source.unbroken)
        source.abandon()
        held.append(source.unbroken)
        assert held == [False, True, False]

    async def test_ending_never_fails(self) -> None:
        never_opened = self.stage.source()
        for source in (never_opened, (await self.opened())[0]):
            source.close()
            source.abandon()
            source.close()
            source.abandon()
            await self.stage.settle()


class WithFlags(Contract):
    """What an IMAP server can do besides."""

    expunges: ClassVar[bool] = True

    async def test_what_others_have_marked_is_hidden(self) -> None:
        _, _, uids = await self.full()
        self.stage.flag(uids[1], "\\Deleted")
        listing = await self.stage.do(self.stage.source().list())
        assert list(listing.uids) == uids
        assert list(listing.visible().uids) == [uids[0], *uids[2:]]

    async def test_a_deletion_is_of_these_and_no_others(self) -> None:
        source, _, uids = await self.full()
        assert await self.stage.do(source.delete([uids[0], uids[2]], Policy.FLAG)) == Deletion(2)
        listing = await self.stage.do(self.stage.source().list())
        assert list(listing.visible().uids) == [uids[1], uids[3]]

    async def test_a_deletion_again_and_of_what_is_gone_is_done(self) -> None:
        source, _, uids = await self.full()
        self.stage.remove(uids[1])
        for _ in range(2):
            assert await self.stage.do(source.delete(uids[:2], Policy.FLAG)) == Deletion(2)

    async def test_a_purge_is_of_what_is_flagged_and_flags_nothing(self) -> None:
        self.stage.fill(self.messages)
        for uid in (1, 2):
            self.stage.flag(uid, "\\Deleted")
        source, _ = await self.opened()
        self.stage.flag(2, "\\Deleted", on=False)
        self.stage.flag(4, "\\Deleted")
        assert await self.stage.do(source.purge([1, 2, 3, 9])) == Deletion(4)
        looks = await self.stage.do(source.look([1, 2, 3, 4, 9]))
        stay = {2: False, 3: False, 4: True} if self.expunges else {1: True, 2: False, 3: False, 4: True}
        assert {uid: look.deleted for uid, look in looks.items()} == stay

    async def test_what_is_known_changes_nothing_but_what_is_asked(self) -> None:
        """S6: after whatever others did; and what is known stays as it is."""
        self.stage.fill(self.messages)
        known = await self.stage.do(self.stage.source().list())
        changes: tuple[Callable[[], None], ...] = (
            lambda: None,
            lambda: self.stage.flag(known.uids[0], "\\Deleted"),
            lambda: self.stage.remove(known.uids[1]),
            lambda: self.stage.fill([mail("new"), mail("newer", 3000)]),
        )
        for change in changes:
            change()
            before = known.copy()
            again = await self.stage.do(self.stage.source().list(known))
            fresh = await self.stage.do(self.stage.source().list())
            assert known == before
            assert (again.uids, again.sizes, again.dates) == (fresh.uids, fresh.sizes, fresh.dates)
            assert (again.hidden, again.uidvalidity, again.uidnext) == (fresh.hidden, fresh.uidvalidity, fresh.uidnext)

    async def test_a_look_shows_messages_as_they_are_now(self) -> None:
        source, sizes, uids = await self.full()
        self.stage.remove(uids[0])
        self.stage.flag(uids[1], "\\Deleted")
        looks = await self.stage.do(source.look(uids[:3]))
        assert sorted(looks) == uids[1:3]
        assert [looks[uid].size for uid in uids[1:3]] == [sizes[uid] for uid in uids[1:3]]
        assert [looks[uid].deleted for uid in uids[1:3]] == [True, False]
        assert not any(look.hidden for look in looks.values())
        assert source.unbroken
        assert await self.stage.do(source.look([])) == {}

    async def test_a_search_finds_what_is_so_now(self) -> None:
        source, _, uids = await self.full()
        assert await self.stage.do(source.search("ALL")) == set(uids)
        assert await self.stage.do(source.search("DELETED")) == set()
        await self.stage.do(source.mark_seen([uids[0], uids[2]]))
        assert await self.stage.do(source.search("UNSEEN")) == {uids[1], uids[3]}

    async def test_marking_what_is_gone_hurts_nobody(self) -> None:
        source, _, uids = await self.full()
        self.stage.remove(uids[0])
        await self.stage.do(source.mark_seen(uids[:2]))
        assert await self.stage.do(source.search("UNSEEN")) == set(uids[2:])

    async def test_a_fingerprint_is_the_messages_own(self) -> None:
        source, _, uids = await self.full()
        self.stage.remove(uids[3])
        found = await self.stage.do(source.fingerprints(uids))
        assert found == {uid: fingerprint(octets) for uid, octets in zip(uids[:3], self.messages[:3], strict=True)}
        assert len({one.header for one in found.values()}) == 3

    async def test_a_server_without_lasting_ids_does_not_make_them_up(self) -> None:
        source, _, uids = await self.full()
        try:
            await self.stage.do(source.stable_ids(uids))
        except UpstreamUnsuitable:
            pass
        else:
            raise AssertionError("it gives ids")

    async def asked_ahead(self, part: int | None = None) -> tuple[Source, dict[int, int], list[int]]:
        """All of them, and time for them to come."""
        source, sizes, uids = await self.full()
        assert source.ahead.room() >= sum(sizes.values())
        source.ahead.ask({Uid(uid): size if part is None else min(size, part) for uid, size in sizes.items()}, part)
        assert all(source.ahead.awaits(Uid(uid)) for uid in uids)
        await self.stage.do(source.search("ALL"))
        return source, sizes, uids

    async def test_what_is_asked_for_ahead_is_the_message_octet_for_octet_and_given_once(self) -> None:
        source, _, uids = await self.asked_ahead()
        for uid, octets in zip(uids, self.messages, strict=True):
            assert source.ahead.awaits(Uid(uid))
            assert source.ahead.take(Uid(uid)) == Held(octets, whole=True)
            assert not source.ahead.awaits(Uid(uid))
            assert source.ahead.take(Uid(uid)) is None

    async def test_beginnings_are_beginnings_and_whole_only_where_they_are(self) -> None:
        source, _, uids = await self.asked_ahead(part=1000)
        for uid, octets in zip(uids, self.messages, strict=True):
            assert source.ahead.take(Uid(uid)) == Held(octets[:1000], whole=len(octets) < 1000)

    async def test_what_is_forgotten_is_gone_and_can_be_read_all_the_same(self) -> None:
        source, sizes, uids = await self.asked_ahead()
        source.ahead.forget([Uid(uids[1]), Uid(uids[2]), Uid(999)])
        assert [source.ahead.take(Uid(uid)) is None for uid in uids] == [False, True, True, False]
        taken = Taken()
        await self.stage.do(source.stream(Uid(uids[1]), taken, sizes[uids[1]]))
        assert taken.octets == self.messages[1]

    async def test_a_message_read_while_it_is_on_its_way_comes_once(self) -> None:
        for whole in (True, False):
            source, sizes = await self.opened() if not whole else (await self.full())[:2]
            uids = list(sizes)
            source.ahead.ask({Uid(uid): sizes[uid] for uid in uids})
            for uid, octets in zip(uids, self.messages, strict=True):
                taken = Taken(ENDLESS)
                await self.stage.do((source.stream if whole else source.top)(Uid(uid), taken, sizes[uid]))
                assert (taken.octets, taken.begun) == (octets, 1)
                assert not source.ahead.awaits(Uid(uid))

    async def test_a_message_whose_beginning_is_on_its_way_is_read_whole(self) -> None:
        source, sizes, uids = await self.full()
        source.ahead.ask({Uid(uid): min(sizes[uid], 50) for uid in uids}, 50)
        for uid, octets in reversed(list(zip(uids, self.messages, strict=True))):
            taken = Taken()
            await self.stage.do(source.stream(Uid(uid), taken, sizes[uid]))
            assert (taken.octets, taken.begun) == (octets, 1)

    async def test_a_message_that_is_gone_is_gone_ahead_too(self) -> None:
        source, sizes, uids = await self.full()
        self.stage.remove(uids[1])
        source.ahead.ask({Uid(uid): sizes[uid] for uid in uids})
        taken = Taken()
        try:
            await self.stage.do(source.stream(Uid(uids[1]), taken, sizes[uids[1]]))
        except MessageGone:
            pass
        else:
            raise AssertionError("it is not said to be gone")
        assert taken.begun == 0
        for uid, octets in ((uids[0], self.messages[0]), (uids[3], self.messages[3])):
            taken = Taken()
            await self.stage.do(source.stream(Uid(uid), taken, sizes[uid]))
            assert taken.octets == octets


class WithNames(Contract):
    """What a POP3 server does in another way: a session has its snapshot, and messages have names."""

    async def list_again(self, known: Listing | None = None) -> Listing:
        source = self.stage.source()
        listing = await self.stage.do(source.list(known))
        source.close()
        await self.stage.settle()
        return listing

    async def test_a_deletion_is_of_these_and_no_others(self) -> None:
        source, sizes, uids = await self.full()
        known = await self.stage.do(source.list())
        assert await self.stage.do(source.delete([uids[0], uids[2]], Policy.EXPUNGE)) == Deletion(2)
        listing = await self.list_again(known)
        assert list(listing.uids) == [uids[1], uids[3]]
        assert list(listing.sizes) == [sizes[uids[1]], sizes[uids[3]]]

    async def test_a_deletion_again_and_of_what_is_gone_is_done(self) -> None:
        source, _, uids = await self.full()
        for _ in range(2):
            assert await self.stage.do(source.delete(uids[:2], Policy.EXPUNGE)) == Deletion(2)
            assert sorted(await self.stage.do(source.look(uids))) == uids[2:]

    async def test_nothing_is_deleted_before_somebody_has_looked(self) -> None:
        source, _, uids = await self.full()
        source.abandon()
        await self.stage.settle()
        try:
            await self.stage.do(source.delete(uids[:1], Policy.EXPUNGE))
        except UpstreamUnavailable:
            pass
        else:
            raise AssertionError("it deletes what nobody has seen")

    async def test_what_is_known_keeps_its_uid_and_what_is_new_gets_another(self) -> None:
        self.stage.fill(self.messages)
        known = await self.list_again()
        self.stage.remove(known.uids[1])
        self.stage.fill([mail("new"), mail("newer", 3000)])
        before = known.copy()
        again = await self.list_again(known)
        assert known == before
        assert list(again.uids) == [1, 3, 4, 5, 6]
        assert [again.names[0], *again.names[1:3]] == [known.names[0], *known.names[2:]]
        assert again.uidnext == 7
        assert again == await self.list_again(again)

    async def test_a_fingerprint_is_the_messages_own_and_names_are_lasting(self) -> None:
        source, _, uids = await self.full()
        names = await self.stage.do(source.stable_ids(uids))
        found = await self.stage.do(source.fingerprints(uids))
        assert len(set(names.values())) == 4
        assert found == {uid: fingerprint(octets, names[uid]) for uid, octets in zip(uids, self.messages, strict=True)}

    async def test_what_a_pop3_server_cannot_do_is_refused(self) -> None:
        source, _, uids = await self.full()
        assert all(source.refusal(policy) for policy in Policy if policy not in {Policy.EXPUNGE, Policy.KEEP})
        refused = await self.stage.do(source.delete(uids, Policy.FLAG))
        assert (refused.left, refused.temporary) == (frozenset(uids), False)
        assert await self.stage.do(source.purge(uids)) == Deletion(4)
        await self.stage.do(source.mark_seen(uids))
        try:
            await self.stage.do(source.search("ALL"))
        except UpstreamUnsuitable:
            pass
        else:
            raise AssertionError("it searches")
        assert sorted(await self.stage.do(source.look(uids))) == uids


class OnTheFake(WithFlags, TestCase):
    def setUp(self) -> None:
        self.stage = FakeStage()


class OnAServerInMemory(WithFlags, TestCase):
    capabilities: ClassVar[str] = DOVECOT

    def setUp(self) -> None:
        self.stage = MemoryStage(self.capabilities)

    def tearDown(self) -> None:
        assert isinstance(self.stage, MemoryStage)
        self.stage.rest()

    async def test_a_refusal_is_not_the_end_of_the_message(self) -> None:
        """On the fake too: what a test downstream asks of it is what really happens."""
        memory = MemoryStage(self.capabilities)
        memory.fill(self.messages)
        fake = FakeStage()
        fake.fill(self.messages)
        fake.messages[1].refused = True
        source = memory.source()
        await memory.do(source.list())
        memory.store.edit = lambda text, answer: (
            answer.splitlines()[-1].split()[0] + b" NO not now\r\n" if "BODY.PEEK" in text else answer
        )
        for stage, asked in ((memory, source), (fake, fake.source())):
            for ask in (asked.stream, asked.top):
                taken = Taken(ENDLESS)
                try:
                    await stage.do(ask(Uid(1), taken, 100))
                except RetrievalRefused as refused:
                    assert refused.temporary
                else:
                    raise AssertionError("it is not refused")
                assert taken.begun == 0

    async def test_a_broken_connection_lets_nothing_be_deleted_before_a_look(self) -> None:
        """On the fake too; and the look refuses another mailbox."""
        memory, fake = MemoryStage(self.capabilities), FakeStage()
        real, faked = memory.source(), FakeSource(fake.messages)
        for stage, source in ((memory, real), (fake, faked)):
            stage.fill(self.messages)
            await stage.do(source.list())
        memory.sessions[0].network.ends[1].loseConnection()
        memory.sessions[0].network.settle()
        faked.broken = True
        for stage, source in ((memory, real), (fake, faked)):
            held = [source.unbroken]
            try:
                await stage.do(source.delete([1], Policy.FLAG))
            except UpstreamUnavailable:
                pass
            else:
                raise AssertionError("it deletes what nobody has seen")
            assert sorted(await stage.do(source.look([1, 9]))) == [1]
            held.append(source.unbroken)
            assert held == [False, True]
            assert await stage.do(source.delete([1], Policy.FLAG)) == Deletion(1)
        memory.sessions[0].network.ends[-1].loseConnection()
        memory.sessions[0].network.settle()
        memory.store.inbox.uidvalidity, faked.uidvalidity = 8, UidValidity(8)
        for stage, source in ((memory, real), (fake, faked)):
            try:
                await stage.do(source.look([1]))
            except MailboxReplaced:
                pass
            else:
                raise AssertionError("it takes another mailbox for the one it listed")
        memory.rest()

    async def test_lasting_ids_where_there_are_any(self) -> None:
        memory, fake = MemoryStage(f"{self.capabilities} OBJECTID"), FakeStage()
        for stage in (memory, fake):
            stage.fill(self.messages)
        for uid in range(1, 5):
            memory.store.inbox.messages[uid].stable_id = fake.messages[uid].stable_id = f"M{uid}"
        for stage, source in ((memory, memory.source()), (fake, fake.source())):
            await stage.do(source.list())
            assert await stage.do(source.stable_ids([1, 3, 9])) == {1: "M1", 3: "M3"}
            assert (await stage.do(source.fingerprints([3])))[3] == fingerprint(self.messages[2], "M3")
        memory.rest()


class OnAServerWithEverythingInMemory(OnAServerInMemory):
    capabilities = QRESYNC


class OnABareServerInMemory(OnAServerInMemory):
    capabilities = BARE
    expunges = False


class OnAPop3ServerInMemory(WithNames, TestCase):
    def setUp(self) -> None:
        self.stage = Pop3Stage()

    def tearDown(self) -> None:
        assert isinstance(self.stage, Pop3Stage)
        self.stage.rest()


class OnABarePop3ServerInMemory(OnAPop3ServerInMemory):
    """Neither CAPA nor UIDL nor pipelining."""

    def setUp(self) -> None:
        self.stage = Pop3Stage(capabilities=None, has_uidl=False)


@pytest.mark.story
class OnDovecot(WithFlags, TestCase):
    timeout = 60

    @pytest.fixture(autouse=True)
    def _take(self, mailbox: Mailbox) -> None:
        self.stage = RealStage(mailbox)

    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        assert isinstance(self.stage, RealStage)
        await self.stage.rest()


@pytest.mark.story
class OnDovecotByPop3(WithNames, TestCase):
    """Courier lists by file names, in no order that a test could rely on; it has its part in the stories."""

    timeout = 60

    @pytest.fixture(autouse=True)
    def _take(self, mailbox: Mailbox) -> None:
        assert isinstance(mailbox.server, Dovecot)
        self.stage = RealStage(mailbox, Upstream("pop3", "none", mailbox.host, mailbox.server.pop3_port))

    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        assert isinstance(self.stage, RealStage)
        await self.stage.rest()
