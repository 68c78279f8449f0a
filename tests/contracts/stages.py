"""Where the contract of a Source is played: on the fake, on servers in memory, and on real ones."""

import imaplib
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar, cast

from twisted.internet.task import deferLater

from bridge.accounts.account import Account
from bridge.config import PassThrough, Timeouts, Upstream
from bridge.credentials.proof import Given
from bridge.maildrop.readahead import Budget
from bridge.maildrop.source import Source
from bridge.names import AccountName
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener
from tests.contracts.fake_source import FakeMessage, FakeSource
from tests.peers.servers.imap_server import Mailbox, session
from tests.upstream.pop3_server import Drop, session_at
from tests.upstream.session import Session, with_messages

T = TypeVar("T")

AHEAD = 1 << 20
"""Octets that a session may hold ahead."""


class Stage(Protocol):
    """A mailbox that holds these messages, and what others do to it."""

    def fill(self, messages: Sequence[bytes]) -> None: ...

    def source(self) -> Source:
        """A new session's."""

    def do(self, coming: "Coroutine[Any, Any, T]") -> "Awaitable[T]": ...

    async def settle(self) -> None:
        """Until a session that was closed has ended at the server."""

    def remove(self, uid: int) -> None: ...

    def flag(self, uid: int, flag: str, *, on: bool = True) -> None: ...


class FakeStage:
    def __init__(self) -> None:
        self.messages: dict[int, FakeMessage] = {}

    def fill(self, messages: Sequence[bytes]) -> None:
        first = max(self.messages, default=0) + 1
        self.messages.update((uid, FakeMessage(octets)) for uid, octets in enumerate(messages, first))

    def source(self) -> Source:
        return FakeSource(self.messages)

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        return await coming

    async def settle(self) -> None:
        """There is no server."""

    def remove(self, uid: int) -> None:
        del self.messages[uid]

    def flag(self, uid: int, flag: str, *, on: bool = True) -> None:
        setattr(self.messages[uid], {"\\Deleted": "deleted", "\\Seen": "seen", "$POP3Deleted": "hidden"}[flag], on)


class MemoryStage:
    def __init__(self, capabilities: str) -> None:
        self.store = with_messages(capabilities=capabilities)
        self.sessions: list[Session] = []

    def fill(self, messages: Sequence[bytes]) -> None:
        for octets in messages:
            self.store.inbox.append(octets)

    def source(self) -> Source:
        self.sessions.append(Session(self.store, piece=9000, ahead=AHEAD))
        return self.sessions[-1].source

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        running = self.sessions[0].network.start(coming)
        for one in self.sessions:
            one.network.settle()
        return running.result()

    async def settle(self) -> None:
        for one in self.sessions:
            one.network.settle()

    def remove(self, uid: int) -> None:
        self.store.inbox.remove(uid)

    def flag(self, uid: int, flag: str, *, on: bool = True) -> None:
        flags = self.store.inbox.messages[uid].flags
        self.store.inbox.flag(uid, *(flags | {flag} if on else flags - {flag}))

    def rest(self) -> None:
        for one in self.sessions:
            one.source.abandon()
            one.network.wait(11)
            assert one.network.open == 0


class Pop3Stage:
    """All sessions share one network and one Opener, as they do in a bridge. UIDs are those of a first listing."""

    def __init__(self, **settings: Any) -> None:
        self.drop = Drop(**settings)
        self._session = session_at(self.drop, piece=9000)
        self._sources: list[Source] = []

    def fill(self, messages: Sequence[bytes]) -> None:
        self.drop.append(*messages)

    def source(self) -> Source:
        self._sources.append(self._session.another())
        return self._sources[-1]

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        return self._session.network.run(coming)

    async def settle(self) -> None:
        self._session.network.settle()

    def remove(self, uid: int) -> None:
        self.drop.remove(self.drop.messages[uid - 1][0])

    def flag(self, uid: int, flag: str, *, on: bool = True) -> None:
        raise AssertionError("no POP3 server knows flags")

    def rest(self) -> None:
        for source in self._sources:
            source.abandon()
        self._session.network.wait(11)
        assert self._session.network.open == 0
        assert not self._session.network.getDelayedCalls()


class RealStage:
    def __init__(self, mailbox: Mailbox, upstream: Upstream | None = None) -> None:
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # a real server needs a real one

        self._mailbox = mailbox
        self._upstream = upstream or Upstream("imap", "none", mailbox.host, mailbox.port)
        self._reactor = cast("Reactor", reactor)  # a module to mypy
        self._opener = Opener(self._reactor, Timeouts(), budget=Budget(AHEAD, 4 * AHEAD))
        self._sources: list[Source] = []

    def fill(self, messages: Sequence[bytes]) -> None:
        self._mailbox.seed(messages)

    def source(self) -> Source:
        mailbox = self._mailbox
        login = mailbox.user.encode()
        account = Account(login, AccountName(mailbox.user), PassThrough(upstream=self._upstream))
        credentials = Credentials(login, Secret(mailbox.password.encode()), "PLAIN", bearer=False)
        self._sources.append(self._opener.source(account, Given(credentials)))
        return self._sources[-1]

    async def do(self, coming: "Coroutine[Any, Any, T]") -> T:
        return await coming

    async def settle(self) -> None:
        """The sockets are closed in the reactor's next turn, and POP3 says QUIT before."""
        await deferLater(self._reactor, 0.2 if self._upstream.protocol == "pop3" else 0)

    def remove(self, uid: int) -> None:
        with session(self._mailbox) as imap:
            self._mark(imap, uid, "\\Deleted")
            imap.uid("EXPUNGE", str(uid))

    def flag(self, uid: int, flag: str, *, on: bool = True) -> None:
        with session(self._mailbox) as imap:
            self._mark(imap, uid, flag, "+" if on else "-")

    def _mark(self, imap: imaplib.IMAP4, uid: int, flag: str, sign: str = "+") -> None:
        imap.uid("STORE", str(uid), f"{sign}FLAGS.SILENT", f"({flag})")

    async def rest(self) -> None:
        for source in self._sources:
            source.abandon()
        await self.settle()
