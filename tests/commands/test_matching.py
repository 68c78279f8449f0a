"""An old message is found upstream by its header, copies by size and order, and nothing by guessing."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bridge.commands.matching import match
from bridge.commands.old_message import OldMessage
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.names import UidValidity


def header(subject: str, message_id: str | None = "") -> Fingerprint:
    """`message_id`: by default one of the subject's own; None for a header without."""
    line = "" if message_id is None else f"Message-ID: <{message_id or subject}@example.org>\r\n"
    return fingerprint(f"Subject: {subject}\r\n{line}\r\n".encode())


def old(uidl: str, subject: str, size: int | None = 100, message_id: str | None = "") -> OldMessage:
    return OldMessage(uidl=uidl, size=size, fingerprint=header(subject, message_id))


def upstream(*rows: tuple[int, str, int]) -> tuple[Listing, dict[int, Fingerprint]]:
    """(UID, subject, size)."""
    listing = Listing(UidValidity(7))
    listing.add([row[0] for row in rows], [row[2] for row in rows], [0] * len(rows), bytes(len(rows)))
    return listing, {uid: header(subject) for uid, subject, _ in rows}


def test_messages_are_found_whatever_their_order_and_place() -> None:
    found = match([old("a", "one"), old("b", "two")], *upstream((17, "two", 100), (40, "one", 100)))

    assert found.uidls == {40: "a", 17: "b"}
    assert (found.rate, found.lost, found.new) == (1.0, [], [])


def test_a_server_that_counts_unix_line_ends_is_understood() -> None:
    assert match([old("a", "one", size=90)], *upstream((1, "one", 100))).uidls == {1: "a"}


def test_copies_of_different_size_are_told_apart_by_it() -> None:
    found = match([old("a", "one", 100), old("b", "one", 200)], *upstream((1, "one", 200), (2, "one", 100)))

    assert found.uidls == {1: "b", 2: "a"}


def test_copies_of_one_size_keep_their_order() -> None:
    found = match([old("a", "one"), old("b", "one")], *upstream((5, "one", 100), (9, "one", 100)))

    assert found.uidls == {5: "a", 9: "b"}


def test_where_a_copy_is_gone_upstream_it_is_not_guessed_which() -> None:
    found = match([old("a", "one"), old("b", "one"), old("c", "two")], *upstream((5, "one", 100), (6, "two", 100)))

    assert found.uidls == {6: "c"}
    assert [message.uidl for message in found.lost] == ["a", "b"]
    assert found.new == [5]
    assert found.rate == 1 / 3


def test_a_header_that_the_new_server_rewrote_is_known_by_its_message_id() -> None:
    found = match(
        [old("a", "gr\u00fc\u00dfe", message_id="x"), old("b", "other")], *upstream((1, "x", 100), (2, "y", 100))
    )

    assert found.uidls == {1: "a"}


def test_a_message_that_was_found_is_not_found_again_by_its_message_id() -> None:
    found = match([old("a", "one"), old("b", "other", message_id="one")], *upstream((1, "one", 100)))

    assert found.uidls == {1: "a"}
    assert [message.uidl for message in found.lost] == ["b"]


def test_messages_without_any_of_the_fields_have_nothing_in_common() -> None:
    listing, _ = upstream((1, "", 100))
    nothing = fingerprint(b"X-Scanner: 7\r\n\r\n")

    found = match([OldMessage(uidl="a", size=100, fingerprint=nothing)], listing, {1: nothing})

    assert (found.uidls, found.rate) == ({}, 0.0)


def test_a_header_that_the_old_server_would_not_give_is_not_found() -> None:
    assert match([OldMessage(uidl="a", size=100)], *upstream((1, "one", 100))).uidls == {}


def test_a_list_may_name_uids_and_each_only_once() -> None:
    listing, _ = upstream((1, "one", 100), (2, "two", 100))

    found = match([OldMessage(uidl="a", uid=2), OldMessage(uidl="b", uid=2), OldMessage(uidl="c", uid=9)], listing, {})

    assert found.uidls == {2: "a"}
    assert [message.uidl for message in found.lost] == ["b", "c"]


def test_uids_of_another_uidvalidity_mean_nothing() -> None:
    listing, _ = upstream((1, "one", 100))
    messages = [OldMessage(uidl="a", uid=1, uidvalidity=8)]

    assert match(messages, listing, {}).uidls == {}
    assert match([OldMessage(uidl="a", uid=1, uidvalidity=7)], listing, {}).uidls == {1: "a"}


def test_a_list_may_name_message_ids() -> None:
    named = Fingerprint(header("two").message_id, b"")

    assert match([OldMessage(uidl="a", fingerprint=named)], *upstream((1, "one", 1), (2, "two", 2))).uidls == {2: "a"}


def test_uidls_that_cannot_be_given_are_left_out_and_told() -> None:
    listing, prints = upstream((1, "one", 100), (2, "two", 100), (3, "three", 100), (4, "four", 100))
    invalid = [old("", "one"), old("\u00fc", "two"), old("x" * 71, "three")]
    repeated = [old("same", "four"), old("same", "five")]

    found = match([*invalid, *repeated], listing, prints)

    assert (list(found.invalid), list(found.repeated), found.uidls, found.asked) == (invalid, repeated, {}, 5)


@given(st.permutations(range(8)), st.lists(st.sampled_from(["p", "q"]), min_size=8, max_size=8))
def test_no_uidl_is_given_twice_and_no_message_gets_two(order: Sequence[int], subjects: list[str]) -> None:
    listing, prints = upstream(*((uid + 1, subjects[uid], 100 + uid % 3) for uid in range(8)))
    messages = [old(f"u{n}", subjects[n], 100 + n % 3) for n in order[:6]]

    found = match(messages, listing, prints)

    assert len(set(found.uidls.values())) == len(found.uidls)
    assert len(found.uidls) + len(found.lost) == 6
    for uid, uidl in found.uidls.items():
        assert subjects[uid - 1] == subjects[int(uidl[1:])]
