"""A relay that makes the way to the IMAP server longer: what goes in comes out later, and as fast as it came.

`python -m bench.delay PORT BEYOND MILLISECONDS COUNTS`: a process of its own, so that its share of the processor can be
told. It gives the arrival times of a real way whose round trip takes so long: a connection reaches the server 1.5 round
trips after the client began it, so a greeting is with the client after two; each octet takes half a round trip, and so
does the end of a stream. There is no limit to what is under way, no loss and no slow start.
"""

import contextlib
import ctypes
import heapq
import itertools
import mmap
import os
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from attrs import define, field, frozen

from bench.processes import cpu_seconds
from tests.peers.child import Child, DidNotStartError, free_port

_HOST = "127.0.0.1"
_CHUNK = 1 << 18
_HELD = 1 << 20
"""Octets for a receiver that does not take them: from there on the sender has to wait, too."""
_COUNTS = struct.Struct("=4QB")
"""And whether it listens already."""
_SHORT = 4096


@frozen
class Counts:
    """Since the relay started."""

    connections: int = 0
    turns: int = 0
    """How often a client spoke after it had heard the server: each is a round trip that it waited for."""
    up: int = 0
    """Octets to the server."""
    down: int = 0

    def since(self, before: "Counts") -> "Counts":
        return Counts(
            self.connections - before.connections,
            self.turns - before.turns,
            self.up - before.up,
            self.down - before.down,
        )


class Relay:
    """A running one."""

    def __init__(self, folder: Path, beyond: int, delay: int, hide: str = "") -> None:
        """hide: a capability that the server has and shall not show; delay: ms of a round trip."""
        self.port = free_port()
        self._counts = folder / f"relay-{self.port}"
        self._counts.write_bytes(bytes(_COUNTS.size))
        self._child = Child(
            [
                sys.executable,
                "-m",
                "bench.delay",
                *map(str, (self.port, beyond, delay, self._counts)),
                *([hide] if hide else []),
            ],
            folder / f"relay-{self.port}.output",
            folder=Path(__file__).resolve().parents[1],
        )
        while not self._read()[-1]:
            self._child.pause(0.01)
            if not self._child.running():
                raise DidNotStartError(self._child.text())

    def _read(self) -> tuple[int, ...]:
        return _COUNTS.unpack(self._counts.read_bytes())

    def counts(self) -> Counts:
        return Counts(*self._read()[:-1])

    def cpu(self) -> float:
        return cpu_seconds(self._child.pid)

    def stop(self) -> None:
        self._child.stop()


@contextlib.contextmanager
def relay(folder: Path, beyond: int, delay: int, hide: str = "") -> Iterator[Relay]:
    made = Relay(folder, beyond, delay, hide)
    try:
        yield made
    finally:
        made.stop()


# What follows runs in the relay's process.


class _Timer:
    """Wakes a poll object within microseconds; its own time-outs are whole milliseconds."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        # timerfd_create(2); Python has it from 3.13 on.
        self.fd: int = self._libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "timerfd_create")

    def wake_at(self, moment: float) -> None:
        seconds, rest = divmod(moment, 1)
        setting = struct.pack("=qqqq", 0, 0, int(seconds), max(1, int(rest * 1e9)))
        if self._libc.timerfd_settime(self.fd, 1, setting, None) < 0:  # 1: an absolute time
            raise OSError(ctypes.get_errno(), "timerfd_settime")


@define(eq=False)
class _Way:
    """One direction of a connection."""

    source: socket.socket
    sink: socket.socket | None
    waiting: deque[tuple[float, memoryview]] = field(factory=deque)
    """When what may go out; an empty piece is the end of the stream."""
    octets: int = 0
    blocked: bool = False
    """The receiver takes nothing at the moment."""
    not_before: float = 0.0
    ended: bool = False


@define(eq=False)
class _Connection:
    up: _Way
    down: _Way
    client_may_turn: bool = True


class _Loop:
    def __init__(self, port: int, beyond: int, delay: float, counts: memoryview, hidden: bytes) -> None:
        self._beyond = beyond
        self._half = delay / 2
        self._counts = counts
        self._hidden = hidden
        self._shown = b"X" + hidden[1:]
        self._connections = self._turns = self._up = self._down = 0
        self._poll = select.epoll()
        self._timer = _Timer()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._door = socket.create_server((_HOST, port), backlog=4096)
        self._door.setblocking(False)
        self._ways: dict[int, tuple[_Connection, _Way, _Way]] = {}
        """By a socket's number: its connection, the way that it feeds, and the way that it ends."""
        for fd in (self._door.fileno(), self._timer.fd):
            self._poll.register(fd, select.EPOLLIN)

    def run(self) -> None:
        while True:
            _COUNTS.pack_into(self._counts, 0, self._connections, self._turns, self._up, self._down, 1)
            for fd, events in self._poll.poll():
                if fd == self._door.fileno():
                    self._accept()
                elif fd == self._timer.fd:
                    os.read(fd, 8)
                elif fd in self._ways:
                    connection, feeds, ends = self._ways[fd]
                    if events & select.EPOLLOUT:
                        ends.blocked = False
                        self._pump(connection, ends)
                    if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR) and fd in self._ways:
                        self._read(connection, feeds)
            while self._due and self._due[0][0] <= time.monotonic():
                heapq.heappop(self._due)[2]()
            if self._due:
                self._timer.wake_at(self._due[0][0])

    def _at(self, moment: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (moment, next(self._order), act))

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                client, _ = self._door.accept()
                server = socket.socket()
                for wire in (client, server):
                    wire.setblocking(False)
                    wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection = _Connection(_Way(client, None), _Way(server, client))
                connection.up.not_before = time.monotonic() + 3 * self._half
                self._ways[client.fileno()] = (connection, connection.up, connection.down)
                self._poll.register(client.fileno(), select.EPOLLIN)
                self._at(connection.up.not_before, partial(self._reach, connection, server))

    def _reach(self, connection: _Connection, server: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            server.connect((_HOST, self._beyond))
        self._connections += 1
        connection.up.sink = server
        self._ways[server.fileno()] = (connection, connection.down, connection.up)
        self._poll.register(server.fileno(), select.EPOLLIN)
        self._pump(connection, connection.up)

    def _read(self, connection: _Connection, way: _Way) -> None:
        try:
            octets = way.source.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            octets = b""
        now = time.monotonic()
        if way is connection.up:
            self._up += len(octets)
            if connection.client_may_turn and octets:
                connection.client_may_turn = False
                self._turns += 1
        else:
            self._down += len(octets)
            if self._hidden and len(octets) < _SHORT:
                octets = octets.replace(self._hidden, self._shown)
        due = max(now + self._half, way.not_before)
        if not way.waiting:
            self._at(due, partial(self._pump, connection, way))
        way.waiting.append((due, memoryview(octets)))
        way.octets += len(octets)
        if not octets:
            way.ended = True
        self._listen(way)

    def _pump(self, connection: _Connection, way: _Way) -> None:
        """Hands on what is due, as far as the receiver takes it."""
        while way.waiting and not way.blocked and way.sink is not None:
            due, octets = way.waiting[0]
            if due > time.monotonic():
                self._at(due, partial(self._pump, connection, way))
                break
            if not octets:
                self._finish(connection, way)
                return
            try:
                sent = way.sink.send(octets)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._drop(connection)
                return
            if way is connection.down:
                connection.client_may_turn = True
            way.octets -= sent
            if sent == len(octets):
                way.waiting.popleft()
            else:
                way.waiting[0] = (due, octets[sent:])
                way.blocked = True
        self._listen(way)

    def _listen(self, way: _Way) -> None:
        """Waits for what can go on: the source, unless too much is held already, and the sink, if it was blocked."""
        for wire in (way.source, way.sink):
            if wire is None or wire.fileno() not in self._ways:
                continue
            _, feeds, ends = self._ways[wire.fileno()]
            held = feeds.blocked and feeds.octets > _HELD
            events = (0 if feeds.ended or held else select.EPOLLIN) | (select.EPOLLOUT if ends.blocked else 0)
            self._poll.modify(wire.fileno(), events)

    def _finish(self, connection: _Connection, way: _Way) -> None:
        way.waiting.clear()
        assert way.sink is not None
        with contextlib.suppress(OSError):
            way.sink.shutdown(socket.SHUT_WR)
        way.sink = None
        if connection.up.sink is None and connection.down.sink is None:
            self._drop(connection)

    def _drop(self, connection: _Connection) -> None:
        for way in (connection.up, connection.down):
            way.waiting.clear()
            way.sink = None
            if self._ways.pop(way.source.fileno(), None):
                self._poll.unregister(way.source.fileno())
            way.source.close()


def main() -> None:
    port, beyond, delay, counts, *hidden = sys.argv[1:]
    with Path(counts).open("r+b") as file, mmap.mmap(file.fileno(), _COUNTS.size) as shared:
        _Loop(int(port), int(beyond), int(delay) / 1000, memoryview(shared), "".join(hidden).encode()).run()


if __name__ == "__main__":
    main()
