"""What a measurement needs, made when it is asked for first: the IMAP server, its mail, relays and fronts."""

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import assert_never

from attrs import evolve, frozen

from bench.delay import Relay, relay
from bench.dovecot_pop3 import imapc, native
from bench.load import Loader, loader
from bench.mailboxes import POLLED, Expected, Mail, expected
from bench.peers import DovecotFront, Front, Kind, Link, PopbridgeFront
from bench.wire import PATIENCE, Account, WrongDataError
from tests.peers.certificates import make_certificates
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox, session


@frozen
class Filled:
    """A mailbox with its mail in it."""

    account: Account
    count: int
    expected: Expected


class Stage:
    """See `stage()`."""

    def __init__(self, running: contextlib.ExitStack, tell: Callable[[str], None]) -> None:
        self._running = running
        self._tell = tell
        self._folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        self._certificates = make_certificates(self._folder)
        self.server: Dovecot = running.enter_context(
            dovecot(format="mdbox", connections=5000, tls=self._certificates.server)
        )
        self.loader: Loader = running.enter_context(loader())
        self._used = 0
        self._filled: dict[str, Filled] = {}
        self._fronts: dict[tuple[Kind, Link], Front] = {}
        self._relays: dict[Link, Relay] = {}

    def filled(self, mail: Mail, user: str = "") -> Filled:
        """Of that user, or of one named after the mail; filled once."""
        user = user or mail.name
        if user not in self._filled:
            self._tell(f"filling {user}: {mail.title}")
            self._filled[user] = self._fill(mail, user)
        return self._filled[user]

    def polled(self, clients: int) -> list[Filled]:
        """So many users, each with a mailbox of his own."""
        first = self.filled(POLLED, "poll000")
        home = self.server.directory / "mail"
        for user in (f"poll{number:03}" for number in range(clients)):
            if user not in self._filled:
                self.server.add_user(user)
                subprocess.run(["cp", "-a", home / "poll000", home / user], check=True)
                self._filled[user] = evolve(first, account=Account(user, first.account.password))
        return [self._filled[f"poll{number:03}"] for number in range(clients)]

    def _fill(self, mail: Mail, user: str) -> Filled:
        messages = list(mail.make())
        self.server.add_user(user)
        mailbox = Mailbox(self.server, user)
        if messages:
            mailbox.seed_at_once(messages)
        self.note_sizes(user)
        return Filled(Account(user, mailbox.password), len(messages), expected(messages))

    def aliases(self, mail: Mail, count: int) -> list[Filled]:
        """The same mailbox under so many users' names, for what would not fit on a disk so many times."""
        filled = self.filled(mail)
        home = self.server.directory / "mail" / mail.name
        users = [f"{mail.name}{number:03}" for number in range(count)]
        for user in users:
            if not (link := home.with_name(user)).exists():
                self.server.add_user(user)
                link.symlink_to(home)
        return [evolve(filled, account=Account(user, filled.account.password)) for user in users]

    def once(self, mail: Mail) -> Filled:
        """A mailbox that nobody has used before, to be deleted from."""
        self._used += 1
        return self._fill(mail, f"once{self._used}")

    def until_deleted(self, user: str, seconds: float = PATIENCE) -> None:
        """Returns when no message is left but such as are flagged; by then a QUIT may have been answered for long."""
        deadline = time.monotonic() + seconds
        while left := len(Mailbox(self.server, user).uids("UNDELETED")):
            if time.monotonic() > deadline:
                raise WrongDataError(f"{left} messages of {user} are not deleted")

    def note_sizes(self, user: str) -> None:
        """Lets the IMAP server note the sizes of all messages, as one that has been asked before has done."""
        with session(Mailbox(self.server, user)) as imap:
            imap.uid("FETCH", "1:*", "(RFC822.SIZE)")

    def forget_sizes(self, user: str) -> None:
        for cache in (self.server.directory / "mail" / user).rglob("dovecot.index.cache"):
            cache.unlink()

    def front(self, kind: Kind, link: Link) -> Front:
        """One that runs until the end."""
        if (kind, link) not in self._fronts:
            self._fronts[kind, link] = self._running.enter_context(self.new_front(kind, link))
        return self._fronts[kind, link]

    @contextlib.contextmanager
    def new_front(self, kind: Kind, link: Link) -> Iterator[Front]:
        """One that remembers nothing, for the time of the block."""
        made = self._start(kind, link)
        try:
            yield made
        finally:
            made.stop()

    def _start(self, kind: Kind, link: Link) -> Front:
        tls = self._certificates if link.tls else None
        match kind:
            case "native":
                return DovecotFront(kind, lambda folder: native(folder, tls, self.server.directory, self.server.format))
            case "imapc":
                return DovecotFront(kind, lambda folder: imapc(folder, tls, self._upstream(link)))
            case "popbridge":
                return PopbridgeFront(self._upstream(link), tls)
            case _:
                assert_never(kind)

    def relay(self, link: Link) -> Relay | None:
        """The one on the way to the IMAP server, if the link has any."""
        if not link.delay:
            return None
        if link not in self._relays:
            hidden = "" if link.idle else "IDLE"
            made = relay(self._folder, self._port(link), link.delay, hidden)
            self._relays[link] = self._running.enter_context(made)
        return self._relays[link]

    def _upstream(self, link: Link) -> int:
        way = self.relay(link)
        return self._port(link) if way is None else way.port

    def _port(self, link: Link) -> int:
        port = self.server.tls_port if link.tls else self.server.port
        assert port is not None
        return port


@contextlib.contextmanager
def stage(tell: Callable[[str], None]) -> Iterator[Stage]:
    with contextlib.ExitStack() as running:
        yield Stage(running, tell)
