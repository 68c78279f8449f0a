"""Whatever the network makes of it, the same lines and literals come out, and none costs more than its bound."""

import re
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.fragments import Collected, Fragment, Fragments, Limits, Octets, Text
from bridge.imap.quirks import Quirk
from bridge.violation import ProtocolViolation

SAMPLE = (
    b"* OK [ALERT] text that ends in {12}\r\n"
    b"A1 OK and this one in ~{3}\r\n"
    b"+ {4}\r\n"
    b'* LIST () "/" {5}\r\na\r\n{b\r\n'
    b"* 1 FETCH (UID 7 BODY[] {11}\r\nx\r\n* 2 EXP FLAGS ())\r\n"
    b"* 2 FETCH (BINARY[1]<0> ~{0}\r\n)\r\n"
    b"* 3 FETCH (X-NOTE {2}\r\nhi BODY[HEADER] {1}\r\n\n)\r\n"
    b"\r\n"
)
EXPECTED: list[Fragment] = [
    Text(b"* OK [ALERT] text that ends in {12}"),
    Text(b"A1 OK and this one in ~{3}"),
    Text(b"+ {4}"),
    Text(b'* LIST () "/" ', 5),
    Collected(b"a\r\n{b"),
    Text(b""),
    Text(b"* 1 FETCH (UID 7 BODY[] ", 11, streamed=True),
    Octets(b"x\r\n* 2 EXP "[:11]),
    Text(b"FLAGS ())"),
    Text(b"* 2 FETCH (BINARY[1]<0> ", 0, streamed=True),
    Text(b")"),
    Text(b"* 3 FETCH (X-NOTE ", 2),
    Collected(b"hi"),
    Text(b" BODY[HEADER] ", 1, streamed=True),
    Octets(b"\n"),
    Text(b")"),
    Text(b""),
]


def cut(*pieces: bytes, limits: Limits = Limits()) -> list[Fragment]:  # noqa: B008  # frozen
    fragments = Fragments(limits)
    found: list[Fragment] = []
    for piece in pieces:
        fragments.add(piece)
        while (fragment := fragments.next()) is not None:
            match found[-1] if found else None, fragment:
                case Octets(one), Octets(other):
                    found[-1] = Octets(one + other)
                case _:
                    found.append(fragment)
    return found


def test_lines_literals_and_bodies() -> None:
    assert cut(SAMPLE) == EXPECTED


def test_every_cut_gives_the_same() -> None:
    for at in range(len(SAMPLE)):
        assert cut(SAMPLE[:at], SAMPLE[at:]) == EXPECTED, at


def test_octet_by_octet_gives_the_same() -> None:
    assert cut(*(SAMPLE[at : at + 1] for at in range(len(SAMPLE)))) == EXPECTED


@given(st.lists(st.integers(0, len(SAMPLE))))
def test_any_cuts_give_the_same(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(SAMPLE)]
    assert cut(*(SAMPLE[a:b] for a, b in pairwise(ends))) == EXPECTED


@given(st.lists(st.binary() | st.sampled_from([b"\r\n", b"* 1 FETCH (BODY[] {3}\r\n", b"* X {2}\r\n", b"}", b"{"])))
def test_nothing_but_a_violation_comes_of_random_octets(pieces: list[bytes]) -> None:
    try:
        cut(*pieces)
    except ProtocolViolation:
        return


@pytest.mark.parametrize("kind", [b"* OK", b"* no", b"* BAD", b"* bye", b"* PREAUTH", b"A1 OK", b"+"])
def test_the_text_of_a_status_line_announces_nothing(kind: bytes) -> None:
    assert cut(kind + b" all well {12}\r\nA2 OK\r\n") == [Text(kind + b" all well {12}"), Text(b"A2 OK")]


@pytest.mark.parametrize("size", [b"9223372036854775808", b"-1", b"", b"9" * 4400, b"+5", b"5+"])
def test_a_body_that_cannot_be_is_refused_before_it_is_read(size: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        cut(b"* 1 FETCH (BODY[] {%s}\r\n" % size)


def test_a_body_is_streamed_in_any_case_and_notation() -> None:
    for name in (b"body[]", b"Body[1.MIME]<5>", b"BINARY[2]", b"BODY[HEADER.FIELDS (Date To)]<0.20>"):
        assert cut(b"* 1 fetch (%s {3}\r\n" % name) == [Text(b"* 1 fetch (%s " % name, 3, streamed=True)]
    for name in (b"BODY", b"BODYSTRUCTURE", b"X-BODY[]", b"RFC822"):
        assert cut(b"* 1 FETCH (%s {3}\r\n" % name) == [Text(b"* 1 FETCH (%s " % name, 3)]


def test_braces_that_hold_no_number_are_text() -> None:
    assert cut(b"* X a{b}\r\n* X b}\r\n") == [Text(b"* X a{b}"), Text(b"* X b}")]


def test_only_a_body_is_streamed_and_other_literals_are_bounded() -> None:
    limits = Limits(collected=10)
    assert cut(b"* LIST () NIL {10}\r\n", limits=limits) == [Text(b"* LIST () NIL ", 10)]
    with pytest.raises(ProtocolViolation):
        cut(b"* LIST () NIL {11}\r\n", limits=limits)
    with pytest.raises(ProtocolViolation):
        cut(b"* X {6}\r\n123456 {6}\r\n", limits=limits)
    with pytest.raises(ProtocolViolation):
        cut(b"* LIST BODY[] {11}\r\n", limits=limits)


def test_nul_in_a_line_is_a_violation_and_in_a_literal_is_not() -> None:
    with pytest.raises(ProtocolViolation, match="NUL"):
        cut(b"* OK a\0b\r\n")
    assert cut(b"* 1 FETCH (BODY[] {1}\r\n\0)\r\n")[1] == Octets(b"\0")


def test_lf_alone_ends_a_line_and_is_told() -> None:
    met: list[Quirk] = []
    fragments = Fragments(met=met.append)
    fragments.add(b"* OK a\n* OK b\r\n")
    assert [fragments.next(), fragments.next()] == [Text(b"* OK a"), Text(b"* OK b")]
    assert met == [Quirk.BARE_LF]


def test_100_mb_without_a_line_end_cost_a_megabyte() -> None:
    fragments = Fragments()
    block = b"x" * 65536
    tracemalloc.start()
    with pytest.raises(ProtocolViolation, match="longer"):
        for _ in range(1600):
            fragments.add(block)
            assert fragments.next() is None
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4_000_000


def test_pieces_and_literals_of_one_response_count_together() -> None:
    with pytest.raises(ProtocolViolation, match="longer"):
        cut(b"* X {90}\r\n" + b"y" * 90 + b" 123456\r\n", limits=Limits(line=100))
    assert cut(*[b"* X {90}\r\n" + b"y" * 90 + b"\r\n"] * 3, limits=Limits(line=100))


def test_what_is_open_is_known() -> None:
    fragments = Fragments()

    def state() -> tuple[bool, bool]:
        return fragments.at_rest, fragments.unread

    assert state() == (True, False)
    fragments.add(b"* 1 FETCH (BODY[] {10}\r\n123")
    assert state() == (False, True)
    fragments.next()
    assert state() == (False, True)
    fragments.next()
    assert state() == (False, False)
    fragments.add(b"4567890 X {3}\r\n1")
    while fragments.next():
        pass
    assert state() == (False, False)
    fragments.add(b"23)\r\n* O")
    while fragments.next():
        pass
    assert state() == (False, True)
    fragments.add(b"K\r\n")
    assert fragments.next() == Text(b"* OK")
    assert state() == (True, False)


def test_whole_lines_can_be_taken_at_once_between_responses_only() -> None:
    row = re.compile(rb"(?:r[0-9]\r\n)*+")
    fragments = Fragments()
    fragments.add(b"r1\r\nr2\r\nr")
    octets, begin, end = fragments.run(row)
    assert octets[begin:end] == b"r1\r\nr2\r\n"
    fragments.advance(end)
    assert fragments.next() is None
    fragments.add(b"3")
    assert fragments.run(row)[1:] == (0, 0)
    assert fragments.next() is None
    fragments.add(b"\r\nx\r\n* LIST {4}\r\nr5\r\n")
    octets, begin, end = fragments.run(row)
    assert octets[begin:end] == b"r3\r\n"
    fragments.advance(end)
    assert fragments.next() == Text(b"x")
    assert fragments.next() == Text(b"* LIST ", 4)
    _, begin, end = fragments.run(row)
    assert begin == end
    assert fragments.next() == Collected(b"r5\r\n")


def test_between_two_responses_what_is_here_can_be_looked_at_and_taken_from() -> None:
    fragments = Fragments()
    fragments.add(b"* OK a\r\n* OK b\r\n* O")
    assert fragments.ahead() == (b"* OK a\r\n* OK b\r\n* O", 0)
    fragments.next()
    assert fragments.ahead() == (b"* OK a\r\n* OK b\r\n* O", 8)
    fragments.advance(16)
    assert fragments.ahead() == (b"* OK a\r\n* OK b\r\n* O", 16)
    assert fragments.next() is None
    assert fragments.ahead() is None, "inside a line"
    fragments.add(b"K\r\n* 1 FETCH (BODY[] {3}\r\n12")
    assert fragments.next() == Text(b"* OK")
    fragments.next()
    assert fragments.ahead() is None, "inside a response"
    fragments.next()
    assert fragments.ahead() is None
    fragments.add(b"3)\r\n")
    while fragments.next():
        pass
    assert fragments.ahead() == (b"", 0)
