"""Old and new are held against each other without a question that was answered before."""

from bridge.commands.comparison import AT_ONCE, compare
from bridge.commands.old_message import OldMessage
from bridge.config import PassThrough
from tests.commands.house import UPSTREAM, House, done, old


def test_headers_that_a_login_has_learned_are_not_asked_for_again() -> None:
    house = House(["one", "two", "three"])
    house.log_in()
    known = done(house.source.fingerprints([1, 2]))
    done(house.store.learn(house.account.key, 1, true_sizes={}, fingerprints=known, learned_to=2))

    found = done(compare(house.account, house.store, house.source, old(["one"]), house.terminal.terminal()))

    assert house.terminal.shown == [("headers upstream", 1, 1)]
    assert set(found.fingerprints) == {1, 2, 3}
    assert found.listed == {1, 2, 3}


def test_many_headers_are_asked_for_in_steps() -> None:
    house = House([f"m{n}" for n in range(AT_ONCE + 1)])

    done(compare(house.account, house.store, house.source, old(["m1"]), house.terminal.terminal()))

    assert house.terminal.shown == [
        ("headers upstream", AT_ONCE, AT_ONCE + 1),
        ("headers upstream", AT_ONCE + 1, AT_ONCE + 1),
    ]


def test_what_is_remembered_of_another_mailbox_does_not_count() -> None:
    house = House(["one"])
    house.log_in()
    house.source.uidvalidity = type(house.source.uidvalidity)(8)

    found = done(compare(house.account, house.store, house.source, old(["one"]), house.terminal.terminal()))

    assert (found.before, found.listed, found.uidls) == (None, set(), {1: "00000008-00000001"})


def test_uidls_from_ids_are_not_known_before_a_login() -> None:
    house = House(["one"], PassThrough(upstream=UPSTREAM, uidl="emailid"))

    found = done(
        compare(house.account, house.store, house.source, [OldMessage(uidl="x", uid=1)], house.terminal.terminal())
    )

    assert found.uidls == {}
