"""DELE that is carried out later, or upstream never: `after`, `purge`, and `keep` for each login (S8, S17, S18)."""

from collections.abc import Callable
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from tests.peers.servers.dovecot import Dovecot
from tests.stories import mailboxes
from tests.stories.house import MAIL, House, house_on, letters, octets
from tests.stories.mailboxes import numbered

pytestmark = pytest.mark.story

ALL = set(range(1, 11))


def ten(house: House) -> dict[str, bytes]:
    house.fill(numbered(letters("home", 10)))
    return house.poll()


def delete(house: House, *numbers: int, suffix: str = "") -> None:
    with house.session(suffix) as client:
        for number in numbers:
            client.do(f"DELE {number}")
        assert client.quit().startswith(b"+OK")


def until(what: Callable[[], bool], seconds: float = 10) -> None:
    deadline = monotonic() + seconds
    while not what():
        assert monotonic() < deadline, "it does not come true"
        Event().wait(0.05)


def left(house: House) -> set[int]:
    return set(house.mailbox.uids(mailbox=MAIL))


def but(before: dict[str, bytes], *numbers: int) -> list[str]:
    return [uidl for number, uidl in enumerate(before, 1) if number not in numbers]


# after


def test_what_is_deleted_later_is_hidden_at_once_and_deleted_when_it_is_due(
    dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """By the first login from then on: a login's password is kept no longer than it is needed."""
    with house_on(dovecot_server, tmp_path, 'delete = "expunge"\nafter = "3s"') as house:
        before = ten(house)
        began = monotonic()
        delete(house, 2, 7)

        def polled() -> set[int]:
            assert list(house.poll()) == but(before, 2, 7)
            assert house.flagged() == set()
            return left(house)

        while monotonic() - began < 2.5:
            assert polled() == ALL or monotonic() - began > 2.9
        until(lambda: polled() == ALL - {2, 7})
        assert monotonic() - began >= 2.9, "not before it is due"


def test_what_became_due_while_the_bridge_was_off_is_deleted_at_the_next_login(
    dovecot_server: Dovecot, tmp_path: Path
) -> None:
    with house_on(dovecot_server, tmp_path, 'delete = "expunge"\nafter = "2s"') as house:
        before = ten(house)
        began = monotonic()
        delete(house, 2, 7)
        house.kill()
        until(lambda: monotonic() - began > 2.1)
        assert left(house) == ALL
        house.start()
        assert list(house.poll()) == but(before, 2, 7)
        until(lambda: left(house) == ALL - {2, 7})


def test_later_is_not_undone_by_another_rule_for_new_mail(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """The owner shortens nothing that was promised: what waits keeps the policy that it was deleted under."""
    with house_on(dovecot_server, tmp_path, 'delete = "trash"\nafter = "3s"') as house:
        before = ten(house)
        delete(house, 2)
        house.close()
        house.more = 'delete = "expunge"'
        house.start()
        delete(house, 1)
        assert list(house.poll()) == but(before, 1, 2)
        until(lambda: house.poll() is not None and left(house) == ALL - {1, 2})
        assert list(house.mailbox.raw_bodies("Trash").values()) == [letters("home", 10)[1]]


# purge


def test_what_was_flagged_is_purged_later_unless_somebody_wants_it_back(
    dovecot_server: Dovecot, tmp_path: Path
) -> None:
    """And nothing that somebody else flagged goes with it."""
    with house_on(dovecot_server, tmp_path, 'delete = "flag"\npurge = "3s"') as house:
        before = ten(house)
        mailboxes.flag(house.mailbox, [9], MAIL)
        delete(house, 2, 7)
        assert (left(house), house.flagged()) == (ALL, {2, 7, 9})
        mailboxes.flag(house.mailbox, [2], MAIL, deleted=False)
        assert list(house.poll()) == but(before, 7, 9), "taken back, so it is listed"
        until(lambda: list(house.poll()) == but(before, 7, 9) and left(house) == ALL - {7})
        for _ in range(2):
            assert list(house.poll()) == but(before, 7, 9)
            assert (left(house), house.flagged()) == (ALL - {7}, {9})
        delete(house, 1)
        house.kill()
        house.start()
        until(lambda: list(house.poll()) == but(before, 1, 7, 9) and left(house) == ALL - {1, 7})
        assert house.flagged() == {9}


# keep


def test_what_one_scanner_has_deleted_another_still_gets(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """Nothing happens upstream; what a login has deleted is hidden from it alone, over restarts (S8)."""
    with house_on(dovecot_server, tmp_path, 'delete = "keep"\nlogin_views = true') as house:
        before = ten(house)
        everyone = ("#as=scannerA", "#as=scannerB", "")
        for who in everyone:
            assert house.poll(who) == before
        delete(house, 1, 2, 10, suffix="#as=scannerA")
        delete(house, 2, 3, suffix="#as=scannerB")
        expected = {"#as=scannerA": but(before, 1, 2, 10), "#as=scannerB": but(before, 2, 3), "": list(before)}
        for how in ("living", "closed", "killed"):
            for who in everyone:
                assert list(house.poll(who)) == expected[who]
            if how == "closed":
                house.close()
                house.start()
            elif how == "killed":
                house.kill()
                house.start()
        mailboxes.put(house.mailbox, numbered(letters("late", 1), 2025), MAIL)
        for who in everyone:
            assert list(house.poll(who))[:-1] == expected[who]
        assert house.flagged() == set()
        mailboxes.rebuild(house.mailbox, MAIL, mailboxes.kept(house.mailbox, MAIL))
        for who in everyone:
            assert list(house.poll(who))[:-1] == expected[who], "after a renumbering too"
        delete(house, 1, suffix="#as=scannerA")
        assert list(house.poll("#as=scannerA"))[:-1] == expected["#as=scannerA"][1:]
        assert octets(mailboxes.kept(house.mailbox, MAIL)) == [*letters("home", 10), *letters("late", 1)]


def test_a_device_is_no_way_around_what_another_has_deleted_upstream(dovecot_server: Dovecot, tmp_path: Path) -> None:
    """With any other policy a deletion is everybody's."""
    with house_on(dovecot_server, tmp_path, 'delete = "flag"\nlogin_views = true') as house:
        before = ten(house)
        delete(house, 1, suffix="#as=scannerA")
        for who in ("#as=scannerA", "#as=scannerB", ""):
            assert list(house.poll(who)) == but(before, 1)
