"""A rebuilt mailbox is recognised by what its messages are, and another one's mail is not taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Moves
from bridge.maildrop.rematch import implausible, rematch
from bridge.names import UidValidity

Message = tuple[int, int, Fingerprint | None]
"""Size, date, fingerprint."""


def known(name: str, *, stable_id: str = "", message_id: bool = True) -> Fingerprint:
    return Fingerprint(b"id" + name.encode() if message_id else b"", b"header" + name.encode(), stable_id)


def mailbox(*messages: Message, first: int = 1) -> tuple[Listing, dict[int, Fingerprint]]:
    """Messages with UIDs from `first`."""
    listing = Listing(UidValidity(1))
    uids = range(first, first + len(messages))
    listing.add(uids, [size for size, _, _ in messages], [date for _, date, _ in messages], bytes(len(messages)))
    return listing, {uid: mark for uid, (_, _, mark) in zip(uids, messages, strict=True) if mark is not None}


def moves(old: list[Message], new: list[Message]) -> Moves:
    """Old UIDs from 1, new ones from 101."""
    return rematch(*mailbox(*old), *mailbox(*new, first=101))


def many(count: int, *, prefix: str = "", size: int = 0, date: int | None = None) -> list[Message]:
    return [(1000 + n + size, 50 + n if date is None else date, known(f"{prefix}{n}")) for n in range(count)]


def test_a_rebuilt_mailbox_is_recognised_and_proven_by_its_headers() -> None:
    found = moves(many(30), many(30))

    assert found.uids == {n: n + 100 for n in range(1, 31)}
    assert found.certain == frozenset(found.uids)


def test_order_does_not_matter_where_messages_can_be_told_apart() -> None:
    assert moves(many(30), many(30)[::-1]).uids == {n: 131 - n for n in range(1, 31)}


def test_a_rebuild_that_lost_the_dates_is_recognised() -> None:
    assert moves(many(30), many(30, date=10**9)).uids == {n: n + 100 for n in range(1, 31)}


def test_a_server_that_counts_sizes_otherwise_is_recognised_but_proves_nothing() -> None:
    found = moves(many(30), many(30, size=1))

    assert found.uids == {n: n + 100 for n in range(1, 31)}
    assert found.certain == frozenset()


def test_the_message_id_is_enough_where_the_header_was_rewritten_and_size_and_date_hold() -> None:
    rewritten = [(size, date, Fingerprint(b"id%d" % n, b"new%d" % n)) for n, (size, date, _) in enumerate(many(3))]
    found = moves(many(3), list(rewritten))

    assert len(found.uids) == 3
    assert found.certain == frozenset()
    assert moves(many(3), [(size, date + 1, mark) for size, date, mark in rewritten]).uids == {}

    undated = [[(size, -1, mark) for size, _, mark in messages] for messages in (many(3), rewritten)]
    assert moves(*undated).uids == {}


def test_the_servers_id_proves_a_message_whatever_its_size_and_date() -> None:
    old: list[Message] = [(1, 1, known("a", stable_id="M1")), (2, 2, known("a", stable_id="M2"))]
    new: list[Message] = [(9, 9, known("a", stable_id="M2")), (8, 8, known("a", stable_id="M1"))]

    assert moves(old, new) == Moves({1: 102, 2: 101}, frozenset({1, 2}))


def test_another_servers_id_that_happens_to_be_alike_proves_nothing() -> None:
    """Ids are one server's own; the account may point to another one now."""
    assert moves([(1, 1, known("a", stable_id="1"))], [(1, 1, known("b", stable_id="1"))]) == Moves({}, frozenset())


def test_copies_with_one_id_are_paired_but_not_proven() -> None:
    copies: list[Message] = [(1, 1, known("a", stable_id="M1"))] * 2

    assert moves(copies, copies) == Moves({1: 101, 2: 102}, frozenset())


def test_what_was_never_learned_is_not_recognised() -> None:
    """Another message of its size and date would get its UIDL: S2 counts more than a message downloaded again."""
    assert moves([(1, 1, None)], [(1, 1, known("a"))]) == Moves({}, frozenset())
    assert moves([(1, 1, None)], [(1, 1, None)]) == Moves({}, frozenset())
    assert moves([(1, 1, known("a"))], [(1, 1, None)]) == Moves({}, frozenset())


def test_what_was_learned_is_not_recognised_by_size_and_date_alone() -> None:
    assert moves([(1, 1, known("a"))], [(1, 1, known("b"))]).uids == {}


def test_messages_without_any_header_field_need_size_and_date() -> None:
    bare = Fingerprint(b"", b"")

    assert moves([(1, 1, bare), (2, 2, bare)], [(1, 1, bare), (2, 3, bare)]) == Moves({1: 101}, frozenset())
    assert moves([(1, 1, bare)], [(1, 1, bare)]) == Moves({1: 101}, frozenset())


def test_identical_newsletters_are_paired_in_order_if_none_is_missing() -> None:
    newsletter: list[Message] = [(1000, 7, known("news"))] * 10_000
    found = moves(newsletter, newsletter)

    assert found.uids == {n: n + 100 for n in range(1, 10_001)}
    assert found.certain == frozenset()


def test_of_identical_newsletters_none_is_taken_for_another_if_one_is_missing() -> None:
    newsletter: list[Message] = [(1000, 7, known("news"))] * 9

    assert moves(newsletter, newsletter[1:]).uids == {}
    assert moves(newsletter[1:], newsletter).uids == {}


def test_a_copy_that_came_after_the_last_listing_settles_no_tie_and_spoils_none() -> None:
    old: list[Message] = [(1, 5, known("a", message_id=False)), (1, 6, known("a", message_id=False))]
    later: Message = (1, 7, known("a", message_id=False))
    lost: Message = (1, 4, known("a", message_id=False))

    assert moves(old, [(1, 5, old[0][2]), later, (1, 6, old[0][2])]).uids == {1: 101, 2: 103}
    assert moves(old, [lost, (1, 3, old[0][2]), later]).uids == {1: 101, 2: 102}
    assert moves(old, [lost, (1, 3, old[0][2]), (1, 2, old[0][2])]).uids == {}
    assert moves([*old, (3, 9, known("b"))], [lost, (1, 9, old[0][2]), (1, 10, old[0][2])]).uids == {1: 101, 2: 102}


def test_sizes_tell_copies_apart_before_order_does() -> None:
    """A list's copy has a footer; the dates are lost."""
    old: list[Message] = [(100, 1, known("a")), (120, 1, known("a"))]
    new: list[Message] = [(120, 9, known("a")), (100, 9, known("a"))]

    assert moves(old, new).uids == {1: 102, 2: 101}


def test_a_message_that_could_have_an_unlearned_double_is_not_proven() -> None:
    """Its double may be what is left of the two."""
    assert moves([(1, 1, known("a")), (1, 2, None)], [(1, 1, known("a"))]) == Moves({1: 101}, frozenset())
    assert moves([(1, 1, known("a"))], [(1, 1, known("a")), (1, 2, None)]) == Moves({1: 101}, frozenset())
    assert moves([(1, 1, known("a")), (2, 2, None)], [(1, 1, known("a"))]).certain == {1}


def test_a_message_whose_header_stands_there_twice_is_not_proven() -> None:
    old: list[Message] = [(1, 1, known("a"))]

    assert moves(old, [(1, 1, known("a")), (2, 9, known("a"))]) == Moves({1: 101}, frozenset())


def test_a_message_recognised_by_its_id_is_not_proven_by_a_header_that_another_has() -> None:
    old: list[Message] = [(1, 1, Fingerprint(b"id", b"header", "M1"))]
    new: list[Message] = [(1, 1, Fingerprint(b"id", b"rewritten", "M1")), (9, 9, Fingerprint(b"", b"header"))]

    assert moves(old, new) == Moves({1: 101}, frozenset())


MESSAGES = st.lists(
    st.tuples(
        st.integers(1, 3),
        st.integers(-1, 4),
        st.none() | st.builds(Fingerprint, *[st.sampled_from([b"", b"a", b"b"])] * 2, st.sampled_from(["", "M", "N"])),
    ),
    max_size=9,
)


@given(MESSAGES, MESSAGES)
def test_no_message_becomes_two_and_no_two_become_one(old: list[Message], new: list[Message]) -> None:
    found = moves(old, new)

    assert len(set(found.uids.values())) == len(found.uids)
    assert set(found.uids) <= set(range(1, len(old) + 1))
    assert set(found.uids.values()) <= set(range(101, len(new) + 101))
    assert found.certain <= set(found.uids)


@given(MESSAGES)
def test_alike_messages_keep_their_order_in_a_faithful_copy(messages: list[Message]) -> None:
    found = moves(messages, messages)
    learned = {n for n, (_, _, mark) in enumerate(messages, 1) if mark is not None}
    recognisable = {n for n, (_, date, mark) in enumerate(messages, 1) if mark and (date >= 0 or mark.header)}

    assert recognisable <= set(found.uids) <= learned
    for old_uid, new_uid in found.uids.items():
        assert messages[old_uid - 1] == messages[new_uid - 101]
    for one in found.uids:
        for other in found.uids:
            if messages[one - 1] == messages[other - 1] and one < other:
                assert found.uids[one] < found.uids[other]


# What is not to be believed.


def doubt(old: list[Message], new: list[Message], hidden: int = 0) -> str:
    """With the last `hidden` old messages hidden."""
    before, old_marks = mailbox(*old)
    after, new_marks = mailbox(*new, first=101)
    before.hidden[len(before) - hidden :] = b"\1" * hidden
    return implausible(before, after, rematch(before, old_marks, after, new_marks))


@pytest.mark.parametrize("count", [1, 10, 1000])
def test_a_faithful_copy_is_believed(count: int) -> None:
    assert doubt(many(count), many(count)) == ""


def test_some_may_have_been_deleted_meanwhile_and_others_come() -> None:
    assert doubt(many(100), many(90) + many(50, prefix="new", date=10**9)) == ""
    assert doubt(many(1000), many(1000)[50:]) == ""
    assert doubt(many(1000), many(949)) == "51 of 1000 messages listed before were not recognised"
    assert doubt(many(100), many(89)) == "11 of 100 messages listed before were not recognised"


def test_half_a_copy_is_not_believed() -> None:
    assert doubt(many(1000), many(500)) == "500 of 1000 messages listed before were not recognised"


@pytest.mark.parametrize("count", [5, 5000])
def test_another_users_mailbox_is_not_believed_however_few_messages_were_listed(count: int) -> None:
    strangers = [(7, n % 50, known(f"stranger{n}")) for n in range(5000)]

    assert doubt(many(count), list(strangers)) != ""


def test_old_messages_that_were_never_listed_are_looked_at_first() -> None:
    strangers = many(20, prefix="old", date=1)

    assert doubt(many(20), many(20) + strangers) == (
        "20 of 40 messages in it are older than the last listing, and were not in it"
    )
    assert doubt(many(20), many(20) + strangers[:10]) == ""


def test_where_no_date_is_known_every_message_may_be_old() -> None:
    assert doubt([(1, -1, known("a"))], [(1, -1, known("a")), *many(11, prefix="new")]) != ""


def test_an_empty_mailbox_is_not_believed_even_where_one_message_was() -> None:
    assert doubt(many(1), []) == "it is empty now, and 1 messages were listed before"
    assert doubt([], []) == ""


def test_where_nothing_was_listed_nothing_can_be_doubted() -> None:
    assert doubt([], many(100)) == ""
    assert doubt(many(20), [], hidden=20) == ""
    assert doubt(many(20), many(100, date=1), hidden=20) == ""


def test_what_was_hidden_from_pop3_is_not_missed() -> None:
    assert doubt(many(40), many(20), hidden=20) == ""
    assert doubt(many(40), many(20), hidden=8) != ""
