"""Many mail programs that look for mail: sessions of connect, USER, PASS, STAT, UIDL and QUIT, one after the other.

All of them are one process that waits for whichever is answered next, so it stays far faster than the servers.
"""

import selectors
import socket
import ssl
import time
from collections.abc import Sequence

from attrs import define, field, frozen

from bench.load import Watch
from bench.wire import PATIENCE, Account, Door, WrongDataError, tls_context


@frozen
class Polled:
    seconds: float
    """From the first to the last of the sessions that counted."""
    sessions: tuple[float, ...]
    """How long each took, in seconds."""
    begun: int
    """Sessions in all, those that do not count as well."""
    busy: float


@define(eq=False)
class _Client:
    """One of them; `step` is how many replies of this session have come."""

    wire: socket.socket
    said: list[bytes]
    began: float
    step: int = 0
    got: bytearray = field(factory=bytearray)
    handshaking: bool = False


_ENDS = (b"\r\n", b"\r\n", b"\r\n", b"\r\n", b"\r\n.\r\n", b"\r\n")
"""Of the greeting and the replies to USER, PASS, STAT, UIDL and QUIT."""


def poll(door: Door, accounts: Sequence[Account], messages: int, seconds: float = 0) -> Polled:
    """As many clients at once as there are accounts; each begins again when it has ended.

    It goes on for so long, but at least until as many sessions have counted as there are clients. With time given, the
    first session of each is not counted: all of them begin at once then.
    """
    return _Crowd(door, accounts, messages).run(seconds)


class _Crowd:
    def __init__(self, door: Door, accounts: Sequence[Account], messages: int) -> None:
        self._door = door
        self._messages = messages
        self._waiting = selectors.DefaultSelector()
        self._tls = tls_context() if door.tls else None
        self._scripts = [_script(account) for account in accounts]

    def run(self, seconds: float) -> Polled:
        clients = len(self._scripts)
        uncounted = clients if seconds else 0
        watch = Watch()
        start = now = time.perf_counter()
        over = False
        begun = clients
        took: list[float] = []
        for said in self._scripts:
            self._begin(said)
        while self._waiting.get_map():
            ready = self._waiting.select(PATIENCE)
            if not ready:
                raise WrongDataError(f"{len(self._waiting.get_map())} clients hear nothing more")
            for key, _ in ready:
                client = key.data
                if not self._heard(client) or over:
                    continue
                now = time.perf_counter()
                if uncounted:
                    uncounted -= 1
                    start = now
                else:
                    took.append(now - client.began)
                over = now - start >= seconds and len(took) >= clients
                if not over:
                    begun += 1
                    self._begin(client.said)
        return Polled(now - start, tuple(took), begun, watch.stop().busy)

    def _begin(self, said: list[bytes]) -> None:
        began = time.perf_counter()
        wire = socket.socket()
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.connect((self._door.host, self._door.port))  # on loopback that is done at once
        wire.setblocking(False)
        if self._tls is not None:
            wire = self._tls.wrap_socket(wire, do_handshake_on_connect=False)
        client = _Client(wire, said, began, handshaking=self._tls is not None)
        self._waiting.register(wire, selectors.EVENT_READ, client)
        if client.handshaking:
            self._shake(client)

    def _shake(self, client: _Client) -> None:
        assert isinstance(client.wire, ssl.SSLSocket)
        try:
            client.wire.do_handshake()
        except ssl.SSLWantReadError:
            return
        client.handshaking = False

    def _heard(self, client: _Client) -> bool:
        """Reads what has come, and says what is next; whether the session has ended."""
        if client.handshaking:
            self._shake(client)
            if client.handshaking:
                return False
        while True:
            try:
                octets = client.wire.recv(1 << 16)
            except (BlockingIOError, ssl.SSLWantReadError):
                return False
            if not octets:
                raise WrongDataError(f"closed at step {client.step} after {bytes(client.got[-200:])!r}")
            client.got += octets
            if client.got.startswith(b"-"):
                raise WrongDataError(bytes(client.got[:200]).decode("latin-1"))
            if client.got.endswith(_ENDS[client.step]) and self._answered(client):
                return True
            if self._tls is None:
                return False  # TLS may hold more that no event will tell of

    def _answered(self, client: _Client) -> bool:
        self._check(client)
        client.got.clear()
        client.step += 1
        if client.step < len(_ENDS):
            client.wire.send(client.said[client.step - 1])
            return False
        self._waiting.unregister(client.wire)
        client.wire.close()
        return True

    def _check(self, client: _Client) -> None:
        if client.step == 3 and client.got.split()[1] != b"%d" % self._messages:
            raise WrongDataError(f"STAT of {self._messages} messages: {bytes(client.got)!r}")
        if client.step == 4 and client.got.count(b"\r\n") != self._messages + 2:
            raise WrongDataError(f"UIDL of {self._messages} messages has {client.got.count(bytes([10]))} lines")


def _script(account: Account) -> list[bytes]:
    user, password = account.user.encode(), account.password.encode()
    return [b"USER %b\r\n" % user, b"PASS %b\r\n" % password, b"STAT\r\n", b"UIDL\r\n", b"QUIT\r\n"]
