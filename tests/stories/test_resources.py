"""Large mail, slow clients, many clients and rude ones: memory stays bounded and nobody else waits (S15, S27, S28).

Figures are printed; `-rP` shows them.
"""

import contextlib
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from time import monotonic

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.child import free_port
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.pop3 import Pop3, opened

pytestmark = pytest.mark.story

MEGABYTE = 1_000_000
SMALL = b"Subject: small\r\n\r\nhello\r\n"


@pytest.fixture
def alone(dovecot_server: Dovecot, tmp_path: Path) -> Iterator[Bridge]:
    """A bridge of the test's own, so that its memory is this test's doing; it has served one message before."""
    with bridge(tmp_path, upstream=dovecot_server, measured=True) as running:
        mailbox = dovecot_server.new_mailbox()
        mailbox.seed([SMALL])
        with opened(running.port, mailbox) as client:
            assert client.retr(1) == SMALL
            client.uidls()
            client.quit()
        yield running


def large(server: Dovecot, megabytes: int) -> Mailbox:
    """A mailbox with one message of that size; its lines are of 78 octets, some begin with a dot."""
    mailbox = server.new_mailbox()
    line = b".%075d\r\n"
    block = b"".join(line % number for number in range(MEGABYTE // 78))
    server.drop_into_maildir(mailbox.user, [b"Subject: large\r\n\r\n" + block * megabytes])
    return mailbox


class Growth:
    """How far the peak of the bridge's memory rises inside the block."""

    def __init__(self, running: Bridge) -> None:
        self._running = running
        running.reset_peak()
        self._before = running.memory().peak

    def octets(self) -> int:
        return self._running.memory().peak - self._before


def read_at(client: Pop3, octets: int, rate: float | None) -> int:
    """Reads so much of what comes, `rate` octets a second at most."""
    start, taken = monotonic(), 0
    while taken < octets:
        taken += len(client.sock.recv(min(65_536, octets - taken)))
        if rate is not None and (early := taken / rate - (monotonic() - start)) > 0:
            Event().wait(early)
    return taken


@pytest.mark.parametrize(
    ("megabytes", "slow_megabytes"),
    [(20, 5), pytest.param(200, 199, marks=pytest.mark.soak)],
)
def test_a_large_message_takes_no_memory_however_slowly_it_is_read(
    megabytes: int, slow_megabytes: int, alone: Bridge, dovecot_server: Dovecot
) -> None:
    """At 1 MB/s, a part of it at full speed in the short variant."""
    mailbox = large(dovecot_server, megabytes)
    with opened(alone.port, mailbox, receive_buffer=65_536) as client:
        size = client.sizes()[1]
        growth = Growth(alone)
        start = monotonic()
        client.do("RETR 1")
        read_at(client, slow_megabytes * MEGABYTE, MEGABYTE)
        left = len(client.stuffed())
        took = monotonic() - start
        grown = growth.octets()
        assert slow_megabytes * MEGABYTE + left >= size, "it is all there"
        assert client.do("NOOP")
    print(f"RETR of {size} octets in {took:.0f} s, the peak memory grew by {grown / 1024:.0f} KiB")
    assert grown < 4 * 1024 * 1024


def walking(number: int, octets: int) -> bytes:
    line = b".%075d\r\n" % number
    return b"Subject: %d\r\n\r\n" % number + line * max(1, octets // len(line))


def test_a_client_that_stops_inside_a_large_message_costs_little(alone: Bridge, dovecot_server: Dovecot) -> None:
    """It holds one buffer on each side of the bridge, and no message."""
    sessions = 20
    mailbox = large(dovecot_server, 25)
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(opened(alone.port, mailbox, receive_buffer=8192)) for _ in range(sessions)]
        growth = Growth(alone)
        for client in clients:
            client.send(b"RETR 1\r\n")
            assert client.line().startswith(b"+OK")
        Event().wait(1)
        each = growth.octets() / sessions
    print(f"{each / 1024:.0f} KiB for each of {sessions} that stopped inside 25 MB")
    assert each < MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize(("size", "most"), [(25_000_000, 150), (1_900_000, 150), (300_000, 150)])
def test_two_hundred_slow_walks_share_what_is_read_ahead(size: int, most: int, tmp_path: Path) -> None:
    """MiB of the whole process at its peak. What is read ahead may be 64 MiB of it (`read_ahead_total`)."""
    sessions, seconds = 200, 15.0
    limits = "service imap {\n process_limit = 500\n}\n"
    with (
        dovecot(connections=2 * sessions, extra=limits) as server,
        bridge(tmp_path, upstream=server, measured=True) as running,
    ):
        mailbox = server.new_mailbox()
        server.drop_into_maildir(
            mailbox.user, [walking(number, size if number > 2 else 1000) for number in range(1, 8)]
        )
        with contextlib.ExitStack() as held:
            clients = [held.enter_context(opened(running.port, mailbox, receive_buffer=8192)) for _ in range(sessions)]
            running.reset_peak()
            for client in clients:
                assert len(client.retr(1)) == len(client.retr(2)) == len(walking(1, 1000))
                client.send(b"RETR 3\r\nRETR 4\r\nRETR 5\r\nRETR 6\r\n")
                client.sock.setblocking(False)
            taken, end = 0, monotonic() + seconds
            while monotonic() < end:
                for client in clients:
                    with contextlib.suppress(BlockingIOError):
                        taken += len(client.sock.recv(8192))
                Event().wait(0.02)
            peak = running.memory().peak
    print(
        f"{sessions} walks through messages of {size} octets, at {taken / sessions / seconds / 1000:.0f} kB/s each: "
        f"the process was {peak / 2**20:.0f} MiB at its peak"
    )
    assert taken > sessions * 100_000
    assert peak < most * 2**20


@pytest.mark.parametrize("seconds", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_a_client_that_stops_reading_holds_up_nobody(seconds: float, alone: Bridge, dovecot_server: Dovecot) -> None:
    mailbox = large(dovecot_server, 30)
    other = dovecot_server.new_mailbox()
    other.seed([SMALL])
    with opened(alone.port, mailbox, receive_buffer=65_536) as stopped:
        growth = Growth(alone)
        stopped.send(b"RETR 1\r\nUIDL\r\nRETR 1\r\n")
        assert stopped.line().startswith(b"+OK")
        latencies = []
        end = monotonic() + seconds
        while monotonic() < end:
            start = monotonic()
            with opened(alone.port, other) as client:
                assert client.retr(1) == SMALL
                client.quit()
            latencies.append(monotonic() - start)
            Event().wait(0.05)
        grown = growth.octets()
        body = stopped.body()
        assert len(body) > 29 * MEGABYTE, "it goes on where it stopped"
        assert stopped.line().startswith(b"+OK")
    latencies.sort()
    print(
        f"beside a client that read nothing for {seconds} s: {len(latencies)} sessions of others, median "
        f"{latencies[len(latencies) // 2] * 1000:.0f} ms, worst {latencies[-1] * 1000:.0f} ms; "
        f"memory grew by {grown / 1024:.0f} KiB"
    )
    assert latencies[-1] < 3
    assert grown < 4 * 1024 * 1024


@pytest.mark.parametrize("count", [300, pytest.param(2000, marks=pytest.mark.slow)])
def test_silent_clients_keep_nobody_out(count: int, alone: Bridge, dovecot_server: Dovecot) -> None:
    """Connected by the hundred, never a word: the next one is served at once."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4 * count)), hard))
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([SMALL])
    before = alone.memory().rss
    with contextlib.ExitStack() as held:
        for batch in range(0, count, 250):  # more at once than the backlog of 512 the kernel itself forgets
            silent = [held.enter_context(socket.socket()) for _ in range(batch, min(count, batch + 250))]
            for one in silent:
                one.setblocking(False)
                one.connect_ex((alone.host, alone.port))
            for one in silent:
                one.setblocking(True)
                one.settimeout(30)
                assert one.recv(100).startswith(b"+OK"), "each of them is greeted"
        start = monotonic()
        with opened(alone.port, mailbox) as client:
            assert client.retr(1) == SMALL
            client.quit()
        took = monotonic() - start
        grown = alone.memory().rss - before
        files = alone.open_files()
    print(
        f"{count} silent clients: the next one was served in {took * 1000:.0f} ms, "
        f"{grown / count / 1024:.1f} KiB each, {files} files open"
    )
    assert files > count
    assert took < 10
    deadline = monotonic() + 10
    while alone.open_files() > 50:
        assert monotonic() < deadline, "descriptors leak"
        Event().wait(0.05)


@pytest.mark.parametrize(
    "command",
    ["UIDL", "RETR 1", *(pytest.param(other, marks=pytest.mark.slow) for other in ("CAPA", "STAT", "TOP 1 0", "XYZ"))],
)
def test_a_million_commands_from_a_client_that_reads_nothing(
    command: str, alone: Bridge, dovecot_server: Dovecot
) -> None:
    """The bridge stops reading from it: what it has not read is the client's, and memory stays as it is."""
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([SMALL] * 100)
    with opened(alone.port, mailbox, receive_buffer=65_536) as flood:
        growth = Growth(alone)
        commands = memoryview(f"{command}\r\n".encode() * 1_000_000)
        sent, quiet = 0, 0
        flood.sock.settimeout(0.5)
        while sent < len(commands) and quiet < 3:
            try:
                sent += flood.sock.send(commands[sent : sent + 100_000])
                quiet = 0
            except TimeoutError:
                quiet += 1
            except ConnectionError:
                assert command == "XYZ", "twenty unknown commands end a session"
                break
        grown = growth.octets()
        with opened(alone.port, dovecot_server.new_mailbox()) as other:
            assert other.count() == 0
        flood.reset()
    print(f"{sent // (len(command) + 2)} of 1,000,000 {command} taken, memory grew by {grown / 1024:.0f} KiB")
    assert grown < 4 * 1024 * 1024


@pytest.mark.parametrize("logged_in", [False, True])
def test_100_megabytes_without_a_line_end(logged_in: bool, alone: Bridge, dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox()
    growth = Growth(alone)
    with Pop3(alone.port) as client:
        if logged_in:
            client.log_in(mailbox)
        junk, sent = b"x" * MEGABYTE, 0
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                client.send(junk)
                sent += len(junk)
    grown = growth.octets()
    print(f"cut off after {sent / MEGABYTE:.0f} MB or less, memory grew by {grown / 1024:.0f} KiB")
    assert sent < 20 * MEGABYTE, "nobody reads all that"
    assert grown < 2 * 1024 * 1024
    with opened(alone.port, mailbox) as client:
        assert client.count() == 0


@pytest.mark.slow
def test_100000_messages_take_little_memory_for_each_session(tmp_path: Path) -> None:
    """Under 5 MB a session, read in full by LIST and UIDL."""
    sessions = 8
    with dovecot(format="mdbox") as server, bridge(tmp_path, upstream=server, measured=True) as running:
        mailbox = server.new_mailbox()
        mailbox.seed([b"Subject: %d\r\n\r\nhello\r\n" % number for number in range(100_000)])
        with opened(running.port, mailbox) as client:  # what is made once is made now
            assert len(client.uidls()) == 100_000
            client.quit()
        before = running.memory()
        running.reset_peak()
        with contextlib.ExitStack() as held:
            start = monotonic()
            for number in range(sessions):
                client = held.enter_context(opened(running.port, mailbox))
                if number == 0:
                    print(f"login to 100,000 messages: {monotonic() - start:.2f} s")
                assert len(client.uidls()) == len(client.sizes()) == 100_000
            after = running.memory()
    each = (after.pss - before.pss) / sessions
    print(
        f"{sessions} sessions of 100,000 messages: {each / 1024:.0f} KiB each; "
        f"peak {(after.peak - before.rss) / 1024:.0f} KiB above the start"
    )
    assert each < 5 * 1024 * 1024


def test_ipv6_on_both_sides(tmp_path: Path) -> None:
    """A listener on ::1, one on all addresses, and upstream on ::1."""
    config = """
    [[listener]]
    pop3 = "127.0.0.1:{port}"
    [[listener]]
    pop3 = "[::1]:%d"
    [[listener]]
    pop3 = ":%d"
    [[passthrough]]
    upstream = "imap://[::1]:%d"
    """
    six, both = free_port("::1"), free_port("::1")
    with dovecot(extra="listen = 127.0.0.1, ::1\n") as server:
        mailbox = server.new_mailbox()
        mailbox.seed([SMALL])
        with bridge(tmp_path, config=config % (six, both, server.port), measured=True) as running:
            for host, port in ((running.host, running.port), ("::1", six), ("::1", both), ("127.0.0.1", both)):
                with Pop3(port, host) as client:
                    assert client.log_in(mailbox).retr(1) == SMALL
                    client.quit()
            assert 'peer="::1"' in running.log()
            assert "::ffff:" not in running.log()


def test_many_at_once_share_the_bridge_fairly(alone: Bridge, dovecot_server: Dovecot) -> None:
    """Ten read 5 MB each at full speed while others poll: all are served, and the polls stay quick."""
    mailbox = large(dovecot_server, 5)
    other = dovecot_server.new_mailbox()
    other.seed([SMALL])
    failures: list[BaseException] = []

    def read() -> None:
        try:
            with opened(alone.port, mailbox) as client:
                assert len(client.retr(1)) > 4 * MEGABYTE
                client.quit()
        except BaseException as failure:  # noqa: BLE001  told to the test's own thread
            failures.append(failure)

    readers = [Thread(target=read) for _ in range(10)]
    for reader in readers:
        reader.start()
    worst = 0.0
    while any(reader.is_alive() for reader in readers):
        start = monotonic()
        with opened(alone.port, other) as client:
            assert client.retr(1) == SMALL
        worst = max(worst, monotonic() - start)
    for reader in readers:
        reader.join()
    assert not failures, failures
    print(f"beside ten who read 5 MB: the slowest poll took {worst * 1000:.0f} ms")
    assert worst < 5
