"""A provider that takes OAuth2 alone, one with a password and one with POP3 alone: for every mail program one login."""

import imaplib
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

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
from tests.stories.gate import gate
from tests.stories.providers import OF_DOVECOT, SOURCES, Providers, Tenants, providers, tenants
from tests.stories.sources import Behind, letter

pytestmark = pytest.mark.story

CLIENTS: Mapping[str, Client] = {
    client.name: client for client in (PoplibScript(), Curl(), Fetchmail("uidl"), Mpop(), Getmail())
}
"""All of them leave mail on the server and know the next time what they have."""

TURNS: "st.SearchStrategy[list[str]]" = st.permutations(list(CLIENTS))
ARRIVALS = st.lists(st.sampled_from(SOURCES), max_size=5)


@pytest.fixture(scope="module")
def of(tmp_path_factory: pytest.TempPathFactory, cyrus_server: Cyrus, courier_server: Courier) -> Iterator[Providers]:
    with providers(tmp_path_factory.mktemp("providers"), cyrus_server, courier_server) as of:
        yield of


class Desks:
    """Each mail program with its memory, and what it may see next: nothing that it had before."""

    def __init__(self, house: Tenants, folder: Path) -> None:
        self._house = house
        self._folder = folder
        self._due: dict[str, list[bytes]] = {name: [] for name in CLIENTS}

    def comes(self, place: str, word: str) -> None:
        self._house.behind[place].seed(letter(word))
        for due in self._due.values():
            due.append(letter(word))

    def fetches(self, name: str, *, keep: bool = True) -> None:
        client, due = CLIENTS[name], self._due[name]
        promises.require(client)
        got = client.fetch(self._house.account(), keep=keep, state=self._folder / name.replace(" ", "-"))
        promises.same(client, got, due)
        due.clear()

    def sees_what_is_left(self) -> None:
        """Behind a program that deletes; mpop deletes what it had before, too."""
        left = set(self._house.poll().values())
        for due in self._due.values():
            due[:] = [message for message in due if message in left]


def test_none_of_the_three_is_entered_in_another_way(of: Providers) -> None:
    """The tests' Dovecot looks at nobody's password who comes through the door."""
    with tenants(of) as house:
        imap = imaplib.IMAP4("127.0.0.1", house.behind["work"].door.port)
        with pytest.raises(imaplib.IMAP4.error):
            imap.login(house.behind["work"].mailbox.user, OF_DOVECOT)
        imap.logout()
        for name, behind in house.behind.items():
            behind.seed(letter(name))
        assert sorted(house.poll().values()) == sorted(letter(name) for name in SOURCES)


@pytest.mark.slow
@settings(max_examples=2, deadline=None, phases=[Phase.generate])  # shrinking takes minutes, of real servers
@given(st.data())
def test_no_program_sees_a_message_twice_whenever_it_comes_and_wherever_it_goes(
    of: Providers, data: st.DataObject
) -> None:
    """Mail comes between any two runs of any program; the bridge is stopped; one of them deletes what it fetches."""
    with tenants(of) as house, TemporaryDirectory() as folder:
        desks, count, before = Desks(house, Path(folder)), 0, list[str]()
        for deletes in (False, True):
            for name in data.draw(TURNS):
                for place in data.draw(ARRIVALS):
                    count += 1
                    desks.comes(place, f"letter-{count}")
                if data.draw(st.sampled_from([True, False, False])):
                    house.again()
                listed = house.listed()
                assert listed[: len(before)] == before, "what was listed keeps its number and its UIDL"
                before = listed
                desks.fetches(name, keep=not deletes)
                if deletes:
                    desks.sees_what_is_left()
                    left = house.history.listings[-1]
                    assert left == [uidl for uidl in before if uidl in left], "nobody else's number changes its order"
                    before = left


@pytest.mark.slow
def test_every_program_deletes_everywhere_and_what_comes_later_is_all_there_is(of: Providers, tmp_path: Path) -> None:
    with tenants(of) as house:
        desks = Desks(house, tmp_path)
        for name in CLIENTS:
            for n, place in enumerate(SOURCES):
                desks.comes(place, f"before-{n}-{name.split()[0]}")
            desks.fetches(name, keep=False)
            assert [len(behind.mailbox.uids()) for behind in house.behind.values()] == [0, 0, 0]
            desks.sees_what_is_left()
            desks.fetches(name, keep=False)


@pytest.mark.slow
def test_a_fourth_mailbox_brings_its_own_mail_and_nothing_else_again(
    of: Providers, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    with tenants(of) as house, gate(dovecot_server.port) as door:
        desks = Desks(house, tmp_path)
        for n, place in enumerate(SOURCES * 2):
            desks.comes(place, f"first-{n}")
        for name in CLIENTS:
            desks.fetches(name)
        three = house.listed()

        house.behind["new"] = Behind(dovecot_server.new_mailbox(), door, "imap")
        desks.comes("new", "older-than-it-seems")
        desks.comes("pop-old", "also-new")
        house.again("new", *reversed(SOURCES))
        shown = house.poll()
        four = list(shown)
        assert four[: len(three)] == three
        assert len(four) == len(three) + 2
        for name in CLIENTS:
            desks.fetches(name)
            desks.fetches(name)
        house.again(*SOURCES)
        assert house.listed() == [uidl for uidl in four if shown[uidl] != letter("older-than-it-seems")]
