"""A new message's UIDL is one that nobody ever had."""

import pytest

from bridge.maildrop.issuing import EverComputed, Fresh, issue, longer
from bridge.maildrop.memory import Issued
from bridge.maildrop.uidl import LONGEST, hashed, parse_format
from bridge.names import UidValidity

V1, V2 = UidValidity(1), UidValidity(2)
JAMES = parse_format("james")
BY_UID = parse_format("cyrus-uid")


def issued(incarnation: int, uidvalidity: int, highest: int, template: str = JAMES.template) -> Issued:
    return Issued(incarnation, UidValidity(uidvalidity), highest, template)


def test_in_a_mailbox_never_seen_every_uidl_is_computed() -> None:
    assert issue([3, 5], JAMES, issued(1, 1, 5), (), {}, set()) == Fresh({}, ["1-3", "1-5"])


def test_a_uidvalidity_that_comes_back_gives_no_uidl_a_second_time() -> None:
    """v1, v2, v1: UIDs up to the highest that v1 had were somebody's."""
    before = (issued(1, 1, 4), issued(2, 2, 9))

    assert issue([2, 5], JAMES, issued(3, 1, 5), before, {}, set()) == Fresh({2: "1-2-3"}, ["1-5"])


def test_where_the_uid_alone_makes_the_uidl_every_incarnation_counts() -> None:
    before = (issued(1, 1, 4, "{uid}"), issued(2, 2, 2, "{uid}"))

    assert issue([2, 4, 5], BY_UID, issued(3, 3, 5, "{uid}"), before, {}, set()) == Fresh({2: "2-3", 4: "4-3"}, ["5"])


def test_what_another_format_computed_before_is_not_written_again() -> None:
    """The owner changed {uid} into {uid:x}: 10 was UID 10, and would be UID 16."""
    before = (issued(1, 1, 10, "{uid}"), issued(1, 1, 15, "{uid:x}"))

    assert issue([16, 17], parse_format("{uid:x}"), issued(1, 1, 17, "{uid:x}"), before, {}, set()) == Fresh(
        {16: "10-1"}, ["11"]
    )


def test_a_suffix_makes_nothing_that_is_computed_for_another() -> None:
    """2-3 is what UID 3 of UIDVALIDITY 2 had in the format before."""
    before = (issued(1, 2, 9), issued(2, 5, 7, "{uid}"))

    assert issue([2], parse_format("{uid}"), issued(3, 6, 2, "{uid}"), before, {}, set()).given == {2: "2-3.2"}


def test_copies_with_one_id_are_told_apart_and_the_first_keeps_it() -> None:
    form = parse_format("emailid")
    ids = {1: "M1", 2: "M2", 3: "M1", 4: "M1", 5: ""}
    used = {"M2"}

    fresh = issue([1, 2, 3, 4, 5], form, issued(1, 7, 5, "emailid"), (), ids, used)
    assert fresh == Fresh({1: "M1", 2: "M2-1", 3: "M1-1", 4: "M1-1.4"}, ["00000007-00000005"])
    assert used == {"M2", *fresh.given.values()}


def test_an_id_that_looks_like_a_computed_uidl_does_not_take_it_away() -> None:
    form = parse_format("emailid")
    ids = {1: "00000007-00000002"}

    fresh = issue([1, 2], form, issued(1, 7, 2, "emailid"), (), ids, set())
    assert fresh == Fresh({1: "00000007-00000002-1"}, ["00000007-00000002"])


def test_a_computed_uidl_that_was_carried_here_is_not_given_away() -> None:
    assert issue([5], JAMES, issued(2, 2, 5), (), {}, {"2-5"}) == Fresh({5: "2-5-2"}, [])


@pytest.mark.parametrize(
    ("uidl", "then"),
    [
        ("1-5", "1-5-2"),
        ("1-5-2", "1-5-2.7"),
        ("1-5-2.7", "1-5-2.7.7"),
        ("1-5.7", "1-5.7-2"),
        ("x" * (LONGEST - 2), "x" * (LONGEST - 2) + "-2"),
        ("x" * (LONGEST - 1), hashed("x" * (LONGEST - 1) + "-2")),
    ],
)
def test_a_taken_uidl_grows_by_what_never_came_twice(uidl: str, then: str) -> None:
    assert longer(uidl, 2, 7) == then


def test_a_uid_that_comes_back_gets_what_even_its_incarnation_never_gave() -> None:
    """A store knows messages by incarnation and UID, and would let the UID have its suffix again."""
    fresh = issue(
        [2], BY_UID, issued(2, 2, 3, "{uid}"), (issued(1, 1, 3, "{uid}"), issued(2, 2, 3, "{uid}")), {}, set(), 17
    )

    assert fresh == Fresh({2: "2-2-17"}, [])


def test_all_that_was_computed_is_known_by_uidvalidity_and_highest_uid() -> None:
    known = EverComputed((issued(1, 1, 9), issued(2, 2, 3), issued(3, 1, 4)))

    assert "1-9" in known
    assert "1-10" not in known
    assert "2-4" not in known
    assert "3-1" not in known
