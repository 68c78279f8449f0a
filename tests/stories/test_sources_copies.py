"""One message in several folders and accounts is listed once, where that is wanted; and each may name its source."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.peers.clients import promises
from tests.peers.clients.fetchmail import Fetchmail
from tests.peers.clients.mpop import Mpop
from tests.peers.clients.poplib_script import PoplibScript
from tests.peers.clients.seam import Client
from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.dovecot import Dovecot
from tests.peers.servers.imap_server import session
from tests.stories.sources import Behind, House, house_of, letter

pytestmark = pytest.mark.story


@pytest.fixture
def house(tmp_path: Path, dovecot_server: Dovecot, cyrus_server: Cyrus, courier_server: Courier) -> Iterator[House]:
    """Two folders of one account on Cyrus, an account on Dovecot, one on Courier by POP3."""
    servers = {"home": cyrus_server, "work": dovecot_server, "pop-old": courier_server}
    with house_of(tmp_path, servers, 'duplicates = "hide"', start=False) as house:
        home = house.behind["home"]
        house.behind["archive"] = Behind(home.mailbox, home.door, "imap", "Archive")
        house.order = ["home", "archive", "work", "pop-old"]
        house.start()
        yield house


def copied(house: House, uid: str) -> None:
    with session(house.behind["home"].mailbox) as imap:
        assert imap.uid("COPY", uid, "Archive")[0] == "OK"


def test_of_a_message_in_several_places_the_first_is_listed(house: House) -> None:
    house.behind["home"].seed(letter("one"), letter("two"))
    copied(house, "1")
    house.behind["work"].seed(letter("two"), letter("three"))
    house.behind["pop-old"].seed(letter("three"), letter("four"))
    shown = house.poll()

    assert sorted(shown.values()) == sorted(letter(word) for word in ("one", "two", "three", "four"))
    copied(house, "2")
    assert list(house.poll()) == list(shown)
    with house.session() as client:
        for number, body in zip(shown, shown.values(), strict=True):
            place = list(shown).index(number) + 1
            if body in {letter("one"), letter("two")}:
                client.do(f"DELE {place}")
        client.quit()
    left = [uidl for uidl, body in shown.items() if body in {letter("three"), letter("four")}]
    house.again()
    assert list(house.poll()) == left, "a copy stays hidden when what was shown is deleted"
    assert "a copy of another source's message" in house.command("uidl", "show", "--source", "archive", "alice")
    house.behind["home"].seed(letter("one"))
    assert len(house.poll()) == len(left) + 1, "what comes again where it was is new"


@pytest.mark.parametrize("client", [PoplibScript(), Fetchmail("uidl"), Mpop()], ids=lambda client: client.name)
def test_each_message_names_its_source_at_its_top(client: Client, house: House, tmp_path: Path) -> None:
    promises.require(client)
    house.more = 'origin_header = "X-Source"'
    house.again()
    letters = []
    for name, behind in house.behind.items():
        mine = [letter(f"{name}-{n}", 30_000 * n) for n in range(3)]
        behind.seed(*mine)
        letters += [f"X-Source: {name}\r\n".encode() + one for one in mine]
    promises.same(client, client.fetch(house.account(), keep=True, state=tmp_path / "state"), letters)
    assert client.fetch(house.account(), keep=True, state=tmp_path / "state") == []
    with house.session() as one:
        sizes = one.sizes()
        bodies = list(one.retr_all(sizes))
        assert [len(body) for body in bodies] == list(sizes.values())
        assert [one.top(number, 0) for number in sizes] == [body[: body.index(b"\r\n\r\n") + 4] for body in bodies]
        assert [one.top(number, 10**6) for number in sizes] == bodies
        assert one.quit().startswith(b"+OK")


def test_the_owners_commands_speak_of_a_login_and_its_source(house: House) -> None:
    house.behind["work"].seed(letter("one"), letter("two"))
    house.behind["home"].seed(letter("three"))
    uidls = house.listed()
    said = house.command("uidl", "show", "alice")
    assert "alice has several sources" in said
    assert "--source home, --source archive, --source work, --source pop-old" in said
    assert "alice has no source nowhere" in house.command("uidl", "show", "--source", "nowhere", "alice")
    shown = house.command("uidl", "show", "--source", "work", "alice")
    assert shown.startswith("alice/work\n")
    numbers = {line.split()[1]: int(line.split()[0]) for line in shown.splitlines()[2:-1]}
    assert numbers == {uidl: n for n, uidl in enumerate(uidls, 1) if uidl.startswith("work.")}
    assert "0 new" in house.command("uidl", "diff", "--source", "work", "alice")
    status = house.command("status")
    assert "4 mailboxes remembered" in status
    assert "  alice/work: 2 messages" in status
    assert "no change of this mailbox waits" in house.command("uidl", "accept", "--yes", "--source", "work", "alice")
    list_ = house.folder / "list.txt"
    list_.write_text("old-one 1\nold-two 2\n")
    said = house.command("uidl", "import", "--yes", "--file", str(list_), "--source", "work", "alice")
    assert "2 UIDLs written" in said
    assert {uidl for uidl in house.listed() if uidl.startswith("old-")} == {"old-one", "old-two"}
    checked = house.command("check", "--login", "alice")
    for name in house.order:
        assert f"login alice/{name}: " in checked
