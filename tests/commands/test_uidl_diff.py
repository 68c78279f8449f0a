"""`popbridge uidl diff`: what programs would see change, with nothing changed by looking."""

import pytest

from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import CommandRefused
from bridge.commands.uidl_diff import diff_now, diff_old
from tests.commands.house import House, done, mail, old
from tests.contracts.fake_source import FakeMessage

MANY = [f"m{n}" for n in range(20)]


def against(house: House, messages: list[OldMessage]) -> bool:
    return done(diff_old(house.account, house.store, house.source, messages, house.terminal.terminal()))


def now(house: House) -> bool:
    house.terminal.said.clear()
    return done(diff_now(house.account, house.store, house.source, house.terminal.terminal()))


def marked(house: House) -> list[str]:
    return [line for line in house.terminal.said if line[:2] in {"- ", "+ ", "! "}]


def test_both_sides_of_a_comparison_with_an_old_server_are_told() -> None:
    house = House(["one", "two", "three"])
    house.log_in()
    messages = [OldMessage(uidl="00000007-00000001", uid=1), *old(["two", "four"])]

    assert against(house, messages) is False

    assert marked(house) == [
        "- old-four",
        "+ 00000007-00000003  (UID 3)",
        "! old-two -> 00000007-00000002  (UID 2)",
    ]
    assert house.terminal.said[-1] == (
        "1 the same, 1 with another UIDL (!), 1 of the old server only (-), 1 upstream only (+)"
    )


def test_messages_that_the_old_server_never_had_are_no_difference_of_uidls() -> None:
    house = House(["one", "two"])

    assert against(house, [OldMessage(uidl="00000007-00000001", uid=1)]) is True
    assert house.memory() is None


def test_what_came_went_and_changed_upstream_is_told() -> None:
    house = House(["gone", "hidden", "back", "stays hidden"])
    house.source.messages[3].deleted = True
    house.source.messages[4].deleted = True
    before = house.log_in()
    del house.source.messages[1]
    house.source.messages[2].deleted = True
    house.source.messages[3].deleted = False
    house.source.messages[5] = FakeMessage(mail("new"))

    assert now(house) is False

    assert marked(house) == [
        "- 00000007-00000001  (UID 1, gone)",
        "+ 00000007-00000005  (UID 5, new)",
        "- 00000007-00000002  (UID 2, hidden)",
        "+ 00000007-00000003  (UID 3, back)",
    ]
    assert house.terminal.said[-1] == "4 messages then, 4 now: 1 gone, 1 new, 1 hidden, 1 back"
    after = house.memory()
    assert after is not None
    assert after.version == before.version


def test_nothing_new_is_no_difference() -> None:
    house = House(["one"])
    house.log_in()

    assert now(house) is True


def test_a_replaced_mailbox_tells_what_the_next_login_would_do() -> None:
    house = House(MANY)
    house.learn()
    house.source.uidvalidity = type(house.source.uidvalidity)(8)

    assert now(house) is False
    assert house.terminal.said == [
        "renumbered upstream: UIDVALIDITY changed from 7 to 8",
        "20 messages then, 20 now: 20 recognised; these keep their UIDLs",
        "the next login goes on with that",
    ]


def test_a_replaced_mailbox_full_of_strangers_asks_for_the_owner() -> None:
    house = House(MANY)
    house.log_in()
    house.renumber()

    assert now(house) is False
    assert len(marked(house)) == 20
    assert marked(house)[0] == "- 00000007-00000001  (not recognised)"
    assert house.terminal.said[-1].endswith("logins are refused until popbridge uidl accept")

    done(house.store.accept(house.account.key))
    now(house)
    assert house.terminal.said[-1].endswith("accepted, the next login goes on with that")


def test_before_the_first_login_there_is_nothing_to_compare_with() -> None:
    with pytest.raises(CommandRefused, match="no program was told anything yet"):
        now(House(["one"]))
