"""The second login of a large mailbox asks only whether anything is new, also in a new process (S6, S7)."""

from pathlib import Path
from time import perf_counter

import pytest

from tests.peers.servers.dovecot import dovecot
from tests.stories import mailboxes
from tests.stories.house import MAIL, House, house_on, letters

pytestmark = pytest.mark.story

CAPABILITIES = {
    "qresync": None,
    "condstore": "IMAP4rev1 SASL-IR LITERAL+ ENABLE UIDPLUS MOVE SPECIAL-USE ESEARCH CONDSTORE",
    "neither": "IMAP4rev1 SASL-IR LITERAL+ ENABLE UIDPLUS MOVE SPECIAL-USE ESEARCH",
}


def polled(house: House) -> tuple[list[str], int, int]:
    """The UIDLs, the upstream's octets and the round trips of one session."""
    turns, octets, began = house.door.turns, house.door.octets, perf_counter()
    with house.session() as client:
        uidls = list(client.uidls().values())
        seconds = perf_counter() - began
        client.quit()
    house.door.until_left()
    turns, octets = house.door.turns - turns, house.door.octets - octets
    print(f"{len(uidls)} messages in {seconds:.3f} s; {turns} round trips, {octets} octets, what follows QUIT included")
    return uidls, octets, turns


@pytest.mark.parametrize("extensions", CAPABILITIES)
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nothing_is_listed_twice(count: int, extensions: str, tmp_path: Path) -> None:
    with (
        dovecot(format="mdbox", capability=CAPABILITIES[extensions]) as server,
        house_on(server, tmp_path) as house,
    ):
        house.fill([])
        house.mailbox.seed_at_once([b"Subject: %d\r\n\r\nHello\r\n" % n for n in range(count)], MAIL)
        before, listed, _ = polled(house)
        assert len(before) == count
        # Behind QUIT the bridge learns what it recognises messages by, some thousands of them each time.
        for _ in range(count // 5_000 + 1):
            polled(house)
        for restarted in (False, True):
            if restarted:
                house.close()
                house.start()
            uidls, octets, turns = polled(house)
            assert uidls == before
            assert turns < 10
            assert octets < min(20_000, listed / 10)
        house.mailbox.seed(letters("late", 3), MAIL)
        mailboxes.flag(house.mailbox, [7], MAIL)
        mailboxes.expunge(house.mailbox, [9], MAIL)
        house.close()
        house.start()
        uidls, octets, turns = polled(house)
        # Without QRESYNC what has gone can only be found by asking for everybody's UID.
        assert turns < 15
        assert uidls[:-3] == [uidl for n, uidl in enumerate(before, 1) if n not in {7, 9}]
