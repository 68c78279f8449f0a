"""Columns come out sorted, each UID once, whatever order the server chose."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.listing import Listing
from bridge.names import UidValidity

ROWS = st.lists(st.tuples(st.integers(1, 30), st.integers(0, 2**40), st.integers(-1, 2**33), st.integers(0, 1)))


def listing_of(rows: list[tuple[int, int, int, int]]) -> Listing:
    listing = Listing(UidValidity(1))
    for uid, size, date, hidden in rows:
        listing.add([uid], [size], [date], bytes([hidden]))
    return listing


def rows_of(listing: Listing) -> list[tuple[int, int, int, int]]:
    return list(zip(listing.uids, listing.sizes, listing.dates, listing.hidden, strict=True))


@given(ROWS)
def test_settled_rows_ascend_and_the_last_word_about_a_uid_counts(rows: list[tuple[int, int, int, int]]) -> None:
    listing = listing_of(rows)
    listing.settle()

    assert rows_of(listing) == sorted({row[0]: row for row in rows}.values())


@given(ROWS, st.sets(st.integers(1, 30)))
def test_expunged_messages_leave(rows: list[tuple[int, int, int, int]], gone: set[int]) -> None:
    listing = listing_of(rows)
    listing.without(gone)

    assert rows_of(listing) == [row for row in rows if row[0] not in gone]


@given(ROWS)
def test_hidden_messages_are_not_visible_and_stay_in_the_listing(rows: list[tuple[int, int, int, int]]) -> None:
    listing = listing_of(rows)

    assert rows_of(listing.visible()) == [row for row in rows if not row[3]]
    assert rows_of(listing) == rows


@given(st.lists(st.integers(1, 30), unique=True), st.sets(st.integers(1, 30)))
def test_names_go_with_their_messages(uids: list[int], gone: set[int]) -> None:
    listing = Listing(UidValidity(1))
    listing.add(uids, uids, uids, bytes(uid % 2 for uid in uids))
    listing.names = [f"n{uid}" for uid in uids]
    listing.settle()
    visible, copy = listing.visible(), listing.copy()
    copy.without(gone)

    assert listing.names == [f"n{uid}" for uid in listing.uids]
    assert visible.names == [f"n{uid}" for uid in visible.uids]
    assert copy.names == [f"n{uid}" for uid in copy.uids]
