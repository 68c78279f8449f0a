"""One mailbox that IMAP users and a POP3 login share, behind a bridge that a test may cut off, kill and start again."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers.bridge import Bridge, bridge
from tests.peers.child import free_port
from tests.peers.servers.imap_server import ManyUsersServer
from tests.stories import mailboxes
from tests.stories.gate import Gate, gate
from tests.stories.history import History
from tests.stories.mailboxes import Kept
from tests.stories.pop3 import Pop3

_POPBRIDGE = "from bridge.cli import main; main()"
MAIL = "Mail"
CONFIG = """
%s
[[listener]]
pop3 = "127.0.0.1:{port}"

[[passthrough]]
users = "*"
name = "home"
upstream = "imap://127.0.0.1:%d/%s"
%s

[timeouts]
quit_wait = "0.5s"

[pool]
believe_idle = false
"""


def letters(word: str, count: int) -> list[bytes]:
    return [
        b"From: ann@example.org\r\nSubject: %b %03d\r\nMessage-ID: <%b.%03d@letters.example>\r\n\r\nDear Ben,\r\n"
        % (word.encode(), n, word.encode(), n)
        for n in range(count)
    ]


class House:
    """A mailbox, a gate before its server, and a bridge that is killed and started again where it stood."""

    def __init__(
        self, folder: Path, server: ManyUsersServer, door: Gate, more: str, top: str, within: Sequence[str]
    ) -> None:
        self.folder = folder
        self.mailbox = server.new_mailbox()
        self.history = History()
        self.more = more
        """Of the configuration: what stands in [[passthrough]]."""
        self.top = top
        """What stands above all tables."""
        self.within = within
        self.door = door
        self.address = door.port
        self.port = free_port()
        self._running = contextlib.ExitStack()
        self.bridge: Bridge

    def start(self) -> Bridge:
        config = CONFIG % (self.top, self.address, MAIL, self.more)
        self.bridge = self._running.enter_context(
            bridge(self.folder, config=config, port=self.port, within=self.within)
        )
        return self.bridge

    def kill(self) -> None:
        self.bridge.kill()
        self._running.close()

    def close(self) -> None:
        self._running.close()

    def accept(self) -> None:
        """The owner takes the mailbox as it is now, while the bridge runs."""
        command = ["uidl", "accept", "--yes", "--config", str(self.folder / "popbridge.toml"), self.mailbox.user]
        root = Path(__file__).resolve().parents[2]
        subprocess.run([sys.executable, "-c", _POPBRIDGE, *command], cwd=root, check=True)

    def session(self, suffix: str = "", *, before: str = "") -> Pop3:
        """Behind the login of the mailbox's user, with a view's words around its name."""
        client = Pop3(self.port)
        client.do(f"USER {before}{self.mailbox.user}{suffix}")
        client.do(f"PASS {self.mailbox.password}")
        return client

    def poll(self, suffix: str = "", *, before: str = "") -> dict[str, bytes]:
        """One session that reads everything and deletes nothing."""
        with self.session(suffix, before=before) as client:
            shown = self.history.look(client)
            assert client.quit().startswith(b"+OK")
        return shown

    def fill(self, messages: Sequence[Kept]) -> None:
        mailboxes.create(self.mailbox, MAIL)
        mailboxes.put(self.mailbox, messages, MAIL)

    def flagged(self) -> set[int]:
        return {uid for uid, flags in self.mailbox.flags(MAIL).items() if r"\Deleted" in flags}


@contextlib.contextmanager
def house_on(
    server: ManyUsersServer,
    folder: Path,
    more: str = "",
    *,
    top: str = "",
    within: Sequence[str] = (),
    start: bool = True,
) -> Iterator[House]:
    with gate(server.port) as door:
        house = House(folder, server, door, more, top, within)
        try:
            if start:
                house.start()
            yield house
        finally:
            house.close()


def octets(messages: Sequence[Kept]) -> list[bytes]:
    return [message.octets for message in messages]
