"""One login with several sources in memory, each of which may be away, slow or wrong."""

from collections.abc import Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bridge.accounts.account import Account, OwnLogin
from bridge.accounts.directory import Directory
from bridge.config import OwnAccount, OwnSource, Reference, Upstream
from bridge.events import Event
from bridge.maildrop.listing import Listing
from bridge.names import MessageNumber
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.opening import Opening, PostOffice
from bridge.postoffice.visit import Visit
from bridge.state.memory import MemoryStore
from tests.contracts.fake_source import FakeMessage
from tests.postoffice.kit import DELETION_WAIT, QUIT_WAIT, DurableStore, HeldSource, result

PATIENCE = 25.0
START = 1_700_000_000


@define(eq=False)
class Box:
    """A mailbox elsewhere. `fails`: what a login meets there; `silent`: it waits for ever.
    `goes_on`: it knows when nothing has changed.
    `lists_when`: it lists when this fires.
    """

    name: str
    settings: dict[str, Any] = field(factory=dict)
    messages: dict[int, FakeMessage] = field(factory=dict)
    uidvalidity: int = 7
    fails: BaseException | None = None
    silent: bool = False
    goes_on: bool = False
    lists_when: "Deferred[None] | None" = None
    uidnext: int = 1
    sources: "list[BoxSource]" = field(factory=list)

    def put(self, octets: bytes, date: int = 0, **more: Any) -> int:
        uid, self.uidnext = self.uidnext, self.uidnext + 1
        self.messages[uid] = FakeMessage(octets, date=START + date, **more)
        return uid

    def make(self) -> "BoxSource":
        source = BoxSource(self.messages, uidvalidity=self.uidvalidity, uidnext=self.uidnext)
        source.answers, source.box = [], self
        self.sources.append(source)
        return source

    @property
    def connected(self) -> bool:
        return any(source.connected and not (source.abandoned or source.closed) for source in self.sources)


class BoxSource(HeldSource):
    box: Box
    connected = False

    async def enter(self) -> None:
        self.connected = True
        await self._met()

    async def list(self, known: Listing | None = None) -> Listing:
        self.connected = True
        await self._met()
        if self.box.lists_when is not None:
            await self.box.lists_when
        self.abandoned = False
        listing = await super().list(known)
        # What a source gives back where nothing came, went or changed is what it was given.
        return known if self.box.goes_on and known is not None and listing == known else listing

    async def _met(self) -> None:
        if self.box.silent:
            await Deferred[None]()
        if self.box.fails is not None:
            raise self.box.fails


class Street:
    """`boxes` in the order of the configuration; a test may change it between logins."""

    def __init__(self, *names: str, **settings: Any) -> None:
        self.clock = Clock()
        self.clock.advance(1_800_000_000)
        self.events: list[Event] = []
        self.store: MemoryStore = DurableStore(self.clock.seconds)
        self.boxes = [Box(name, dict(settings)) for name in names]
        self.hides_copies = False
        self.office = self.restart()

    def restart(self) -> PostOffice:
        self.office = PostOffice(
            self.store, self.clock, self.events.append, quit_wait=QUIT_WAIT, deletion_wait=DELETION_WAIT
        )
        return self.office

    def box(self, name: str) -> Box:
        return next(box for box in self.boxes if box.name == name)

    def accounts(self) -> Sequence[Account]:
        sources = [
            OwnSource(
                name=box.name,
                login=box.name,
                secret=Reference("env", "X"),
                **{"upstream": Upstream("imap", "tls", f"{box.name}.example", 993), **box.settings},
            )
            for box in self.boxes
        ]
        own = OwnAccount(user="alice", source=tuple(sources))
        found = Directory((), (own,)).find(b"alice")
        assert isinstance(found, OwnLogin)
        return found.sources

    def opening(self) -> "Deferred[Visit | Gathering]":
        openings = [Opening(account, box.make) for account, box in zip(self.accounts(), self.boxes, strict=True)]
        coming = self.office.open_together(openings, patience=PATIENCE, hides_copies=self.hides_copies)
        return Deferred.fromCoroutine(coming)

    def open(self) -> Visit | Gathering:
        return result(self.opening())

    def listed(self) -> list[str]:
        """A whole session that only lists: UIDLs in order."""
        visit = self.open()
        uidls = uidls_of(visit)
        result(visit.quit([]))
        visit.leave()
        return uidls

    def told(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def uidls_of(visit: Visit | Gathering) -> list[str]:
    return [uidl for _, uidl in visit.maildrop.uidls()]


def mark(visit: Visit | Gathering, *numbers: int) -> None:
    for number in numbers:
        visit.maildrop.mark(MessageNumber(number))
