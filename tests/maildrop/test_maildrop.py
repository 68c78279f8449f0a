"""Numbers stay, marks come and go, and the totals follow: checked against a three-line model."""

import tracemalloc
from array import array
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.errors import MessageMarked, NoSuchMessage, TooManyDeletions
from bridge.maildrop.exceptions import NONE
from bridge.maildrop.listing import Listing
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.uidl import parse_format
from bridge.names import MessageNumber, UidValidity

UIDLS = parse_format("bridge").over(UidValidity(7), NONE)


def maildrop_of(
    *sizes: int,
    order: Sequence[int] | None = None,
    true_sizes: dict[int, int] | None = None,
    max_deletions: int | None = None,
) -> Maildrop:
    """UIDs from 11 on."""
    uids = array("I", range(11, 11 + len(sizes)))
    listing = Listing(UidValidity(7))
    listing.add(uids, sizes, [0] * len(sizes), bytes(len(sizes)))
    shown = array("I", uids if order is None else order)
    return Maildrop(listing, shown, UIDLS, true_sizes=true_sizes or {}, max_deletions=max_deletions)


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

    for ask in (maildrop.size, maildrop.listed_size, maildrop.uid, maildrop.uidl, maildrop.mark):
        with pytest.raises(MessageMarked):
            ask(number(2))


def test_whose_uid_it_is_stays_known_for_what_was_read_ahead() -> None:
    """It may be deleted between the two."""
    maildrop = maildrop_of(100, 200, order=[12, 11])
    maildrop.mark(number(2))

    assert [maildrop.uid(number(n), marked=True) for n in (1, 2)] == [12, 11]
    assert maildrop.uid(number(1)) == 12


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


def test_what_is_left_out_has_no_number() -> None:
    """S7, and views."""
    maildrop = maildrop_of(1, 2, 3, order=[11, 13])

    assert list(maildrop.uidls()) == [(1, "00000007-0000000b"), (2, "00000007-0000000d")]
    assert list(maildrop.sizes()) == [(1, 1), (2, 3)]


def test_numbers_are_given_in_the_order_that_was_asked_for() -> None:
    """S8: what came into sight late comes last, whatever its UID."""
    maildrop = maildrop_of(1, 2, 3, 4, order=[13, 14, 11])

    assert [maildrop.uid(number(n)) for n in (1, 2, 3)] == [13, 14, 11]
    assert [maildrop.size(number(n)) for n in (1, 2, 3)] == [3, 4, 1]
    maildrop.mark(number(1))
    maildrop.mark(number(3))
    assert maildrop.marked() == [11, 13]


@pytest.mark.parametrize("order", [None, [13, 11]])
def test_a_size_once_learned_is_shown_and_the_listed_one_stays_known(order: list[int] | None) -> None:
    """S9."""
    maildrop = maildrop_of(10, 20, 30, order=order, true_sizes={11: 12, 99: 1})

    shown = {maildrop.uid(number(n)): size for n, size in maildrop.sizes()}
    listed = {maildrop.uid(number(n)): maildrop.listed_size(number(n)) for n in range(1, len(maildrop) + 1)}
    assert {11: 12, 13: 30}.items() <= shown.items()
    assert {11: 10, 13: 30}.items() <= listed.items()
    assert maildrop.octets == sum(shown.values())
    first = min(shown, key=shown.__getitem__)
    maildrop.mark(number([maildrop.uid(number(n)) for n in range(1, len(maildrop) + 1)].index(first) + 1))
    assert maildrop.octets == sum(shown.values()) - shown[first]


@pytest.mark.parametrize(
    ("order", "true_sizes", "most"),
    [(None, {}, 10), (range(11, 100_000), {}, 800), (range(99_999, 10, -1), {11: 1}, 800)],
)
def test_a_hundred_thousand_messages_cost_a_session_columns_and_no_objects(
    order: Sequence[int] | None, true_sizes: dict[int, int], most: int
) -> None:
    """KiB beyond the listing and the order, which are there anyway; marks come with one octet a message."""
    listing = Listing(UidValidity(7))
    listing.add(range(11, 100_011), [5] * 100_000, [0] * 100_000, bytes(100_000))
    uids = array("I", listing.uids if order is None else order)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        maildrop = Maildrop(listing, uids, UIDLS, true_sizes=true_sizes)
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown <= (most + 100) * 1024
    assert len(maildrop) == len(uids)


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
    st.randoms(use_true_random=False),
    st.dictionaries(st.integers(11, 19), st.integers(0, 2**40), max_size=3),
    st.lists(st.tuples(st.sampled_from(["mark", "reset"]), st.integers(-1, 9)), max_size=30),
)
def test_any_sequence_of_commands_leaves_what_the_model_says(
    sizes: list[int], chance: Random, true_sizes: dict[int, int], steps: list[tuple[str, int]]
) -> None:
    order = chance.sample(range(11, 11 + len(sizes)), chance.randint(0, len(sizes)))
    maildrop = maildrop_of(*sizes, order=order, true_sizes=true_sizes)
    whole = {n: true_sizes.get(uid, sizes[uid - 11]) for n, uid in enumerate(order, 1)}
    model = dict(whole)
    for step, n in steps:
        if step == "reset":
            maildrop.reset()
            model = dict(whole)
        elif n in model:
            maildrop.mark(number(n))
            del model[n]
        else:
            with pytest.raises((NoSuchMessage, MessageMarked)):
                maildrop.mark(number(n))

    assert list(maildrop.sizes()) == list(model.items())
    assert list(maildrop.uidls()) == [(n, UIDLS.uidl(order[n - 1])) for n in model]
    assert (maildrop.count, maildrop.octets) == (len(model), sum(model.values()))
    assert maildrop.marked() == sorted(uid for n, uid in enumerate(order, 1) if n not in model)


def test_what_may_be_read_ahead_has_the_size_that_upstream_announced() -> None:
    """A number that names no message, or a deleted one, is no error there: it is not read ahead."""
    maildrop = maildrop_of(100, 200, 300, true_sizes={11: 110})
    turned = maildrop_of(100, 200, 300, order=[13, 11, 12], true_sizes={11: 110})
    for one in (maildrop, turned):
        one.mark(number(2))
    assert [maildrop.readable(number(n)) for n in range(5)] == [None, 100, None, 300, None]
    assert [turned.readable(number(n)) for n in range(5)] == [None, 300, None, 200, None]
    assert maildrop.read(number(1)) == (11, 110), "UID and size as it is shown"


def test_what_the_bridge_sends_before_each_message_counts_in_its_size() -> None:
    listing = Listing(UidValidity(7))
    listing.add([11, 12], [100, 200], [0, 0], bytes(2))
    maildrop = Maildrop(listing, listing.uids, UIDLS, true_sizes={12: 205}, preface=10)

    assert list(maildrop.sizes()) == [(1, 110), (2, 215)]
    assert maildrop.octets == 325
    assert maildrop.read(number(2)) == (12, 215)
    assert maildrop.listed_size(number(2)) == 200
