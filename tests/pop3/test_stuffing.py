"""A message's octets on their way: what arrives is the message, whatever it holds and however it is cut."""

import re
from base64 import b64encode
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pop3.stuffing import MessageOctets, Unstuffing, top_of_message, whole_message

NASTY = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"x", b"\0", b"A: b", b"\r\n.\r\n", b"\xe4"])).map(
    b"".join
)


def sent(pieces: list[bytes], *, lines: int | None = None, nul: bytes | None = None) -> tuple[bytes, int]:
    """What goes out, and its size before stuffing."""
    message = MessageOctets(lines=lines, nul=nul)
    out = b"".join([message.feed(piece) for piece in pieces]) + message.end()
    return out, message.octets


def repaired(message: bytes) -> bytes:
    """S11 in two lines, as the reference."""
    ended = re.sub(rb"(?<!\r)\n", b"\r\n", message)
    return ended if not ended or ended.endswith(b"\n") else ended + b"\r\n"


def top(message: bytes, count: int) -> bytes:
    """S13 as the reference: lines up to the first empty one, that one, and `count` more."""
    lines = re.findall(rb"[^\n]*\n", repaired(message))
    if b"\r\n" not in lines:
        return b"".join(lines) + b"\r\n"
    return b"".join(lines[: lines.index(b"\r\n") + 1 + count])


def unstuffed(out: bytes) -> bytes:
    """As a client that takes CRLF or LF for a line's end reads: to the first terminator, which has to be the end."""
    lines = re.findall(rb"[^\n]*\n", out)
    terminators = [number for number, line in enumerate(lines) if line in (b".\r\n", b".\n")]
    assert terminators == [len(lines) - 1]
    assert b"".join(lines) == out
    return b"".join(line[1:] if line.startswith(b".") else line for line in lines[:-1])


@pytest.mark.parametrize(
    ("message", "out"),
    [
        (b".", b"..\r\n.\r\n"),
        (b".\r\n", b"..\r\n.\r\n"),
        (b".Subject: x\r\n", b"..Subject: x\r\n.\r\n"),
        (b"a\n.\nb\n", b"a\r\n..\r\nb\r\n.\r\n"),
        (b"a\r\n.\r\n+OK false\r\n", b"a\r\n..\r\n+OK false\r\n.\r\n"),
        (b"no end", b"no end\r\n.\r\n"),
        (b"a\rb\r\n", b"a\rb\r\n.\r\n"),
        (b"a\r", b"a\r\r\n.\r\n"),
        (b"a\r\r\nb\r\n", b"a\r\r\nb\r\n.\r\n"),
        (b"a\0b\r\n", b"a\0b\r\n.\r\n"),
        (b"x" * 3000, b"x" * 3000 + b"\r\n.\r\n"),
        (b"S: x\r\n", b"S: x\r\n.\r\n"),
        (b"S: \xe4\r\n\r\n\xff\r\n", b"S: \xe4\r\n\r\n\xff\r\n.\r\n"),
        (b"\n\n.", b"\r\n\r\n..\r\n.\r\n"),
        (b"", b".\r\n"),
    ],
)
def test_nasty_messages_arrive_whole(message: bytes, out: bytes) -> None:
    """Fault 6, Q18, Q20: first octet a dot (Dovecot 2.3.19's own POP3 server ends there), dot after a bare LF, no
    final line end, lone CR, NUL, long lines, header only, 8-bit header; an empty message is nothing but the end."""
    assert sent([message])[0] == out


def test_every_short_message_at_every_split() -> None:
    """All messages of up to six octets out of CR, LF, dot and letter: right in one piece, in any two, in single
    octets; for RETR and for TOP; and never ended early for a client that ends lines at LF (S11)."""
    for length in range(7):
        for octets in product((b"\r", b"\n", b".", b"x"), repeat=length):
            message = b"".join(octets)
            splits = [list(octets), *([message[:cut], message[cut:]] for cut in range(max(length, 1)))]
            for lines in (None, 0, 1, 2):
                expected = repaired(message) if lines is None else top(message, lines)
                outs = {sent(split, lines=lines) for split in splits}
                assert len(outs) == 1, message
                out, size = outs.pop()
                assert unstuffed(out) == expected, message
                assert size == len(expected), message


@pytest.mark.parametrize("length", [*range(1, 140), 255, 256, 257, 1023, 4096])
def test_one_octet_that_matters_is_found_wherever_it_stands(length: int) -> None:
    """What looks for them takes 16, 32 or 64 octets at a time, and the last few by themselves."""
    for mark in (b"\n.", b"\r\n.", b"\n", b".", b"\r\n"):
        for at in range(length) if length < 300 else (*range(70), *range(length - 70, length)):
            message = b"x" * at + mark + b"x" * (length - at)
            expected = repaired(message)
            whole, size = whole_message(message)
            assert unstuffed(whole) == expected
            assert size == len(expected)
            assert sent([message]) == (whole, size)


@given(st.lists(NASTY), st.none() | st.integers(0, 5))
def test_any_split_of_any_message_gives_the_same_octets(pieces: list[bytes], lines: int | None) -> None:
    message = b"".join(pieces)
    out, size = sent(pieces, lines=lines)
    expected = repaired(message) if lines is None else top(message, lines)
    assert unstuffed(out) == expected
    assert size == len(expected)
    assert sent([message], lines=lines) == (out, size)


@given(st.binary(), st.binary())
def test_any_octets_can_be_read_back(first: bytes, second: bytes) -> None:
    assert unstuffed(sent([first, second])[0]) == repaired(first + second)


@given(st.lists(NASTY))
def test_nul_is_replaced_only_on_request(pieces: list[bytes]) -> None:
    """Q19: old Outlook stops at NUL; 0x80 instead, as Dovecot does. The size stays."""
    plain, size = sent(pieces)
    assert sent(pieces, nul=b"\x80") == (plain.replace(b"\0", b"\x80"), size)


def test_top_zero_ends_with_the_empty_line() -> None:
    """Fault 4, Q16: Outlook Express and Netscape wait for it."""
    assert sent([b"A: b\r\n\r\nbody\r\n"], lines=0) == (b"A: b\r\n\r\n.\r\n", 8)


@pytest.mark.parametrize("count", [0, 1, 5, 99999999])
def test_top_of_a_message_without_body_or_header_end(count: int) -> None:
    """Fault 4: the empty line that is missing is added for TOP, and never for RETR."""
    assert sent([b"A: b\r\n\r\n"], lines=count)[0] == b"A: b\r\n\r\n.\r\n"
    assert sent([b"A: b\r\n"], lines=count)[0] == b"A: b\r\n\r\n.\r\n"
    assert sent([b"A: b"], lines=count)[0] == b"A: b\r\n\r\n.\r\n"
    assert sent([b""], lines=count)[0] == b"\r\n.\r\n"
    assert sent([b"A: b"])[0] == b"A: b\r\n.\r\n"


def test_top_of_a_body_that_begins_at_once() -> None:
    assert sent([b"\r\nfirst\r\nsecond\r\n"], lines=1)[0] == b"\r\nfirst\r\n.\r\n"


def test_top_counts_empty_lines_and_repaired_ones() -> None:
    """One of the small bridges drops blank lines in TOP."""
    assert sent([b"A: b\n\n\n\n.x\nrest\n"], lines=3)[0] == b"A: b\r\n\r\n\r\n\r\n..x\r\n.\r\n"


def test_a_huge_count_is_the_whole_message() -> None:
    """S13, Q15."""
    message = b"A: b\r\n\r\n" + b"line\r\n.\r\n" * 1000
    assert sent([message], lines=99999999) == sent([message])


def test_top_says_when_the_rest_need_not_come() -> None:
    message = MessageOctets(lines=1)
    assert message.feed(b"A: b\r\n\r\n") == b"A: b\r\n\r\n"
    before = message.complete
    assert message.feed(b"one\r\ntwo\r\n") == b"one\r\n"
    assert (before, message.complete) == (False, True)
    assert message.feed(b"three\r\n") == b""
    assert message.end() == b".\r\n"
    assert message.octets == len(b"A: b\r\n\r\none\r\n")


def test_a_message_of_ten_thousand_header_lines_is_cut_right() -> None:
    """Twisted's stock class misses a header's end on a chunk border and sends everything."""
    whole = b"X: y\r\n" * 10_000 + b"\r\n" + b"body\r\n" * 10
    header_end = 60_000
    for cut in range(header_end - 4, header_end + 4):
        out, size = sent([whole[:cut], whole[cut:]], lines=2)
        assert out == whole[: header_end + 2] + b"body\r\nbody\r\n.\r\n"
        assert size == len(out) - 3


def test_ordinary_mail_passes_untouched() -> None:
    """The very same object goes to the transport: nothing is copied where nothing needs to be done."""
    chunk = (b64encode(bytes(range(57))) + b"\r\n") * 840
    message = MessageOctets()
    assert message.feed(chunk) is chunk
    text = b"Dots. In. The. Middle.\r\n" * 100
    assert message.feed(text) is text
    assert message.octets == len(chunk) + len(text)


OCTETS = st.lists(
    st.sampled_from([b"\r\n", b"\n", b"\r", b".", b"a", b"\0", b"\r\n.", b"\n\n", b"\r\n\r\n", b"Subject: x"]),
    max_size=14,
).map(b"".join)


@given(OCTETS, st.sampled_from([None, b"\x80"]))
def test_a_message_that_is_here_as_a_whole_is_sent_as_one_that_comes_in_pieces(
    octets: bytes, nul: bytes | None
) -> None:
    message = MessageOctets(nul=nul)
    sent = message.feed(octets) + message.end()
    assert whole_message(octets, nul) == (sent, message.octets)


@given(OCTETS, st.integers(0, 5), st.sampled_from([None, b"\x80"]), st.integers(0, 40))
def test_so_is_its_top_and_too_little_of_it_is_known_for_too_little(
    octets: bytes, lines: int, nul: bytes | None, held: int
) -> None:
    message = MessageOctets(lines=lines, nul=nul)
    sent = message.feed(octets) + message.end()
    assert top_of_message(octets, lines, nul, whole=True) == (sent, message.octets)
    beginning = top_of_message(octets[:held], lines, nul, whole=False)
    assert beginning in (None, (sent, message.octets))
    if message.complete:
        assert top_of_message(octets, lines, nul, whole=False) is not None


def arrived(pieces: list[bytes]) -> tuple[bytes, bytes | None]:
    """What comes out of a multi-line reply, and what was behind it."""
    unstuffing, out = Unstuffing(), b""
    for number, piece in enumerate(pieces):
        out += unstuffing.feed(piece)
        if unstuffing.rest is not None:
            return out, unstuffing.rest + b"".join(pieces[number + 1 :])
    return out, None


@pytest.mark.parametrize(
    ("reply", "text"),
    [
        (b".\r\n", b""),
        (b"a\r\n.\r\n", b"a\r\n"),
        (b"..\r\n.\r\n", b".\r\n"),
        (b"...\r\n\r\n..x\r\n.\r\n", b"..\r\n\r\n.x\r\n"),
        (b".x\r\n.\r\n", b".x\r\n"),
        (b"a\n.\r\nb\n..\r\n.\r\n", b"a\n.\r\nb\n..\r\n"),
        (b"a\r.\r\r\n.\r\n", b"a\r.\r\r\n"),
    ],
)
def test_a_reply_from_upstream_arrives_whole_at_every_cut(reply: bytes, text: bytes) -> None:
    """A bare LF ends no line there: a mail that holds one before a lone dot must not be able to end its reply."""
    for one, two in product(range(len(reply) + 1), repeat=2):
        first, second = sorted((one, two))
        assert arrived([reply[:first], reply[first:second], reply[second:] + b"+OK"]) == (text, b"+OK")
    assert arrived([reply[:-1]])[1] is None


@given(NASTY, st.lists(st.integers(0, 80), max_size=6), NASTY)
def test_what_is_stuffed_here_is_the_same_once_it_is_unstuffed(octets: bytes, cuts: list[int], behind: bytes) -> None:
    reply = whole_message(octets)[0] + behind
    places = [0, *sorted(cuts), len(reply)]
    assert arrived([reply[a:b] for a, b in pairwise(places)]) == (repaired(octets), behind)
