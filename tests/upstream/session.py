"""What the tests of the source share: a whole session through `Opener`, from dialling on, with a server in memory."""

from collections.abc import Callable
from typing import Any, cast

from attrs import Factory, define, evolve

from bridge.accounts.account import Account
from bridge.config import PassThrough, Timeouts, Upstream
from bridge.credentials.proof import Given
from bridge.imap.quirks import Quirk
from bridge.maildrop.listing import Listing
from bridge.maildrop.readahead import Budget
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Flow, Source
from bridge.names import AccountName, Uid
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener
from tests.upstream.mailserver import Store
from tests.upstream.network import Answering, Network, Running

CLEAR = Upstream("imap", "none", "imap.example.org", 143)
ALICE = Credentials(b"alice", Secret(b"wonder"), "PLAIN", bearer=False)


@define
class Taken:
    """A Sink that keeps what it got; `enough` octets satisfy it, None never. `first` is done with the first ones."""

    enough: int | None = None
    first: Callable[[Flow], None] | None = None
    begun: int = 0
    flow: Flow | None = None
    octets: bytes = b""
    pieces: list[int] = Factory(list)

    @property
    def satisfied(self) -> bool:
        return self.enough is not None and len(self.octets) >= self.enough

    def begin(self, flow: Flow) -> None:
        self.begun += 1
        self.flow = flow

    def write(self, octets: bytes) -> None:
        self.octets += octets
        self.pieces.append(len(octets))
        if self.first is not None and len(self.pieces) == 1:
            assert self.flow is not None
            self.first(self.flow)


class Session:
    """One POP3 session's source, on a network of its own. `answering` where no mail server answers.

    `ahead`: octets that may be held ahead.
    """

    def __init__(
        self,
        store: Store | None = None,
        *,
        answering: Answering | None = None,
        upstream: Upstream = CLEAR,
        credentials: Credentials = ALICE,
        timeouts: Timeouts | None = None,
        piece: int = 1 << 20,
        known: bool | None = True,
        ahead: int = 0,
        **settings: Any,
    ) -> None:
        self.store = store or Store()
        self.network = Network(answering or self.store.answering, piece=piece, known=known)
        self.trace: list[str] = []
        self.quirks: list[Quirk] = []
        account = Account(credentials.login, AccountName("alice"), PassThrough(upstream=upstream, **settings))
        self.policy = Policy(account.settings.delete)
        self.budget = Budget(ahead, 4 * ahead)
        self._account, self._credentials = account, credentials
        self._opener = Opener(cast("Reactor", self.network), timeouts or Timeouts(), budget=self.budget)
        self.source = self.another()

    def another(self, credentials: Credentials | None = None) -> Source:
        """A source of the same account, as another login has it."""
        return self._opener.source(
            self._account,
            Given(credentials or self._credentials),
            trace=lambda way, text: self.trace.append(f"{way}: {text}"),
            on_quirk=self.quirks.append,
        )

    def list(self, known: Listing | None = None) -> Listing:
        return self.network.run(self.source.list(known))

    def stream(self, uid: int, size: int | None = None) -> bytes:
        taken = Taken()
        self.network.run(self.source.stream(Uid(uid), taken, self._size(uid, size)))
        return taken.octets

    def top(self, uid: int, enough: int, size: int | None = None) -> bytes:
        taken = Taken(enough)
        self.network.run(self.source.top(Uid(uid), taken, self._size(uid, size)))
        return taken.octets

    def streaming(self, uid: int, taken: Taken, size: int | None = None) -> Running[None]:
        return self.network.start(self.source.stream(Uid(uid), taken, self._size(uid, size)))

    def topping(self, uid: int, taken: Taken, size: int | None = None) -> Running[None]:
        return self.network.start(self.source.top(Uid(uid), taken, self._size(uid, size)))

    def ask_ahead(self, *uids: int, part: int | None = None) -> None:
        """With what the server lists of them as what each may take."""
        sizes = {Uid(uid): len(self.store.inbox.messages[uid].octets) for uid in uids}
        self.source.ahead.ask({uid: size if part is None else min(size, part) for uid, size in sizes.items()}, part)
        self.network.settle()

    def delete(self, *uids: int, policy: Policy | None = None, again: bool = False) -> Deletion:
        """By the account's policy, if no other is asked for."""
        return self.network.run(self.source.delete(uids, policy or self.policy, again=again))

    def purge(self, *uids: int) -> Deletion:
        return self.network.run(self.source.purge(uids))

    def deleting(self, *uids: int) -> Running[Deletion]:
        return self.network.start(self.source.delete(uids, self.policy))

    def _size(self, uid: int, size: int | None) -> int:
        return len(self.store.inbox.messages[uid].octets) if size is None else size


def with_messages(*octets: bytes, **store: Any) -> Store:
    """A server whose INBOX holds these."""
    made = Store(**store)
    for one in octets:
        made.inbox.append(one)
    return made


def mail(name: str, octets: int = 100) -> bytes:
    """A message with a Message-ID, about this long."""
    head = f"Message-ID: <{name}@example.org>\r\nSubject: {name}\r\n\r\n".encode()
    line = b"abcdefghij" * 7 + b"\r\n"
    return head + line * (max(0, octets - len(head)) // len(line) + 1)


def hurried(**seconds: float) -> Timeouts:
    return evolve(Timeouts(), **seconds)


def refusing(*beginnings: str, status: str = "NO [NOPERM] no") -> Callable[[str, bytes], bytes]:
    """For `edit`: a bare status answers the commands that begin so. What was carried out stays so."""

    def edit(text: str, answer: bytes) -> bytes:
        refused = answer.splitlines()[-1].split()[0] + f" {status}\r\n".encode()
        return refused if text.startswith(beginnings) else answer

    return edit


def replacing(old: bytes, new: bytes) -> Callable[[str, bytes], bytes]:
    """For `edit`: wherever it is said."""
    return lambda _, answer: answer.replace(old, new)


def with_many(count: int, **store: Any) -> Store:
    return with_messages(*(mail(f"m{number}") for number in range(1, count + 1)), **store)


def on(command: str, change: dict[bytes, bytes]) -> Callable[[str, bytes], bytes]:
    """For `edit`: changes answers to commands that begin so."""

    def edit(text: str, answer: bytes) -> bytes:
        if text.startswith(command):
            for old, new in change.items():
                assert old in answer, answer
                answer = answer.replace(old, new)
        return answer

    return edit
