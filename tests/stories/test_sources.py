"""Mailboxes of Dovecot, Cyrus and Courier behind one login are one maildrop to every mail program."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.clients import promises
from tests.peers.clients.curl import Curl
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.getmail import Getmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Client
from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.dovecot import Dovecot
from tests.stories.sources import House, house_of, letter

pytestmark = pytest.mark.story

CLIENTS: tuple[Client, ...] = (PoplibScript(), Curl(), Fetchmail("uidl"), Mpop(), Getmail())


@pytest.fixture
def house(tmp_path: Path, dovecot_server: Dovecot, cyrus_server: Cyrus, courier_server: Courier) -> Iterator[House]:
    servers = {"work": dovecot_server, "home": cyrus_server, "pop-old": courier_server}
    with house_of(tmp_path, servers) as house:
        yield house


def fill(house: House, *words: str) -> list[bytes]:
    """A letter with each of these words in every mailbox."""
    letters = []
    for name, behind in house.behind.items():
        mine = [letter(f"{name}-{word}") for word in words]
        behind.seed(*mine)
        letters += mine
    return letters


@pytest.mark.parametrize("client", [pytest.param(client, id=client.name) for client in CLIENTS])
def test_a_program_fetches_all_mail_once_and_then_what_is_new(client: Client, house: House, tmp_path: Path) -> None:
    promises.require(client)

    def fetched(state: str = "state", *, keep: bool = True) -> list[bytes]:
        return client.fetch(house.account(), keep=keep, state=tmp_path / state)

    first = fill(house, *map(str, range(5)))
    promises.same(client, fetched(), first)
    if client.remembers:
        assert fetched() == []
        house.again()
        new = fill(house, "later")
        promises.same(client, fetched(), new)
        assert fetched() == []
    else:
        new = fill(house, "later")
    promises.same(client, fetched("other", keep=False), [*first, *new])
    assert fetched("third") == []
    assert [len(behind.mailbox.uids()) for behind in house.behind.values()] == [0, 0, 0]
    newest = fill(house, "at last")
    promises.same(client, fetched(keep=False), newest)
