"""One server and one bridge in front of it for many examples; the bridge can be killed and started again."""

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Event
from time import monotonic

from attrs import define, field, frozen

from tests.peers.bridge import Bridge, bridge
from tests.peers.child import free_port
from tests.peers.servers.imap_server import Mailbox, ManyUsersServer
from tests.stories.model.imap_user import WORK
from tests.stories.pop3 import Pop3

_HEAD = """
state = "%s"
[[listener]]
pop3 = "127.0.0.1:{port}"
[timeouts]
refused_login_delay = "0.01s"
%s
"""
_ENTRY = """
[[passthrough]]
users = "*@%s"
login = "{local}"
upstream = "imap://127.0.0.1:%d/%s"
delete = "%s"
uidl = "%s"
renumbered = "%s"
"""
ASK = ".ask"
"""The way of those whose owner wants to be asked before a mailbox counts as replaced."""

POLICIES = {"flag": "bridge", "expunge": "dovecot", "trash": "cyrus", "hide": "bridge", "keep": "dovecot-old"}
"""`delete =`, and the format of the UIDLs that is tried with it. The domain of a login chooses among them."""

_PATIENCE = 5.0

INBOX = "INBOX"
PARKED = 2
"""In all."""

_POOL = """
[pool]
parked = %d
believe_idle = false
"""
"""What an IDLE was told last may be half a second old, and the truth is not."""


@frozen
class Abilities:
    """Of the server, as the bridge can know them."""

    expunges_by_uid: bool = True
    moves: bool = True


@define
class World:
    server: ManyUsersServer
    folder: Path
    abilities: Abilities = Abilities()
    ways: Mapping[str, int] = field(factory=dict)
    """Further ports that lead to the server; `policy` and name of the way make the domain of a login."""
    timeouts: str = ""
    state: str = "sqlite:popbridge.sqlite"
    work: str = WORK
    """The mailbox that POP3 shows. Of INBOX connections are parked; it cannot be replaced."""
    port: int = field(factory=free_port)
    kills: int = 0
    examples: int = 0
    _bridge: Bridge | None = None
    _idle: int | None = None
    _running: contextlib.ExitStack = field(factory=contextlib.ExitStack)

    @property
    def bridge(self) -> Bridge:
        """Running, started again if it was killed."""
        if self._bridge is None:
            self._bridge = self._running.enter_context(bridge(self.folder, config=self._text(), port=self.port))
            if self._idle is None:
                Event().wait(0.5)  # whoever asked whether it listens has hung up
                self._idle = _sockets(self._bridge.pid)
        return self._bridge

    def _text(self) -> str:
        ways = {"": self.server.port, ASK: self.server.port, **self.ways}
        entries = [
            _ENTRY % (policy + way, port, self.work, policy, uidl, "ask" if way == ASK else "accept")
            for policy, uidl in POLICIES.items()
            for way, port in ways.items()
            if policy != "keep" or self.state != "memory:"
        ]
        return _HEAD % (self.state, self.timeouts) + "".join(entries) + _POOL % PARKED

    @property
    def can_replace(self) -> bool:
        return self.work != INBOX

    def kill(self) -> None:
        """At once, with nothing tidied up."""
        if self._bridge is not None:
            self._bridge.kill()
            self._bridge = None
            self.kills += 1
            with contextlib.redirect_stdout(io.StringIO()):  # its log goes on in the same file, and is shown at the end
                self._running.close()

    def session(self, policy: str, mailbox: Mailbox, way: str = "", address: str | None = None) -> Pop3:
        """Behind its login, or Refused."""
        client = Pop3(self.bridge.port, seconds=20, source=address)
        try:
            client.do(f"USER {mailbox.user}@{policy}{way}")
            client.do(f"PASS {mailbox.password}")
        except BaseException:
            client.sock.close()
            raise
        return client

    def settled(self, sessions: int) -> bool:
        """Whether, soon, the bridge holds no more connections than these sessions need: nothing else goes on.

        Where connections are parked, as many more as may be.
        """
        spare = 0 if self.can_replace else PARKED
        deadline = monotonic() + _PATIENCE
        pid = self.bridge.pid
        assert self._idle is not None
        while _sockets(pid) > self._idle + 2 * sessions + spare:  # one to the client and one upstream
            if monotonic() > deadline:
                return False
            Event().wait(0.002)
        return True


@contextlib.contextmanager
def running(made: World) -> Iterator[World]:
    """With its bridge, for the time of the block."""
    try:
        assert made.bridge.running()
        yield made
    finally:
        made._running.close()


def _sockets(pid: int) -> int:
    """How many sockets this process has."""
    count = 0
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            count += str(entry.readlink()).startswith("socket:")
    return count
