"""A hundred thousand rows come through in a fraction of a second, and not one is lost or made up."""

import itertools
from array import array
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.client import Client, Event, Responded, RowsCame
from bridge.imap.commands import FetchFlags
from bridge.imap.listing import ListingRows, Shape, Shapes, one_row, read_rows, shape
from bridge.imap.responses import Fetched
from bridge.violation import ProtocolViolation
from tests.imap.conversations import hear, joined, logged_in, say

ITEMS = (b"UID", b"RFC822.SIZE", b"FLAGS", b"INTERNALDATE")
ROW = b'* 1 FETCH (UID 1 RFC822.SIZE 3012 FLAGS (\\Seen) INTERNALDATE "21-Nov-2026 22:10:40 +0000")\r\n'


def shaped(names: tuple[bytes, ...] = ITEMS) -> Shape:
    found = shape(names)
    assert found is not None
    return found


def taken(octets: bytes, names: tuple[bytes, ...] = ITEMS) -> ListingRows | None:
    found = shaped(names)
    matched = found.run.match(octets)
    assert matched is not None
    return read_rows(found, octets, 0, matched.end()) if matched.end() else None


def test_a_plain_row() -> None:
    assert taken(ROW) == ListingRows(
        array("I", [1]), array("I", [1]), array("Q", [3012]), array("q", [1795299040]), b"\0", b"\0"
    )


def test_deleted_and_hidden_are_told_in_any_case_and_place() -> None:
    flags = [
        b"",
        b"\\Deleted",
        b"\\Seen \\DELETED x",
        b"$pop3deleted",
        b"$POP3Deleted \\deleted",
        b"Deleted",
        b"x\\Deleted",
    ]
    rows = taken(b"".join(ROW.replace(b"\\Seen", each) for each in flags))
    assert rows is not None
    assert (rows.deleted, rows.hidden) == (b"\0\1\1\0\1\0\0", b"\0\0\0\1\1\0\0")


@pytest.mark.parametrize("names", list(itertools.permutations(ITEMS)))
def test_any_order_of_the_items(names: tuple[bytes, ...]) -> None:
    values = dict(zip(ITEMS, [b"4294967295", b"77", b"(a:b? \\Deleted)", b'" 1-Feb-2020 00:00:00 +0000"'], strict=True))
    row = b"* 9 FETCH (" + b" ".join(name + b" " + values[name] for name in names) + b")\r\n"
    assert taken(row * 2, names) == ListingRows(
        array("I", [9, 9]),
        array("I", [2**32 - 1] * 2),
        array("Q", [77, 77]),
        array("q", [1580515200] * 2),
        b"\1\1",
        b"\0\0",
    )


def test_fewer_items_and_a_modseq_and_lower_case() -> None:
    rows = taken(b"* 2 FETCH (uid 5 modseq (77) rfc822.size 1)\r\n", (b"uid", b"modseq", b"rfc822.size"))
    assert rows == ListingRows(array("I", [2]), array("I", [5]), array("Q", [1]), array("q", [-1]), b"\0", b"\0")


@pytest.mark.parametrize(
    "names", [(b"FLAGS", b"RFC822.SIZE"), (b"UID", b"UID", b"RFC822.SIZE"), (b"UID", b"RFC822.SIZE", b"ENVELOPE"), ()]
)
def test_other_rows_have_no_shape(names: tuple[bytes, ...]) -> None:
    assert shape(names) is None


@pytest.mark.parametrize(
    "odd",
    [
        b"* 2 EXPUNGE\r\n",
        ROW.replace(b"UID 1", b"UID 0"),
        ROW.replace(b"UID 1 ", b""),
        ROW.replace(b"3012", b"-1"),
        ROW.replace(b"\\Seen", b"a\0b"),
        ROW.replace(b"\\Seen", b"a" * 401),  # flags are remembered, so they are bounded
        ROW.replace(b"\r\n", b"\n"),
        ROW[:-1],
        b"x" + ROW,
        b'* 3 FETCH (BODY[] "' + ROW,
    ],
)
def test_rows_end_where_another_line_begins(odd: bytes) -> None:
    matched = shaped().run.match(ROW * 3 + odd + ROW)
    assert matched is not None
    assert matched.end() == len(ROW) * 3


@pytest.mark.parametrize(
    "bad",
    [
        ROW.replace(b"UID 1", b"UID 4294967296"),
        ROW.replace(b"* 1 ", b"* 9999999999 "),
        ROW.replace(b"21-Nov", b"31-Nov"),
        ROW.replace(b"22:10", b"24:10"),
        ROW.replace(b":40 ", b":61 "),
    ],
)
def test_a_number_or_date_out_of_bounds_leaves_the_rows_to_the_careful_reader(bad: bytes) -> None:
    assert taken(ROW + bad + ROW) is None


def test_rows_that_say_no_size_list_nothing() -> None:
    names = (b"UID", b"FLAGS", b"MODSEQ")
    rows = taken(b"* 2 FETCH (UID 5 FLAGS (\\Deleted) MODSEQ (77))\r\n" * 2, names)
    assert rows == ListingRows(
        array("I", [2, 2]), array("I", [5, 5]), array("Q"), array("q", [-1, -1]), b"\1\1", b"\0\0"
    )
    assert not shaped(names).lists
    assert shaped().lists


def test_shapes_are_learned_and_bounded() -> None:
    shapes = Shapes()
    assert shapes.current is None
    shapes.learn((b"FLAGS", b"RFC822.SIZE"))
    assert shapes.current is None
    shapes.learn(ITEMS)
    first = shapes.current
    shapes.learn((b"FLAGS", b"RFC822.SIZE"))
    assert shapes.current is first
    for names in itertools.permutations(ITEMS):
        shapes.learn(names)
    shapes.learn(ITEMS)
    assert shapes.current is first
    assert len(shapes._known) == 16


def test_a_row_read_the_slow_way() -> None:
    fetched = Fetched(3, 9, frozenset({"\\Deleted", "$POP3Deleted"}), 2**63 - 1, 5)
    assert one_row(fetched) == ListingRows(
        array("I", [3]), array("I", [9]), array("Q", [2**63 - 1]), array("q", [5]), b"\1", b"\1"
    )
    assert one_row(Fetched(3, 9, size=1)) == ListingRows(
        array("I", [3]), array("I", [9]), array("Q", [1]), array("q", [-1]), b"\0", b"\0"
    )
    assert one_row(Fetched(3, 9)) is None
    assert one_row(Fetched(3, size=9)) is None


@given(
    st.lists(st.tuples(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1), st.integers(0, 10**18 - 1)), min_size=1)
)
def test_what_is_written_is_what_is_read(rows: list[tuple[int, int, int]]) -> None:
    octets = b"".join(b"* %d FETCH (UID %d RFC822.SIZE %d)\r\n" % row for row in rows)
    found = taken(octets, (b"UID", b"RFC822.SIZE"))
    assert found is not None
    assert list(zip(found.numbers, found.uids, found.sizes, strict=True)) == rows


FLAGS = st.lists(
    st.sampled_from((b"\\Seen", b"\\Deleted", b"$POP3Deleted", b"Label.1", b"\\seen", b"NonJunk")), max_size=4
)
TOLD = st.lists(
    st.tuples(st.integers(1, 2**32), st.integers(1, 2**32), FLAGS, st.integers(0, 10**18), st.integers(0, 10**19 - 1)),
    min_size=1,
    max_size=6,
)
ORDERS = (
    b"* %(n)d FETCH (UID %(uid)d FLAGS (%(flags)b))\r\n",
    b"* %(n)d FETCH (FLAGS (%(flags)b) UID %(uid)d MODSEQ (%(modseq)d))\r\n",
    b"* %(n)d FETCH (UID %(uid)d MODSEQ (%(modseq)d))\r\n",
    b'* %(n)d FETCH (UID %(uid)d RFC822.SIZE %(size)d INTERNALDATE "0%(day)d-Feb-2024 00:00:00 +0000")\r\n',
    b'* %(n)d FETCH (UID %(uid)d FLAGS (%(flags)b"))\r\n',
)


@given(st.sampled_from(ORDERS), TOLD)
def test_many_rows_are_read_as_each_is_by_itself(
    order: bytes, told: list[tuple[int, int, list[bytes], int, int]]
) -> None:
    """Whatever is in them: what the fast way cannot vouch for goes the slow one, violations too."""
    lines = [
        order % {b"n": n, b"uid": uid, b"flags": b" ".join(flags), b"size": size, b"modseq": modseq, b"day": size % 10}
        for n, uid, flags, size, modseq in told
    ]
    alone: list[Event] = []
    together: list[Event] = []
    with suppress(ProtocolViolation):
        for line in lines:
            alone += hear(asking(), line)
    with suppress(ProtocolViolation):
        client = asking()
        for event in client.receive(b"".join(lines)):
            together.append(event)  # noqa: PERF402  # what came before the violation must be kept

    assert joined(together) == joined(alone)


def asking() -> Client:
    client = logged_in()
    say(client, FetchFlags("1:*"))
    return client


def test_a_thousand_rows_come_in_one_piece() -> None:
    row = b"* 1 FETCH (UID 1 FLAGS (\\Deleted))\r\n"

    assert [type(event) for event in hear(asking(), row * 1000)] == [Responded, RowsCame]


@pytest.mark.parametrize("row", [b"* %d FETCH (UID 7 FLAGS ())\r\n", b"* 7 FETCH (UID %d FLAGS ())\r\n"])
def test_a_number_out_of_bounds_among_a_thousand_is_found_at_its_place(row: bytes) -> None:
    client = asking()
    hear(client, row % 1)
    told: list[Event] = []
    with pytest.raises(ProtocolViolation):
        for event in client.receive(row % 2 + row % 2**32 + row % 3):
            told.append(event)  # noqa: PERF402  # what came before the violation must be kept

    assert [type(event) for event in told] == [Responded]
