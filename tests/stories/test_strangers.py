"""A mailbox that was rebuilt, restored or exchanged behind the bridge's back holds strangers under known UIDs.

No UIDL ever names two messages, and no promise made about one is kept on another (S1, S2, S4, S17).
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import monotonic

import pytest

from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.imap_server import Mailbox, ManyUsersServer
from tests.stories import mailboxes
from tests.stories.house import MAIL, House, house_on, letters, octets
from tests.stories.mailboxes import Kept, numbered
from tests.stories.pop3 import Refused

pytestmark = pytest.mark.story

LESS = "IMAP4rev1 SASL-IR LITERAL+ UIDPLUS MOVE SPECIAL-USE"
"""Neither CONDSTORE nor QRESYNC nor ESEARCH."""


@pytest.fixture(scope="module")
def less_server() -> Iterator[Dovecot]:
    with dovecot(capability=LESS) as server:
        yield server


@pytest.fixture(scope="module")
def other_server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


def server_of(request: pytest.FixtureRequest, name: str) -> ManyUsersServer:
    server = request.getfixturevalue(f"{name}_server")
    assert isinstance(server, ManyUsersServer)
    return server


# Another mailbox under the same name. Each takes the mailbox away and puts strangers there.


def strangers(count: int) -> list[Kept]:
    """As long as those that were there, and a year older; or as old, and longer."""
    shape = numbered(letters("away", count), 2023)[: count // 2]
    return shape + numbered([octets + b"and more\r\n" for octets in letters("away", count)])[count // 2 :]


def same_uidvalidity(house: House, count: int, other: Dovecot) -> None:
    validity = mailboxes.uidvalidity(house.mailbox, MAIL)
    mailboxes.rebuild(house.mailbox, MAIL, strangers(count))
    mailboxes.number_as(dovecot_of(house), house.mailbox.user, validity, MAIL)
    assert mailboxes.uidvalidity(house.mailbox, MAIL) == validity
    assert house.mailbox.uids(mailbox=MAIL) == list(range(1, count + 1)), "the very same UIDs"


def same_uidvalidity_and_more(house: House, count: int, other: Dovecot) -> None:
    """UIDNEXT and HIGHESTMODSEQ are higher than before: nothing has fallen."""
    validity = mailboxes.uidvalidity(house.mailbox, MAIL)
    mailboxes.rebuild(house.mailbox, MAIL, [])
    server, user = dovecot_of(house), house.mailbox.user
    mailboxes.number_as(server, user, validity, MAIL)
    mailboxes.doveadm(server, user, "mailbox", "update", "--min-highest-modseq", "100000", MAIL)
    mailboxes.put(house.mailbox, strangers(count + 5), MAIL)
    assert mailboxes.uidvalidity(house.mailbox, MAIL) == validity
    assert house.mailbox.uids(mailbox=MAIL) == list(range(1, count + 6))


def there_and_back(house: House, count: int, other: Dovecot) -> None:
    """v1, v2, v1, with a poll in between where the bridge lives."""
    validity = mailboxes.uidvalidity(house.mailbox, MAIL)
    mailboxes.rebuild(house.mailbox, MAIL, numbered(letters("hill", count), 2022))
    assert mailboxes.uidvalidity(house.mailbox, MAIL) != validity
    if house.bridge.running() and house.door.is_open:
        house.poll()
    mailboxes.rebuild(house.mailbox, MAIL, strangers(count))
    mailboxes.number_as(dovecot_of(house), house.mailbox.user, validity, MAIL)
    assert mailboxes.uidvalidity(house.mailbox, MAIL) == validity


def another_server(house: House, count: int, other: Dovecot) -> None:
    """The upstream's address leads to another server, with the same login, UIDVALIDITY and UIDs."""
    validity = mailboxes.uidvalidity(house.mailbox, MAIL)
    other.add_user(house.mailbox.user)
    house.mailbox = Mailbox(other, house.mailbox.user)
    house.fill(strangers(count))
    mailboxes.number_as(other, house.mailbox.user, validity, MAIL)
    assert mailboxes.uidvalidity(house.mailbox, MAIL) == validity
    assert house.mailbox.uids(mailbox=MAIL) == list(range(1, count + 1))
    house.door.beyond = other.port


def another_address(house: House, count: int, other: Dovecot) -> None:
    """The same, and the owner writes the new address into the configuration."""
    another_server(house, count, other)
    house.address = other.port
    if house.bridge.running():
        house.close()
        house.start()


def dovecot_of(house: House) -> Dovecot:
    server = house.mailbox.server
    assert isinstance(server, Dovecot)
    return server


Exchange = Callable[[House, int, Dovecot], None]
EXCHANGES: tuple[Exchange, ...] = (
    same_uidvalidity,
    same_uidvalidity_and_more,
    there_and_back,
    another_server,
    another_address,
)
ON = ["dovecot", pytest.param("less", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", ON)
@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.__name__)
@pytest.mark.parametrize(("count", "renumbered"), [(10, "ask"), pytest.param(30, "accept", marks=pytest.mark.slow)])
def test_no_uidl_ever_names_two_messages(
    exchange: Exchange,
    count: int,
    renumbered: str,
    name: str,
    request: pytest.FixtureRequest,
    other_server: Dovecot,
    tmp_path: Path,
) -> None:
    """Strangers come under known UIDs, and each is listed as new (S1, S2). Ten are too few to ask about (S4)."""
    with house_on(server_of(request, name), tmp_path, f'renumbered = "{renumbered}"') as house:
        house.fill(numbered(letters("home", count)))
        first = house.poll()
        assert house.poll() == first
        exchange(house, count, other_server)
        shown = house.poll()
        assert list(shown.values()) == octets(mailboxes.kept(house.mailbox, MAIL))
        assert not set(shown) & set(first)
        mailboxes.put(house.mailbox, numbered(letters("late", 1), 2025), MAIL)
        house.close()
        house.start()
        assert list(house.poll().items())[:-1] == list(shown.items())


@pytest.mark.parametrize("exchange", EXCHANGES, ids=lambda exchange: exchange.__name__)
def test_where_most_messages_are_strangers_the_owner_is_asked(
    exchange: Exchange, dovecot_server: Dovecot, other_server: Dovecot, tmp_path: Path
) -> None:
    """Rather no mail for a while than all of it a second time; when he has said so it goes on (S4)."""
    with house_on(dovecot_server, tmp_path) as house:
        house.fill(numbered(letters("home", 30)))
        house.poll()
        exchange_unseen(house, exchange, other_server)
        for restarted in (False, True):
            if restarted:
                house.close()
                house.start()
            with pytest.raises(Refused, match=r"-ERR \[SYS/PERM\] "):
                house.session()
        assert "popbridge uidl accept" in house.bridge.log()
        house.accept()
        assert set(house.poll().values()) == set(octets(mailboxes.kept(house.mailbox, MAIL))), "each under a new UIDL"


def test_a_new_mailbox_is_not_believed_while_it_is_empty(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """However few there were: whoever fills it has not begun yet, and a client shown nothing forgets all (S6)."""
    with house_on(dovecot_server, tmp_path) as house:
        house.fill(numbered(letters("home", 5)))
        before = house.poll()
        mail = mailboxes.kept(house.mailbox, MAIL)
        mailboxes.rebuild(house.mailbox, MAIL, [])
        for _ in range(2):
            with pytest.raises(Refused, match=r"-ERR \[SYS/(TEMP|PERM)\] "):
                house.session()
        mailboxes.put(house.mailbox, mail, MAIL)
        assert house.poll() == before


def exchange_unseen(house: House, exchange: Exchange, other: Dovecot) -> None:
    """While upstream is out of the bridge's reach."""
    house.door.shut()
    exchange(house, 30, other)
    house.door.open()


# What QUIT has promised.


def promise(house: House, numbers: Sequence[int]) -> None:
    """Upstream is switched off before QUIT, which says yes all the same, because the journal holds it (S17)."""
    with house.session() as client:
        for number in numbers:
            client.do(f"DELE {number}")
        house.door.shut()
        began = monotonic()
        assert client.quit().startswith(b"+OK")
        assert monotonic() - began < 3


def untouched(house: House, expected: Sequence[Kept]) -> None:
    now = mailboxes.kept(house.mailbox, MAIL)
    assert [(one.uid, one.octets, one.flags) for one in now] == [(one.uid, one.octets, one.flags) for one in expected]


POLICIES = ["flag", "expunge", "trash", "archive", "hide"]


def _exchanges_and_policies() -> list[object]:
    fast = [pytest.param(exchange, "expunge", id=f"{exchange.__name__}-expunge") for exchange in EXCHANGES]
    others = [
        pytest.param(exchange, policy, id=f"{exchange.__name__}-{policy}", marks=pytest.mark.soak)
        for exchange in EXCHANGES
        for policy in POLICIES
        if policy != "expunge"
    ]
    return [*fast, *others]


@pytest.mark.parametrize("name", ON)
@pytest.mark.parametrize(("exchange", "policy"), _exchanges_and_policies())
@pytest.mark.parametrize("killed", [True, False], ids=["killed", "living"])
def test_no_promise_is_kept_on_a_stranger(
    exchange: Exchange,
    policy: str,
    name: str,
    *,
    killed: bool,
    request: pytest.FixtureRequest,
    other_server: Dovecot,
    tmp_path: Path,
) -> None:
    """QUIT was done while upstream was down, the bridge perhaps killed, and then another mailbox stands there (S17)."""
    with house_on(server_of(request, name), tmp_path, f'delete = "{policy}"') as house:
        house.fill(numbered(letters("home", 10)))
        house.poll()
        promise(house, [2, 3, 9])
        if killed:
            house.kill()
        exchange(house, 10, other_server)
        there = mailboxes.kept(house.mailbox, MAIL)
        house.door.open()
        if killed:
            house.start()
        for _ in range(2):
            assert list(house.poll().values()) == octets(there), "strangers are listed as what they are: new"
            untouched(house, there)
        for folder in ("Trash", "Archive"):
            assert house.mailbox.uids(mailbox=folder) == []


@pytest.mark.parametrize("killed", [True, False], ids=["killed", "living"])
def test_a_promise_follows_a_message_that_is_recognised(
    *, killed: bool, dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """The same mail under another UIDVALIDITY: exactly what was deleted goes; of two that look alike neither (S17)."""
    with house_on(dovecot_server, tmp_path, 'delete = "expunge"') as house:
        letter = letters("home", 10)
        letter[6] = letter[8]
        house.fill(numbered(letter))
        before = house.poll()
        promise(house, [2, 3, 9])
        if killed:
            house.kill()
        mailboxes.expunge(house.mailbox, [1], MAIL)
        mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
        house.door.open()
        if killed:
            house.start()
        for _ in range(2):
            assert list(house.poll()) == [uidl for n, uidl in enumerate(before, 1) if n not in {1, 2, 3, 9}]
        assert octets(mailboxes.kept(house.mailbox, MAIL)) == letter[3:]
        assert house.flagged() == set()
