"""A door between the bridge and its upstream that a test shuts and opens: shut, upstream is as good as switched off."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

from tests.peers.child import free_port

_CHUNK = 1 << 16
_BY_RESET = struct.pack("ii", 1, 0)


class Gate:
    """Everything that comes to `port` goes on to the other port, while it is open."""

    host = "127.0.0.1"

    def __init__(self, beyond: int, source: str) -> None:
        self.beyond = beyond
        self.source = source
        self.port = free_port()
        self.passed = 0
        """Connections that came through."""
        self.turns = 0
        """How often the bridge spoke after upstream had: its round trips."""
        self.octets = 0
        """All that upstream said."""
        self.edit: Callable[[bytes], bytes] = lambda said: said
        """Changes what upstream says, piece by piece as it comes: only what surely comes in one piece."""
        self._bridge_spoke_last = False
        self._lock = threading.Lock()
        self._ends: set[socket.socket] = set()
        self._parked: set[socket.socket] = set()
        """Those over which the bridge last said IDLE."""
        self._silent: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._door: socket.socket | None = None
        self.open()

    @property
    def is_open(self) -> bool:
        return self._door is not None

    def open(self) -> None:
        door = socket.create_server((self.host, self.port))
        self._door = door
        self._start(self._take, door)

    def shut(self) -> None:
        """Breaks every connection, and refuses new ones."""
        assert self._door is not None
        self._door.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in accept
        self._door.close()
        self._door = None
        with self._lock:
            for end in self._ends:
                with contextlib.suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _BY_RESET)
                    end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def fall_silent(self) -> None:
        """What is connected now neither hears nor says anything more, and nobody is told: a router forgot it."""
        with self._lock:
            self._silent |= self._ends

    def until_left(self, seconds: float = 60) -> None:
        """Returns when no connection is open but parked ones: what goes on behind a client is done."""
        deadline = time.monotonic() + seconds
        while self._ends - self._parked:
            assert time.monotonic() < deadline, "the bridge keeps its connection"
            time.sleep(0.01)  # noqa: TID251  # what it waits for is another process

    def _count(self, octets: int, *, from_bridge: bool) -> None:
        with self._lock:
            if from_bridge and not self._bridge_spoke_last:
                self.turns += 1
            self._bridge_spoke_last = from_bridge
            if not from_bridge:
                self.octets += octets

    def _start(self, work: object, *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)  # type: ignore[arg-type]  # any function
        self._threads.append(thread)
        thread.start()

    def _take(self, door: socket.socket) -> None:
        while True:
            try:
                here, _ = door.accept()
            except OSError:
                return
            there = socket.create_connection((self.host, self.beyond), source_address=(self.source, 0))
            for end in (here, there):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._ends |= {here, there}
                self.passed += 1
                self._bridge_spoke_last = False
            self._start(self._carry, here, there, True)
            self._start(self._carry, there, here, False)

    def _carry(self, one: socket.socket, other: socket.socket, from_bridge: bool) -> None:
        with contextlib.suppress(OSError):
            while octets := one.recv(_CHUNK):
                if one in self._silent:
                    continue
                self._count(len(octets), from_bridge=from_bridge)
                if from_bridge:
                    change = self._parked.update if octets.endswith(b" IDLE\r\n") else self._parked.difference_update
                    change({one, other})
                other.sendall(octets if from_bridge else self.edit(octets))
        with self._lock:
            self._ends.discard(one)
        with contextlib.suppress(OSError):
            other.shutdown(socket.SHUT_WR)
        one.close()


@contextlib.contextmanager
def gate(beyond: int, source: str = Gate.host) -> Iterator[Gate]:
    """`source`: the address from which those who come through it seem to come."""
    door = Gate(beyond, source)
    try:
        yield door
    finally:
        if door.is_open:
            door.shut()
