# mypy: disallow-untyped-calls=False
# (Twisted gives its assertions no types.)
"""What the promises of a Store are tested with: the stores, and what is stored in them."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import TestCase

from bridge.maildrop.journal import Entry
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Issued, Memory, News
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, SourceKey, SourceName, UidValidity
from bridge.state.memory import MemoryStore
from bridge.state.sqlite import SqliteStore
from bridge.state.store import Store

ALICE = SourceKey(AccountName("imaps://imap.example.org alice"))
WORK = SourceKey(ALICE.account, SourceName("work"))
BOB = SourceKey(AccountName("imaps://imap.example.org bob"))
TEMPLATE = "{uidvalidity}.{uid}"
OTHER_TEMPLATE = "UID{uid}-{uidvalidity}"


def listing(uidvalidity: int, uids: Sequence[int]) -> Listing:
    rows = Listing(UidValidity(uidvalidity), uidnext=max(uids, default=0) + 1, highestmodseq=2**63 - 1, mailbox_id="F1")
    rows.add(uids, [100 * uid for uid in uids], [-1 if uid == 3 else uid for uid in uids], bytes(u % 2 for u in uids))
    return rows


def memory(uids: Sequence[int] = (), *, uidvalidity: int = 7, **more: Any) -> Memory:
    settings = {"place": "imaps://imap.example.org alice", "highest": max(uids, default=0), "template": TEMPLATE}
    return Memory(listing=listing(uidvalidity, uids), **{**settings, **more})


def entry(uid: int, *, viewer: str = "", incarnation: int = 1, **more: Any) -> Entry:
    settings = {"size": 100 * uid, "date": uid, "policy": Policy.TRASH}
    return Entry(viewer=viewer, incarnation=incarnation, uid=uid, **{**settings, **more})


def learned(*uids: int) -> dict[int, Fingerprint]:
    return {uid: Fingerprint(b"" if uid == 1 else bytes([uid]) * 16, b"h" * 16, f"M{uid}") for uid in uids}


class Contract:
    """What promises have in common. `store` comes from the class that is a test case too."""

    store: Store
    now = 1_700_000_000.5

    async def refused(self, asked: "Awaitable[object]", error: type[Exception]) -> Exception:
        try:
            await asked
        except error as refusal:
            return refusal
        raise AssertionError(f"it does not raise {error}")

    async def first(self, uids: Sequence[int] = (1, 2, 3), key: SourceKey = ALICE, **more: Any) -> Memory:
        news = News(**{name: more.pop(name) for name in ("given", "carried", "computed") if name in more})
        return await self.store.remember(key, memory(uids, **more), news)

    async def renewed(self, old: Memory, uids: Sequence[int], news: News, **more: Any) -> Memory:
        """The mailbox was rebuilt with these UIDs."""
        issued = (*old.issued, Issued(old.incarnation, old.listing.uidvalidity, old.highest, old.template))
        settings = {"uidvalidity": 8, "incarnation": old.incarnation + 1, "issued": issued, **more}
        return await self.store.remember(ALICE, evolve(memory(uids, **settings), version=old.version), news)

    async def again(self, key: SourceKey = ALICE) -> Memory:
        found = await self.store.recall(key)
        assert found is not None
        return found


class OnMemory(TestCase):
    now: float
    store: Store

    def setUp(self) -> None:
        self.store = MemoryStore(lambda: self.now)


class _Reactor:
    """Twisted's, with a clock of the test's."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        # The reactor of the test run; imported where a reactor is really needed.
        from twisted.internet import reactor  # noqa: PLC0415, TID251  # threads need a real one

        self.callFromThread = cast("IReactorFromThreads", reactor).callFromThread
        self.seconds = seconds


class OnSqlite(TestCase):
    now: float
    store: Store
    timeout = 60

    def setUp(self) -> None:
        directory = TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = Path(directory.name, "state.sqlite")
        self.store = self.opened()
        self.addCleanup(self.store.close)

    def opened(self) -> Store:
        return SqliteStore.open(self.path, _Reactor(lambda: self.now))


class OnSqliteOpenedAgain(OnSqlite):
    """Before every question."""

    def opened(self) -> Store:
        return cast("Store", _Reopening(super().opened))


class _Reopening:
    def __init__(self, opened: Callable[[], Store]) -> None:
        self._opened = opened
        self._store = opened()
        self._closed = False

    @property
    def durable(self) -> bool:
        return self._store.durable

    def close(self) -> Deferred[None]:
        self._closed = True
        return self._store.close()

    def __getattr__(self, name: str) -> Callable[..., Deferred[Any]]:
        def ask(*args: Any, **kwargs: Any) -> Deferred[Any]:
            return Deferred.fromCoroutine(self._ask(name, args, kwargs))

        return ask

    async def _ask(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self._closed:
            await self._store.close()
            self._store = self._opened()
        return await getattr(self._store, name)(*args, **kwargs)
