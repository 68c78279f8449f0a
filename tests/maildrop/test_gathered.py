"""Several mailboxes count, list and mark as one, checked against a list of all their messages."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.errors import MessageMarked, NoSuchMessage, TooManyDeletions
from bridge.maildrop.exceptions import NONE
from bridge.maildrop.gathered import Gathered
from bridge.maildrop.listing import Listing
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.merge import Order
from bridge.maildrop.uidl import parse_format
from bridge.names import MessageNumber, UidValidity


def drop(source: int, *sizes: int, most: int | None = None) -> Maildrop:
    """UIDs from 1 on, UIDVALIDITY the source's number."""
    listing = Listing(UidValidity(source + 1))
    listing.add(range(1, len(sizes) + 1), sizes, [0] * len(sizes), bytes(len(sizes)))
    uidls = parse_format("dovecot-old").over(UidValidity(source + 1), NONE)
    return Maildrop(listing, listing.uids, uidls, max_deletions=most)


def number(n: int) -> MessageNumber:
    return MessageNumber(n)


@pytest.fixture
def gathered() -> Gathered:
    """Sizes 10, 30 in the first, 20, 40, 50 in the second."""
    order = Order(array("H", [0, 1, 0, 1, 1]), array("I", [1, 1, 2, 2, 3]))
    return Gathered([drop(0, 10, 30), drop(1, 20, 40, 50)], order)


def test_each_number_is_a_message_of_its_mailbox(gathered: Gathered) -> None:
    assert (len(gathered), gathered.count, gathered.octets) == (5, 5, 150)
    assert list(gathered.sizes()) == [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]
    assert list(gathered.uidls()) == [(1, "1.1"), (2, "2.1"), (3, "1.2"), (4, "2.2"), (5, "2.3")]
    assert [gathered.size(number(n)) for n in range(1, 6)] == [10, 20, 30, 40, 50]
    assert gathered.uidl(number(4)) == "2.2"
    assert gathered.at(number(4)) == (1, 2)


def test_a_deleted_message_leaves_its_gap_and_is_called_by_its_own_number(gathered: Gathered) -> None:
    gathered.mark(number(4))

    assert (gathered.count, gathered.octets, gathered.last) == (4, 110, 4)
    assert list(gathered.sizes()) == [(1, 10), (2, 20), (3, 30), (5, 50)]
    assert [n for n, _ in gathered.uidls()] == [1, 2, 3, 5]
    assert gathered.marked() == [4]
    for ask in (gathered.size, gathered.uidl, gathered.mark, gathered.at):
        with pytest.raises(MessageMarked, match="message 4 is deleted"):
            ask(number(4))
    gathered.reset()
    assert (gathered.count, gathered.octets, gathered.last, gathered.marked()) == (5, 150, 0, [])


@pytest.mark.parametrize("wrong", [0, -1, 6, 2**32 + 1])
def test_a_number_that_names_nothing(gathered: Gathered, wrong: int) -> None:
    with pytest.raises(NoSuchMessage, match="there are 5"):
        gathered.size(number(wrong))


def test_of_what_is_pipelined_each_mailbox_hears_its_own(gathered: Gathered) -> None:
    said = [number(n) for n in (5, 1, 0, 3, 9, 2)]

    assert list(gathered.numbers_in(0, said)) == [1, 2]
    assert list(gathered.numbers_in(1, said)) == [3, 1]


def test_last_is_the_highest_that_was_retrieved(gathered: Gathered) -> None:
    for n in (3, 2):
        gathered.accessed(number(n))
    assert gathered.last == 3


def test_each_mailbox_has_its_own_bound_on_deletions() -> None:
    gathered = Gathered([drop(0, 10, most=0), drop(1, 20)], Order(array("H", [0, 1]), array("I", [1, 1])))
    with pytest.raises(TooManyDeletions):
        gathered.mark(number(1))
    gathered.mark(number(2))
    assert gathered.refused_marks == 1
    assert gathered.marked() == [2]


@given(st.lists(st.integers(0, 2), max_size=12), st.lists(st.integers(1, 12), max_size=20))
def test_whatever_is_marked_the_rest_is_listed_in_order(sources: list[int], marks: list[int]) -> None:
    places = [sources[: n + 1].count(source) for n, source in enumerate(sources)]
    sizes = [[100 + n for n, one in enumerate(sources) if one == source] for source in range(3)]
    drops = [drop(source, *mine) for source, mine in enumerate(sizes)]
    gathered = Gathered(drops, Order(array("H", sources), array("I", places)))
    left = {n + 1: 100 + n for n in range(len(sources))}
    for mark in marks:
        if mark in left:
            gathered.mark(number(mark))
            del left[mark]

    assert dict(gathered.sizes()) == left
    assert [n for n, _ in gathered.uidls()] == list(left)
    assert gathered.octets == sum(left.values())
