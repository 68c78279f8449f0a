"""How long a login to a large mailbox takes, beside what the IMAP server alone needs for the same listing.

`python -m bench.login [--messages 100000] [--rounds 5]`. One Dovecot; each round measures, in turn: bare, connect to
the tagged OK of `SELECT` + `UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)`; through a bridge that knows nothing
yet, connect to the end of UIDL; and the same through a second process with the state that the first has left on disk,
to which nothing is new. Then upstream's round trips of both, and the memory that a session at that mailbox adds.
"""

import argparse
import contextlib
import io
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import dovecot
from tests.peers.servers.imap_server import Login, Mailbox
from tests.stories.gate import gate

SESSIONS = 5
"""Held open at once, so that what one of them costs is more than noise."""

CONFIG = """
state = "sqlite:popbridge.sqlite"

[[listener]]
pop3 = "127.0.0.1:{port}"

[[passthrough]]
upstream = "imap://127.0.0.1:%d"
"""


def main() -> None:
    arguments = _arguments()
    with dovecot(format="mdbox") as server:
        mailbox = server.new_mailbox()
        _fill(mailbox, arguments.messages)
        _bare(mailbox)  # the server writes its indexes
        bare, first, second = [], [], []
        for _ in range(arguments.rounds):
            bare.append(_bare(mailbox))
            with tempfile.TemporaryDirectory() as state:
                first.append(_in_new_process(Path(state), mailbox, arguments.messages))
                second.append(_in_new_process(Path(state), mailbox, arguments.messages))
        _report("IMAP server alone", bare)
        _report("first login", first)
        _report("second login", second)
        print(f"first login, ratio    {statistics.median(first) / statistics.median(bare):.2f}")
        print(f"second login, ratio   {statistics.median(second) / statistics.median(bare):.2f}")
        with tempfile.TemporaryDirectory() as state, gate(server.port) as door:
            for what in ("first", "second"):
                with _bridge(Path(state), door.port) as bridged:
                    turns, octets = door.turns, door.octets
                    _through(bridged, mailbox)
                    turns, octets = door.turns - turns, door.octets - octets
                    print(f"{what:<6} asks upstream  {turns} times; it answers {octets} octets")
            with _bridge(Path(state), door.port) as bridged:
                print(f"memory per session    {_memory(bridged, mailbox) / 1e6:.2f} MB")


@contextlib.contextmanager
def _bridge(state: Path, upstream: int) -> Iterator[Bridge]:
    running = contextlib.ExitStack()
    try:
        yield running.enter_context(bridge(state, config=CONFIG % upstream))
    finally:
        with contextlib.redirect_stdout(io.StringIO()):  # its log is for tests
            running.close()


def _in_new_process(state: Path, mailbox: Mailbox, messages: int) -> float:
    with _bridge(state, mailbox.port) as bridged:
        seconds, listed = _through(bridged, mailbox)
    assert listed == messages, f"UIDL listed {listed} of {messages}"
    return seconds


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    return parser.parse_args()


def _fill(mailbox: Mailbox, messages: int) -> None:
    batch = 5000
    for first in range(0, messages, batch):
        mailbox.seed([b"Subject: %d\r\n\r\nbody\r\n" % n for n in range(first, min(first + batch, messages))])


def _report(what: str, seconds: list[float]) -> None:
    spread = f"{min(seconds):.3f}-{max(seconds):.3f}"
    print(f"{what:<20}  {statistics.median(seconds):.3f} s  ({spread}, {len(seconds)} rounds)")


def _bare(mailbox: Login) -> float:
    began = time.perf_counter()
    with _connected(mailbox.host, mailbox.port) as wire:
        _until(wire, b"\r\n")
        wire.sendall(b"a LOGIN %s %s\r\n" % (mailbox.user.encode(), mailbox.password.encode()))
        _until(wire, b"\r\n", containing=b"a OK")
        wire.sendall(b"b SELECT INBOX\r\nc UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)\r\n")
        _until(wire, b"\r\n", containing=b"\r\nc OK")
    return time.perf_counter() - began


def _through(bridged: Bridge, mailbox: Login) -> tuple[float, int]:
    began = time.perf_counter()
    with _connected(bridged.host, bridged.port) as wire:
        _log_in(wire, mailbox)
        wire.sendall(b"UIDL\r\n")
        lines = _until(wire, b"\r\n.\r\n")
        seconds = time.perf_counter() - began
        wire.sendall(b"QUIT\r\n")
        _until(wire, b"\r\n")
    return seconds, lines - 2


def _memory(bridged: Bridge, mailbox: Login) -> float:
    """Octets of resident memory that one of SESSIONS sessions adds, after its UIDL."""
    with contextlib.ExitStack() as stack:
        before = bridged.memory().rss
        for _ in range(SESSIONS):
            wire = stack.enter_context(_connected(bridged.host, bridged.port))
            _log_in(wire, mailbox)
            wire.sendall(b"UIDL\r\n")
            _until(wire, b"\r\n.\r\n")
        return (bridged.memory().rss - before) / SESSIONS


def _log_in(wire: socket.socket, mailbox: Login) -> None:
    _until(wire, b"\r\n")
    wire.sendall(b"USER %s\r\nPASS %s\r\n" % (mailbox.user.encode(), mailbox.password.encode()))
    _until(wire, b"\r\n", containing=b"+OK logged in")


@contextlib.contextmanager
def _connected(host: str, port: int) -> Iterator[socket.socket]:
    with socket.create_connection((host, port), timeout=120) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield wire


def _until(wire: socket.socket, end: bytes, containing: bytes = b"") -> int:
    """Reads until what came ends so, and holds that; the number of lines. Only the last octets are kept."""
    tail, lines = b"", 0
    while not (tail.endswith(end) and containing in b"\r\n" + tail):
        octets = wire.recv(262_144)
        if not octets:
            raise ConnectionError(f"closed after {tail[-200:]!r}")
        lines += octets.count(b"\n")
        tail = (tail + octets)[-4096:]
    return lines


if __name__ == "__main__":
    main()
