"""A POP3 client for the stories that looks at every octet: no line end is forgiven, and nothing is mended.

What it reads is a reply only if each line of it ends in CRLF and no line holds a bare LF.
"""

import contextlib
import select
import socket
import ssl
import struct
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Self

from tests.peers.servers.imap_server import Login

_CHUNK = 1 << 18


class Gone(Exception):
    """The connection ended inside a reply, or where one was due; `octets` came before it did."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(f"the connection ended behind {octets[-200:]!r}")
        self.octets = octets


class Refused(Exception):
    """The reply was -ERR; the text is the whole line."""


class Pop3:
    """One connection. Everything is octets; a reply's status line comes without its CRLF."""

    def __init__(
        self,
        port: int,
        host: str = "127.0.0.1",
        *,
        seconds: float = 60,
        receive_buffer: int | None = None,
        tls: ssl.SSLContext | None = None,
        source: str | None = None,
    ) -> None:
        """`source` is the client's own address; all of 127.0.0.0/8 is this machine."""
        self.sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.sock.settimeout(seconds)
        if receive_buffer is not None:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._held = bytearray()
        if source is not None:
            self.sock.bind((source, 0))
        try:
            self.sock.connect((host, port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
            self.greeting = self.line()
        except BaseException:
            self.sock.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sock.close()

    # Octets.

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def _more(self) -> None:
        try:
            octets = self.sock.recv(_CHUNK)
        except (ConnectionError, ssl.SSLEOFError):
            octets = b""
        if not octets:
            raise Gone(bytes(self._held))
        self._held += octets

    def line(self) -> bytes:
        start = 0
        while (end := self._held.find(b"\r\n", start)) < 0:
            start = max(0, len(self._held) - 1)
            self._more()
        line = bytes(self._held[:end])
        del self._held[: end + 2]
        assert b"\n" not in line, f"a bare LF in {line[:200]!r}"
        return line

    def body(self) -> bytes:
        """What stands between a status line and the terminator, without its stuffing."""
        return unstuffed(self.stuffed())

    def stuffed(self) -> bytes:
        """The same as it came, the terminator left out. Gone when the connection ends before that."""
        if (head := self._at_least(3)) == b".\r\n":
            del self._held[: len(head)]
            return b""
        start = 0
        while (end := self._held.find(b"\r\n.\r\n", start)) < 0:
            start = max(0, len(self._held) - 4)
            self._more()
        body = bytes(self._held[: end + 2])
        del self._held[: end + 5]
        return body

    def _at_least(self, count: int) -> bytes:
        while len(self._held) < count:
            self._more()
        return bytes(self._held[:count])

    def rest(self) -> bytes:
        """Everything until the connection ends."""
        with contextlib.suppress(Gone):
            while True:
                self._more()
        rest = bytes(self._held)
        self._held.clear()
        return rest

    def ended(self) -> bool:
        """Whether the bridge has closed the connection and nothing is left to read."""
        try:
            self._more()
        except Gone:
            return not self._held
        return False

    def pending(self, seconds: float) -> bool:
        """Whether something came, or the connection ended, within that time."""
        return bool(self._held) or bool(select.select([self.sock], [], [], seconds)[0])

    def reset(self) -> None:
        """Ends the connection as a program that crashes does: by RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    # Commands.

    def ask(self, command: str) -> bytes:
        """The status line, whatever it is."""
        self.send(command.encode("utf-8") + b"\r\n")
        return self.line()

    def do(self, command: str) -> bytes:
        """The status line of a command that has to succeed."""
        line = self.ask(command)
        if not line.startswith(b"+OK"):
            raise Refused(line.decode("utf-8", "replace"))
        return line

    def many(self, commands: Sequence[str]) -> Iterator[bytes]:
        """All commands in one write, then their status lines."""
        self.send("".join(f"{command}\r\n" for command in commands).encode())
        for _ in commands:
            yield self.line()

    def log_in(self, login: Login) -> Self:
        self.do(f"USER {login.user}")
        self.do(f"PASS {login.password}")
        return self

    def start_tls(self, context: ssl.SSLContext, name: str = "localhost") -> None:
        self.do("STLS")
        assert not self._held
        self.sock = context.wrap_socket(self.sock, server_hostname=name)

    def retr(self, number: int) -> bytes:
        self.do(f"RETR {number}")
        return self.body()

    def top(self, number: int, lines: int) -> bytes:
        self.do(f"TOP {number} {lines}")
        return self.body()

    def retr_all(self, numbers: Iterable[int], at_once: int = 100) -> Iterator[bytes]:
        """Pipelined: the next commands are under way while replies are read."""
        yield from self.bodies([f"RETR {number}" for number in numbers], at_once)

    def bodies(self, commands: Sequence[str], at_once: int = 100) -> Iterator[bytes]:
        sent = 0
        for done in range(len(commands)):
            if sent - done <= at_once // 2:
                batch = commands[sent : sent + at_once]
                self.send("".join(f"{command}\r\n" for command in batch).encode())
                sent += len(batch)
            line = self.line()
            if not line.startswith(b"+OK"):
                raise Refused(f"{commands[done]}: {line.decode('utf-8', 'replace')}")
            yield self.body()

    def sizes(self) -> dict[int, int]:
        self.do("LIST")
        rows = (row.split() for row in self.body().splitlines())
        return {int(number): int(size) for number, size in rows}

    def uidls(self) -> dict[int, str]:
        self.do("UIDL")
        rows = (row.decode("ascii").split() for row in self.body().splitlines())
        return {int(number): uidl for number, uidl in rows}

    def count(self) -> int:
        return int(self.do("STAT").split()[1])

    def quit(self) -> bytes:
        """The reply, when the connection has ended behind it."""
        line = self.ask("QUIT")
        assert self.ended(), "the connection stays open after QUIT"
        return line


def unstuffed(octets: bytes) -> bytes:
    assert octets.count(b"\n") == octets.count(b"\r\n"), "a bare LF"
    lines = octets.split(b"\r\n")
    assert b"." not in lines, "a client that looks for a lone dot ends here"
    return b"\r\n".join(line.removeprefix(b".") for line in lines)


def opened(port: int, login: Login, *, seconds: float = 60, receive_buffer: int | None = None) -> Pop3:
    """A session behind its login."""
    return Pop3(port, seconds=seconds, receive_buffer=receive_buffer).log_in(login)
