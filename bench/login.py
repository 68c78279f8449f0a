"""How long a first login to a large mailbox takes, beside what the IMAP server alone needs for the same listing.

`python -m bench.login [--messages 100000] [--rounds 5]`. One Dovecot, one bridge; each round measures both, in turn:
bare, connect to the tagged OK of `SELECT` + `UID FETCH 1:* (UID RFC822.SIZE FLAGS INTERNALDATE)`; through the bridge,
connect to the end of UIDL. Then the memory that a session at that mailbox adds to the bridge.
"""

import argparse
import contextlib
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import dovecot
from tests.peers.servers.imap_server import Login, Mailbox

SESSIONS = 5
"""Held open at once, so that what one of them costs is more than noise."""


def main() -> None:
    arguments = _arguments()
    with dovecot(format="mdbox") as server, tempfile.TemporaryDirectory() as directory:
        mailbox = server.new_mailbox()
        _fill(mailbox, arguments.messages)
        _bare(mailbox)  # the server writes its indexes
        with bridge(Path(directory), upstream=server) as bridged:
            bare, through, listed = [], [], 0
            for _ in range(arguments.rounds):
                bare.append(_bare(mailbox))
                seconds, listed = _through(bridged, mailbox)
                through.append(seconds)
            assert listed == arguments.messages, f"UIDL listed {listed} of {arguments.messages}"
            _report("IMAP server alone", bare)
            _report("through the bridge", through)
            ratio = statistics.median(through) / statistics.median(bare)
            print(f"ratio of the medians  {ratio:.2f}")
            print(f"memory per session    {_memory(bridged, mailbox) / 1e6:.2f} MB")


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
