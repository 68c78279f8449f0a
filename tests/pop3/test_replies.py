"""What the server says: always one line of sound text, lists in pieces that clients can live with."""

import re
from base64 import b64decode
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pop3.replies import ResponseCode, blocks, continuation, err, multiline, ok

REPLY = re.compile(rb"(\+OK|-ERR) [\x20-\x7e]*[\x21-\x7e]\r\n")


@given(st.text(), st.none() | st.sampled_from(ResponseCode))
def test_any_text_becomes_one_line_of_at_most_512_octets(text: str, code: ResponseCode | None) -> None:
    """S23: texts of upstream servers are foreign."""
    for reply in (ok(text), err(text, code), err(text * 200, code)):
        assert REPLY.fullmatch(reply)
        assert len(reply) <= 512


@given(st.text("[] \tAUTH"))
def test_no_text_stands_where_a_response_code_would(text: str) -> None:
    """S23: an upstream server's "[AUTH] …" must not be taken for ours."""
    assert not err(text).removeprefix(b"-ERR").lstrip().startswith(b"[")
    assert not ok(text).removeprefix(b"+OK").lstrip().startswith(b"[")


def test_an_imitated_code_stays_readable() -> None:
    assert err("[AUTH] go away") == b"-ERR (AUTH) go away\r\n"


@pytest.mark.parametrize(
    ("code", "reply"),
    [
        (None, b"-ERR no\r\n"),
        (ResponseCode.AUTH, b"-ERR [AUTH] no\r\n"),
        (ResponseCode.SYS_TEMP, b"-ERR [SYS/TEMP] no\r\n"),
        (ResponseCode.SYS_PERM, b"-ERR [SYS/PERM] no\r\n"),
        (ResponseCode.IN_USE, b"-ERR [IN-USE] no\r\n"),
        (ResponseCode.LOGIN_DELAY, b"-ERR [LOGIN-DELAY] no\r\n"),
        (ResponseCode.UTF8, b"-ERR [UTF8] no\r\n"),
    ],
)
def test_response_codes(code: ResponseCode | None, reply: bytes) -> None:
    """Q33."""
    assert err("no", code) == reply


def test_there_is_always_a_text() -> None:
    """Q10: MailKit once, and popclient, could not read a bare +OK."""
    assert ok("") == b"+OK done\r\n"
    assert err("\r\n") == b"-ERR refused\r\n"
    assert err("", ResponseCode.AUTH) == b"-ERR [AUTH] refused\r\n"


def test_line_ends_and_control_characters_cannot_make_a_second_reply() -> None:
    assert err("a\r\n+OK b\0\x1b[31m\u2028c") == b"-ERR a +OK b [31m c\r\n"


def test_other_alphabets_become_question_marks() -> None:
    assert ok("für") == b"+OK f?r\r\n"


def test_a_cut_text_says_so() -> None:
    assert ok("x" * 600).endswith(b"x...\r\n")
    assert len(ok("x" * 600)) == 512
    assert ok("x" * 506) == b"+OK " + b"x" * 506 + b"\r\n"
    assert ok("x" * 507) == b"+OK " + b"x" * 503 + b"...\r\n"


@given(st.binary(max_size=400))
def test_a_challenge_is_plus_blank_base64(octets: bytes) -> None:
    """Fault 16, Q7: never +OK, and the blank is there also before an empty challenge."""
    reply = continuation(octets)
    assert reply.startswith(b"+ ")
    assert reply.endswith(b"\r\n")
    assert b64decode(reply[2:-2], validate=True) == octets


def test_the_empty_challenge() -> None:
    assert continuation(b"") == b"+ \r\n"


def test_a_list_ends_with_its_terminator() -> None:
    assert multiline("2 messages", [b"1 120", b"2 200"]) == b"+OK 2 messages\r\n1 120\r\n2 200\r\n.\r\n"
    assert multiline("none", []) == b"+OK none\r\n.\r\n"


def test_a_line_with_a_dot_in_front_does_not_end_a_list() -> None:
    assert multiline("x", [b".", b".a", b"b", b"."]) == b"+OK x\r\n..\r\n..a\r\nb\r\n..\r\n.\r\n"


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 6, 7])
def test_status_line_and_terminator_never_travel_alone(count: int) -> None:
    """Q21: node-pop3 and hydra read a terminator in a packet of its own wrongly."""
    rows = [b"%d 100" % number for number in range(1, count + 1)]
    pieces = list(blocks("list", rows, per_block=3))
    assert b"".join(pieces) == b"+OK list\r\n" + b"".join(row + b"\r\n" for row in rows) + b".\r\n"
    assert len(pieces) == max(1, -(-count // 3))
    if rows:
        assert b"1 100\r\n" in pieces[0]
        assert pieces[-1].endswith(rows[-1] + b"\r\n.\r\n")


def test_a_long_list_is_made_piece_by_piece() -> None:
    """100,000 lines must not hold up the other sessions."""
    made = 0

    def rows() -> Iterator[bytes]:
        nonlocal made
        for number in range(100_000):
            made += 1
            yield b"%d 100" % number

    first = next(blocks("list", rows()))
    assert made <= 4000
    assert first.count(b"\r\n") == 2001
