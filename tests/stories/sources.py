"""One login with a password of its own, and behind it mailboxes of several real servers, each with a door before it."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from attrs import define, field, frozen

from bridge.credentials.passwords import hashed
from bridge.secret import Secret
from tests.peers.bridge import Bridge, bridge
from tests.peers.child import free_port
from tests.peers.clients.seam import Pop3Account
from tests.peers.command import popbridge
from tests.peers.servers.imap_server import Mailbox, ManyUsersServer
from tests.stories.gate import Gate, gate
from tests.stories.history import History
from tests.stories.pop3 import Pop3

PASSWORD = "of alice alone"
_HASHED = hashed(Secret(PASSWORD.encode()))

_CONFIG = """
%s
[[listener]]
pop3 = "127.0.0.1:{port}"

[[account]]
user = "alice"
password = "%s"
%s

[timeouts]
quit_wait = "0.5s"
refused_login_delay = "0.1s"
%s

[pool]
believe_idle = false
connections_per_account = 1000
"""


@frozen
class Behind:
    """One source: its mailbox, and the door before the server that it is reached by."""

    mailbox: Mailbox
    door: Gate
    protocol: str
    folder: str = "INBOX"
    secret: str = ""
    """Where the bridge has it from; a file of its own where nothing is said."""

    def seed(self, *messages: bytes) -> None:
        self.mailbox.seed(messages, self.folder)

    def settings(self, name: str, more: str) -> str:
        place = f"/{self.folder}" if self.protocol == "imap" else ""
        policy = "" if "delete" in more else 'delete = "expunge"\n'
        return (
            f'[[account.source]]\nname = "{name}"\nupstream = "{self.protocol}://127.0.0.1:{self.door.port}{place}"\n'
            f'login = "{self.mailbox.user}"\nsecret = "{self.secret or f"file:{name}.password"}"\n{policy}{more}\n'
        )


@define(eq=False)
class House:
    """A bridge that is started and killed where it stood; `order`: which sources it has, as the owner wrote them."""

    folder: Path
    behind: dict[str, Behind]
    order: Sequence[str]
    more: str = ""
    """Of the account."""
    each: Mapping[str, str] = field(factory=dict)
    """Of its sources."""
    timeouts: str = ""
    head: str = ""
    """Of the whole bridge."""
    port: int = field(factory=free_port)
    history: History = field(factory=History)
    bridge: Bridge = field(init=False)
    said: list[str] = field(factory=list)
    """By every command, and by every bridge that has ended."""
    _running: contextlib.ExitStack = field(factory=contextlib.ExitStack)

    def config(self) -> str:
        sources = "".join(self.behind[name].settings(name, self.each.get(name, "")) for name in self.order)
        return _CONFIG % (self.head, _HASHED, f"{self.more}\n{sources}", self.timeouts)

    def start(self) -> Bridge:
        for name, one in self.behind.items():
            if not one.secret:
                (self.folder / f"{name}.password").write_text(one.mailbox.password)
        self.bridge = self._running.enter_context(bridge(self.folder, config=self.config(), port=self.port))
        self._running.callback(lambda: self.said.append(self.bridge.log()))
        return self.bridge

    def stop(self) -> None:
        self._running.close()

    def again(self, *order: str) -> None:
        """Stopped, and started with these sources."""
        self.stop()
        self.order = order or self.order
        self.start()

    def session(self, *, seconds: float = 60) -> Pop3:
        client = Pop3(self.port, seconds=seconds)
        client.do("USER alice")
        client.do(f"PASS {PASSWORD}")
        return client

    def poll(self) -> dict[str, bytes]:
        """One session that reads everything and deletes nothing."""
        with self.session() as client:
            shown = self.history.look(client)
            assert client.quit().startswith(b"+OK")
        return shown

    def listed(self) -> list[str]:
        """The UIDLs in their order."""
        with self.session() as client:
            uidls = client.uidls()
            client.quit()
        return list(uidls.values())

    def account(self) -> Pop3Account:
        return Pop3Account("127.0.0.1", self.port, "alice", PASSWORD)

    def command(self, *words: str, typed: str = "", environment: Mapping[str, str] | None = None) -> str:
        file = self.folder / "popbridge.toml"
        if not file.exists():
            file.write_text(self.config().replace("{port}", str(self.port)))
        name, *rest = words
        done = popbridge(self.folder, name, *rest, "--config", file, typed=typed, environment=environment)
        self.said.append(done.stdout + done.stderr)
        return self.said[-1]


@contextlib.contextmanager
def house_of(
    folder: Path,
    servers: Mapping[str, ManyUsersServer],
    more: str = "",
    start: bool = True,
    timeouts: str = "",
    **each: str,
) -> Iterator[House]:
    """Sources by name; of one whose name begins with "pop" the server's POP3 is used."""
    with contextlib.ExitStack() as doors:
        behind = {}
        for name, server in servers.items():
            pop3 = name.startswith("pop")
            beyond = server.pop3_port if pop3 else server.port  # type: ignore[attr-defined]  # those that have it
            door = doors.enter_context(gate(beyond))
            behind[name] = Behind(server.new_mailbox(), door, "pop3" if pop3 else "imap")
        house = House(folder, behind, list(servers), more, each, timeouts)
        try:
            if start:
                house.start()
            yield house
        finally:
            house.stop()


def letter(word: str, octets: int = 0) -> bytes:
    head = f"From: ann@example.org\r\nSubject: {word}\r\nMessage-ID: <{word}@letters.example>\r\n\r\n.{word}\r\n"
    return head.encode() + b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n" * (octets // 66)
