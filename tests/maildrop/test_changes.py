"""What differs between two listings is found, wherever it is, as a comparison message by message would find it."""

import tracemalloc
from array import array

from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.changes import Changes, altered, compare
from bridge.maildrop.listing import Listing
from bridge.names import UidValidity

MAILBOX = st.dictionaries(st.integers(1, 12), st.tuples(st.integers(1, 2), st.integers(-1, 1)))
"""Size and date by UID."""


def listing_of(messages: dict[int, tuple[int, int]]) -> Listing:
    listing = Listing(UidValidity(1))
    for uid, (size, date) in sorted(messages.items()):
        listing.add([uid], [size], [date], b"\0")
    return listing


@given(MAILBOX, MAILBOX)
def test_what_came_and_what_went_is_found(old: dict[int, tuple[int, int]], new: dict[int, tuple[int, int]]) -> None:
    changes = compare(listing_of(old), listing_of(new))

    assert list(changes.new) == sorted(new.keys() - old.keys())
    assert list(changes.gone) == sorted(old.keys() - new.keys())


@given(MAILBOX, MAILBOX)
def test_the_first_message_that_is_not_what_it_was_is_found(
    old: dict[int, tuple[int, int]], new: dict[int, tuple[int, int]]
) -> None:
    others = [
        uid
        for uid in sorted(old.keys() & new.keys())
        if old[uid][0] != new[uid][0] or (old[uid][1] != new[uid][1] and -1 not in {old[uid][1], new[uid][1]})
    ]

    assert altered(listing_of(old), listing_of(new)) == (others[0] if others else 0)


def test_a_poll_of_a_hundred_thousand_messages_makes_no_object_of_each() -> None:
    """One message expunged and one new: columns are copied, some 6 MB of them; a set of all UIDs would take 8 MB."""
    messages = {uid: (uid, uid) for uid in range(1, 100_001)}
    old = listing_of(messages)
    del messages[40_000]
    new = listing_of(messages | {100_001: (1, 1)})
    tracemalloc.start()
    try:
        assert compare(old, new) == Changes(array("I", [100_001]), [40_000])
        assert altered(old, new) == 0
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000
