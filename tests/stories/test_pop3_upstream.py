"""A provider that speaks only POP3 stands upstream: its own UIDLs, its own octets, and DELE is DELE.

Real servers: Dovecot's and Courier's. Mail is put into their mailboxes by IMAP, and read through the bridge by POP3.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mail.nasty import nasty_mail
from tests.peers.bridge import Bridge, bridge
from tests.peers.certificates import Certificates
from tests.peers.child import free_port
from tests.peers.clients import promises
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Client, Pop3Account
from tests.peers.command import popbridge
from tests.peers.servers.courier import Courier
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Mailbox
from tests.stories.gate import gate
from tests.stories.pop3 import Pop3, Refused, opened

pytestmark = pytest.mark.story

CLIENTS: tuple[Client, ...] = (PoplibScript(), Fetchmail("uidl"), Mpop())
MEGABYTES = 25


@pytest.fixture(params=["dovecot", "courier"])
def pop3_server(request: pytest.FixtureRequest) -> Dovecot | Courier:
    server = request.getfixturevalue(f"{request.param}_server")
    assert isinstance(server, Dovecot | Courier)
    return server


@pytest.fixture
def running(tmp_path: Path, pop3_server: Dovecot | Courier) -> Iterator[Bridge]:
    with bridge(tmp_path, upstream=f"pop3://127.0.0.1:{pop3_server.pop3_port}") as started:
        yield started


def letter(n: int, octets: int = 0) -> bytes:
    head = f"From: ann@example.org\r\nSubject: letter {n}\r\nMessage-ID: <{n}@letters.example>\r\n\r\n.{n}\r\n"
    return head.encode() + b"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\r\n" * (octets // 66)


def fetched(client: Client, mailbox: Mailbox, port: int, folder: Path, *, keep: bool = True) -> list[bytes]:
    account = Pop3Account("127.0.0.1", port, mailbox.user, mailbox.password)
    return client.fetch(account, keep=keep, state=folder / client.name.replace(" ", "-"))


def uidls(port: int, mailbox: Mailbox) -> list[str]:
    with opened(port, mailbox) as client:
        listed = list(client.uidls().values())
        client.quit()
    return listed


def test_programs_go_on_as_if_the_bridge_were_not_there(
    running: Bridge, pop3_server: Dovecot | Courier, tmp_path: Path
) -> None:
    """What they fetched from the server itself they do not fetch through the bridge; what is new they fetch once."""
    mailbox = pop3_server.new_mailbox()
    mailbox.seed([letter(n) for n in range(20)])
    direct = uidls(pop3_server.pop3_port, mailbox)
    client = PoplibScript()
    assert len(fetched(client, mailbox, pop3_server.pop3_port, tmp_path)) == 20
    assert fetched(client, mailbox, running.port, tmp_path) == []
    assert sorted(uidls(running.port, mailbox)) == sorted(direct)
    mailbox.seed([letter(20)])
    promises.same(client, fetched(client, mailbox, running.port, tmp_path), [letter(20)])
    assert uidls(running.port, mailbox)[:20] == uidls(running.port, mailbox)[:20]
    assert fetched(client, mailbox, running.port, tmp_path) == []


def test_each_run_fetches_what_is_new_also_when_the_bridge_has_forgotten_everything(
    pop3_server: Dovecot | Courier, tmp_path: Path
) -> None:
    mailbox, port = pop3_server.new_mailbox(), free_port()
    upstream = f"pop3://127.0.0.1:{pop3_server.pop3_port}"
    for client in CLIENTS:
        promises.require(client)
    mailbox.seed([letter(n) for n in range(30)])
    with bridge(tmp_path, upstream=upstream, port=port):
        assert {client.name: len(fetched(client, mailbox, port, tmp_path)) for client in CLIENTS} == {
            client.name: 30 for client in CLIENTS
        }
        order = uidls(port, mailbox)
        for client in CLIENTS:
            assert fetched(client, mailbox, port, tmp_path) == []
        mailbox.seed([letter(30)])
        for client in CLIENTS:
            promises.same(client, fetched(client, mailbox, port, tmp_path), [letter(30)])
        assert uidls(port, mailbox)[:30] == order
    for file in tmp_path.glob("popbridge.sqlite*"):
        file.unlink()
    with bridge(tmp_path, upstream=upstream, port=port):
        mailbox.seed([letter(31)])
        for client in CLIENTS:
            promises.same(client, fetched(client, mailbox, port, tmp_path), [letter(31)])


def test_what_a_program_deletes_is_deleted_upstream_and_nothing_else_is(
    running: Bridge, pop3_server: Dovecot | Courier, tmp_path: Path
) -> None:
    mailbox = pop3_server.new_mailbox()
    mailbox.seed([letter(n) for n in range(6)])
    with opened(running.port, mailbox) as client:
        for number in (2, 5):
            client.do(f"DELE {number}")
        client.sock.close()
    assert len(mailbox.uids()) == 6, "without QUIT nothing is deleted"
    with opened(running.port, mailbox) as client:
        gone = {client.retr(number) for number in (2, 5)}
        for number in (2, 5):
            client.do(f"DELE {number}")
        assert client.quit().startswith(b"+OK")
    left = set(mailbox.raw_bodies().values())
    assert len(left) == 4
    assert not left & gone
    with opened(running.port, mailbox) as client:
        assert client.count() == 4, "and in again at once"
        client.quit()
    for program in (PoplibScript(), Fetchmail("uidl")):
        promises.require(program)
    assert len(fetched(PoplibScript(), mailbox, running.port, tmp_path, keep=False)) == 4
    assert mailbox.uids() == []
    assert "deleted=2" in running.log()
    assert "deleted=4" in running.log()


def with_empty_line(top: bytes) -> bytes:
    """Of a header without an end: some programs wait for the empty line, so the bridge mostly gives it."""
    return top if b"\r\n\r\n" in top or top.startswith(b"\r\n") else top + b"\r\n"


def test_octets_and_tops_are_those_of_the_server(running: Bridge, pop3_server: Dovecot | Courier) -> None:
    """But for mail that begins with a dot, which neither server stuffs."""
    mailbox = pop3_server.new_mailbox()
    mailbox.seed([one.octets for one in nasty_mail() if not one.octets.startswith(b".")])
    with Pop3(pop3_server.pop3_port) as client:
        client.ask("UTF8")
        client.log_in(mailbox)
        numbers = list(client.uidls())
        direct = {uidl: client.retr(number) for number, uidl in client.uidls().items()}
        tops = {uidl: with_empty_line(client.top(number, 3)) for number, uidl in client.uidls().items()}
        client.quit()
    with opened(running.port, mailbox) as client:
        listed = client.uidls()
        assert {uidl: client.retr(number) for number, uidl in listed.items()} == direct
        assert {uidl: with_empty_line(client.top(number, 3)) for number, uidl in listed.items()} == tops
        assert len(listed) == len(numbers)
        client.quit()


def test_a_mail_that_ends_its_own_answer_answers_for_no_other(running: Bridge, pop3_server: Dovecot | Courier) -> None:
    """Neither server stuffs a mail's first dot: a lone one ends their answer, and what follows would be the next."""
    mailbox = pop3_server.new_mailbox()
    false = b"+OK\r\nSubject: false\r\n\r\nfalse\r\n.\r\n" * 5000
    mailbox.seed([letter(1), b".\r\n" + false, letter(2), letter(3)])
    wanted = {letter(n) for n in (1, 2, 3)}
    with opened(running.port, mailbox) as client:
        client.send(b"".join(b"RETR %d\r\n" % number for number in range(1, 5)))
        read, refused = set(), 0
        for _ in range(4):
            line = client.line()
            if line.startswith(b"+OK"):
                read.add(client.body())
            else:
                assert line.startswith(b"-ERR [SYS/TEMP] upstream gave nothing")
                refused += 1
        client.quit()
    assert (read, refused) == (wanted, 1)


def test_a_large_message_takes_no_memory_and_one_that_is_cut_goes_on(tmp_path: Path, dovecot_server: Dovecot) -> None:
    mailbox = dovecot_server.new_mailbox()
    message = letter(1, MEGABYTES << 20)
    mailbox.seed([message])
    with (
        gate(dovecot_server.pop3_port) as door,
        bridge(tmp_path, upstream=f"pop3://127.0.0.1:{door.port}", measured=True) as running,
        opened(running.port, mailbox, receive_buffer=1 << 16) as client,
    ):
        running.reset_peak()
        before = running.memory().peak
        client.send(b"RETR 1\r\n")
        client.line()
        begin = client._at_least(1 << 20)
        door.shut()
        door.open()
        assert client.body() == message
        assert begin
        grown = running.memory().peak - before
        print(f"RETR of {len(message)} octets, cut once: the peak memory grew by {grown / 1024:.0f} KiB")
        assert grown < 8 << 20
        client.quit()
    assert door.passed == 2


def test_what_quit_has_promised_is_deleted_after_an_outage_and_a_power_cut(
    tmp_path: Path, pop3_server: Dovecot | Courier
) -> None:
    """S17: upstream is gone at QUIT, then the bridge is killed; the next login finds the mail deleted."""
    mailbox, port = pop3_server.new_mailbox(), free_port()
    mailbox.seed([letter(n) for n in range(4)])
    config = """
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
upstream = "pop3://127.0.0.1:%d"
[timeouts]
quit_wait = "0.5s"
"""
    with gate(pop3_server.pop3_port) as door:
        with bridge(tmp_path, config=config % door.port, port=port) as running:
            with opened(port, mailbox) as client:
                read = client.retr(2)
                client.do("DELE 2")
                door.shut()
                assert client.quit().startswith(b"+OK"), "the journal holds it"
            running.kill()
        assert len(mailbox.uids()) == 4
        door.open()
        with bridge(tmp_path, config=config % door.port, port=port):
            with opened(port, mailbox) as client:
                assert client.count() == 3
                assert read not in {client.retr(number) for number in (1, 2, 3)}
                client.quit()
            assert len(mailbox.uids()) == 3
            with opened(port, mailbox) as client:
                assert client.count() == 3
                client.quit()
    assert read not in mailbox.raw_bodies().values()


def test_a_deletion_goes_on_behind_the_clients_back(tmp_path: Path, dovecot_server: Dovecot) -> None:
    """Upstream is back a moment later: the bridge that promised it does it, without a login."""
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([letter(n) for n in range(3)])
    with gate(dovecot_server.pop3_port) as door, bridge(tmp_path, upstream=f"pop3://127.0.0.1:{door.port}") as running:
        with opened(running.port, mailbox) as client:
            client.do("DELE 1")
            door.shut()
            assert client.quit().startswith(b"+OK")
        door.open()
        deadline = time.monotonic() + 60
        while len(mailbox.uids()) == 3:
            assert time.monotonic() < deadline, "it never happens"
            time.sleep(0.2)  # noqa: TID251  # what it waits for is another process
        with opened(running.port, mailbox) as client:
            assert client.count() == 2
            client.quit()


def test_a_move_from_pop3_to_imap_and_back_downloads_nothing_again(tmp_path: Path, dovecot_server: Dovecot) -> None:
    """What was learned of the messages in one place recognises them in the other, where the entry has a name."""
    mailbox, port, client = dovecot_server.new_mailbox(), free_port(), PoplibScript()
    mailbox.seed([letter(n) for n in range(15)])
    config = """
[[listener]]
pop3 = "127.0.0.1:{port}"
[[passthrough]]
name = "home"
upstream = "%s"
"""
    pop3 = f"pop3://127.0.0.1:{dovecot_server.pop3_port}"
    imap = f"imap://127.0.0.1:{dovecot_server.port}"
    counts, orders = [], []
    for upstream in (pop3, imap, pop3):
        with bridge(tmp_path, config=config % upstream, port=port):
            counts += [len(fetched(client, mailbox, port, tmp_path)) for _ in range(2)]
            orders.append(uidls(port, mailbox))
        mailbox.seed([letter(15 + len(orders))])
    assert counts == [15, 0, 1, 0, 1, 0]
    assert orders[2][:16] == orders[1]
    assert orders[1][:15] == orders[0]


def test_keep_hides_what_was_deleted_from_this_login_and_deletes_nothing(
    tmp_path: Path, pop3_server: Dovecot | Courier
) -> None:
    mailbox, port = pop3_server.new_mailbox(), free_port()
    mailbox.seed([letter(n) for n in range(4)])
    for _ in range(2):
        with bridge(tmp_path, "--delete", "keep", upstream=f"pop3://127.0.0.1:{pop3_server.pop3_port}", port=port):
            with opened(port, mailbox) as client:
                before = client.uidls()
                client.do("DELE 1")
                assert client.quit().startswith(b"+OK")
            assert uidls(port, mailbox) == list(before.values())[1:]
    assert len(mailbox.uids()) == 4


def test_a_second_session_waits_for_the_first_and_is_told_in_the_end(
    running: Bridge, pop3_server: Dovecot | Courier
) -> None:
    mailbox = pop3_server.new_mailbox()
    mailbox.seed([letter(1)])
    with opened(running.port, mailbox) as first:
        later: list[int] = []

        def come_later() -> None:
            with opened(running.port, mailbox) as second:
                later.append(second.count())
                second.quit()

        waiting = threading.Thread(target=come_later)
        waiting.start()
        first.do("DELE 1")
        assert first.quit().startswith(b"+OK")
        waiting.join(30)
        assert later == [0]
    with opened(running.port, mailbox), Pop3(running.port) as second:
        second.do(f"USER {mailbox.user}")
        with pytest.raises(Refused, match=r"-ERR \[IN-USE\] another session"):
            second.do(f"PASS {mailbox.password}")


def test_a_wrong_password_is_called_one(running: Bridge, pop3_server: Dovecot | Courier) -> None:
    mailbox = pop3_server.new_mailbox()
    with Pop3(running.port) as client:
        client.do(f"USER {mailbox.user}")
        with pytest.raises(Refused, match=r"\[AUTH\]"):
            client.do("PASS nonsense")


@pytest.mark.parametrize("scheme", ["pop3s", "pop3+starttls"])
def test_tls_to_upstream_and_what_check_says(
    scheme: str, tmp_path: Path, dovecot_server: Dovecot, certificates: Certificates
) -> None:
    mailbox = dovecot_server.new_mailbox()
    mailbox.seed([letter(1)])
    port = dovecot_server.pop3s_port if scheme == "pop3s" else dovecot_server.pop3_port
    config = f"""
[[listener]]
pop3 = "127.0.0.1:{{port}}"
[[passthrough]]
upstream = "{scheme}://localhost:{port}"
ca = "{certificates.authority}"
"""
    with bridge(tmp_path, config=config) as running, opened(running.port, mailbox) as client:
        assert client.retr(1) == letter(1)
        client.quit()
    asked = ("check", "--config", "popbridge.toml", "--login", mailbox.user)
    checked = popbridge(tmp_path, *asked, environment={"POPBRIDGE_PASSWORD": mailbox.password})
    print(checked.stdout)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "1 messages" in checked.stdout
    assert 'delete = "expunge" (this account\'s): holds' in checked.stdout
