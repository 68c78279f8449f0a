"""The second login of a large mailbox asks only whether anything is new, also in a new process (S6, S7)."""

from pathlib import Path
from time import perf_counter

import pytest
from attrs import evolve, frozen

from tests.peers.servers.dovecot import dovecot
from tests.stories import mailboxes
from tests.stories.house import MAIL, House, house_on, letters

pytestmark = pytest.mark.story

CAPABILITIES = {
    "qresync": None,
    "condstore": "IMAP4rev1 SASL-IR LITERAL+ ENABLE IDLE UIDPLUS MOVE SPECIAL-USE ESEARCH CONDSTORE",
    "neither": "IMAP4rev1 SASL-IR LITERAL+ ENABLE IDLE UIDPLUS MOVE SPECIAL-USE ESEARCH",
}


@frozen
class Poll:
    """One session: what it listed, upstream's share of that, and of what the bridge did behind QUIT."""

    uidls: list[str]
    turns: int
    octets: int
    behind: int


def polled(house: House) -> Poll:
    door = house.door
    turns, octets, began = door.turns, door.octets, perf_counter()
    with house.session() as client:
        uidls = list(client.uidls().values())
        seconds = perf_counter() - began
        poll = Poll(uidls, door.turns - turns, door.octets - octets, door.octets)
        client.quit()
    door.until_left()
    print(f"{len(uidls)} messages in {seconds:.3f} s: {poll.turns} round trips, {poll.octets} octets")
    return evolve(poll, behind=door.octets - poll.behind)


@pytest.mark.parametrize("extensions", CAPABILITIES)
@pytest.mark.parametrize("count", [5_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_nothing_is_listed_twice(count: int, extensions: str, tmp_path: Path) -> None:
    with (
        dovecot(format="mdbox", capability=CAPABILITIES[extensions]) as server,
        house_on(server, tmp_path) as house,
    ):
        house.fill([])
        house.mailbox.seed_at_once([b"Subject: %d\r\n\r\nHello\r\n" % n for n in range(count)], MAIL)
        first = polled(house)
        assert len(first.uidls) == count
        for restarted in (False, True):
            if restarted:
                house.close()
                house.start()
            again = polled(house)
            assert again.uidls == first.uidls
            assert again.turns < 10
            assert again.octets < min(20_000, first.octets / 10), "nothing is listed"
        # Behind QUIT the bridge learns by what to recognise messages, thousands of them each time, until it knows all.
        for _ in range(2 * (count // 5_000) + 2):
            again = polled(house)
            if again.behind < 10_000:
                break
        assert again.behind < 10_000
        house.mailbox.seed(letters("late", 3), MAIL)
        mailboxes.flag(house.mailbox, [7], MAIL)
        mailboxes.expunge(house.mailbox, [9], MAIL)
        house.close()
        house.start()
        again = polled(house)
        assert again.turns < 10
        assert again.uidls[:-3] == [uidl for n, uidl in enumerate(first.uidls, 1) if n not in {7, 9}]
        if extensions == "qresync":
            assert again.octets < min(20_000, first.octets / 10), "only what changed is asked for"
