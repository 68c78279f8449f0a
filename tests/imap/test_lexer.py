"""Words of a response are read as the grammar says, and nothing in them can hurt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.lexer import U32, Cursor, spelled
from bridge.imap.quirks import Quirk
from bridge.imap.writing import quoted
from bridge.violation import ProtocolViolation


def test_words_one_after_the_other() -> None:
    cursor = Cursor([b'* 12 "a b" NIL (x)'])
    assert cursor.atom() == b"*"
    cursor.blank()
    assert cursor.number() == 12
    cursor.blank()
    assert cursor.string() == b"a b"
    cursor.blank()
    assert cursor.nstring() is None
    cursor.blank()
    cursor.skip()
    cursor.finish()


def test_a_literal_is_a_string_and_reading_goes_on_behind_it() -> None:
    cursor = Cursor([b"x ", b" y ", b""], [b"a\r\n(b", b""])
    assert cursor.word() == "X"
    cursor.blank()
    assert (cursor.at_literal, cursor.at_body, cursor.at_end) == (True, False, False)
    assert cursor.astring() == b"a\r\n(b"
    cursor.blank()
    assert cursor.astring() == b"y"
    cursor.blank()
    assert not cursor.finished()
    assert cursor.nstring() == b""
    assert cursor.finished()


def test_a_streamed_body_cannot_be_read_as_a_string() -> None:
    cursor = Cursor([b""], [None])
    assert cursor.at_body
    with pytest.raises(ProtocolViolation):
        cursor.string()


@given(st.binary().filter(lambda octets: b"\0" not in octets))
def test_what_is_quoted_comes_back(octets: bytes) -> None:
    cursor = Cursor([quoted(octets)])
    assert cursor.string() == octets
    cursor.finish()


@pytest.mark.parametrize("text", [b'"', b'"abc', b'"abc\\"', b"(", b"(a", b"((a)", b")", b"{", b"", b"\x01"])
def test_what_is_cut_or_unbalanced_is_a_violation(text: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Cursor([text]).skip()


@pytest.mark.parametrize(
    "text", [b"a", b"NIL", b'"x"', b"()", b'(a (b (c)) "d)" ())', b"((1 2)(3 4))", b"( a )", b"BODY[HEADER]<0>"]
)
def test_any_value_is_skipped_by_its_structure(text: bytes) -> None:
    cursor = Cursor([text])
    cursor.skip()
    cursor.finish()


def test_lists_nested_10000_deep_are_refused_without_recursion() -> None:
    with pytest.raises(ProtocolViolation, match="deeper"):
        Cursor([b"(" * 10_000 + b")" * 10_000]).skip()
    Cursor([b"(" * 32 + b")" * 32]).skip()


@pytest.mark.parametrize("text", [b"4294967296", b"-1", b"x", b"", b"9" * 30])
def test_a_number_out_of_bounds_is_a_violation(text: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        Cursor([text]).number(U32)
    assert Cursor([b"4294967295"]).number(U32) == U32


def test_flags_keep_odd_characters_and_get_one_spelling() -> None:
    cursor = Cursor([b'(\\SEEN $forwarded a]b c"d \\* $pop3deleted \xff)'])
    assert cursor.flags() == {"\\Seen", "$forwarded", "a]b", 'c"d', "\\*", "$POP3Deleted", "�"}


def test_known_flags_are_spelled_as_in_the_standard() -> None:
    assert spelled(b"\\dElEtEd") == "\\Deleted"
    assert spelled(b"\\noselect") == "\\Noselect"
    assert spelled(b"Mine") == "Mine"


def test_blanks_too_many_are_forgiven_by_name() -> None:
    met: list[Quirk] = []
    assert Cursor([b"  A  B "], met=met.append).words() == {"A", "B"}
    assert Cursor([b"(a )"], met=met.append).flags() == {"a"}
    assert met == [Quirk.DOUBLED_BLANK, Quirk.DOUBLED_BLANK, Quirk.TRAILING_BLANK, Quirk.TRAILING_BLANK]


def test_text_behind_the_end_is_a_violation() -> None:
    with pytest.raises(ProtocolViolation, match="end of the response"):
        Cursor([b" x"]).finish()
    with pytest.raises(ProtocolViolation, match="blank"):
        Cursor([b"x"]).blank()
    with pytest.raises(ProtocolViolation, match="NIL"):
        Cursor([b"x"]).nstring()
    with pytest.raises(ProtocolViolation):
        Cursor([b"x"]).expect(b"(")
