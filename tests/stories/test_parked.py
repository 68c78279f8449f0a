"""Between two polls the connection upstream is kept, and what others did to the mailbox meanwhile is seen all the same.

On the servers that people run, with all that they can do and with less (S7, S22).
"""

import contextlib
import imaplib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox, ManyUsersServer
from tests.stories import mailboxes
from tests.stories.gate import Gate, gate
from tests.stories.house import letters
from tests.stories.pop3 import Pop3, Refused

pytestmark = pytest.mark.story

LESS = "IMAP4rev1 SASL-IR LITERAL+ IDLE UIDPLUS MOVE SPECIAL-USE"
CONFIG = """
[[listener]]
pop3 = "127.0.0.1:{port}"

[[passthrough]]
upstream = "imap://127.0.0.1:%d"
%s

[pool]
%s
"""
NOT_BELIEVED = "believe_idle = false"


@pytest.fixture(scope="module")
def less_server() -> Iterator[Dovecot]:
    with dovecot(capability=LESS) as server:
        yield server


@frozen
class Stage:
    mailbox: Mailbox
    bridge: Bridge
    door: Gate

    def session(self, password: str = "") -> Pop3:
        client = Pop3(self.bridge.port)
        client.do(f"USER {self.mailbox.user}")
        client.do(f"PASS {password or self.mailbox.password}")
        return client

    def poll(self) -> list[str]:
        """The UIDLs, as one whole session shows them."""
        with self.session() as client:
            uidls = list(client.uidls().values())
            assert client.quit().startswith(b"+OK")
        self.door.until_left()
        return uidls

    def until(self, uidls: list[str], seconds: float = 3) -> None:
        """Polls until this is what is shown."""
        deadline = time.monotonic() + seconds
        while (shown := self.poll()) != uidls:
            assert time.monotonic() < deadline, (shown, uidls)
            time.sleep(0.05)  # noqa: TID251  # what it waits for is another process


@contextlib.contextmanager
def stage(folder: Path, server: ManyUsersServer, pool: str, more: str = "", count: int = 8) -> Iterator[Stage]:
    mailbox = server.new_mailbox()
    mailbox.seed(letters("home", count))
    with gate(server.port) as door, bridge(folder, config=CONFIG % (door.port, more, pool)) as running:
        yield Stage(mailbox, running, door)


def server_of(request: pytest.FixtureRequest, name: str) -> ManyUsersServer:
    server = request.getfixturevalue(f"{name}_server")
    assert isinstance(server, ManyUsersServer)
    return server


def until_taken(mailbox: Mailbox, password: str) -> None:
    """Dovecot looks once a second whether a password is another one now."""
    deadline = time.monotonic() + 5
    while True:
        try:
            mailbox.server.connect(mailbox.user, password).logout()
        except imaplib.IMAP4.error:
            assert time.monotonic() < deadline
            time.sleep(0.1)  # noqa: TID251  # what it waits for is another process
        else:
            return


@pytest.mark.parametrize("name", ["dovecot", "less", "cyrus", "courier"])
def test_what_others_did_between_two_polls_is_seen_at_the_next(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server = server_of(request, name)
    with stage(tmp_path, server, NOT_BELIEVED) as house:
        mailbox, first = house.mailbox, house.poll()
        uids = mailbox.uids()
        assert house.poll() == first
        mailboxes.flag(mailbox, uids[1:2])
        assert house.poll() == [first[0], *first[2:]]
        mailboxes.flag(mailbox, uids[1:2], deleted=False)
        assert house.poll() == first
        mailboxes.expunge(mailbox, uids[3:5])
        left = [*first[:3], *first[5:]]
        assert house.poll() == left
        mailbox.seed(letters("late", 2))
        assert (shown := house.poll())[:-2] == left
        assert len(set(shown)) == len(left) + 2
        mailboxes.store(mailbox, uids[:1], "\\Seen")
        assert house.poll() == shown
        assert house.door.passed == 1, "one connection for all of these polls"


@pytest.mark.parametrize("name", ["dovecot", "less", "cyrus", "courier"])
def test_what_a_session_deleted_stays_deleted_for_the_next(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    with stage(tmp_path, server_of(request, name), "") as house:
        first = house.poll()
        with house.session() as client:
            client.do("DELE 2")
            client.do("DELE 3")
            assert client.quit().startswith(b"+OK 2 messages deleted")
        assert house.poll() == [first[0], *first[3:]]
        assert [r"\Deleted" in flags for flags in house.mailbox.flags().values()] == [False, True, True] + [False] * 5
        assert house.door.passed == 1


@pytest.mark.parametrize("name", ["dovecot", "less", "cyrus"])
def test_another_mailbox_than_inbox_is_opened_afresh_as_it_may_be_another_one(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """Deleted and made anew between two polls: what came in its place is seen, and nothing of the old one."""
    mailbox = server_of(request, name).new_mailbox()
    mailboxes.create(mailbox, "Mail")
    mailbox.seed(letters("old", 5), "Mail")
    config = CONFIG.replace("%d", "%d/Mail")
    with gate(mailbox.server.port) as door, bridge(tmp_path, config=config % (door.port, "", "")) as running:
        house = Stage(mailbox, running, door)
        first, kept = house.poll(), mailboxes.kept(mailbox, "Mail")
        assert house.poll() == first
        mailboxes.rebuild(mailbox, "Mail", kept[2:])
        assert house.poll() == first[2:]
        with house.session() as client:
            assert b"Subject: old 002" in client.retr(1)


def test_a_poll_asks_once_and_believed_not_at_all(dovecot_server: Dovecot, tmp_path: Path) -> None:
    for name, pool, asks in (("asked", NOT_BELIEVED, 1), ("believed", "", 0)):
        (tmp_path / name).mkdir()
        with stage(tmp_path / name, dovecot_server, pool) as house:
            first = house.poll()
            house.poll()
            before = house.door.turns
            with house.session() as client:
                assert list(client.uidls().values()) == first
                assert house.door.turns - before == asks


def test_dovecot_tells_an_idle_of_everything(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Which is why it is believed; within about half a second."""
    with stage(tmp_path, dovecot_server, "") as house:
        mailbox, first = house.mailbox, house.poll()
        uids = mailbox.uids()
        assert house.poll() == first
        mailboxes.flag(mailbox, uids[1:2])
        house.until([first[0], *first[2:]])
        mailboxes.flag(mailbox, uids[1:2], deleted=False)
        house.until(first)
        mailboxes.store(mailbox, uids[2:3], "$POP3Deleted")
        house.until([*first[:2], *first[3:]])
        mailboxes.expunge(mailbox, uids[:1])
        house.until([first[1], *first[3:]])
        mailbox.seed(letters("late", 1))
        deadline = time.monotonic() + 3
        while len(house.poll()) != 7:
            assert time.monotonic() < deadline
            time.sleep(0.05)  # noqa: TID251  # what it waits for is another process
        assert house.door.passed == 1


def test_a_parked_connection_that_was_cut_costs_nobody_an_error(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with stage(tmp_path, dovecot_server, "") as house:
        first = house.poll()
        house.door.shut()
        house.door.open()
        assert house.poll() == first
        assert house.door.passed == 2


@pytest.mark.parametrize("name", ["dovecot", "less", "cyrus", "courier"])
def test_a_parked_connection_that_fell_silent_costs_three_seconds_and_nobody_an_error(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """A router that forgot it tells neither side: no FIN, no RST, and what is sent goes nowhere (S22)."""
    server = server_of(request, name)
    with stage(tmp_path, server, NOT_BELIEVED) as house:
        first = house.poll()
        house.door.fall_silent()
        house.mailbox.seed(letters("late", 1))
        began = time.monotonic()
        with house.session() as client:
            took = time.monotonic() - began
            shown = list(client.uidls().values())
            assert client.quit().startswith(b"+OK")
        assert shown[:-1] == first
        assert took < 6, "AWAKE is 3"
        assert house.door.passed == 2


def test_one_that_was_believed_is_found_out_by_the_first_message(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with stage(tmp_path, dovecot_server, "") as house:
        first = house.poll()
        time.sleep(0.6)  # noqa: TID251  # half a second of rest is what belief takes
        house.door.fall_silent()
        with house.session() as client:
            assert list(client.uidls().values()) == first
            assert [client.retr(number) for number in (1, 2, 8)] == [letters("home", 8)[n] for n in (0, 1, 7)]
            client.do("DELE 1")
            assert client.quit().startswith(b"+OK")
        house.until(first[1:])


def test_a_password_changed_upstream(tmp_path: Path) -> None:
    """The old one opens nothing once the new one, or any wrong one, was tried; the new one opens the mailbox."""
    with dovecot() as server, stage(tmp_path, server, "") as house:
        first = house.poll()
        server.add_user(house.mailbox.user, "another")
        until_taken(house.mailbox, "another")
        assert house.poll() == first, "believed for ten minutes"
        with house.session("another") as client:
            assert list(client.uidls().values()) == first
        with pytest.raises(Refused, match="AUTH"), house.session("guess"):
            pass
        with pytest.raises(Refused, match="AUTH"), house.session():
            pass
