"""How cost grows: with the messages of one mailbox, 1,000 to a million, and with the sessions open, 1 to 10,000.

`python -m bench.growth` measures both and writes them into the documentation. The listing is simulated: what an IMAP
server would send goes straight into the parser; and thousands of sessions have a scripted server upstream.
"""

import contextlib
import resource
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from attrs import evolve

from bench.docs import PAGE
from bench.machine import describe
from bench.processes import cpu_seconds, pss_octets
from bench.scripted_imap import MESSAGES as FEW
from bench.table import aligned
from bridge.imap.client import Client, ListingRows
from bridge.imap.commands import FetchListing
from bridge.maildrop import advance
from bridge.maildrop.listing import Listing
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.uidl import parse_format
from bridge.names import AccountName, SourceKey, UidValidity
from bridge.pop3.replies import blocks
from bridge.state import sql_sources
from bridge.state.migrate import migrate
from tests.peers.bridge import bridge
from tests.peers.child import Child, free_port

MESSAGES = (1_000, 10_000, 100_000, 1_000_000)
SESSIONS = (1, 100, 1_000, 10_000)
_ROUNDS = 3
_POLLS = 50
_SPARE = 100
_CHUNK = 1 << 16
_BEGIN, _END = "<!-- growth: written by python -m bench.growth -->\n", "<!-- end of growth -->\n"

CONFIG = """
state = "sqlite:%(folder)s/popbridge.sqlite"
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
upstream = "imap://127.0.0.1:%(port)d"
[limits]
connections = 100000
connections_per_address = 100000
"""


def main() -> None:
    listing = [_with_messages(count) for count in MESSAGES]
    sessions = list(_with_sessions(SESSIONS))
    texts = [
        aligned(("messages", "", "read", "stored", "read back", "LIST and UIDL", "memory"), listing),
        aligned(("sessions", "", "memory each", "processor a login", "a poll beside them"), sessions),
    ]
    machine = aligned(("machine", ""), list(describe().items()))
    PAGE.write_text(with_growth(PAGE.read_text(), "\n\n".join([machine, *texts])))
    print("\n\n".join(texts))


def with_growth(page: str, text: str) -> str:
    """The page with these figures in place of those that it has."""
    before, begin, rest = page.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not (begin and end):
        raise ValueError(f"the page has no place for figures, between {_BEGIN!r} and {_END!r}")
    return f"{before}{begin}\n{text}\n\n{end}{after}"


# Messages


def _with_messages(count: int) -> Sequence[str]:
    times = [_listed(count) for _ in range(_ROUNDS)]
    read, stored, recalled, shown = (f"{median(column) * 1000:,.0f} ms" for column in zip(*times, strict=True))
    return f"{count:,}", "", read, stored, recalled, shown, f"{_memory(count) / 1e6:,.1f} MB"


def _listed(count: int) -> tuple[float, float, float, float]:
    """Seconds: the server's rows into columns; those and their UIDLs to the disk; back; as LIST and UIDL."""
    octets = b"".join(_rows(count))
    began = time.perf_counter()
    listing = _read(octets, count)
    read = time.perf_counter() - began
    key = SourceKey(AccountName("ann"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "popbridge.sqlite")
        db = sqlite3.connect(path, isolation_level=None)
        db.row_factory = sqlite3.Row
        migrate(db, path)
        began = time.perf_counter()
        memory, news = advance.first("here", listing, parse_format("bridge"))
        db.execute("BEGIN")
        sql_sources.remember(db, key, memory, evolve(news, computed=list(news.computed)))
        db.execute("COMMIT")
        stored = time.perf_counter() - began
        began = time.perf_counter()
        recalled = sql_sources.recall(db, key)
        back = time.perf_counter() - began
        db.close()
    assert recalled is not None
    assert len(recalled.listing) == count
    began = time.perf_counter()
    maildrop = Maildrop(recalled.listing, recalled.listing.visible().uids, recalled.uidls())
    shown = sum(len(block) for block in blocks("", (f"{n} {size}" for n, size in maildrop.sizes())))
    shown += sum(len(block) for block in blocks("", (f"{n} {uidl}" for n, uidl in maildrop.uidls())))
    assert shown > count * 30
    return read, stored, back, time.perf_counter() - began


def _memory(count: int) -> int:
    """Octets of what a session holds of a mailbox: its columns."""
    listing = _read(b"".join(_rows(count)), count)
    columns = (listing.uids, listing.sizes, listing.dates, listing.hidden)
    marks = len(listing)
    shown = 8 * len(listing)  # the sizes in the order of the numbers
    return sum(memoryview(column).nbytes for column in columns) + marks + shown


def _rows(count: int) -> Iterator[bytes]:
    for n in range(1, count + 1):
        yield (
            b'* %d FETCH (UID %d RFC822.SIZE %d FLAGS (\\Seen) INTERNALDATE "%02d-Nov-2026 22:%02d:%02d +0000")\r\n'
            % (n, 2 * n, 2000 + n % 5000, n % 28 + 1, n // 60 % 60, n % 60)
        )


def _read(octets: bytes, count: int) -> Listing:
    client = Client()
    list(client.receive(b"* PREAUTH ready\r\n"))
    client.send(FetchListing("1:*"))
    client.octets_to_send()
    listing = Listing(UidValidity(7), uidnext=2 * count + 1)
    for start in range(0, len(octets), _CHUNK):
        for event in client.receive(octets[start : start + _CHUNK]):
            assert isinstance(event, ListingRows)
            listing.add(event.uids, event.sizes, event.dates, event.deleted)
    listing.settle()
    assert len(listing) == count
    return listing


# Sessions


def _with_sessions(counts: Sequence[int]) -> Iterator[Sequence[str]]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = free_port()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ends:
        upstream = Child([sys.executable, "-m", "bench.scripted_imap", str(port)], Path(folder, "imap.log"))
        ends.callback(upstream.stop)
        upstream.until_accepting("127.0.0.1", port)
        text = CONFIG % {"folder": folder, "port": port}
        running = ends.enter_context(bridge(Path(folder), config=text, measured=True))
        _poll(running.port, 0)
        empty, open_ones = pss_octets(running.pid), 0
        for count in (min(count, (hard - _SPARE) // 2) for count in counts):  # each needs two of the bridge's files
            began = cpu_seconds(running.pid)
            for number in range(open_ones + 1, count + 1):
                ends.enter_context(_session(running.port, number))
            spent, opened = cpu_seconds(running.pid) - began, max(count - open_ones, 1)
            open_ones = count
            each = (pss_octets(running.pid) - empty) / count
            polls = sorted(_poll(running.port, 0) for _ in range(_POLLS))
            beside = f"{median(polls) * 1000:.1f} ms, at most {polls[-1] * 1000:.1f}"
            login = f"{spent / opened * 1000:.1f} ms" if opened >= _POLLS else "–"
            yield f"{count:,}", "", f"{each / 1000:.0f} kB" if count >= _POLLS else "–", login, beside


def _session(port: int, number: int) -> socket.socket:
    """Logged in, and idle."""
    wire = socket.create_connection(("127.0.0.1", port), 60)
    reader = wire.makefile("rb")
    for said in (b"", b"USER u%d\r\n" % number, b"PASS p\r\n", b"STAT\r\n"):
        wire.sendall(said)
        line = reader.readline()
        assert line.startswith(b"+OK"), line
    assert line.startswith(b"+OK %d " % FEW)
    reader.detach()
    return wire


def _poll(port: int, number: int) -> float:
    """Seconds from connecting to the answer to QUIT."""
    began = time.perf_counter()
    with _session(port, number) as wire:
        wire.sendall(b"QUIT\r\n")
        assert wire.recv(1000).startswith(b"+OK")
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
