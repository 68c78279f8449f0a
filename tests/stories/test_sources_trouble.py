"""One of several sources is down, slow, cut, refuses the login: none is listed shorter, and it is said which (S10)."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import ManyUsersServer
from tests.stories.pop3 import Pop3, Refused
from tests.stories.sources import House, house_of, letter

pytestmark = pytest.mark.story

SOURCES = ["work", "home", "pop-old"]


@pytest.fixture
def servers(dovecot_server: Dovecot, cyrus_server: Cyrus, courier_server: Courier) -> dict[str, ManyUsersServer]:
    return {"work": dovecot_server, "home": cyrus_server, "pop-old": courier_server}


@pytest.fixture
def house(tmp_path: Path, servers: dict[str, ManyUsersServer]) -> Iterator[House]:
    with house_of(tmp_path, servers, timeouts='login_wait = "4s"\nconnect = "2s"') as house:
        seed(house)
        yield house


@pytest.fixture
def remembering(tmp_path: Path, servers: dict[str, ManyUsersServer]) -> Iterator[House]:
    more = 'unavailable = "remembered"'
    with house_of(tmp_path, servers, more, timeouts='login_wait = "6s"\nconnect = "2s"') as house:
        seed(house)
        yield house


def seed(house: House) -> None:
    for name, behind in house.behind.items():
        behind.seed(*[letter(f"{name}-{n}") for n in range(3)])


def refusal(house: House) -> str:
    with pytest.raises(Refused) as refused, house.session():
        pass
    return str(refused.value)


def until(holds: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)  # noqa: TID251  what it waits for is another process


def nothing_connected(house: House) -> None:
    for behind in house.behind.values():
        if behind.door.is_open:
            behind.door.until_left(5)


@pytest.mark.parametrize("down", SOURCES)
def test_one_that_is_down_fails_the_login_and_the_text_says_which(house: House, down: str) -> None:
    before = house.listed()
    house.behind[down].door.shut()
    assert refusal(house).startswith(f"-ERR [SYS/TEMP] alice/{down}: ")
    nothing_connected(house)
    assert f"alice/{down} could not be opened since " in house.command("status")
    house.behind[down].door.open()
    assert house.listed() == before
    assert "could not be opened" not in house.command("status")
    assert f"alice/{down}" in house.bridge.log()


@pytest.mark.parametrize("silent", SOURCES)
def test_one_that_is_silent_fails_the_login_in_time_and_leaves_nothing_connected(house: House, silent: str) -> None:
    before = house.listed()
    house.again()
    house.behind[silent].door.edit = lambda _: b""
    began = time.monotonic()
    text = refusal(house)
    assert time.monotonic() - began < 10
    assert text.startswith("-ERR [SYS/TEMP] ")
    assert f"alice/{silent}" in text
    assert not [name for name in SOURCES if name != silent and name in text]
    house.behind[silent].door.edit = lambda said: said
    assert house.listed() == before
    nothing_connected(house)


def test_a_login_takes_as_long_as_the_slowest(tmp_path: Path, servers: dict[str, ManyUsersServer]) -> None:
    def slow(said: bytes) -> bytes:
        time.sleep(0.3)  # noqa: TID251  a slow server is what this is about
        return said

    took = []
    with house_of(tmp_path, servers) as house:
        seed(house)
        house.listed()
        for which in ([], ["work"], ["home"], ["work", "home"]):
            house.again()
            for name, behind in house.behind.items():
                behind.door.edit = slow if name in which else lambda said: said
            began = time.monotonic()
            house.listed()
            took.append(time.monotonic() - began)
    work, home, both = (each - took[0] for each in took[1:])
    assert min(work, home) > 0.3
    assert both < 0.8 * (work + home), "the two waits are one"


@pytest.mark.parametrize("cut", [*(pytest.param(name, marks=pytest.mark.slow) for name in SOURCES[:-1]), SOURCES[-1]])
def test_one_that_is_cut_in_the_middle_of_its_listing_never_makes_the_maildrop_shorter(house: House, cut: str) -> None:
    before = house.listed()
    house.again()
    door, said = house.behind[cut].door, [0]

    def cutting(octets: bytes) -> bytes:
        said[0] += len(octets)
        return octets if said[0] < limit[0] else b""

    limit = [0]
    refused = 0
    for limit[0] in range(100, 1600, 300):
        said[0] = 0
        door.edit = cutting
        try:
            listed = house.listed()
        except Refused as refusal:
            assert f"alice/{cut}" in str(refusal)
            assert "[SYS/TEMP]" in str(refusal)
            refused += 1
        else:
            assert listed == before
    assert refused
    door.edit = lambda octets: octets
    assert house.listed() == before


@pytest.mark.parametrize("wrong", SOURCES)
@pytest.mark.parametrize("unavailable", ["fail", "remembered"])
def test_one_that_refuses_the_password_needs_a_person_and_it_is_said_where(
    house: House, wrong: str, unavailable: str
) -> None:
    before = house.listed()
    house.more = f'unavailable = "{unavailable}"'
    house.timeouts = ""  # Courier takes five seconds to say so
    house.again()
    (house.folder / f"{wrong}.password").write_text("wrong")
    text = refusal(house)
    assert text.startswith(f"-ERR [SYS/PERM] alice/{wrong}: ")
    assert f"{wrong}.password" in text
    (house.folder / f"{wrong}.password").write_text(house.behind[wrong].mailbox.password)
    assert house.listed() == before


@pytest.mark.parametrize("down", SOURCES)
def test_where_the_owner_wants_it_what_was_listed_last_is_served(remembering: House, down: str) -> None:
    house = remembering
    shown = house.poll()
    house.behind[down].door.shut()
    for name in SOURCES:
        if name != down:
            house.behind[name].seed(letter(f"{name}-new"))
    with house.session() as client:
        uidls = client.uidls()
        assert list(uidls.values())[: len(shown)] == list(shown)
        assert len(uidls) == len(shown) + 2
        mine = [number for number, uidl in uidls.items() if f"{down}-".encode() in shown.get(uidl, b"")]
        for number in uidls:
            if number in mine:
                assert client.ask(f"RETR {number}").startswith(f"-ERR [SYS/TEMP] alice/{down} ".encode())
                assert client.ask(f"TOP {number} 0").startswith(b"-ERR [SYS/TEMP]")
            else:
                client.retr(number)
        client.do(f"DELE {mine[0]}")
        assert client.quit() == b"+OK 1 message will be deleted, goodbye"
    left = [uidl for number, uidl in uidls.items() if number != mine[0]]
    assert house.listed() == left
    assert f"of alice/{down} waits" in house.command("status")
    assert len(house.behind[down].mailbox.uids()) == 3
    house.behind[down].door.open()
    assert house.listed() == left
    until(lambda: len(house.behind[down].mailbox.uids()) == 2)
    assert list(house.poll()) == left


def test_what_was_deleted_before_an_outage_is_not_listed_in_it(remembering: House) -> None:
    house = remembering
    with house.session() as client:
        for number in client.uidls():
            client.do(f"DELE {number}")
        assert client.quit().startswith(b"+OK 9 messages deleted")
    house.behind["home"].door.shut()
    assert house.listed() == []


def test_one_that_was_never_reached_has_nothing_to_serve(remembering: House) -> None:
    remembering.behind["home"].door.shut()
    assert refusal(remembering).startswith("-ERR [SYS/TEMP] alice/home: ")
    remembering.behind["home"].door.open()
    assert len(remembering.listed()) == 9


def test_two_logins_at_once_with_a_pop3_source_between_them_end_in_time(house: House) -> None:
    """A POP3 server opens a maildrop for one at a time."""
    house.listed()
    clients = [Pop3(house.port) for _ in range(2)]
    for client in clients:
        client.do("USER alice")
        client.send(b"PASS of alice alone\r\n")
    waiting = set(clients)
    answers = []

    def answered() -> bool:
        for client in [client for client in waiting if client.pending(0.05)]:
            answers.append(client.line())
            client.quit()
            waiting.remove(client)
        return not waiting

    until(answered)
    assert [answer[:3] for answer in answers] == [b"+OK", b"+OK"]


@pytest.mark.soak
@pytest.mark.parametrize("unavailable", ["fail", "remembered"])
def test_half_a_minute_late_it_is_waited_for_or_its_last_listing_is_served(
    tmp_path: Path, servers: dict[str, ManyUsersServer], unavailable: str
) -> None:
    """With the times that a bridge has when its owner sets none."""
    pauses = iter([0.0, 0.0, 27.0])  # behind the greeting, which has ten seconds

    def slow(said: bytes) -> bytes:
        time.sleep(next(pauses, 0.0))  # noqa: TID251  a slow server is what this is about
        return said

    with house_of(tmp_path, servers, f'unavailable = "{unavailable}"') as house:
        seed(house)
        before = list(house.poll())
        house.again()
        house.behind["home"].seed(letter("home-new"))
        house.behind["home"].door.edit = slow
        began = time.monotonic()
        with house.session() as client:
            took, listed = time.monotonic() - began, list(client.uidls().values())
            client.quit()
        assert 24 < took < 40
        assert listed[:9] == before
        assert len(listed) == (10 if unavailable == "fail" else 9)
        assert len(house.listed()) == 10
