"""A post office without a network: sources on one mailbox in memory, a store that tests call durable, a clock."""

from collections.abc import Coroutine
from math import inf
from typing import Any, TypeVar, cast

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bridge.accounts.account import Account
from bridge.config import PassThrough, Upstream
from bridge.events import Event
from bridge.maildrop.errors import StateUnavailable, UpstreamUnavailable
from bridge.maildrop.source import Deletion
from bridge.maildrop.view import View
from bridge.names import AccountName, MessageNumber
from bridge.postoffice.deletions import Outcome
from bridge.postoffice.opening import PostOffice
from bridge.postoffice.visit import Visit
from bridge.state.memory import MemoryStore
from tests.contracts.fake_source import FakeMessage, FakeSource

T = TypeVar("T")
QUIT_WAIT = 2.5
DELETION_WAIT = 50.0


class DurableStore(MemoryStore):
    """Stands for SQLite's: what it holds outlives an office. `broken`: nothing can be written, as on a full disk."""

    durable = True
    broken = False

    def _write(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if self.broken:
            raise StateUnavailable("the disk is full")
        return getattr(super(), name)(*args, **kwargs)

    async def remember(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # awaited all the same
        return await self._write("remember", *args, **kwargs)

    async def write_down(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # the same
        return await self._write("write_down", *args, **kwargs)

    async def learn(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # the same
        return await self._write("learn", *args, **kwargs)

    async def keep(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # the same
        return await self._write("keep", *args, **kwargs)

    async def show(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]  # the same
        return await self._write("show", *args, **kwargs)


class HeldSource(FakeSource):
    """Its deletions wait until `let_go`; `down`: upstream cannot be reached."""

    down = False
    held: "Deferred[None] | None" = None
    answers: "list[Deletion | Exception]"

    async def delete(self, *args: Any, **kwargs: Any) -> Deletion:
        return await self._answer() or await super().delete(*args, **kwargs)

    async def purge(self, *args: Any, **kwargs: Any) -> Deletion:
        return await self._answer() or await super().purge(*args, **kwargs)

    async def _answer(self) -> Deletion | None:
        if self.held is not None:
            await self.held
        self._down()
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            self.broken = True
            raise answer
        return answer

    async def look(self, *args: Any, **kwargs: Any) -> Any:
        self._down()
        self.abandoned = False  # it connects anew
        return await super().look(*args, **kwargs)

    def _down(self) -> None:
        if self.down:
            self.broken = True
            raise UpstreamUnavailable("upstream closed the connection")


class Ground:
    """One account, whose mailbox a test may change behind everybody's back."""

    def __init__(self, *bodies: bytes, durable: bool = True, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.events: list[Event] = []
        self.messages = {uid: FakeMessage(body, date=1_700_000_000 + uid) for uid, body in enumerate(bodies, 1)}
        self.uidvalidity = 7
        self.uidnext = len(bodies) + 1
        self.store: MemoryStore = DurableStore(self.clock.seconds) if durable else MemoryStore(self.clock.seconds)
        upstream = Upstream("imap", "tls", "imap.example.org", 993)
        self.account = Account(b"ann", AccountName("ann"), PassThrough(upstream=upstream, **settings))
        self.sources: list[HeldSource] = []
        self.office = self.restart()

    def restart(self) -> PostOffice:
        """What a new process is to the store: nothing else is left."""
        self.office = PostOffice(
            self.store, self.clock, self.events.append, quit_wait=QUIT_WAIT, deletion_wait=DELETION_WAIT
        )
        return self.office

    def source(self) -> HeldSource:
        source = HeldSource(self.messages, uidvalidity=self.uidvalidity, uidnext=self.uidnext)
        source.answers = []
        self.sources.append(source)
        return source

    def seen_as(self, viewer: str, view: View | None = None) -> Account:
        a = self.account
        return Account(a.login, a.name, a.settings, view or a.view, viewer)

    def open(self, account: Account | None = None, *, highestmodseq: int = 0) -> Visit:
        source = self.source()
        source.highestmodseq = highestmodseq
        return result(self.office.open(account or self.account, source))

    def known(self, account: Account | None = None) -> dict[int, str]:
        """A whole session, behind which everything is learned; the UIDLs by UID."""
        visit = self.open(account)
        uidls = self.uidls(visit)
        visit.leave()
        return uidls

    def quit(self, visit: Visit, *numbers: int) -> "Deferred[Outcome]":
        """DELE of these numbers, then QUIT; what it answers."""
        for number in numbers:
            visit.maildrop.mark(MessageNumber(number))
        return Deferred.fromCoroutine(visit.quit(visit.maildrop.marked()))

    def uids(self, visit: Visit) -> list[int]:
        return [visit.maildrop.uid(MessageNumber(number)) for number in range(1, len(visit.maildrop) + 1)]

    def uidls(self, visit: Visit) -> dict[int, str]:
        """UIDLs by UID."""
        return dict(zip(self.uids(visit), (uidl for _, uidl in visit.maildrop.uidls()), strict=True))

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def journal(self) -> list[Any]:
        return result(self.store.journal(self.account.key, inf))


def result(coming: "Coroutine[Any, Any, T] | Deferred[T]") -> T:
    """What is there at once."""
    outcomes: list[Any] = []
    deferred = coming if isinstance(coming, Deferred) else Deferred.fromCoroutine(coming)
    deferred.addBoth(outcomes.append)
    assert outcomes, "it has to wait"
    if hasattr(outcomes[0], "raiseException"):
        outcomes[0].raiseException()
    return cast("T", outcomes[0])
