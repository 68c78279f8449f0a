"""What every Source keeps, the fake one included: tests of what stands downstream may believe the fake.

The same promises are held against the fake, against `ImapSource` on a server in memory, and on a real Dovecot.
"""

import contextlib
import imaplib
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, ClassVar, Protocol, TypeVar, cast

import pytest
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.accounts.account import Account
from bridge.config import PassThrough, Timeouts, Upstream
from bridge.maildrop.errors import MessageGone, RetrievalRefused, Trouble
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Source
from bridge.names import AccountName, Uid
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener
from tests.contracts.fake_source import FakeMessage, FakeSource
from tests.peers.servers.imap_server import Mailbox, session
from tests.upstream.mailserver import BARE, DOVECOT
from tests.upstream.session import Session, Taken, mail, with_messages

T = TypeVar("T")
MAIL = (mail("a"), mail("b", 100_000), b"Subject: no body\r\n\r\n", mail("d"))
ENDLESS = 10**9


class Stage(Protocol):
    """A mailbox that holds these messages, and what others do to it."""

    def fill(self, messages: Sequence[bytes]) -> None: ...

    def source(self) -> Source:
        """A new session's."""

    def do(self, coming: "Coroutine[Any, Any, T]") -> "Awaitable[T]": ...

    def remove(self, uid: int) -> None: ...

    def flag(self, uid: int, flag: str) -> None: ...


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

    async def test_an_empty_mailbox(self) -> None:
        _, sizes = await self.opened()
        assert sizes == {}

    async def test_uids_and_uidvalidity_stay_from_session_to_session(self) -> None:
        self.stage.fill(self.messages)
        listings = [await self.stage.do(self.stage.source().list()) for _ in range(2)]
        assert listings[0].uids == listings[1].uids
        assert listings[0].uidvalidity == listings[1].uidvalidity > 0

    async def test_what_others_have_marked_is_hidden(self) -> None:
        _, _, uids = await self.full()
        self.stage.flag(uids[1], "\\Deleted")
        listing = await self.stage.do(self.stage.source().list())
        assert list(listing.uids) == uids
        assert list(listing.visible().uids) == [uids[0], *uids[2:]]

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

    async def test_nothing_is_deleted_without_the_word(self) -> None:
        source, sizes, uids = await self.full()
        await self.stage.do(source.stream(Uid(uids[0]), Taken(), sizes[uids[0]]))
        source.abandon()
        listing = await self.stage.do(self.stage.source().list())
        assert list(listing.visible().uids) == uids

    async def test_a_receiver_that_stops_is_not_written_to_and_stops_nobody_else(self) -> None:
        source, sizes, uids = await self.full()
        taken = Taken(first=lambda flow: flow.stop())
        with contextlib.suppress(Trouble):
            await self.stage.do(source.stream(Uid(uids[1]), taken, sizes[uids[1]]))
        assert len(taken.pieces) == 1
        taken = Taken()
        await self.stage.do(source.stream(Uid(uids[0]), taken, sizes[uids[0]]))
        assert taken.octets == self.messages[0]

    async def test_ending_never_fails(self) -> None:
        never_opened = self.stage.source()
        for source in (never_opened, (await self.opened())[0], (await self.opened())[0]):
            source.close()
            source.abandon()
            source.close()
            source.abandon()


class OnTheFake(Contract, TestCase):
    def setUp(self) -> None:
        self.stage = FakeStage()


class OnAServerInMemory(Contract, TestCase):
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


class OnABareServerInMemory(OnAServerInMemory):
    capabilities = BARE


@pytest.mark.story
class OnDovecot(Contract, TestCase):
    timeout = 60

    @pytest.fixture(autouse=True)
    def _take(self, mailbox: Mailbox) -> None:
        self.stage = RealStage(mailbox)

    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        assert isinstance(self.stage, RealStage)
        await self.stage.rest()


class FakeStage:
    def __init__(self) -> None:
        self.messages: dict[int, FakeMessage] = {}

    def fill(self, messages: Sequence[bytes]) -> None:
        self.messages.update((uid, FakeMessage(octets)) for uid, octets in enumerate(messages, 1))

    def source(self) -> Source:
        return FakeSource(self.messages)

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        return await coming

    def remove(self, uid: int) -> None:
        del self.messages[uid]

    def flag(self, uid: int, flag: str) -> None:
        setattr(self.messages[uid], {"\\Deleted": "deleted", "\\Seen": "seen", "$POP3Deleted": "hidden"}[flag], True)


class MemoryStage:
    def __init__(self, capabilities: str) -> None:
        self.store = with_messages(capabilities=capabilities)
        self.sessions: list[Session] = []

    def fill(self, messages: Sequence[bytes]) -> None:
        for octets in messages:
            self.store.inbox.append(octets)

    def source(self) -> Source:
        self.sessions.append(Session(self.store, piece=9000))
        return self.sessions[-1].source

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        running = self.sessions[0].network.start(coming)
        for one in self.sessions:
            one.network.settle()
        return running.result()

    def remove(self, uid: int) -> None:
        del self.store.inbox.messages[uid]

    def flag(self, uid: int, flag: str) -> None:
        self.store.inbox.messages[uid].flags.add(flag)

    def rest(self) -> None:
        for one in self.sessions:
            one.source.abandon()
            one.network.wait(11)
            assert one.network.open == 0


class RealStage:
    def __init__(self, mailbox: Mailbox) -> None:
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # a real server needs a real one

        self._mailbox = mailbox
        self._reactor = cast("Reactor", reactor)  # a module to mypy
        self._opener = Opener(self._reactor, Timeouts())
        self._sources: list[Source] = []

    def fill(self, messages: Sequence[bytes]) -> None:
        self._mailbox.seed(messages)

    def source(self) -> Source:
        mailbox = self._mailbox
        upstream = Upstream("imap", "none", mailbox.host, mailbox.port)
        login = mailbox.user.encode()
        account = Account(login, AccountName(mailbox.user), PassThrough(upstream=upstream))
        credentials = Credentials(login, Secret(mailbox.password.encode()), "PLAIN", bearer=False)
        self._sources.append(self._opener.source(account, credentials))
        return self._sources[-1]

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        return await coming

    def remove(self, uid: int) -> None:
        with session(self._mailbox) as imap:
            self._mark(imap, uid, "\\Deleted")
            imap.uid("EXPUNGE", str(uid))

    def flag(self, uid: int, flag: str) -> None:
        with session(self._mailbox) as imap:
            self._mark(imap, uid, flag)

    def _mark(self, imap: imaplib.IMAP4, uid: int, flag: str) -> None:
        imap.uid("STORE", str(uid), "+FLAGS.SILENT", f"({flag})")

    async def rest(self) -> None:
        """The sockets are closed in the reactor's next turn."""
        for source in self._sources:
            source.abandon()
        await deferLater(self._reactor, 0)
