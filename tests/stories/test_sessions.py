"""Sessions side by side and one after the other: drops, restarts and short polls (S2, S8, S15, S22; faults 7, 23)."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox, ManyUsersServer
from tests.stories.conftest import BridgeTo
from tests.stories.pop3 import Gone, Pop3, opened

pytestmark = pytest.mark.story

PARKED = 2  # as many connections of an account as wait for its next login

MESSAGES = [b"Subject: %d\r\n\r\nHello %d\r\n" % (number, number) for number in range(1, 6)]


def five(server: ManyUsersServer) -> Mailbox:
    mailbox = server.new_mailbox()
    mailbox.seed(MESSAGES)
    return mailbox


@pytest.mark.parametrize(
    "name", ["dovecot", pytest.param("cyrus", marks=pytest.mark.slow), pytest.param("courier", marks=pytest.mark.slow)]
)
def test_several_sessions_of_one_account(name: str, request: pytest.FixtureRequest, bridge_to: BridgeTo) -> None:
    """Each has its own snapshot: what one deletes keeps its number in the other; deleting twice does no harm."""
    server: ManyUsersServer = request.getfixturevalue(f"{name}_server")
    mailbox = five(server)
    port = bridge_to(server).port
    with opened(port, mailbox) as one, opened(port, mailbox) as two, opened(port, mailbox) as three:
        assert one.uidls() == two.uidls() == three.uidls()
        one.do("DELE 1")
        two.do("DELE 1")
        two.do("DELE 2")
        assert one.count() == 4
        assert three.count() == 5
        assert one.quit().startswith(b"+OK")
        assert two.quit().startswith(b"+OK")
        assert three.count() == 5
        assert three.retr(1) == MESSAGES[0], "flagged, not expunged: it is still there"
        mailbox.seed([b"Subject: new\r\n\r\nnew\r\n"])
        assert three.count() == 5, "new mail is the next session's"
    with opened(port, mailbox) as four:
        assert four.count() == 4


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Dovecot, Bridge]]:
    """A Dovecot that lets a user in once at a time."""
    with (
        dovecot(connections=1) as server,
        bridge(tmp_path_factory.mktemp("strict"), upstream=server) as running,
    ):
        yield server, running


@pytest.mark.parametrize("how", ["close", "reset", "QUIT", "close in RETR", "reset in RETR", "close in PASS"])
def test_a_dropped_client_frees_its_account_at_once(how: str, strict: tuple[Dovecot, Bridge]) -> None:
    """The next login works, also where upstream counts connections (S22; fault 23)."""
    server, running = strict
    mailbox = server.new_mailbox()
    large = b"Subject: large\r\n\r\n" + b"x" * 76 + b"\r\n" + (b"y" * 76 + b"\r\n") * 200_000
    server.drop_into_maildir(mailbox.user, [large])
    for _ in range(3):
        if how == "close in PASS":
            client = Pop3(running.port)
            client.do(f"USER {mailbox.user}")
            client.send(f"PASS {mailbox.password}\r\n".encode())
            client.sock.close()
        else:
            client = _patiently(running, mailbox, seconds=2, receive_buffer=4096)  # the session before has just left
            if "RETR" in how:
                client.do("RETR 1")
            if how == "QUIT":
                client.quit()
            elif how.startswith("reset"):
                client.reset()
            else:
                client.sock.close()
        start = monotonic()
        with _patiently(running, mailbox, seconds=2) as again:
            assert again.count() == 1
            again.quit()
        print(f"{how}: the next login worked after {(monotonic() - start) * 1000:.0f} ms")


def _patiently(running: Bridge, mailbox: Mailbox, seconds: float, receive_buffer: int | None = None) -> Pop3:
    """Upstream needs a moment to see that the connection is gone; nobody has to wait longer."""
    deadline = monotonic() + seconds
    while True:
        client = Pop3(running.port, receive_buffer=receive_buffer)
        client.do(f"USER {mailbox.user}")
        line = client.ask(f"PASS {mailbox.password}")
        if line.startswith(b"+OK"):
            return client
        client.sock.close()
        assert line.startswith(b"-ERR [SYS/TEMP]"), f"too many connections upstream is no wrong password: {line!r}"
        assert monotonic() < deadline, line


def test_a_second_session_where_upstream_allows_one_is_told_the_truth(strict: tuple[Dovecot, Bridge]) -> None:
    server, running = strict
    mailbox = five(server)
    with opened(running.port, mailbox), Pop3(running.port) as second:
        second.do(f"USER {mailbox.user}")
        assert second.ask(f"PASS {mailbox.password}").startswith(b"-ERR [SYS/TEMP]")


@pytest.mark.parametrize(
    "name", ["dovecot", pytest.param("cyrus", marks=pytest.mark.slow), pytest.param("courier", marks=pytest.mark.slow)]
)
def test_fifty_polls_within_a_moment_see_the_same(
    name: str, request: pytest.FixtureRequest, bridge_to: BridgeTo
) -> None:
    """mutt logs out and in again for each look: numbers and UIDLs must not move."""
    server: ManyUsersServer = request.getfixturevalue(f"{name}_server")
    mailbox = five(server)
    seen = set()
    start = monotonic()
    for _ in range(50):
        with opened(bridge_to(server).port, mailbox) as client:
            seen.add((tuple(client.uidls().items()), tuple(client.sizes().items())))
            client.send(b"QUIT\r\n")
    print(f"{name}: 50 sessions in {monotonic() - start:.2f} s")
    assert len(seen) == 1


def test_uidls_survive_a_restart_of_the_bridge(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Nothing is stored: they are made of what the mailbox knows, and another bridge makes the same (S3)."""
    mailbox = five(dovecot_server)
    seen = []
    for _ in range(2):
        with bridge(tmp_path, upstream=dovecot_server) as running, opened(running.port, mailbox) as client:
            seen.append(client.uidls())
            client.quit()
    assert seen[0] == seen[1]
    assert len(set(seen[0].values())) == 5


@contextlib.contextmanager
def victim(tmp_path: Path) -> Iterator[tuple[Dovecot, Bridge, Mailbox]]:
    with dovecot() as server, bridge(tmp_path, upstream=server) as running:
        yield server, running, five(server)


def imap_processes(server: Dovecot) -> list[int]:
    """The processes that serve logged-in users."""
    children = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            name, _, rest = stat.read_text().partition(" (")[2].rpartition(") ")
            if name == "imap" and int(rest.split()[1]) == server.pid:
                children.append(int(stat.parent.name))
    return children


def kill_imap_processes(server: Dovecot) -> None:
    """Returns when they are gone."""
    doomed = imap_processes(server)
    assert doomed
    for pid in doomed:
        os.kill(pid, signal.SIGKILL)
    while set(imap_processes(server)) & set(doomed):
        Event().wait(0.01)
    Event().wait(0.05)  # the bridge reads that its connection ended


def kill_for_good(server: Dovecot) -> None:
    """Nobody starts anything anew."""
    os.kill(server.pid, signal.SIGSTOP)
    for pid in imap_processes(server):
        os.kill(pid, signal.SIGKILL)
    server._child.kill()


def test_upstream_may_drop_an_idle_connection_unnoticed(tmp_path: Path) -> None:
    """Servers end idle connections, and restart: the next command goes over a new one, the client sees nothing."""
    with victim(tmp_path) as (server, running, mailbox), opened(running.port, mailbox) as client:
        for number in (1, 2, 3):
            kill_imap_processes(server)
            assert client.retr(number) == MESSAGES[number - 1]
        kill_imap_processes(server)
        assert client.top(4, 0) == MESSAGES[3].partition(b"Hello")[0]
        client.do("DELE 5")
        kill_imap_processes(server)
        assert client.quit().startswith(b"+OK")
        assert len(mailbox.uids("DELETED")) == 1


def test_while_upstream_is_down_each_retr_says_so_and_later_works(tmp_path: Path) -> None:
    """-ERR [SYS/TEMP], never "no such message"; the session lives on (S14; fault 8)."""
    with victim(tmp_path) as (server, running, mailbox), opened(running.port, mailbox) as client:
        kill_for_good(server)
        assert client.ask("RETR 1").startswith(b"-ERR [SYS/TEMP]")
        assert client.ask("TOP 1 0").startswith(b"-ERR [SYS/TEMP]")
        assert len(client.sizes()) == 5
        assert client.ask("RETR 6").startswith(b"-ERR ")
        assert not client.ask("RETR 6").startswith(b"-ERR [")


LARGE = b"Subject: large\r\n\r\n" + (b"z" * 76 + b"\r\n") * 250_000


@contextlib.contextmanager
def inside_a_message(tmp_path: Path, more: bytes) -> Iterator[tuple[Dovecot, Pop3]]:
    """RETR is being answered, and `more` was said behind it."""
    with victim(tmp_path) as (server, running, _):
        mailbox = server.new_mailbox()
        server.drop_into_maildir(mailbox.user, [LARGE])
        with opened(running.port, mailbox, receive_buffer=4096) as client:
            client.send(b"RETR 1\r\n" + more)
            assert client.line().startswith(b"+OK")
            yield server, client


def test_upstream_dies_inside_a_message_and_is_there_again(tmp_path: Path) -> None:
    """It goes on where it stopped, octet for octet (S15)."""
    with inside_a_message(tmp_path, b"NOOP\r\nQUIT\r\n") as (server, client):
        kill_imap_processes(server)
        assert client.body() == LARGE
        assert client.line().startswith(b"+OK")
        assert client.line().startswith(b"+OK")
        assert client.ended()


@pytest.mark.parametrize("more", [b"", b"NOOP\r\nQUIT\r\n"])
def test_upstream_dies_inside_a_message_for_good(more: bytes, tmp_path: Path) -> None:
    """The connection ends without a terminator: a cut message is never taken for a whole one (S15; fault 7)."""
    with inside_a_message(tmp_path, more) as (server, client):
        kill_for_good(server)
        with pytest.raises(Gone) as gone:
            client.stuffed()
        got = gone.value.octets
        print(f"cut after {len(got)} of {len(LARGE)} octets")
        assert LARGE.startswith(got)
        assert len(got) < len(LARGE)


def test_an_end_in_good_order_while_sessions_are_open(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """SIGTERM: who is idle is told; marks are not carried out; the process ends soon."""
    mailbox = five(dovecot_server)
    with bridge(tmp_path, upstream=dovecot_server) as running, contextlib.ExitStack() as held:
        port = running.port
        idle = held.enter_context(opened(port, mailbox))
        marked = held.enter_context(opened(port, mailbox))
        marked.do("DELE 1")
        fresh = held.enter_context(Pop3(port))
        start = monotonic()
        os.kill(running.pid, signal.SIGTERM)
        for client in (idle, marked, fresh):
            assert client.line().startswith(b"-ERR [SYS/TEMP]")
            assert client.ended()
            client.sock.close()
        while running.running():
            assert monotonic() < start + 20
            Event().wait(0.02)
        took = monotonic() - start
    print(f"ended {took:.2f} s after SIGTERM")
    assert took < 5
    assert mailbox.uids("DELETED") == []


def test_an_end_while_a_client_reads_nothing(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """A client that does not hang up is cut off after `close_abort`."""
    config = """
    [[listener]]
    pop3 = "127.0.0.1:{port}"
    [[passthrough]]
    upstream = "imap://127.0.0.1:%d"
    [timeouts]
    close_abort = "1s"
    """
    mailbox = dovecot_server.new_mailbox()
    dovecot_server.drop_into_maildir(mailbox.user, [b"Subject: x\r\n\r\n" + (b"z" * 76 + b"\r\n") * 400_000])
    with bridge(tmp_path, config=config % dovecot_server.port) as running:
        with opened(running.port, mailbox, receive_buffer=4096) as client:
            client.do("RETR 1")
            start = monotonic()
            running.stop()
            took = monotonic() - start
            assert not client.rest().endswith(b"\r\n.\r\n")
        print(f"ended {took:.2f} s after SIGTERM")
        assert took < 6


@pytest.mark.parametrize("step", ["greeting", "USER", "PASS", "STAT", "LIST", "UIDL", "RETR", "TOP", "DELE", "RSET"])
def test_clients_that_vanish_at_every_step_leave_nothing_behind(
    step: str, dovecot_server: Dovecot, bridge_to: BridgeTo
) -> None:
    """Twenty, by FIN and by RST, before and after the answer: every descriptor is free again, no mail is lost.

    But for those of connections that wait for the next login.
    """
    mailbox = five(dovecot_server)
    running = bridge_to(dovecot_server)
    command = {"RETR": "RETR 1", "TOP": "TOP 1 1", "DELE": "DELE 1"}.get(step, step)
    before = running.open_files()
    for number in range(20):
        client = Pop3(running.port)
        if step == "USER":
            client.send(f"USER {mailbox.user}\r\n".encode())
        elif step == "PASS":
            client.do(f"USER {mailbox.user}")
            client.send(f"PASS {mailbox.password}\r\n".encode())
        elif step != "greeting":
            client.log_in(mailbox)
            client.send(f"{command}\r\n".encode())
        if number % 2:
            client.line() if step != "greeting" else None
        client.reset() if number % 4 < 2 else client.sock.close()
    deadline = monotonic() + 5
    while running.open_files() > before + PARKED:
        assert monotonic() < deadline, f"{running.open_files()} files open, {before} before"
        Event().wait(0.02)
    assert all(not flags for flags in mailbox.flags().values())
    with opened(running.port, mailbox) as client:
        assert list(client.retr_all(range(1, 6))) == MESSAGES
