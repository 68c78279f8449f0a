"""Messages that upstream knows by name keep their UIDs, in the order in which they were first seen."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.listing import Listing
from bridge.maildrop.naming import UIDVALIDITY, distinct, listing_of

NAMES = st.lists(st.sampled_from(["a", "a.2", "a.3", "b", "b.2", "c"]), max_size=12)


def listed(*names: str, known: Listing | None = None) -> dict[str, int]:
    listing = listing_of(names, [10 * n for n in range(len(names))], known)
    return dict(zip(listing.names, listing.uids, strict=True))


def test_the_first_time_in_the_servers_order() -> None:
    listing = listing_of(["b", "a"], [5, 7], None)
    assert (list(listing.uids), listing.names, list(listing.sizes)) == ([1, 2], ["b", "a"], [5, 7])
    assert (listing.uidvalidity, listing.uidnext, list(listing.dates)) == (UIDVALIDITY, 3, [-1, -1])
    assert not any(listing.hidden)
    assert listing_of([], [], None).uidnext == 1


def test_what_is_new_comes_last_wherever_the_server_puts_it() -> None:
    """Courier lists by file name: new mail may stand in the middle."""
    known = listing_of(["a", "b", "c"], [1, 2, 3], None)
    again = listing_of(["new", "c", "a"], [9, 3, 1], known)
    assert (list(again.uids), again.names, list(again.sizes)) == ([1, 3, 4], ["a", "c", "new"], [1, 3, 9])
    assert again.uidnext == 5


def test_no_uid_is_given_twice() -> None:
    known = listing_of(["a", "b"], [1, 2], None)
    emptied = listing_of([], [], known)
    assert emptied.uidnext == 3
    assert listed("b", known=emptied) == {"b": 3}


def test_copies_with_one_name_are_told_apart() -> None:
    """RFC 1939, section 7, lets identical messages share a unique-id."""
    assert distinct(["a", "b"]) == ["a", "b"]
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a.2", "a.3"]
    assert distinct(["a", "a", "a.2"]) == ["a", "a.3", "a.2"]
    assert distinct(["a", "a.2", "a.2", "a"]) == ["a", "a.2", "a.2.2", "a.3"]


@given(NAMES)
def test_distinct_names_are_distinct_and_the_first_keeps_its_own(names: list[str]) -> None:
    told = distinct(names)
    assert len(set(told)) == len(names)
    assert [told[names.index(name)] for name in names] == names


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), unique=True), min_size=1, max_size=6))
def test_whatever_comes_and_goes_numbers_are_append_only(history: list[list[str]]) -> None:
    known: Listing | None = None
    highest = 0
    for names in history:
        listing = listing_of(names, [1] * len(names), known)
        assert sorted(listing.names) == sorted(names)
        assert list(listing.uids) == sorted(set(listing.uids))
        before = set(known.uids) if known is not None else set()
        assert all(uid in before or uid > highest for uid in listing.uids)
        assert listing.uidnext > max(listing.uids, default=0)
        highest, known = max(highest, *listing.uids, 0), listing
