"""Stored UIDLs in columns answer as a dict of them would."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.exceptions import NONE, exceptions

UIDLS = st.dictionaries(st.integers(1, 2**32 - 1) | st.integers(1, 9), st.text(min_size=1, max_size=4), max_size=9)
UIDS = st.integers(1, 2**32 - 1) | st.integers(1, 9)


@given(UIDLS, st.lists(UIDS))
def test_they_hold_what_was_put_in(uidls: dict[int, str], asked: list[int]) -> None:
    stored = exceptions(uidls)

    assert len(stored) == len(uidls)
    assert list(stored.items()) == sorted(uidls.items())
    assert [stored.get(uid) for uid in [*uidls, *asked]] == [*uidls.values(), *map(uidls.get, asked)]
    assert list(stored.over([*uidls, *asked], str)) == [uidls.get(uid, str(uid)) for uid in [*uidls, *asked]]


@given(UIDLS, st.lists(UIDS), UIDLS)
def test_what_is_gone_leaves_and_what_is_new_stands_over_the_old(
    uidls: dict[int, str], gone: list[int], more: dict[int, str]
) -> None:
    changed = exceptions(uidls).changed(gone, more)

    assert dict(changed.items()) == {uid: uidl for uid, uidl in uidls.items() if uid not in gone} | more


def test_no_change_costs_nothing() -> None:
    stored = exceptions({1: "a", 3: "b"})

    assert stored.changed([2, 4], {}) is stored
    assert NONE.changed([1], {}) is NONE
