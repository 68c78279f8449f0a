"""An account with a mailbox in memory and a state that forgets: what most commands are tried on."""

import contextlib
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from bridge.accounts.account import Account
from bridge.accounts.directory import Directory
from bridge.commands.old_message import OldMessage
from bridge.config import PassThrough, Upstream
from bridge.events import Event
from bridge.maildrop.errors import Renumbered
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.memory import Memory
from bridge.postoffice.listings import Listings
from bridge.state.memory import MemoryStore
from tests.commands.old_pop3_server import RecordingTerminal
from tests.contracts.fake_source import FakeMessage, FakeSource

T = TypeVar("T")

UPSTREAM = Upstream("imap", "tls", "imap.example.org", 993)


def done(work: "Deferred[T] | Coroutine[Any, Any, T]") -> T:
    """What it came to; nothing here waits."""
    results: list[T] = []
    deferred = work if isinstance(work, Deferred) else Deferred.fromCoroutine(work)
    failures: list[BaseException] = []
    deferred.addCallbacks(results.append, lambda failure: failures.append(failure.value))
    if failures:
        raise failures[0]
    return results[0]


def mail(subject: str) -> bytes:
    header = f"From: ann@example.org\r\nSubject: {subject}\r\nMessage-ID: <{subject}@example.org>\r\n"
    return f"{header}\r\n{subject}\r\n".encode()


def old(subjects: Iterable[str]) -> list[OldMessage]:
    """As an old server lists them, under UIDLs such as "old-one"."""
    return [OldMessage(uidl=f"old-{s}", size=len(mail(s)), fingerprint=fingerprint(mail(s))) for s in subjects]


@define
class House:
    """`subjects`: one message each, with UIDs from 1."""

    subjects: list[str]
    settings: PassThrough = field(factory=lambda: PassThrough(upstream=UPSTREAM))
    login: bytes = b"ann"
    terminal: RecordingTerminal = field(factory=RecordingTerminal)
    now: float = 1_800_000_000.0
    told: list[Event] = field(factory=list)
    store: MemoryStore = field(init=False)
    source: FakeSource = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.store = MemoryStore(lambda: self.now)
        self.source = FakeSource({uid: FakeMessage(mail(s)) for uid, s in enumerate(self.subjects, 1)})

    @property
    def account(self) -> Account:
        account = Directory((self.settings,)).find(self.login)
        assert isinstance(account, Account)
        return account

    def log_in(self) -> Memory:
        """What a login remembers."""
        return done(Listings(self.store, Clock(), self.told.append).synchronised(self.account, self.source))

    def learn(self) -> None:
        """What a session learns behind its QUIT."""
        memory, key = self.log_in(), self.account.key
        uids = memory.listing.uids.tolist()
        known = done(self.source.fingerprints(uids))
        done(self.store.learn(key, memory.incarnation, true_sizes={}, fingerprints=known, learned_to=uids[-1]))

    def memory(self) -> Memory | None:
        return done(self.store.recall(self.account.key))

    def uidls(self) -> dict[int, str]:
        """What clients are told, by UID."""
        memory = self.memory()
        assert memory is not None
        return dict(zip(memory.listing.uids, memory.uidls().uidls(memory.listing.uids), strict=True))

    def renumber(self) -> None:
        """Another mailbox stands there now, and a login was refused because of it."""
        self.source.uidvalidity = type(self.source.uidvalidity)(8)
        for uid, message in self.source.messages.items():
            message.octets = mail(f"stranger-{uid}-of-another-length")
        with contextlib.suppress(Renumbered):
            self.log_in()
