"""A FETCH response is read item by item, whatever the order, the extras and the faults."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.fetch import Body, FetchReply
from bridge.imap.lexer import Cursor
from bridge.imap.quirks import Quirk, ignore
from bridge.imap.responses import Fetched
from bridge.violation import ProtocolViolation


def read(octets: bytes, *literals: bytes | None, met: list[Quirk] | None = None) -> tuple[Fetched, list[Body]]:
    reply = FetchReply(1)
    bodies = list(reply.read(Cursor(octets.split(b"|"), literals, met=ignore if met is None else met.append)))
    return reply.fetched(), bodies


def test_every_item_we_ask_for() -> None:
    octets = (
        b'(UID 7 RFC822.SIZE 9223372036854775807 FLAGS (\\seen x) INTERNALDATE "17-Jul-1996 02:44:25 -0700"'
        b" MODSEQ (12121231000) EMAILID (M6d99ac3275bb4e) X-GM-MSGID 1278455344230334865)"
    )
    assert read(octets) == (
        Fetched(
            1, 7, frozenset({"\\Seen", "x"}), 2**63 - 1, 837596665, 12121231000, "M6d99ac3275bb4e", 1278455344230334865
        ),
        [],
    )


def test_unknown_items_are_passed_over_by_their_structure() -> None:
    octets = (
        b'(ENVELOPE ("d" "s)(" (("a" NIL "b" "c")) NIL |) BODY (("TEXT" "PLAIN") "MIXED") X-GM-LABELS (\\Inbox "a)b")'
        b" RFC822.HEADER | BINARY.SIZE[1] 12 UID 9)"
    )
    assert read(octets, b"li)te(ral", b"Subject: x")[0].uid == 9


def test_a_body_in_the_middle_is_announced_and_reading_goes_on_behind_it() -> None:
    reply = FetchReply(3)
    assert list(reply.read(Cursor([b"(FLAGS () BODY[HEADER.FIELDS (Date)]<12> ", b""], [None]))) == [
        Body("HEADER.FIELDS (DATE)", 12, None, streamed=True)
    ]
    assert list(reply.read(Cursor([b" BINARY[1.2] ", b""], [None]))) == [Body("1.2", None, None, streamed=True)]
    assert list(reply.read(Cursor([b" UID 5)"]))) == []
    assert reply.fetched() == Fetched(3, 5, frozenset())
    assert reply.says_more


def test_bodies_in_quotation_marks_and_nil() -> None:
    met: list[Quirk] = []
    _, bodies = read(b'(BODY[] "a\\"b" BODY[TEXT]<5.7> NIL BODY[1] | UID 4)', b"coll", met=met)
    assert bodies == [Body("", None, b'a"b'), Body("TEXT", 5, None), Body("1", None, b"coll")]
    assert set(met) == {Quirk.QUOTED_BODY, Quirk.ABSENT_BODY, Quirk.PARTIAL_WITH_COUNT, Quirk.UID_LAST}


def test_faults_that_leave_something_unknown() -> None:
    met: list[Quirk] = []
    fetched, _ = read(b'(UID 0 INTERNALDATE "31-Feb-2020 00:00:00 +0000" FLAGS () )', met=met)
    assert fetched == Fetched(1, flags=frozenset())
    assert met == [Quirk.ZERO_UID, Quirk.BAD_INTERNALDATE, Quirk.TRAILING_BLANK]
    assert read(b"(INTERNALDATE NIL UID 3)")[0] == Fetched(1, uid=3)


def test_a_body_alone_says_no_more() -> None:
    for octets, more in ((b'(UID 1 BODY[] "")', False), (b'(BODY[] "")', False), (b"(UID 1)", True), (b"()", True)):
        reply = FetchReply(1)
        list(reply.read(Cursor([octets])))
        assert reply.says_more is more, octets


@pytest.mark.parametrize(
    "octets",
    [
        b"UID 1)",
        b"(UID 1",
        b"(UID 1) x",
        b"(UID)",
        b"(UID -1)",
        b"(UID 4294967296)",
        b"(RFC822.SIZE 9223372036854775808)",
        b"(MODSEQ 5)",
        b"(BODY[] x)",
        b"(FLAGS \\Seen)",
        b"(X " + b"(" * 10_000,
        b"(UID 1FLAGS ())",
    ],
)
def test_what_the_grammar_does_not_know_is_a_violation(octets: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read(octets)


def test_a_body_where_none_belongs_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation):
        read(b"(X (BODY[] |))", None)
    with pytest.raises(ProtocolViolation):
        list(FetchReply(0).read(Cursor([b"(UID 1)"])))


@given(
    st.lists(
        st.sampled_from([b"(", b")", b" ", b"UID 1", b"FLAGS ()", b"BODY[]", b"NIL", b'"', b"MODSEQ"]) | st.binary()
    )
)
def test_nothing_but_a_violation_comes_of_random_words(words: list[bytes]) -> None:
    try:
        read(b"(" + b"".join(words).replace(b"|", b""))
    except ProtocolViolation:
        return
