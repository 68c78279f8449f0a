"""A POP3 client that does next to nothing, so that the time it takes is the server's.

It reads into one buffer and looks only for the ends of replies; what they hold is checked when the clock has stopped.
"""

import contextlib
import functools
import socket
import ssl
import time
import zlib
from collections.abc import Sequence
from typing import Self

from attrs import frozen

from bench.mailboxes import Piece

PATIENCE = 300
"""Seconds after which a silent server has failed. A first login through a delay may take 100."""

_END = b"\r\n.\r\n"


class WrongDataError(Exception):
    """A server that was fast and wrong, or that said no."""


@frozen
class Door:
    """Where a POP3 server listens."""

    host: str
    port: int
    tls: bool = False


@frozen
class Account:
    user: str
    password: str


class Wire:
    """One connection, its greeting read. Replies gather in the buffer, which must have room for them."""

    def __init__(self, door: Door, buffer: bytearray | None = None, window: int = 0) -> None:
        self._octets = buffer if buffer is not None else bytearray(1 << 16)
        self._view = memoryview(self._octets)
        self._end = 0
        self.socket = connected(door, window)
        self._until_reply(0, many_lines=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def log_in(self, account: Account) -> None:
        self.ask(b"USER %b\r\n" % account.user.encode())
        self.ask(b"PASS %b\r\n" % account.password.encode())

    def ask(self, command: bytes, *, many_lines: bool = False) -> bytes:
        """One command and its whole reply."""
        self._end = 0
        self.socket.sendall(command)
        self._until_reply(0, many_lines=many_lines)
        return bytes(self._view[: self._end])

    def first_octets(self, command: bytes) -> None:
        """Sends the command, and returns when what follows its +OK begins."""
        self._end = 0
        self.socket.sendall(command)
        while self._octets.find(b"\r\n", 0, max(0, self._end - 1)) < 0:
            self._more()

    def rest(self) -> None:
        """Reads that reply, of many lines, to its end."""
        self._until_reply(0, many_lines=True)

    def take(self, octets: int) -> int:
        """Reads at most so many of those that have come, for nobody; how many they were."""
        self.socket.setblocking(False)
        taken = 0
        with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
            while taken < octets:
                got = self.socket.recv_into(self._view[: min(octets - taken, len(self._view))])
                if not got:
                    raise WrongDataError("closed while it was read slowly")
                taken += got
        return taken

    def serially(self, commands: Sequence[tuple[bytes, bool]], seconds: float = PATIENCE) -> int:
        """Each command when the one before is answered, for so long; with it stands whether the reply has many lines.

        The number of those that were answered; what takes more than one command is finished.
        """
        self._end = 0
        until = time.perf_counter() + seconds
        for count, (command, many_lines) in enumerate(commands, 1):
            start = self._end
            self.socket.sendall(command)
            self._until_reply(start, many_lines=many_lines)
            if many_lines and time.perf_counter() > until:
                return count
        return len(commands)

    def pipelined(
        self, commands: Sequence[bytes], under_way: int, *, many_lines: bool, seconds: float = PATIENCE
    ) -> int:
        """At most so many commands wait for their replies, all of which have many lines or one; none is sent later than
        that. The number of those that were answered.
        """
        end = _END if many_lines else b"\r\n"
        self._end = 0
        until = time.perf_counter() + seconds
        last = len(commands)
        sent = answered = looked_at = 0
        while answered < last:
            if (due := min(last, answered + under_way)) > sent:
                if time.perf_counter() > until:
                    last = sent
                    continue
                self.socket.sendall(b"".join(commands[sent:due]))
                sent = due
            self._more()
            if found := self._octets.count(end, looked_at, self._end):
                answered += found
                looked_at = self._octets.rindex(end, looked_at, self._end) + len(end)
            else:
                looked_at = max(looked_at, self._end - len(end))
        return answered

    def check(self, pieces: Sequence[Piece | None]) -> int:
        """The octets that have gathered, if they are these replies: None stands for one of one line."""
        at = 0
        for number, piece in enumerate(pieces, 1):
            line = self._octets.find(b"\r\n", at, self._end)
            if line < 0 or not self._octets.startswith(b"+OK", at):
                raise WrongDataError(f"reply {number} of {len(pieces)} begins {bytes(self._view[at : at + 80])!r}")
            at = line + 2
            if piece is not None:
                dot = self._octets.find(_END, line, self._end)
                got = Piece(dot + 2 - at, zlib.crc32(self._view[at : dot + 2]))
                if got != piece:
                    raise WrongDataError(f"reply {number} of {len(pieces)} has {got}, not {piece}")
                at = dot + len(_END)
        if at != self._end:
            raise WrongDataError(f"{self._end - at} octets too many: {bytes(self._view[at : at + 80])!r}")
        return self._end

    def _until_reply(self, start: int, *, many_lines: bool) -> None:
        end = _END if many_lines else b"\r\n"
        octets = self._octets
        while not octets.endswith(end, start, self._end):
            if octets.startswith(b"-", start, self._end) and octets.endswith(b"\r\n", start, self._end):
                break
            self._more()
        if not octets.startswith(b"+", start, self._end):
            raise WrongDataError(bytes(self._view[start : self._end][-200:]).decode("latin-1"))

    def _more(self) -> None:
        got = self.socket.recv_into(self._view[self._end :])
        if not got:
            raise WrongDataError(f"closed after {bytes(self._view[max(0, self._end - 80) : self._end])!r}")
        self._end += got


def connected(door: Door, window: int = 0) -> socket.socket:
    """window: octets that the system takes for a client that does not read; as it likes where 0."""
    wire = socket.socket()
    wire.settimeout(PATIENCE)
    if window:
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    wire.connect((door.host, door.port))
    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return tls_context().wrap_socket(wire) if door.tls else wire


@functools.cache
def tls_context() -> ssl.SSLContext:
    """Whose certificate it is does not matter here, and the client is not to spend its time on it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
