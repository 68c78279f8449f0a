"""A mailbox on real servers is listed again and again, while others use it: as if it were listed for the first time."""

import imaplib
import random
from collections.abc import Callable, Iterator
from typing import cast

import pytest
from attrs import define, field
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.accounts.account import Account
from bridge.config import PassThrough, Timeouts, Upstream
from bridge.credentials.proof import Given
from bridge.maildrop.listing import Listing
from bridge.maildrop.source import Source
from bridge.names import AccountName
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import ImapServer, Mailbox, session

pytestmark = pytest.mark.story

MESSAGES = [b"Subject: %d\r\n\r\n%b\r\n" % (number, b"x" * number) for number in range(1, 41)]
MASKED = "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ ESEARCH UIDPLUS MOVE"


@pytest.fixture(scope="session")
def masked_dovecot() -> Iterator[Dovecot]:
    """It offers neither CONDSTORE nor QRESYNC."""
    with dovecot(capability=MASKED) as server:
        yield server


@define
class Wire:
    """What went over it, and how often somebody had to wait for an answer before the next question."""

    said: list[str] = field(factory=list)
    _ways: list[str] = field(factory=list)

    def trace(self, way: str, text: str) -> None:
        self._ways.append(way)
        if way == "c":
            self.said.append(text)

    @property
    def round_trips(self) -> int:
        """The greeting is one."""
        return sum(now == "s" and before == "c" for before, now in zip(["c", *self._ways], self._ways, strict=False))


def rows(listing: Listing) -> list[tuple[int, int, int, int]]:
    return list(zip(listing.uids, listing.sizes, listing.dates, listing.hidden, strict=True))


class Story(TestCase):
    """The promises; a subclass says on which server."""

    __test__ = False
    server_fixture: str
    news: str
    """What the second listing asks, beside what it asks everywhere."""

    timeout = 120

    @pytest.fixture(autouse=True)
    def _take(self, request: pytest.FixtureRequest) -> None:
        server = request.getfixturevalue(self.server_fixture)
        assert isinstance(server, ImapServer)
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # a real server needs a real one

        self.reactor = cast("Reactor", reactor)  # a module to mypy
        self.mailbox = server.new_mailbox()
        self.mailbox.seed(MESSAGES)
        self.sources: list[Source] = []

    async def tearDown(self) -> None:  # type: ignore[override]  # trial waits for it
        for source in self.sources:
            source.abandon()
        await deferLater(self.reactor, 0)

    async def listed(self, known: Listing | None) -> tuple[Listing, Wire]:
        upstream = Upstream("imap", "none", self.mailbox.host, self.mailbox.port)
        login, wire = self.mailbox.user.encode(), Wire()
        account = Account(login, AccountName(self.mailbox.user), PassThrough(upstream=upstream))
        credentials = Credentials(login, Secret(self.mailbox.password.encode()), "PLAIN", bearer=False)
        source = Opener(self.reactor, Timeouts()).source(account, Given(credentials), trace=wire.trace)
        self.sources.append(source)
        listing = await source.list(known)
        source.close()
        return listing, wire

    async def check(self, known: Listing) -> tuple[Listing, Wire]:
        again, wire = await self.listed(known)
        fresh, _ = await self.listed(None)
        assert rows(again) == rows(fresh)
        assert (again.uidvalidity, again.uidnext, again.mailbox_id) == (
            fresh.uidvalidity,
            fresh.uidnext,
            fresh.mailbox_id,
        )
        assert "FetchListing(uids='1:*')" not in "".join(wire.said), wire.said
        return again, wire

    async def test_nothing_new(self) -> None:
        known, first = await self.listed(None)
        assert len(known) == len(MESSAGES)
        _, again = await self.check(known)
        print(f"{self.mailbox.name}: {first.round_trips} round trips, then {again.round_trips}")
        assert again.round_trips < 10
        assert self.news in "".join(again.said)

    async def test_one_thing_after_the_other(self) -> None:
        known, _ = await self.listed(None)
        most = 0
        with session(self.mailbox) as imap:
            for step, change in enumerate((*CHANGES, *changes(random.Random(20)))):
                change(self.mailbox, imap)
                known, wire = await self.check(known)
                most = max(most, wire.round_trips)
                assert most < 10, f"{most} round trips after step {step}"
        print(f"{self.mailbox.name}: {most} round trips at most")

    async def test_a_flag_is_seen_at_the_next_poll(self) -> None:
        """Set and taken away by somebody whose connection stays open (S7)."""
        known, _ = await self.listed(None)
        uid = known.uids[10]
        with session(self.mailbox) as imap:
            for sign in "+-+-":
                imap.uid("STORE", str(uid), f"{sign}FLAGS.SILENT", "(\\Deleted)")
                known, _ = await self.check(known)
                assert known.hidden[10] == (sign == "+")

    async def test_all_gone(self) -> None:
        known, _ = await self.listed(None)
        self.mailbox.wipe()
        known, _ = await self.check(known)
        assert len(known) == 0


def store(uids: Callable[[list[int]], list[int]], sign: str, flag: str) -> Callable[[Mailbox, imaplib.IMAP4], None]:
    def change(mailbox: Mailbox, imap: imaplib.IMAP4) -> None:
        chosen = uids(mailbox.uids())
        if chosen:
            imap.uid("STORE", ",".join(map(str, chosen)), f"{sign}FLAGS.SILENT", f"({flag})")

    return change


def expunge(_: Mailbox, imap: imaplib.IMAP4) -> None:
    imap.expunge()


def append(mailbox: Mailbox, _: imaplib.IMAP4) -> None:
    mailbox.seed([b"Subject: new\r\n\r\nnew\r\n"] * 3)


def nothing(_: Mailbox, __: imaplib.IMAP4) -> None:
    pass


CHANGES = (
    nothing,
    append,
    store(lambda uids: uids[:3], "+", "\\Deleted"),
    store(lambda uids: uids[1:2], "-", "\\Deleted"),
    expunge,
    store(lambda uids: uids[-2:], "+", "$POP3Deleted"),
    store(lambda uids: uids[-1:], "+", "\\Deleted"),
    expunge,
    append,
    store(lambda uids: uids[::2], "+", "\\Seen"),
    nothing,
)


def changes(dice: random.Random) -> Iterator[Callable[[Mailbox, imaplib.IMAP4], None]]:
    for _ in range(12):
        start, sign = dice.randrange(30), dice.choice("+-")
        yield dice.choice(
            (append, expunge, store(lambda uids, start=start: uids[start : start + 4], sign, "\\Deleted"))  # type: ignore[misc]  # its start is start's
        )


class OnDovecot(Story):
    __test__ = True
    server_fixture = "dovecot_server"
    news = "since=("


class OnDovecotWithoutCondstore(Story):
    __test__ = True
    server_fixture = "masked_dovecot"
    news = "condstore=False, since=None"


class OnCyrus(Story):
    __test__ = True
    server_fixture = "cyrus_server"
    news = "since=("


class OnCourier(Story):
    __test__ = True
    server_fixture = "courier_server"
    news = "condstore=False, since=None"


@pytest.mark.slow
class OnPymap(Story):
    __test__ = True
    server_fixture = "pymap_server"
    news = "condstore=False, since=None"


@pytest.mark.slow
class OnHoodiecrow(Story):
    __test__ = True
    server_fixture = "hoodiecrow_server"
    news = "condstore=False, since=None"
