"""What was retrieved once is listed with the octets that were sent; and what else reading leaves behind (S9, S12)."""

import re
from pathlib import Path

import pytest

from tests.peers.bridge import bridge
from tests.peers.child import free_port
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import Login, Mailbox
from tests.peers.servers.pymap import Pymap
from tests.stories.gate import gate
from tests.stories.house import MAIL, House, house_on, letters
from tests.stories.mailboxes import numbered
from tests.stories.pop3 import Pop3, opened
from tests.stories.test_octets import mended

pytestmark = pytest.mark.story

SEEN = r"\Seen"
CONFIG = """
[[listener]]
pop3 = "127.0.0.1:{port}"

[[passthrough]]
upstream = "imap://127.0.0.1:%d"
"""
BARE = [
    b"Subject: one\n\nbare\nline\nends\n",
    b"Subject: two\r\n\r\nsound\r\n",
    b"Subject: three\n\nno end",
    b"Subject: four\r\n\r\nno end either",
]


def read_all(client: Pop3, *, by_top: bool = False) -> dict[int, int]:
    """The octets of each message, as they came; +OK of RETR says what LIST does."""
    listed, read = client.sizes(), {}
    for number, size in listed.items():
        if by_top:
            read[number] = len(client.top(number, 99_999_999))
            continue
        assert client.do(f"RETR {number}").split()[1] == b"%d" % size
        read[number] = len(client.body())
    assert client.sizes() == listed, "nothing changes within a session"
    assert client.count() == len(listed)
    assert int(client.do("STAT").split()[2]) == sum(listed.values())
    return read


@pytest.mark.parametrize("by_top", [False, True], ids=["RETR", "TOP"])
def test_bare_line_ends_are_counted_as_they_are_sent(pymap_server: Pymap, tmp_path: Path, *, by_top: bool) -> None:
    """pymap keeps LF as LF and counts it so; the client gets CRLF."""
    mailbox = pymap_server.new_mailbox()
    mailbox.seed(BARE)
    sent = {number: len(mended(octets)) for number, octets in enumerate(BARE, 1)}
    learns(mailbox, tmp_path, {number: len(octets) for number, octets in enumerate(BARE, 1)}, sent, by_top=by_top)


def test_a_size_that_upstream_misstates(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """By some octets too many or too few, as servers do that count line ends otherwise."""
    mailbox = dovecot_server.new_mailbox()
    messages = letters("home", 6)
    mailbox.seed(messages)
    sent = {number: len(octets) for number, octets in enumerate(messages, 1)}

    def misstated(said: bytes) -> bytes:
        return re.sub(rb"RFC822\.SIZE (\d+)", lambda size: b"RFC822.SIZE %d" % (int(size[1]) + 50), said)

    with gate(dovecot_server.port) as door:
        door.edit = misstated
        learns(mailbox, tmp_path, {number: size + 50 for number, size in sent.items()}, sent, upstream=door.port)


def learns(
    mailbox: Login,
    folder: Path,
    listed: dict[int, int],
    sent: dict[int, int],
    *,
    by_top: bool = False,
    upstream: int | None = None,
) -> None:
    """First what upstream says; from the session after the first that read, what is sent; also after a power cut."""
    assert listed != sent
    config = CONFIG % (upstream or mailbox.port)
    port = free_port()

    def session(expected: dict[int, int], *, read: bool) -> None:
        with opened(port, mailbox) as client:
            assert client.sizes() == expected
            if read:
                assert read_all(client, by_top=by_top) == sent
            assert client.quit().startswith(b"+OK")

    with bridge(folder, config=config, port=port) as running:
        session(listed, read=False)
        session(listed, read=True)
        session(sent, read=True)
        running.kill()
    with bridge(folder, config=config, port=port):
        session(sent, read=True)


def test_a_size_is_learned_without_quit_too(pymap_server: Pymap, tmp_path: Path) -> None:
    mailbox = pymap_server.new_mailbox()
    mailbox.seed(BARE)
    with bridge(tmp_path, config=CONFIG % mailbox.port) as running:
        with opened(running.port, mailbox) as client:
            sent = read_all(client)
        _until_over(running.port, mailbox, sent)


def _until_over(port: int, mailbox: Mailbox, sent: dict[int, int]) -> None:
    """The bridge needs a moment to hear that the client has gone."""
    for _ in range(50):
        with opened(port, mailbox) as client:
            if client.sizes() == sent:
                return
    raise AssertionError("never learned")


# What is marked as read upstream.


def seen(house: House) -> set[int]:
    return {uid for uid, flags in house.mailbox.flags(MAIL).items() if SEEN in flags}


SEEN_MARKS = {
    "never": ('seen = "never"', set[int](), set[int]()),
    "retrieved": ('seen = "retrieved"', {1, 3}, {1, 3}),
    "top counts": ('seen = "retrieved"\ntop_counts = true', {1, 3, 4}, {1, 3, 4}),
    "deleted": ('seen = "deleted"', set[int](), {2, 3}),
}
"""What stands in the configuration; which are \\Seen after a session that read, and after one that deleted.

1 and 3 are retrieved, 4 is read whole by TOP, of 5 only its beginning; 2 and 3 are deleted."""


@pytest.mark.parametrize("how", SEEN_MARKS)
@pytest.mark.parametrize("delete", ["flag", "hide"])
def test_what_is_marked_as_read(how: str, delete: str, dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Never by a session without QUIT (S16), never by a TOP of some lines (S12)."""
    more, read, deleted = SEEN_MARKS[how]
    with house_on(dovecot_server, tmp_path, f'{more}\ndelete = "{delete}"') as house:
        house.fill(numbered(letters("home", 5)))
        for ending in ("RST", "QUIT"):
            with house.session() as client:
                client.retr(1)
                client.retr(3)
                client.top(4, 99_999_999)
                client.top(5, 1)
                if ending == "RST":
                    client.do("DELE 2")
                    client.reset()
                else:
                    assert client.quit().startswith(b"+OK")
            assert seen(house) == (set() if ending == "RST" else read)
        with house.session() as client:
            client.do("DELE 2")
            client.do("DELE 3")
            client.do("DELE 5")
            client.do("RSET")
            client.do("DELE 2")
            client.do("DELE 3")
            assert client.quit().startswith(b"+OK")
        assert seen(house) == deleted


# A client that went wild.


def test_a_message_fetched_over_and_over_is_reported_once(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with house_on(dovecot_server, tmp_path) as house:
        house.fill(numbered(letters("home", 3)))
        for _ in range(9):
            with house.session() as client:
                client.retr(2)
                uidl = client.uidls()[2]
                client.quit()
        assert "retrieved 10 times" not in house.bridge.log()
        for _ in range(5):
            with house.session() as client:
                client.retr(2)
                client.quit()
        [line] = [line for line in house.bridge.log().splitlines() if "retrieved 10 times by one login" in line]
        assert uidl in line
        assert f"{house.mailbox.user}" in line


def test_more_deletions_than_allowed_are_refused_and_nothing_is_written_down(
    dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """Not at QUIT, and not later either: also over a restart nothing goes (S21)."""
    with house_on(dovecot_server, tmp_path, 'max_deletions = 2\ndelete = "expunge"') as house:
        house.fill(numbered(letters("home", 5)))
        before = house.poll()
        with house.session() as client:
            client.do("DELE 1")
            client.do("DELE 2")
            assert client.ask("DELE 3").startswith(b"-ERR [SYS/PERM] ")
            assert client.quit().startswith(b"-ERR [SYS/PERM] ")
        house.close()
        house.start()
        assert house.poll() == before
        with house.session() as client:
            client.do("DELE 1")
            client.do("DELE 2")
            assert client.quit().startswith(b"+OK")
        assert list(house.poll()) == list(before)[2:]
