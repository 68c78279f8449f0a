"""How many polls a bridge bears, and how long one takes: connect, USER, PASS, STAT, UIDL, QUIT, each awaited.

`python -m bench.poll [--messages 100] [--accounts 200] [--clients 1,50,200] [--seconds 5]`. One Dovecot, one bridge,
one process of clients that poll one account each as fast as they are answered. Each account has polled once before, so
that its listing is stored and its connection parked. CPU is the bridge's own.
"""

import argparse
import contextlib
import io
import os
import selectors
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from attrs import define, field

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import dovecot
from tests.peers.servers.imap_server import Mailbox

CONFIG = """
state = "sqlite:popbridge.sqlite"

[[listener]]
pop3 = "127.0.0.1:{port}"

[[passthrough]]
upstream = "imap://127.0.0.1:%d"
"""
_TICK = os.sysconf("SC_CLK_TCK")


def main() -> None:
    arguments = _arguments()
    with dovecot(format="mdbox") as server, tempfile.TemporaryDirectory() as state:
        mailboxes = [server.new_mailbox() for _ in range(arguments.accounts)]
        for mailbox in mailboxes:
            mailbox.seed([b"Subject: %d\r\n\r\n%b\r\n" % (n, b"x" * 1900) for n in range(arguments.messages)])
        with _bridge(Path(state), server.port) as bridged:
            _load(bridged, mailboxes, min(20, len(mailboxes)), polls=2 * len(mailboxes))
            for clients in map(int, arguments.clients.split(",")):
                before, began = _cpu(bridged.pid), time.perf_counter()
                taken = _load(bridged, mailboxes, clients, seconds=arguments.seconds)
                seconds, cpu = time.perf_counter() - began, _cpu(bridged.pid) - before
                taken.sort()
                p50, p99 = taken[len(taken) // 2], taken[len(taken) * 99 // 100]
                print(
                    f"{clients:>4} clients  {len(taken) / seconds:7.0f} polls/s  p50 {p50 * 1000:.2f} ms"
                    f"  p99 {p99 * 1000:.2f} ms  CPU {cpu / len(taken) * 1000:.3f} ms each",
                    flush=True,
                )
            print(f"memory  {bridged.memory().pss / 1e6:.1f} MB for {len(mailboxes)} accounts")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100)
    parser.add_argument("--accounts", type=int, default=200)
    parser.add_argument("--clients", default="1,50,200")
    parser.add_argument("--seconds", type=float, default=5.0)
    return parser.parse_args()


@contextlib.contextmanager
def _bridge(state: Path, upstream: int) -> Iterator[Bridge]:
    running = contextlib.ExitStack()
    try:
        yield running.enter_context(bridge(state, config=CONFIG % upstream))
    finally:
        with contextlib.redirect_stdout(io.StringIO()):  # its log is for tests
            running.close()


def _cpu(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / _TICK


@define(eq=False)
class _Poll:
    """One client's present session."""

    wire: socket.socket
    said: list[bytes]
    began: float
    heard: bytearray = field(factory=bytearray)
    listing: bool = False


def _load(
    bridged: Bridge, mailboxes: list[Mailbox], clients: int, *, seconds: float = 600.0, polls: int = 1 << 60
) -> list[float]:
    """Seconds that each poll took."""
    selector, taken, started = selectors.EpollSelector(), list[float](), 0
    until = time.perf_counter() + seconds

    def begin(at: int) -> None:
        nonlocal started
        started += 1
        mailbox = mailboxes[at % len(mailboxes)]
        wire = socket.socket()
        began = time.perf_counter()
        wire.connect((bridged.host, bridged.port))
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.setblocking(False)
        said = [b"QUIT\r\n", b"UIDL\r\n", b"STAT\r\n", b"PASS %b\r\n" % mailbox.password.encode()]
        said.append(b"USER %b\r\n" % mailbox.user.encode())
        selector.register(wire, selectors.EVENT_READ, (_Poll(wire, said, began), at))

    for at in range(clients):
        begin(at)
    while selector.get_map():
        for key, _ in selector.select():
            poll, at = key.data
            octets = poll.wire.recv(65536)
            poll.heard += octets
            if not octets or not _answered(poll):
                assert octets, poll
                continue
            assert poll.heard.startswith(b"+OK"), poll
            poll.heard.clear()
            if poll.said:
                word = poll.said.pop()
                poll.listing = word == b"UIDL\r\n"
                poll.wire.send(word)
                continue
            taken.append(time.perf_counter() - poll.began)
            selector.unregister(poll.wire)
            poll.wire.close()
            if time.perf_counter() < until and started < polls:
                begin(at + clients if polls < 1 << 60 else at)
    return taken


def _answered(poll: _Poll) -> bool:
    return poll.heard.endswith(b"\r\n.\r\n" if poll.listing else b"\r\n")


if __name__ == "__main__":
    main()
