"""`popbridge uidl accept`: the owner's word, asked for once more, and only where it is waited for."""

import pytest

from bridge.commands.terminal import CommandRefused
from bridge.commands.uidl_accept import accept
from bridge.maildrop.errors import Renumbered
from tests.commands.house import House, done

MANY = [f"m{n}" for n in range(20)]


def accepted(house: House) -> None:
    done(accept(house.account, house.store, house.terminal.terminal()))


def renumbered() -> House:
    house = House(MANY)
    house.log_in()
    house.renumber()
    return house


def test_after_the_owners_word_the_next_login_goes_on() -> None:
    house = renumbered()

    accepted(house)

    assert "renumbered upstream: UIDVALIDITY changed from 7 to 8" in house.terminal.said[0]
    assert house.terminal.said[-1] == "accepted; the next login takes the mailbox as it is"
    assert house.log_in().incarnation == 2


def test_without_a_yes_logins_stay_refused() -> None:
    house = renumbered()
    house.terminal.yes = False

    with pytest.raises(CommandRefused, match="nothing was accepted"):
        accepted(house)
    with pytest.raises(Renumbered):
        house.log_in()


def test_a_second_word_changes_nothing() -> None:
    house = renumbered()
    accepted(house)
    accepted(house)

    assert house.terminal.said[-1].startswith("accepted already")
    assert len(house.terminal.asked) == 1


def test_where_nothing_waits_there_is_nothing_to_accept() -> None:
    house = House(MANY)
    with pytest.raises(CommandRefused, match="nothing is remembered"):
        accepted(house)
    house.log_in()
    with pytest.raises(CommandRefused, match="no change of this mailbox waits"):
        accepted(house)
