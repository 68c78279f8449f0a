"""Where messages stand among those of other sources is stored before it is shown, whoever else stores at the time."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.maildrop.errors import ListingIncomplete, MailboxReplaced
from bridge.maildrop.memory import Moves, News
from bridge.maildrop.merge import merge
from bridge.names import AccountName
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.numbering import HELD, ROUNDS, _Held
from bridge.state.held import HeldStore
from bridge.state.memory import MemoryStore
from bridge.state.store import Overtaken
from tests.postoffice.kit import result
from tests.postoffice.several import Street, mark, uidls_of


def letter(word: str, **more: Any) -> bytes:
    return f"Message-ID: <{word}@x>\r\n\r\n{word}\r\n".encode()


def test_a_login_that_is_overtaken_thinks_again() -> None:
    street = Street("a", "b")
    street.box("a").put(b"x", date=2)
    before = street.listed()
    street.box("b").put(b"y", date=1)
    show = street.store.show
    shown: list[Street] = []

    async def overtaken(*args: Any) -> None:
        if not shown:
            shown.append(street)
            other = street.open()  # by another process, say
            assert uidls_of(other) == [*before, "b.00000007-00000001"]
            other.abandon()
        await show(*args)

    street.store.show = overtaken  # type: ignore[method-assign, assignment]  # another comes between
    street.office._numbering._locks = _Fresh()  # another process has another
    assert street.listed() == [*before, "b.00000007-00000001"]


class _Fresh(dict[Any, Any]):
    """Never the same lock twice."""

    def setdefault(self, key: Any, default: Any = None) -> Any:
        return default


def test_one_that_is_overtaken_all_the_time_is_told_to_come_back() -> None:
    street, times = Street("a", "b"), []
    street.box("a").put(b"x")

    async def overtaken(*args: Any) -> None:
        times.append(args)
        raise Overtaken

    street.store.show = overtaken  # type: ignore[method-assign, assignment]  # another comes between
    with pytest.raises(ListingIncomplete, match="at the same time"):
        street.open()
    assert len(times) == ROUNDS
    assert not any(box.connected for box in street.boxes)


def test_a_mailbox_that_was_replaced_meanwhile_is_not_numbered() -> None:
    street = Street("a", "b")
    street.box("a").put(b"x")
    street.listed()
    street.box("a").put(b"y")
    viewing = street.store.viewing
    account = street.accounts()[0]

    async def replacing(*args: Any) -> Any:
        memory = result(street.store.recall(account.key))
        if memory is not None and memory.incarnation == 1:
            renewed = evolve(memory, incarnation=2)
            await street.store.remember(account.key, renewed, News(moves=Moves({})))
        return await viewing(*args)

    street.store.viewing = replacing  # type: ignore[method-assign, assignment]  # another comes between
    with pytest.raises(MailboxReplaced):
        street.open()


def test_after_a_renumbering_messages_keep_their_places() -> None:
    street = Street("a", "b")
    for n, name in enumerate("abaab"):
        street.box(name).put(letter(f"{name}{n}"), date=n)
    before = street.listed()
    a = street.box("a")
    a.messages = {uid + 10: message for uid, message in a.messages.items()}
    a.uidvalidity, a.uidnext = 8, 20

    assert street.listed() == before
    a.put(letter("new"), date=0)
    assert len(street.listed()) == 6
    assert street.listed()[:5] == before


def test_of_copies_the_first_is_listed_and_the_others_never() -> None:
    street = Street("a", "b", "c")
    street.hides_copies = True
    for n, name in enumerate("bca"):
        street.box(name).put(letter("same"), date=n)
    street.box("c").put(letter("alone"), date=9)
    before = street.listed()
    assert before == ["b.00000007-00000001", "c.00000007-00000002"]
    assert street.listed() == before
    street.restart()
    del street.box("b").messages[1]
    assert street.listed() == before[1:]
    street.box("a").put(letter("same"))
    street.box("b").put(letter("same"))
    street.hides_copies = False
    street.boxes = street.boxes[:2]
    assert street.listed() == ["00000007-00000002", "b.00000007-00000002"]


def test_a_copy_that_comes_when_the_first_is_long_gone_is_one_all_the_same() -> None:
    street = Street("a", "b")
    street.hides_copies = True
    street.box("a").put(letter("same"))
    assert len(street.listed()) == 1
    del street.box("a").messages[1]
    street.listed()
    street.box("b").put(letter("same"))

    assert street.listed() == []


def test_a_poll_to_which_nothing_is_new_puts_nothing_in_order_again() -> None:
    street = Street("a", "b")
    street.store = HeldStore(MemoryStore(street.clock.seconds), 10**9)  # type: ignore[assignment]  # as in the service
    street.restart()
    for name in "ab":
        street.box(name).put(b"x")
    for box in street.boxes:
        box.goes_on = True
    orders = []
    for _ in range(4):
        visit = street.open()
        assert isinstance(visit, Gathering)
        orders.append(visit._order)
        result(visit.quit([]))
        visit.leave()
    assert orders[2] is orders[3]
    assert orders[0] == orders[3]
    street.box("a").put(b"new")
    assert len(street.listed()) == 3
    visit = street.open()
    mark(visit, 1)
    assert result(visit.quit(visit.maildrop.marked())).asked == 1
    visit.leave()
    assert len(street.listed()) == 2


def test_what_is_kept_from_a_login_changes_no_listing_and_is_seen_all_the_same() -> None:
    street = Street("a", "b", delete="keep")
    street.store = HeldStore(MemoryStore(street.clock.seconds), 10**9)  # type: ignore[assignment]  # as in the service
    street.restart()
    for box in street.boxes:
        box.put(b"x")
        box.goes_on = True
    for _ in range(3):
        before = street.listed()
    visit = street.open()
    mark(visit, 1)
    assert result(visit.quit(visit.maildrop.marked())).done == 1
    visit.leave()

    assert street.listed() == before[1:]


def test_the_orders_of_so_many_logins_are_held_and_no_more() -> None:
    street = Street("a", "b")
    street.box("a").put(b"x")
    numbering = street.office._numbering
    for n in range(HELD + 1):
        numbering._hold((AccountName(f"{n}"), ""), _Held((), (), merge((), 0)))
    assert next(iter(numbering._held)) == ("1", "")
    assert len(numbering._held) == HELD


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["arrive", "login", "restart", "swap"])), max_size=30)
)
def test_whatever_happens_a_listing_only_grows_at_its_end(steps: list[tuple[str, str]]) -> None:
    street = Street("a", "b", "c")
    before: list[str] = []
    for name, step in steps:
        match step:
            case "arrive":
                street.box(name).put(b"x", date=-len(before))
            case "restart":
                street.restart()
            case "swap":
                street.boxes.append(street.boxes.pop(0))
            case _:
                after = street.listed()
                assert after[: len(before)] == before
                assert len(set(after)) == len(after)
                before = after
