"""A view leaves out what it should, and never changes the order of what a program was shown before."""

from array import array
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Viewing
from bridge.maildrop.view import PLAIN, Selection, View, select
from bridge.names import UidValidity

NOW = 1_700_000_000.0
DAY = 86400


def listed(uids: Iterable[int], *, hidden: Iterable[int] = (), dates: dict[int, int] | None = None) -> Listing:
    """Everything arrived now, if nothing else is said."""
    rows, gone = sorted(uids), set(hidden)
    listing = Listing(UidValidity(1))
    ages = [(dates or {}).get(uid, int(NOW)) for uid in rows]
    listing.add(rows, [1] * len(rows), ages, bytes(uid in gone for uid in rows))
    return listing


class Viewer:
    """One viewer from login to login, with what is stored for it."""

    def __init__(self, view: View = PLAIN, kept: Iterable[int] = ()) -> None:
        self.view = view
        self.viewing: Viewing | None = Viewing(incarnation=1, kept=frozenset(kept)) if kept else None

    def logs_in(
        self,
        listing: Listing,
        *,
        now: float = NOW,
        found: Iterable[int] | None = None,
        journal: Iterable[int] = (),
    ) -> list[int]:
        finds = None if found is None else frozenset(found)
        selection = select(listing, self.view, self.viewing, now=now, found=finds, hidden=frozenset(journal))
        if selection.ranks is not None:
            kept = self.viewing.kept if self.viewing else frozenset[int]()
            self.viewing = Viewing(incarnation=1, ranks=selection.ranks, kept=kept, floor=selection.floor)
        return list(selection.uids)


def test_where_nothing_is_left_out_the_order_is_the_uids_and_nothing_is_stored() -> None:
    listing = listed(range(1, 6))

    selection = select(listing, PLAIN, None, now=NOW)

    assert selection == Selection(array("I", [1, 2, 3, 4, 5]))
    assert selection.uids is listing.uids  # 100,000 messages are not copied


def test_deleted_journalled_and_kept_messages_are_left_out_without_ranks() -> None:
    viewer = Viewer(kept=[5])

    assert viewer.logs_in(listed(range(1, 7), hidden=[2]), journal=[4]) == [1, 3, 6]
    assert viewer.logs_in(listed(range(1, 8))) == [1, 2, 3, 4, 6, 7]  # an un-flagged one takes its UID's place
    assert viewer.viewing is not None
    assert not viewer.viewing.ranks


def test_since_slides_and_what_comes_back_has_its_old_place() -> None:
    viewer = Viewer(View(since=30.0 * DAY))
    dates = {1: int(NOW - 31 * DAY), 2: int(NOW - 20 * DAY), 3: -1, 4: int(NOW)}
    listing = listed(range(1, 5), dates=dates)

    assert viewer.logs_in(listing) == [2, 3, 4]  # a message of unknown date is never left out
    assert viewer.logs_in(listing, now=NOW + 11 * DAY) == [3, 4]
    assert viewer.logs_in(listing) == [2, 3, 4]
    viewer.view = View(since=40.0 * DAY)
    assert viewer.logs_in(listing) == [2, 3, 4, 1]  # seen for the first time, so it comes last


def test_a_search_shows_what_it_finds_and_what_it_finds_later_comes_last() -> None:
    viewer = Viewer(View(search="UNSEEN"))
    listing = listed(range(1, 6))

    assert viewer.logs_in(listing, found=[2, 4, 5]) == [2, 4, 5]
    assert viewer.logs_in(listing, found=[1, 2, 5]) == [2, 5, 1]
    assert viewer.logs_in(listing, found=[1, 2, 4, 5]) == [2, 4, 5, 1]


def test_the_newest_are_those_of_the_first_login_and_all_that_came_since() -> None:
    viewer = Viewer(View(newest=3))

    assert viewer.logs_in(listed(range(1, 11), hidden=[9])) == [7, 8, 10]
    assert viewer.logs_in(listed(range(1, 14))) == [7, 8, 10, 9, 11, 12, 13]


def test_what_lies_under_the_newest_stays_there_though_all_of_them_are_gone() -> None:
    viewer = Viewer(View(newest=2))
    assert viewer.logs_in(listed(range(1, 6))) == [4, 5]
    assert viewer.logs_in(listed([1, 2, 3, 6])) == [6]

    assert viewer.logs_in(listed([1, 2, 3])) == []
    assert viewer.logs_in(listed([1, 2, 3, 7])) == [7]


def test_a_first_login_that_shows_all_there_is_leaves_nothing_older_out_later() -> None:
    empty, few = Viewer(View(newest=2)), Viewer(View(newest=2), kept=[9])

    assert empty.logs_in(listed([])) == []
    assert empty.logs_in(listed([1, 2, 3])) == [1, 2, 3]
    assert few.logs_in(listed([1, 2, 3], hidden=[1])) == [2, 3]
    assert few.logs_in(listed([1, 2, 3, 4])) == [2, 3, 1, 4]


def test_after_a_renumbering_the_newest_begin_where_they_began_though_none_of_them_is_left() -> None:
    viewer = Viewer(View(newest=2))
    viewer.viewing = Viewing(incarnation=2, floor=14)

    assert viewer.logs_in(listed([11, 12, 13])) == []
    assert viewer.logs_in(listed([11, 12, 13, 15, 16, 17])) == [15, 16, 17]


def test_an_owner_who_takes_a_view_away_changes_no_order() -> None:
    viewer = Viewer(View(since=DAY))
    dates = {1: int(NOW - 2 * DAY)}
    assert viewer.logs_in(listed(range(1, 4), dates=dates)) == [2, 3]

    viewer.view = PLAIN
    assert viewer.logs_in(listed(range(1, 5), dates=dates)) == [2, 3, 1, 4]
    assert viewer.logs_in(listed(range(1, 5), dates=dates)) == [2, 3, 1, 4]


def test_only_what_is_seen_for_the_first_time_has_to_be_stored() -> None:
    viewing = Viewing(incarnation=1, ranks=array("I", [2, 3]))

    assert select(listed([2, 3]), View(since=DAY), viewing, now=NOW).ranks is None
    assert select(listed([3]), View(since=DAY), viewing, now=NOW).ranks is None
    assert select(listed([2, 4], hidden=[2]), View(since=DAY), viewing, now=NOW).ranks == array("I", [2, 4])


def test_a_login_with_an_older_listing_takes_no_place_from_what_another_was_shown_meanwhile() -> None:
    viewing = Viewing(incarnation=1, ranks=array("I", [3, 1, 9]))

    selection = select(listed([2, 3, 4]), View(search="UNSEEN"), viewing, now=NOW, found={2, 3})

    assert selection == Selection(array("I", [3, 2]), array("I", [3, 9, 2]))


def test_a_viewer_is_the_same_however_its_view_was_written() -> None:
    assert PLAIN.viewer == ""
    assert View(mailbox="Archive").viewer == ""
    assert View(since=2592000.0, newest=5, search="UNSEEN", device="pc").viewer == (
        "as=pc,newest=5,search=UNSEEN,since=2592000"
    )


@pytest.mark.parametrize(
    ("owner", "wish", "seen"),
    [
        (PLAIN, View(since=5.0, newest=3, search="UNSEEN", device="pc", mailbox="X"), ("UNSEEN", 5, 3, "pc")),
        (View(since=3.0, newest=9, search="FROM ann"), View(since=5.0, newest=3), ("FROM ann", 3, 3, "")),
        (View(search="OR A B"), View(search="UNSEEN"), ("(OR A B) UNSEEN", None, None, "")),
        (View(since=3.0, newest=9), PLAIN, (None, 3, 9, "")),
    ],
)
def test_a_login_sees_no_more_than_its_owner_allows(owner: View, wish: View, seen: tuple[object, ...]) -> None:
    view = owner.narrowed(wish)

    assert (view.search, view.since, view.newest, view.device) == seen
    assert view.mailbox == owner.mailbox


_UIDS = st.sets(st.integers(1, 12))
_LOGINS = st.lists(
    st.tuples(st.integers(0, 12), _UIDS, _UIDS, _UIDS, st.integers(0, 3)),
    max_size=8,
)
"""Of each login: how many messages have arrived, which of them are gone, hidden and found, and the day."""


@given(_LOGINS, st.one_of(st.none(), st.integers(1, 4)), st.booleans(), st.booleans(), _UIDS)
def test_whatever_happens_upstream_the_numbers_are_those_of_the_model(
    logins: list[tuple[int, set[int], set[int], set[int], int]],
    newest: int | None,
    searches: bool,
    ages: bool,
    kept: set[int],
) -> None:
    view = View(newest=newest, search="X" if searches else None, since=3.0 * DAY if ages else None)
    viewer = Viewer(view, kept)
    order, floor = list[int](), None
    arrived, gone, before = 0, set[int](), list[list[int]]()
    for arrivals, leaving, hidden, found, day in logins:
        arrived, gone = max(arrived, arrivals), gone | {uid for uid in leaving if uid <= arrived}
        dates = {uid: int(NOW) + (uid % 5 - 5) * DAY for uid in range(1, 13)}
        there = set(range(1, arrived + 1)) - gone
        now = NOW + day * DAY

        seen = viewer.logs_in(listed(there, hidden=hidden, dates=dates), now=now, found=found if searches else None)

        assert len(set(seen)) == len(seen)
        for earlier in before:
            both = set(earlier) & set(seen)
            if not view.hides_nothing:  # else an un-flagged message takes its UID's place, among the others' too
                assert seen[: len([uid for uid in seen if uid in order])] == [u for u in order if u in seen]
            assert [uid for uid in earlier if uid in both] == [uid for uid in seen if uid in both]
        before.append(seen)

        # The model: a list that only grows.
        sight = [
            uid
            for uid in sorted(there - hidden - kept)
            if (not searches or uid in found) and (not ages or dates[uid] >= now - 3 * DAY)
        ]
        if view.hides_nothing:
            order = sorted({*order, *sight})
        else:
            new = [uid for uid in sight if uid not in order]
            if newest and floor is None:
                floor = max(sight[:-newest], default=0) + 1
            order += [uid for uid in new if uid >= (floor or 0)]
        assert seen == [uid for uid in order if uid in sight]
