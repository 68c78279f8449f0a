"""`popbridge uidl import`: old names for the messages that are recognised, after a yes, all of them or none."""

from collections.abc import Callable

import pytest
from attrs import evolve
from twisted.internet.task import Clock

from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import CommandRefused
from bridge.commands.uidl_import import import_uidls
from bridge.config import PassThrough
from bridge.maildrop.errors import UpstreamUnavailable
from tests.commands.house import UPSTREAM, House, done, mail, old
from tests.contracts.fake_source import FakeMessage

MANY = [f"m{n}" for n in range(20)]


def bring(
    house: House, messages: list[OldMessage], *, force: bool = False, agrees: Callable[[str], bool] | None = None
) -> None:
    terminal = house.terminal.terminal()
    if agrees is not None:
        terminal = evolve(terminal, agrees=agrees)
    emit = house.told.append
    done(import_uidls(house.account, house.store, house.source, messages, Clock(), emit, terminal, force=force))


def test_a_mailbox_that_nobody_has_seen_yet_has_the_old_uidls_from_its_first_login() -> None:
    house = House(["one", "two", "three"])

    bring(house, old(["two", "one"]))
    house.log_in()

    assert house.uidls() == {1: "old-one", 2: "old-two", 3: "00000007-00000003"}
    assert "recognised: 2 of 2 (100.0 %)" in house.terminal.text
    assert "upstream only: 1;" in house.terminal.text
    assert house.terminal.asked == ["Write 2 UIDLs?"]
    assert house.terminal.said[-1] == "2 UIDLs written"


def test_nothing_is_remembered_without_a_yes() -> None:
    house = House(["one"])
    house.terminal.yes = False

    with pytest.raises(CommandRefused, match="nothing was written"):
        bring(house, old(["one"]))

    assert house.memory() is None


def test_a_second_run_has_nothing_to_write() -> None:
    house = House(["one", "two"])
    bring(house, old(["one", "two"]))
    house.log_in()
    before = house.memory()

    bring(house, old(["one", "two"]))

    assert house.memory() == before
    assert len(house.terminal.asked) == 1
    assert house.terminal.said[-1] == "all of them have these UIDLs already; nothing to write"


def test_messages_that_programs_know_from_the_bridge_are_told_about() -> None:
    house = House(["one", "two"])
    house.log_in()
    house.source.messages[3] = FakeMessage(mail("three"))

    bring(house, old(["one", "three"]))

    assert house.uidls() == {1: "old-one", 2: "00000007-00000002", 3: "old-three"}
    assert "1 message of these were listed by the bridge before" in house.terminal.text
    assert "such as 00000007-00000001" in house.terminal.text


def test_new_mail_never_gets_a_uidl_that_was_imported() -> None:
    """The old server's numbers overlap with the new one's where UIDVALIDITY is not in them."""
    house = House(["one", "two"], PassThrough(upstream=UPSTREAM, uidl="cyrus-uid"))

    bring(house, [evolve(old(["one"])[0], uidl="2"), evolve(old(["two"])[0], uidl="3")])
    house.source.messages[3] = FakeMessage(mail("three"))
    house.log_in()

    uidls = house.uidls()
    assert (uidls[1], uidls[2]) == ("2", "3")
    assert uidls[3] not in {"1", "2", "3"}


def test_messages_that_the_old_server_never_had_make_way() -> None:
    house = House(["one", "two"], PassThrough(upstream=UPSTREAM, uidl="cyrus-uid"))

    bring(house, [evolve(old(["one"])[0], uidl="2")])

    uidls = house.uidls()
    assert uidls[1] == "2"
    assert uidls[2] != "2"


def test_fewer_than_95_of_100_are_refused_unless_it_is_meant() -> None:
    house = House(MANY[:18])

    with pytest.raises(CommandRefused, match=r"fewer than 95%.*--force"):
        bring(house, old(MANY))
    assert house.memory() is None
    assert "not found upstream: 2: old-m18 (" in house.terminal.text

    bring(house, old(MANY), force=True)
    assert house.uidls()[18] == "old-m17"


def test_95_of_100_are_enough() -> None:
    house = House(MANY[:19])

    bring(house, old(MANY))

    assert len(house.uidls()) == 19


def test_an_old_server_without_mail_is_a_mistake() -> None:
    with pytest.raises(CommandRefused, match="no messages"):
        bring(House(["one"]), [])


def test_a_uidl_that_once_named_another_message_is_refused_and_nothing_is_written() -> None:
    house = House(["one", "two"])
    house.log_in()
    before = house.uidls()

    with pytest.raises(CommandRefused, match=r"1 UIDL once named other messages of this account.*00000007-00000002"):
        bring(house, [evolve(old(["one"])[0], uidl="00000007-00000002"), *old(["two"])])

    assert house.uidls() == before

    bring(house, [evolve(old(["one"])[0], uidl="00000007-00000002"), *old(["two"])], force=True)
    assert house.uidls() == {1: before[1], 2: "old-two"}
    assert house.terminal.said[-1] == "1 UIDL written"


def test_where_no_uidl_is_free_nothing_is_called_done() -> None:
    house = House(["one", "two"])
    house.log_in()
    before = house.uidls()

    with pytest.raises(CommandRefused, match="nothing was written"):
        bring(house, [evolve(old(["one"])[0], uidl="00000007-00000002")], force=True)

    assert house.uidls() == before


def test_where_nothing_is_recognised_nothing_is_called_done() -> None:
    with pytest.raises(CommandRefused, match="none of the old messages was recognised"):
        bring(House(["one"]), old(["two"]), force=True)


def test_a_mailbox_that_changed_while_the_owner_read_is_listed_again_first() -> None:
    house = House(["one", "two"])
    house.log_in()

    def agrees(_: str) -> bool:
        del house.source.messages[1]
        return True

    with pytest.raises(CommandRefused, match="changed while you were asked"):
        bring(house, old(["one", "two"]), agrees=agrees)
    assert house.uidls() == {2: "00000007-00000002"}


def test_a_mailbox_that_was_never_seen_and_is_exchanged_meanwhile_gets_no_strangers_uidls() -> None:
    house = House(["one"])

    def agrees(_: str) -> bool:
        house.source.uidvalidity = type(house.source.uidvalidity)(8)
        house.log_in()
        return True

    with pytest.raises(CommandRefused, match="changed while you were asked"):
        bring(house, old(["one"]), agrees=agrees)
    assert house.uidls() == {1: "00000008-00000001"}


def test_upstreams_trouble_is_passed_on() -> None:
    house = House(["one"])
    house.source.fails = UpstreamUnavailable("imap.example.org does not answer")

    with pytest.raises(UpstreamUnavailable):
        bring(house, old(["one"]))


def test_what_was_learned_of_the_headers_is_kept() -> None:
    house = House(["one", "two"])

    bring(house, old(["one", "two"]))

    memory = house.memory()
    assert memory is not None
    assert memory.learned_to == 2
    fingerprints = done(house.store.fingerprints(house.account.key, memory.incarnation))
    assert set(fingerprints) == {1, 2}


def test_what_was_not_learned_is_learned_later() -> None:
    house = House(["one", "two"])
    house.log_in()
    known = done(house.source.fingerprints([1]))
    done(house.store.learn(house.account.key, 1, true_sizes={}, fingerprints=known, learned_to=1))

    bring(house, [OldMessage(uidl="x", uid=2)])

    memory = house.memory()
    assert memory is not None
    assert memory.learned_to == 1


def test_a_list_with_uids_asks_for_no_header() -> None:
    house = House(["one"])

    bring(house, [OldMessage(uidl="x", uid=1)])

    memory = house.memory()
    assert memory is not None
    assert (house.uidls(), memory.learned_to, house.terminal.shown) == ({1: "x"}, 0, [])
