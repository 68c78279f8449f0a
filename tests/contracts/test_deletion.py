"""Every meaning of DELE on every kind of server: a server in memory and real ones give the same result (S18-S20)."""

from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar, Protocol, TypeVar, cast

import pytest
from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.accounts.account import Account
from bridge.config import PassThrough, Timeouts, Upstream
from bridge.credentials.proof import Given
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Source
from bridge.names import AccountName
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener
from tests.peers.servers.dovecot import dovecot
from tests.peers.servers.imap_server import ImapServer, Mailbox, session
from tests.upstream.mailserver import BARE, DOVECOT, Folder, Store
from tests.upstream.session import Session, mail

T = TypeVar("T")
MAIL = [mail(f"m{number}", 100 * number) for number in range(1, 8)]
FLAGS = {Policy.FLAG: {"\\Deleted"}, Policy.HIDE: {"$POP3Deleted"}}
POLICIES = [policy for policy in Policy if policy is not Policy.KEEP]


@frozen
class Seen:
    """What an IMAP user sees: flags by UID, and the messages in the targets."""

    flags: dict[int, set[str]]
    targets: dict[Policy, list[bytes]]


class Stage(Protocol):
    """A mailbox with the seven messages, and what an IMAP user does there."""

    def fill(self) -> list[int]: ...

    def source(self) -> Source: ...

    def do(self, coming: "Coroutine[Any, Any, T]") -> "Deferred[T]": ...

    def flag(self, uid: int, flags: Sequence[str]) -> None: ...

    def undelete(self, uid: int) -> None: ...

    def copy(self, uid: int, policy: Policy) -> None: ...

    def look(self) -> Seen: ...

    def rest(self) -> "Deferred[None]": ...


class Deletions:
    """The promises. `expunges` and `moves`: whether the server can do that, so that nothing of ours stays behind."""

    expunges: ClassVar[bool] = True
    moves: ClassVar[bool] = True
    new_stage: Callable[[], Stage]

    async def prepared(self) -> tuple[Stage, Source, list[int]]:
        """The fourth is deleted by somebody else, the fifth read and flagged."""
        stage = self.new_stage()
        self.addCleanup(stage.rest)  # type: ignore[attr-defined]  # the test case's
        uids = stage.fill()
        stage.flag(uids[3], ["\\Deleted"])
        stage.flag(uids[4], ["\\Flagged", "\\Seen"])
        source = stage.source()
        await stage.do(source.list())
        return stage, source, uids

    async def test_each_policy_does_what_it_says_and_touches_nothing_else(self) -> None:
        for policy in POLICIES:
            stage, source, uids = await self.prepared()
            marked = [uids[0], uids[1], uids[6]]
            for again in (False, True):
                assert await stage.do(source.delete(marked, policy, again=again)) == Deletion(3), policy
            self.check(policy, stage.look(), uids, [0, 1, 6])

    async def test_what_was_copied_when_the_answer_was_lost_is_not_copied_again(self) -> None:
        for policy in [policy for policy in POLICIES if policy.moves and not self.moves]:
            stage, source, uids = await self.prepared()
            stage.copy(uids[1], policy)
            assert await stage.do(source.delete(uids[:2], policy, again=True)) == Deletion(2)
            self.check(policy, stage.look(), uids, [0, 1])

    async def test_what_others_flag_meanwhile_stays(self) -> None:
        for policy in POLICIES:
            stage, source, uids = await self.prepared()
            stage.flag(uids[2], ["\\Deleted"])
            assert await stage.do(source.delete(uids[:1], policy)) == Deletion(1), policy
            seen = stage.look()
            assert seen.flags[uids[2]] == {"\\Deleted"}
            assert len(seen.flags) in {6, 7}

    async def test_a_purge_removes_only_what_is_still_flagged_at_that_instant(self) -> None:
        stage, source, uids = await self.prepared()
        assert await stage.do(source.delete(uids[:3], Policy.FLAG)) == Deletion(3)
        stage.undelete(uids[1])
        assert await stage.do(source.purge([*uids[:3], uids[5]])) == Deletion(4)
        flags = stage.look().flags
        assert flags[uids[1]] == flags[uids[5]] == set()
        assert flags[uids[3]] == {"\\Deleted"}
        assert [flags.get(uids[row]) for row in (0, 2)] == [None if self.expunges else {"\\Deleted"}] * 2

    def check(self, policy: Policy, seen: Seen, uids: list[int], rows: list[int]) -> None:
        assert seen.flags[uids[2]] == seen.flags[uids[5]] == set()
        assert seen.flags[uids[3]] == {"\\Deleted"}
        assert seen.flags[uids[4]] == {"\\Flagged", "\\Seen"}
        gone = policy not in FLAGS and (self.expunges or (policy.moves and self.moves))
        for row in rows:
            assert seen.flags.get(uids[row]) == (None if gone else FLAGS.get(policy, {"\\Deleted"})), policy
        for target, messages in seen.targets.items():
            assert sorted(messages) == sorted(MAIL[row] for row in rows if target is policy), policy


class MemoryStage:
    def __init__(self, capabilities: str, *, copyuid: bool) -> None:
        folders = {"INBOX": Folder(), "Trash": Folder(9), "Archive": Folder(11)}
        self._store = Store(folders, capabilities, copyuid=copyuid)
        self._session = Session(self._store, trash="Trash", archive="Archive")

    def fill(self) -> list[int]:
        return [self._store.inbox.append(octets) for octets in MAIL]

    def source(self) -> Source:
        return self._session.source

    def do(self, coming: "Coroutine[Any, Any, T]") -> "Deferred[T]":
        return succeed(self._session.network.run(coming))

    def flag(self, uid: int, flags: Sequence[str]) -> None:
        self._store.inbox.messages[uid].flags |= set(flags)

    def undelete(self, uid: int) -> None:
        self._store.inbox.messages[uid].flags.discard("\\Deleted")

    def copy(self, uid: int, policy: Policy) -> None:
        self._store.folders[policy.name.capitalize()].append(self._store.inbox.messages[uid].octets)

    def look(self) -> Seen:
        targets = {policy: self._store.folders[policy.name.capitalize()] for policy in Policy if policy.moves}
        return Seen(
            {uid: one.flags for uid, one in self._store.inbox.messages.items()},
            {policy: [one.octets for one in folder.messages.values()] for policy, folder in targets.items()},
        )

    def rest(self) -> "Deferred[None]":
        self._session.source.abandon()
        self._session.network.wait(1)
        return succeed(None)


class InMemory(Deletions, TestCase):
    capabilities: ClassVar[str] = DOVECOT
    copyuid: ClassVar[bool] = True

    def new_stage(self) -> Stage:
        return MemoryStage(self.capabilities, copyuid=self.copyuid)


class InMemoryWithoutMove(InMemory):
    capabilities = DOVECOT.replace(" MOVE", "")
    moves = False


class InMemoryWithoutCopyuid(InMemoryWithoutMove):
    copyuid = False


class InMemoryBare(InMemory):
    capabilities = BARE
    copyuid = moves = expunges = False


class RealStage:
    def __init__(self, mailbox: Mailbox, names: dict[Policy, str]) -> None:
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # a real server needs a real one

        self._mailbox = mailbox
        self._names = names
        self._reactor = cast("Reactor", reactor)  # a module to mypy
        upstream = Upstream("imap", "none", mailbox.host, mailbox.port)
        entry = PassThrough(upstream=upstream, trash=names[Policy.TRASH], archive=names[Policy.ARCHIVE])
        login = mailbox.user.encode()
        self._source: Source = Opener(self._reactor, Timeouts()).source(
            Account(login, AccountName(mailbox.user), entry),
            Given(Credentials(login, Secret(mailbox.password.encode()), "PLAIN", bearer=False)),
        )

    def fill(self) -> list[int]:
        with session(self._mailbox) as imap:
            for name in self._names.values():
                imap.create(name)
        return [uid for _, uid in self._mailbox.seed(MAIL)]

    def source(self) -> Source:
        return self._source

    def do(self, coming: "Coroutine[Any, Any, T]") -> "Deferred[T]":
        return Deferred.fromCoroutine(coming)

    def flag(self, uid: int, flags: Sequence[str]) -> None:
        with session(self._mailbox) as imap:
            imap.uid("STORE", str(uid), "+FLAGS.SILENT", f"({' '.join(flags)})")

    def undelete(self, uid: int) -> None:
        with session(self._mailbox) as imap:
            imap.uid("STORE", str(uid), "-FLAGS.SILENT", "(\\Deleted)")

    def copy(self, uid: int, policy: Policy) -> None:
        with session(self._mailbox) as imap:
            assert imap.uid("COPY", str(uid), self._names[policy])[0] == "OK"

    def look(self) -> Seen:
        targets = {policy: list(self._mailbox.raw_bodies(name).values()) for policy, name in self._names.items()}
        return Seen(self._mailbox.flags(), targets)

    def rest(self) -> "Deferred[None]":
        """The sockets are closed in the reactor's next turn."""
        self._source.abandon()
        return deferLater(self._reactor, 0, lambda: None)


class OnRealServer(Deletions):
    timeout = 120
    names: ClassVar[dict[Policy, str]] = {Policy.TRASH: "Trash", Policy.ARCHIVE: "Archive"}
    server: ImapServer

    def new_stage(self) -> Stage:
        return RealStage(self.server.new_mailbox(), self.names)


@contextmanager
def _lacking(*words: str) -> "Iterator[ImapServer]":
    capability = "IMAP4rev1 SASL-IR ENABLE LITERAL+ UNSELECT ESEARCH CONDSTORE QRESYNC UIDPLUS MOVE"
    for word in words:
        capability = capability.replace(f" {word}", "")
    with dovecot(capability=capability) as server:
        yield server


@pytest.mark.story
class OnDovecot(OnRealServer, TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, request: pytest.FixtureRequest) -> None:
        self.server = request.getfixturevalue("dovecot_server")


@pytest.mark.story
class OnDovecotWithoutMove(OnRealServer, TestCase):
    moves = False

    @pytest.fixture(autouse=True)
    def _take(self) -> Iterator[None]:
        with _lacking("MOVE") as self.server:
            yield


@pytest.mark.story
class OnDovecotWithoutUidplus(OnRealServer, TestCase):
    """It says COPYUID all the same; the copies that a lost answer leaves behind have to be looked for."""

    moves = expunges = False

    @pytest.fixture(autouse=True)
    def _take(self) -> Iterator[None]:
        with _lacking("MOVE", "UIDPLUS") as self.server:
            yield


@pytest.mark.story
@pytest.mark.slow
class OnCyrus(OnRealServer, TestCase):
    @pytest.fixture(autouse=True)
    def _take(self, request: pytest.FixtureRequest) -> None:
        self.server = request.getfixturevalue("cyrus_server")


@pytest.mark.story
@pytest.mark.slow
class OnCourier(OnRealServer, TestCase):
    moves = False
    names: ClassVar[dict[Policy, str]] = {Policy.TRASH: "INBOX.Trash", Policy.ARCHIVE: "INBOX.Archive"}

    @pytest.fixture(autouse=True)
    def _take(self, request: pytest.FixtureRequest) -> None:
        self.server = request.getfixturevalue("courier_server")
