"""New mail comes last wherever it came to, and a source that is added or taken away moves nobody's message."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.peers.clients import promises
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Client
from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import ManyUsersServer
from tests.stories.pop3 import Pop3
from tests.stories.sources import House, house_of, letter

pytestmark = pytest.mark.story


@pytest.fixture
def servers(dovecot_server: Dovecot, cyrus_server: Cyrus, courier_server: Courier) -> Mapping[str, ManyUsersServer]:
    return {"work": dovecot_server, "home": cyrus_server, "pop-old": courier_server}


@pytest.fixture
def house(tmp_path: Path, servers: Mapping[str, ManyUsersServer]) -> Iterator[House]:
    with house_of(tmp_path, servers) as house:
        yield house


ORDERS: "st.SearchStrategy[list[str]]" = st.permutations(["work", "home", "pop-old"])
ARRIVALS = st.lists(st.lists(st.sampled_from(["work", "home", "pop-old"]), max_size=4), min_size=2, max_size=4)


@pytest.mark.slow
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ARRIVALS, st.data())
def test_in_whatever_order_mail_arrives_numbers_are_append_only_and_uidls_stay(
    servers: Mapping[str, ManyUsersServer], arrivals: list[list[str]], data: st.DataObject
) -> None:
    """Some is deleted by IMAP meanwhile, the bridge is killed, and the sources stand in another order."""
    with TemporaryDirectory() as folder, house_of(Path(folder), servers) as house:
        before: list[str] = []
        for run, places in enumerate(arrivals):
            for n, place in enumerate(places):
                house.behind[place].seed(letter(f"{run}-{n}"))
            turned: bool = data.draw(st.booleans())
            if turned:
                house.again(*data.draw(ORDERS))
            after = list(house.poll())
            assert after[: len(before)] == before, "what was listed keeps its place and its UIDL"
            assert len(after) == len(before) + len(places)
            before = after
            deletes: bool = data.draw(st.booleans())
            if before and deletes:
                gone = data.draw(st.sampled_from(before))
                _delete(house, gone)
                before.remove(gone)


def _delete(house: House, uidl: str) -> None:
    with house.session() as client:
        number = next(number for number, one in client.uidls().items() if one == uidl)
        client.do(f"DELE {number}")
        assert client.quit().startswith(b"+OK 1 message")


def test_the_first_listing_is_by_date_of_arrival_and_uidls_say_the_source(house: House) -> None:
    for n, name in enumerate(["home", "work", "home"]):
        house.behind[name].seed(letter(str(n)))
    uidls = list(house.poll())
    tags = [uidl.partition(".")[0] if "." in uidl else "" for uidl in uidls]
    assert sorted(tags) == ["", "home", "home"]
    assert all(len(uidl) <= 40 for uidl in uidls)


def test_a_login_that_had_one_source_gets_more_and_nothing_is_downloaded_again(
    tmp_path: Path, servers: Mapping[str, ManyUsersServer]
) -> None:
    clients: tuple[Client, ...] = (PoplibScript(), Fetchmail("uidl"), Mpop())
    with house_of(tmp_path, servers, start=False) as house:
        for name in servers:
            house.behind[name].seed(*[letter(f"{name}-{n}") for n in range(3)])
        here: list[str] = []
        listed: list[str] = []
        for name in servers:
            here.append(name)
            house.again(*here)
            for client in clients:
                promises.require(client)
                got = client.fetch(house.account(), keep=True, state=tmp_path / client.name.replace(" ", "-"))
                promises.same(client, got, [letter(f"{name}-{n}") for n in range(3)])
            uidls = house.listed()
            assert uidls[: len(listed)] == listed
            listed = uidls
        house.again("pop-old", "work")
        assert house.listed() == [*listed[:3], *listed[6:]]
        house.behind["work"].seed(letter("later"))
        later = house.listed()[-1:]
        house.again("home", "pop-old", "work")
        assert house.listed() == [*listed, *later]


def test_one_message_is_read_deleted_and_looked_up_by_its_number(house: House) -> None:
    """Each in its mailbox: sizes, tops, marks, and what is there in the end."""
    for name, behind in house.behind.items():
        behind.seed(*[letter(f"{name}-{n}", 500 * n) for n in range(4)])
    with house.session() as client:
        sizes, uidls = client.sizes(), client.uidls()
        assert list(sizes) == list(uidls) == list(range(1, 13))
        assert client.do("STAT") == b"+OK 12 %d" % sum(sizes.values())
        bodies = list(client.retr_all(sizes))
        assert [len(body) for body in bodies] == list(sizes.values())
        assert [client.top(number, 0) for number in sizes] == [_head(body) for body in bodies]
        for number in (1, 5, 12):
            client.do(f"DELE {number}")
        left = {number: size for number, size in sizes.items() if number not in {1, 5, 12}}
        assert client.sizes() == left
        assert client.do("STAT") == b"+OK 9 %d" % sum(left.values())
        assert client.ask("RETR 5").startswith(b"-ERR message 5 is deleted")
        assert client.ask("RETR 13").startswith(b"-ERR")
        assert client.ask(f"UIDL {2}") == f"+OK 2 {uidls[2]}".encode()
        client.do("RSET")
        assert client.sizes() == sizes
        for number in (2, 11):
            client.do(f"DELE {number}")
        assert client.quit().startswith(b"+OK 2 messages")
    gone = {uidls[2], uidls[11]}
    assert house.listed() == [uidl for uidl in uidls.values() if uidl not in gone]


def _head(body: bytes) -> bytes:
    return body[: body.index(b"\r\n\r\n") + 4]


def test_fifty_sessions_at_once_number_new_mail_alike(house: House) -> None:
    for behind in (house.behind["work"], house.behind["home"]):
        behind.seed(*[letter(f"{n}") for n in range(5)])
    house.again("work", "home")
    clients = [Pop3(house.port) for _ in range(50)]
    for client in clients:
        client.send(b"USER alice\r\n")
    assert {client.line()[:3] for client in clients} == {b"+OK"}
    for client in clients:
        client.send(b"PASS of alice alone\r\n")
    assert {client.line()[:3] for client in clients} == {b"+OK"}
    listings = [list(client.uidls().values()) for client in clients]
    assert all(listing == listings[0] for listing in listings)
    for client in clients:
        client.quit()
