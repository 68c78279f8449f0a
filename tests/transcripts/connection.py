"""A mail program's connection, line by line, which can tell when the server has read what was sent.

Nothing here decides how long a server may take, but for the time after which it counts as hung.
"""

import select
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from attrs import define

_SECONDS = 30
_SECONDS_TO_CLOSE = 10


@define
class Connection:
    """The mail program's end of a socket."""

    _socket: socket.socket
    _received: bytes = b""
    _list: list[bytes] | None = None

    def __attrs_post_init__(self) -> None:
        self._socket.settimeout(_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, octets: bytes) -> None:
        self._socket.sendall(octets)

    def start_tls(self, authority: Path | None) -> None:
        assert self._received == b"", f"before the handshake the server said {self._received!r}"
        context = ssl.create_default_context(cafile=authority)
        self._socket = context.wrap_socket(self._socket, server_hostname="localhost")

    def line(self) -> bytes:
        """Without its CRLF."""
        self._list = None
        while b"\r\n" not in self._received:
            assert self._more(), f"the server has closed, having said {self._received!r}"
        line, self._received = self._received.split(b"\r\n", 1)
        return line

    def skip(self, fits: Callable[[bytes], bool]) -> None:
        """The next line is taken if it fits; else it stays, as does the end of the stream."""
        while b"\r\n" not in self._received:
            if not self._more():
                return
        if fits(self._received.split(b"\r\n", 1)[0]):
            self.line()

    def list(self) -> list[bytes]:
        """The lines before the next dot, which stays to be read. Asked again, the same lines."""
        if self._list is None:
            lines = []
            while (line := self.line()) != b".":
                lines.append(line)
            self._received = b".\r\n" + self._received
            self._list = lines
        return self._list

    def exactly(self, count: int) -> bytes:
        while len(self._received) < count and self._more():
            pass
        octets, self._received = self._received[:count], self._received[count:]
        return octets

    def rest(self) -> bytes:
        """All up to the end of the stream, which must not be long in coming: not a time-out of the server's."""
        self._socket.settimeout(_SECONDS_TO_CLOSE)
        while self._more():
            pass
        return self._received

    def until_read(self) -> None:
        """Returns when the server's program has read all that was sent, so that what is sent next comes by itself."""
        for _ in range(400):
            if self._received or self._unread() == 0:
                return
            # A wait for an answer, which would do as well; it ends with the first octet.
            select.select([self._socket], [], [], 0.005)

    def _unread(self) -> int:
        """Octets in the server's receive queue, as this machine's kernel tells: both ends are here."""
        here, there = _hex(self._socket.getsockname()), _hex(self._socket.getpeername())
        for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            _, local, remote, _, queues, *_ = row.split()
            if (local, remote) == (there, here):
                return int(queues.partition(":")[2], 16)
        return 0

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> bool:
        try:
            octets = self._socket.recv(65536)
        except ConnectionResetError:
            return False
        self._received += octets
        return bool(octets)


def _hex(address: tuple[str, int]) -> str:
    """An address as /proc/net/tcp writes it."""
    return f"{int.from_bytes(socket.inet_aton(address[0]), 'little'):08X}:{address[1]:04X}"
