"""The way to the IMAP server is as long as it should be, not narrow, and says how often it was gone."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from bench.delay import Relay, relay
from tests.peers.child import free_port

_DELAY = 60  # ms
_LATE = 0.05  # seconds that a busy machine may add


class Echo:
    """Greets, and says again what it hears; a client that says `stop` hears the end."""

    def __init__(self) -> None:
        self.port = free_port()
        self._door = socket.create_server(("127.0.0.1", self.port))
        self.ended = threading.Event()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                wire, _ = self._door.accept()
                threading.Thread(target=self._serve, args=(wire,), daemon=True).start()

    def _serve(self, wire: socket.socket) -> None:
        with wire, contextlib.suppress(OSError):
            wire.sendall(b"hello")
            while octets := wire.recv(1 << 16):
                if octets == b"stop":
                    return
                wire.sendall(octets)
            self.ended.set()

    def close(self) -> None:
        self._door.close()


@contextlib.contextmanager
def echo(folder: Path, hide: str = "") -> Iterator[tuple[Echo, Relay]]:
    with contextlib.closing(Echo()) as server, relay(folder, server.port, _DELAY, hide) as way:
        yield server, way


def connected(way: Relay) -> socket.socket:
    return socket.create_connection(("127.0.0.1", way.port), timeout=20)


def heard(wire: socket.socket, octets: int) -> bytes:
    got = bytearray()
    while len(got) < octets:
        more = wire.recv(1 << 16)
        assert more
        got += more
    return bytes(got)


def test_a_greeting_takes_two_round_trips_and_an_answer_one(tmp_path: Path) -> None:
    with echo(tmp_path) as (_, way):
        began = time.monotonic()
        with connected(way) as wire:
            heard(wire, 5)
            greeted = time.monotonic() - began
            began = time.monotonic()
            wire.sendall(b"ask")
            heard(wire, 3)
            answered = time.monotonic() - began

    assert 0.120 <= greeted < 0.120 + _LATE
    assert 0.060 <= answered < 0.060 + _LATE


def test_what_a_client_says_before_it_is_greeted_arrives_with_the_connection(tmp_path: Path) -> None:
    with echo(tmp_path) as (_, way):
        began = time.monotonic()
        with connected(way) as wire:
            wire.sendall(b"ask")
            assert heard(wire, 8) == b"helloask"

    assert 0.120 <= time.monotonic() - began < 0.120 + _LATE


def test_much_takes_no_longer_than_little(tmp_path: Path) -> None:
    much = bytes(range(256)) * (1 << 16)
    with echo(tmp_path) as (_, way), connected(way) as wire:
        heard(wire, 5)
        began = time.monotonic()
        threading.Thread(target=wire.sendall, args=(much,), daemon=True).start()
        assert heard(wire, len(much)) == much

    assert time.monotonic() - began < 1.5  # 16 MiB through a window of 64 KiB would take 256 round trips: 15 s


def test_what_nobody_takes_is_not_gathered_without_end(tmp_path: Path) -> None:
    with echo(tmp_path) as (_, way), connected(way) as wire:
        heard(wire, 5)
        wire.settimeout(1)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 1 << 30:
                sent += wire.send(bytes(1 << 20))

    assert sent < 1 << 28


def test_turns_are_counted_not_pieces(tmp_path: Path) -> None:
    with echo(tmp_path) as (_, way), connected(way) as wire:
        before = way.counts()
        heard(wire, 5)
        wire.sendall(b"one")
        heard(wire, 3)
        wire.sendall(b"two")
        time.sleep(0.01)  # noqa: TID251  # so that it is another piece
        wire.sendall(b"and")
        heard(wire, 6)
        counts = way.counts().since(before)

    assert (counts.connections, counts.turns, counts.up, counts.down) == (1, 2, 9, 14)


def test_the_end_of_a_connection_is_handed_on_both_ways(tmp_path: Path) -> None:
    with echo(tmp_path) as (server, way):
        with connected(way) as wire:
            heard(wire, 5)
            wire.shutdown(socket.SHUT_WR)
            assert wire.recv(1) == b""
            assert server.ended.wait(5)
        with connected(way) as wire:
            heard(wire, 5)
            wire.sendall(b"stop")
            assert wire.recv(1) == b""


def test_a_capability_can_be_hidden(tmp_path: Path) -> None:
    with echo(tmp_path, hide="IDLE") as (_, way), connected(way) as wire:
        heard(wire, 5)
        wire.sendall(b"CAPABILITY IMAP4rev1 IDLE UIDPLUS\r\n")

        assert b"IDLE" not in heard(wire, 35)


def test_it_works_for_many_at_once(tmp_path: Path) -> None:
    with echo(tmp_path) as (_, way), contextlib.ExitStack() as stack:
        wires = [stack.enter_context(connected(way)) for _ in range(100)]
        for wire in wires:
            assert heard(wire, 5) == b"hello"
            wire.sendall(b"ask")
        for wire in wires:
            assert heard(wire, 3) == b"ask"
        assert way.counts().connections >= 100
