"""Numbers stay, marks come and go, and the totals follow: checked against a three-line model."""

from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.errors import MessageMarked, NoSuchMessage, TooManyDeletions
from bridge.maildrop.listing import Listing
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.uidl import parse_format
from bridge.names import MessageNumber, UidValidity

BRIDGE = parse_format("bridge")


def maildrop_of(*sizes: int, hidden: bytes = b"", max_deletions: int | None = None) -> Maildrop:
    uids = array("I", range(11, 11 + len(sizes)))
    listing = Listing(UidValidity(7))
    listing.add(uids, sizes, [0] * len(sizes), hidden or bytes(len(sizes)))
    return Maildrop(listing, BRIDGE, max_deletions=max_deletions)


def number(n: int) -> MessageNumber:
    return MessageNumber(n)


def test_after_dele_2_lists_keep_their_gap() -> None:
    """Fault 1: numbers are never closed up within a session."""
    maildrop = maildrop_of(100, 200, 300)
    maildrop.mark(number(2))

    assert list(maildrop.sizes()) == [(1, 100), (3, 300)]
    assert [n for n, _ in maildrop.uidls()] == [1, 3]


def test_a_marked_message_answers_nothing_any_more() -> None:
    """Fault 2."""
    maildrop = maildrop_of(100, 200)
    maildrop.mark(number(2))

    for ask in (maildrop.size, maildrop.uid, maildrop.uidl, maildrop.mark):
        with pytest.raises(MessageMarked):
            ask(number(2))


@pytest.mark.parametrize("wrong", [0, -1, 4, 2**32 + 1])
def test_a_number_that_is_not_there_is_refused(wrong: int) -> None:
    """Fault 5, for the numbers that the grammar lets through."""
    with pytest.raises(NoSuchMessage, match="there are 3"):
        maildrop_of(1, 2, 3).size(number(wrong))


def test_totals_exclude_marked_messages_and_hold_beyond_32_bits() -> None:
    """Faults 3 and 15."""
    maildrop = maildrop_of(2**33, 5, 2**33)
    maildrop.mark(number(1))

    assert (maildrop.count, maildrop.octets) == (2, 2**33 + 5)


def test_reset_takes_every_mark_back_and_renumbers_nothing() -> None:
    """Fault 13."""
    maildrop = maildrop_of(1, 2, 3)
    before = list(maildrop.uidls())
    maildrop.mark(number(1))
    maildrop.mark(number(3))
    maildrop.reset()

    assert list(maildrop.uidls()) == before
    assert maildrop.marked() == []
    assert maildrop.octets == 6


def test_a_message_flagged_deleted_upstream_is_not_seen() -> None:
    """S7: hidden rows get no number."""
    maildrop = maildrop_of(1, 2, 3, hidden=b"\0\1\0")

    assert list(maildrop.uidls()) == [(1, "00000007-0000000b"), (2, "00000007-0000000d")]


def test_more_deletions_than_allowed_are_refused_and_counted() -> None:
    """S21: QUIT then deletes nothing; the count tells it."""
    maildrop = maildrop_of(1, 2, 3, max_deletions=2)
    maildrop.mark(number(1))
    maildrop.mark(number(2))
    with pytest.raises(TooManyDeletions):
        maildrop.mark(number(3))

    assert maildrop.refused_marks == 1


def test_last_is_the_highest_number_touched_until_reset() -> None:
    maildrop = maildrop_of(1, 2, 3)
    maildrop.accessed(number(2))
    maildrop.accessed(number(1))
    assert maildrop.last == 2

    maildrop.reset()
    assert maildrop.last == 0


@given(
    st.lists(st.integers(0, 2**40), max_size=8),
    st.lists(st.tuples(st.sampled_from(["mark", "reset"]), st.integers(-1, 9)), max_size=30),
)
def test_any_sequence_of_commands_leaves_what_the_model_says(sizes: list[int], steps: list[tuple[str, int]]) -> None:
    maildrop = maildrop_of(*sizes)
    model = dict(enumerate(sizes, 1))
    for step, n in steps:
        if step == "reset":
            maildrop.reset()
            model = dict(enumerate(sizes, 1))
        elif n in model:
            maildrop.mark(number(n))
            del model[n]
        else:
            with pytest.raises((NoSuchMessage, MessageMarked)):
                maildrop.mark(number(n))

    assert list(maildrop.sizes()) == list(model.items())
    assert (maildrop.count, maildrop.octets) == (len(model), sum(model.values()))
    assert maildrop.marked() == [n + 10 for n in range(1, len(sizes) + 1) if n not in model]
