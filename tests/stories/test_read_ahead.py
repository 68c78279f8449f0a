"""A client that walks through its mail waits for upstream now and then, and not for each message (S14, S15).

Figures are printed; `-rP` shows them. A round trip is once that the bridge spoke to upstream after upstream had.
"""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from tests.peers.bridge import Bridge, bridge
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import ManyUsersServer
from tests.stories import mailboxes
from tests.stories.gate import Gate, gate
from tests.stories.house import MAIL, house_on
from tests.stories.mailboxes import numbered
from tests.stories.pop3 import Gone, Pop3, Refused, opened

pytestmark = pytest.mark.story

EACH = pytest.mark.parametrize(
    "name", ["dovecot", pytest.param("cyrus", marks=pytest.mark.slow), pytest.param("courier", marks=pytest.mark.slow)]
)
COUNT = 200


def message(number: int, octets: int) -> bytes:
    """Some lines begin with a dot."""
    head = b"Message-ID: <%d@walk.example>\r\nSubject: %d\r\n\r\n" % (number, number)
    line = b".%073d\r\n" % number
    return head + line * max(1, (octets - len(head)) // len(line))


@contextlib.contextmanager
def gated(server: ManyUsersServer, folder: Path) -> Iterator[tuple[Gate, Bridge]]:
    with gate(server.port) as door, bridge(folder, upstream=f"imap://{door.host}:{door.port}") as running:
        yield door, running


# Walks. Each reads all messages, and gives what it has read.


def one_by_one(client: Pop3) -> list[bytes]:
    return [client.retr(number) for number in range(1, COUNT + 1)]


def downwards(client: Pop3) -> list[bytes]:
    return [client.retr(number) for number in range(COUNT, 0, -1)][::-1]


def pipelined(client: Pop3) -> list[bytes]:
    return list(client.retr_all(range(1, COUNT + 1)))


def deleting_each(client: Pop3) -> list[bytes]:
    read = []
    for number in range(1, COUNT + 1):
        read.append(client.retr(number))
        client.do(f"DELE {number}")
    return read


def as_fetchmail_does(client: Pop3) -> list[bytes]:
    read = []
    for number in range(1, COUNT + 1):
        client.do(f"LIST {number}")
        read.append(client.top(number, 99_999_999))
    return read


def headers_only(client: Pop3) -> list[bytes]:
    """What is missing is added, so that it can be compared like the others."""
    tops = [client.top(number, 0) for number in range(1, COUNT + 1)]
    assert all(
        message(number, 4000).startswith(top) and top.endswith(b"\r\n\r\n") for number, top in enumerate(tops, 1)
    )
    return [message(number, 4000) for number in range(1, COUNT + 1)]


WALKS = (one_by_one, downwards, pipelined, deleting_each, as_fetchmail_does, headers_only)


@EACH
def test_a_walk_of_200_messages_takes_few_round_trips(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """RETR after RETR, as many at once, TOP for the headers, as fetchmail goes, with DELE between."""
    server: ManyUsersServer = request.getfixturevalue(f"{name}_server")
    mailbox = server.new_mailbox()
    messages = [message(number, 4000) for number in range(1, COUNT + 1)]
    mailbox.seed(messages)
    with gated(server, tmp_path) as (door, running):
        for walk in WALKS:
            with opened(running.port, mailbox) as client:
                turns, said, began = door.turns, door.octets, monotonic()
                assert walk(client) == messages
                took, turns, said = monotonic() - began, door.turns - turns, door.octets - said
            door.until_left()
            print(f"{name}, {walk.__name__}: {turns} round trips, {said} octets, {took * 1000:.0f} ms")
            assert turns <= 20
            assert said <= 1.05 * sum(map(len, messages)) + 20_000, "nothing is fetched twice"


@pytest.mark.parametrize("size", [4000, 60_000])
def test_whoever_reads_slowly_and_then_goes_elsewhere_waits_no_longer_than_before(
    size: int, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """RETR 1, 2, 3, then a message of another region, DELE and QUIT: two round trips each at most."""
    mailbox = dovecot_server.new_mailbox()
    messages = [message(number, size) for number in range(1, COUNT + 1)]
    mailbox.seed(messages)
    with gated(dovecot_server, tmp_path) as (door, running), opened(running.port, mailbox) as client:

        def turns(do: Callable[[], object]) -> int:
            before = door.turns
            do()
            return door.turns - before

        def reads(number: int) -> Callable[[], object]:
            def read() -> None:
                assert client.retr(number) == messages[number - 1]

            return read

        took = []
        for number in (1, 2, 3, 150, 151, 20, 152):
            took.append(turns(reads(number)))
            Event().wait(0.05)  # a reader's pause: what was asked for ahead has come
        took += [turns(lambda: client.do("DELE 3")), turns(lambda: client.ask("QUIT"))]
        door.until_left()
        with opened(running.port, mailbox) as another:
            another.do("DELE 3")
            plain = turns(lambda: another.ask("QUIT"))
        print(f"messages of {size} octets: RETR 1, 2, 3, 150, 151, 20, 152, DELE, QUIT: {took}; QUIT alone: {plain}")
        assert max(took[:-1]) <= 1
        assert took[-1] <= plain + 1
        assert len(mailbox.uids("DELETED")) == 2


# What others do to the mailbox meanwhile. 20,000 octets a message: the first window is of six.

SIZE = 20_000


class Told:
    """Whether it went through the gate, on its way to the bridge, that messages are gone."""

    def __init__(self, door: Gate) -> None:
        self._told = Event()
        door.edit = self._look

    def _look(self, said: bytes) -> bytes:
        if b" EXPUNGE\r\n" in said or b"* VANISHED " in said:
            self._told.set()
        return said

    def wait(self, client: Pop3) -> None:
        """Returns when the bridge has read it."""
        assert self._told.wait(10), "upstream does not tell it"
        for _ in range(20):
            client.do("NOOP")


@EACH
def test_a_message_that_is_gone_is_not_served_once_the_bridge_was_told(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """S14: before that its octets are right, and no octets but its own ever are."""
    server: ManyUsersServer = request.getfixturevalue(f"{name}_server")
    mailbox = server.new_mailbox()
    messages = [message(number, SIZE) for number in range(1, COUNT + 1)]
    mailbox.seed(messages)
    uids = mailbox.uids("ALL")
    with gated(server, tmp_path) as (door, running), opened(running.port, mailbox) as client:
        told = Told(door)
        numbers = iter(range(1, COUNT + 1))

        def read_to(last: int) -> None:
            for number in numbers:
                assert client.retr(number) == messages[number - 1]
                if number == last:
                    return

        read_to(3)
        mailboxes.expunge(mailbox, [uids[89], uids[149]])
        read_to(80)  # on the way more is asked for, and the answer to that tells it
        if name != "courier":  # it tells nothing in answer to FETCH
            told.wait(client)
        for gone in (90, 150):
            read_to(gone - 1)
            assert next(numbers) == gone
            for _ in range(2):
                assert_gone(client, gone)
        read_to(COUNT)
        assert list(client.sizes()) == list(range(1, COUNT + 1)), "LIST keeps its numbers"


def assert_gone(client: Pop3, number: int) -> None:
    line = client.ask(f"RETR {number}")  # Courier has a letter of its own for it, which is no message
    assert line.startswith(b"-ERR "), line
    assert not line.startswith(b"-ERR ["), "gone, and not only for now"


@EACH
def test_new_mail_and_new_flags_disturb_no_walk(name: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    server: ManyUsersServer = request.getfixturevalue(f"{name}_server")
    mailbox = server.new_mailbox()
    messages = [message(number, SIZE) for number in range(1, 41)]
    mailbox.seed(messages)
    uids = mailbox.uids("ALL")
    with gated(server, tmp_path) as (door, running), opened(running.port, mailbox) as client:
        turns = door.turns
        for number in range(1, 41):
            if number in {4, 12, 30}:
                mailbox.seed([message(1000 + number, 100)])
                mailboxes.store(mailbox, uids[number : number + 3], r"\Seen")
                mailboxes.store(mailbox, uids[number : number + 3], r"\Flagged")
            assert client.retr(number) == messages[number - 1]
        assert client.ask("RETR 41").startswith(b"-ERR ")
        print(f"{name}: {door.turns - turns} round trips")
        assert door.turns - turns <= 20


@pytest.mark.parametrize("how", ["deleted", "made anew"])
def test_a_mailbox_that_is_another_one_gives_no_octet_of_its_mail(
    how: str, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """What is held may still come, as what it was; everything else is refused."""
    mail = numbered([message(number, SIZE) for number in range(1, 41)])
    others = numbered([message(number, SIZE) for number in range(501, 541)])
    with house_on(dovecot_server, tmp_path) as house:
        house.fill(mail)
        with house.session() as client:
            for number in (1, 2, 3):
                assert client.retr(number) == mail[number - 1].octets
            if how == "deleted":
                mailboxes._done(house.mailbox, "DELETE", MAIL)
            else:
                mailboxes.rebuild(house.mailbox, MAIL, others)
            served = refused = 0
            with contextlib.suppress(Gone):
                for number in range(4, 41):
                    try:
                        assert client.retr(number) == mail[number - 1].octets
                        served += 1
                    except Refused:
                        refused += 1
        print(f"{how}: {served} more were served, {refused} refused")
        assert served < 37, "all of it is held nowhere"


# Upstream dies inside a message (S15).

LARGE = b"Subject: large\r\n\r\n" + b"".join(b".%073d\r\n" % n for n in range(333_333))


@contextlib.contextmanager
def reading(server: Dovecot, folder: Path) -> Iterator[tuple[Gate, Pop3]]:
    """Inside RETR of a message of 25 MB."""
    mailbox = server.new_mailbox()
    server.drop_into_maildir(mailbox.user, [LARGE, message(2, 100)])
    with gated(server, folder) as (door, running), opened(running.port, mailbox, receive_buffer=65_536) as client:
        client.do("RETR 1")
        yield door, client


def take(client: Pop3, octets: int) -> None:
    while len(client._held) < octets:
        client._more()


def test_a_message_goes_on_where_upstream_was_lost_and_came_back(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Twice; the client sees a pause and every octet once."""
    with reading(dovecot_server, tmp_path) as (door, client):
        for octets in (3_000_000, 12_000_000):
            take(client, octets)
            door.shut()
            door.open()
        assert client.body() == LARGE
        assert door.passed == 3
        assert client.retr(2) == message(2, 100)
        assert client.quit().startswith(b"+OK")


def test_a_message_goes_on_when_upstream_is_back_after_two_seconds(dovecot_server: Dovecot, tmp_path: Path) -> None:
    with reading(dovecot_server, tmp_path) as (door, client):
        take(client, 3_000_000)
        door.shut()
        Event().wait(2)
        door.open()
        assert client.body() == LARGE


def test_a_message_whose_upstream_stays_away_is_not_ended(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """The connection closes: nobody takes the piece for the message."""
    with reading(dovecot_server, tmp_path) as (door, client):
        take(client, 3_000_000)
        door.shut()
        start = monotonic()
        got = client.rest()
        took = monotonic() - start
        print(f"closed {took:.1f} s after upstream was lost, {len(got)} octets of {len(LARGE)} read")
        assert 3_000_000 <= len(got) < len(LARGE)
        assert not got.endswith(b"\r\n.\r\n")
        assert LARGE.replace(b"\r\n.", b"\r\n..").startswith(got)
        assert took < 15
        door.open()


def test_upstream_lost_inside_a_window_is_not_noticed(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Nor between two of its messages."""
    mailbox = dovecot_server.new_mailbox()
    messages = [message(number, SIZE) for number in range(1, 101)]
    mailbox.seed(messages)
    with gated(dovecot_server, tmp_path) as (door, running), opened(running.port, mailbox) as client:
        for number in range(1, 101):
            if number in {3, 4, 30, 31, 70}:
                door.shut()
                door.open()
            assert client.retr(number) == messages[number - 1]
        print(f"{door.passed} connections")
        assert client.quit().startswith(b"+OK")
