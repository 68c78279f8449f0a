"""What users typed reaches the server as they typed it, and can never be more than a string there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.lexer import Cursor
from bridge.imap.writing import ATOM, SET, Context, Line, base64_line, checked, quoted


def line(*capabilities: str, utf8: bool = False) -> Line:
    return Line("A1", Context(frozenset(capabilities), utf8))


def string(octets: bytes, *capabilities: str) -> tuple[bytes, ...]:
    written = line(*capabilities)
    written.string(octets)
    return written.ended()


def test_printable_ascii_is_quoted() -> None:
    assert string(b"") == (b'A1 ""\r\n',)
    assert string(b'a "b" \\c {5}') == (b'A1 "a \\"b\\" \\\\c {5}"\r\n',)


def test_anything_else_is_a_literal_that_waits() -> None:
    assert string("pä".encode()) == (b"A1 {3}\r\n", b"p\xc3\xa4\r\n")
    assert string(b"\x7f") == (b"A1 {1}\r\n", b"\x7f\r\n")
    assert string(b"\t") == (b"A1 {1}\r\n", b"\t\r\n")


@pytest.mark.parametrize(
    ("capability", "size", "at_once"),
    [
        ("LITERAL+", 10_000, True),
        ("LITERAL-", 4096, True),
        ("LITERAL-", 4097, False),
        ("IMAP4REV2", 4096, True),
        ("X", 1, False),
    ],
)
def test_a_literal_goes_at_once_where_the_server_takes_it(capability: str, size: int, at_once: bool) -> None:
    pieces = string(b"\xff" * size, capability)
    assert len(pieces) == (1 if at_once else 2)
    assert pieces[0].startswith(b"A1 {%d+}\r\n" % size if at_once else b"A1 {%d}\r\n" % size)


@pytest.mark.parametrize("octets", [b"a\rb", b"a\nb", b"a\0b", b"\xffx\r\nA2 DELETE INBOX"])
def test_cr_lf_and_nul_are_refused_even_where_a_literal_could_carry_them(octets: bytes) -> None:
    with pytest.raises(ValueError, match="CR, LF or NUL") as refused:
        string(octets, "LITERAL+")
    assert "DELETE" not in str(refused.value)
    with pytest.raises(ValueError, match="CR, LF or NUL"):
        line().strings([octets])
    with pytest.raises(ValueError, match="mailbox name"):
        line().mailbox(octets.decode("latin-1"))


def test_mailbox_names_in_both_notations() -> None:
    for utf8, expected in ((False, (b'A1 "Entw&APw-rfe"\r\n',)), (True, (b"A1 {9}\r\n", "Entwürfe\r\n".encode()))):
        written = line(utf8=utf8)
        written.mailbox("Entwürfe")
        assert written.ended() == expected


def test_a_lone_surrogate_is_no_mailbox_name() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        line().mailbox("\ud800")


def test_lists_of_strings_and_words() -> None:
    written = line()
    written.strings([b"a", b"\xe4", b"c"])
    written.strings([])
    written.words(["X", "Y"])
    assert written.ended() == (b'A1 ("a" {1}\r\n', b'\xe4 "c") NIL (X Y)\r\n')


def test_words_are_checked() -> None:
    assert checked("1:4,7:*", SET) == "1:4,7:*"
    for text in ("", "a b", 'a"', "a\r\nb", "a(b", "{5}", "a*", "ä"):
        with pytest.raises(ValueError, match="as it is"):
            line().word(text)
    with pytest.raises(ValueError, match="as it is"):
        checked("1:4 (BODY[])", SET)
    line().word("AUTH=X", ATOM)


@given(st.binary())
def test_a_server_reads_back_what_was_quoted(octets: bytes) -> None:
    assert Cursor([quoted(octets)]).string() == octets


def test_a_long_token_is_one_line() -> None:
    assert b"\n" not in base64_line(b"x" * 10_000)
