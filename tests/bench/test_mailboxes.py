"""The mail of the measurements: the same on every machine, of the shapes the tables name, and answered for exactly."""

import itertools
import statistics
import zlib

import pytest

from bench.mailboxes import BIG, HUGE, MIXED, POLLED, SMALL, Mail, expected, top

_MESSAGE = b"Subject: x\r\n\r\none\r\n.two\r\n\r\nfour\r\n"


@pytest.mark.parametrize("mail", [SMALL, POLLED, MIXED], ids=lambda mail: mail.name)
def test_every_run_measures_the_same_mail(mail: Mail) -> None:
    first, second = (list(itertools.islice(mail.make(), 50)) for _ in range(2))

    assert first == second


@pytest.mark.parametrize(
    ("mail", "octets"),
    [(SMALL, 4096), (BIG, 3000), (POLLED, 2048), (HUGE, 25_000_000)],
    ids=lambda case: str(case)[:20],
)
def test_messages_are_as_large_as_the_table_says(mail: Mail, octets: int) -> None:
    for message in itertools.islice(mail.make(), 5):
        assert len(message) == pytest.approx(octets, rel=0.05)


def test_mixed_mail_has_few_large_messages_among_many_small_ones() -> None:
    sizes = [len(message) for message in itertools.islice(MIXED.make(), 2000)]

    assert statistics.median(sizes) == pytest.approx(9000, rel=0.15)
    assert statistics.mean(sizes) == pytest.approx(27_000, rel=0.25)


@pytest.mark.parametrize("mail", [SMALL, MIXED], ids=lambda mail: mail.name)
def test_messages_are_what_every_server_hands_out_unchanged(mail: Mail) -> None:
    for message in itertools.islice(mail.make(), 300):
        assert message.endswith(b"\r\n")
        assert b"\n" not in message.replace(b"\r\n", b"")
        assert b"\r\n\r\n" in message
        assert max(map(len, message.split(b"\r\n"))) < 200


def test_some_lines_have_a_dot_that_must_be_doubled() -> None:
    dotted = sum(b"\r\n." in message for message in SMALL.make())

    assert 20 < dotted < 300


def test_a_message_is_expected_with_its_dots_doubled() -> None:
    wire = b"Subject: x\r\n\r\none\r\n..two\r\n\r\nfour\r\n"
    [piece] = expected([_MESSAGE]).retr

    assert (piece.octets, piece.crc) == (len(wire), zlib.crc32(wire))


@pytest.mark.parametrize(
    ("lines", "text"), [(0, b""), (1, b"one\r\n"), (3, b"one\r\n.two\r\n\r\n"), (9, b"one\r\n.two\r\n\r\nfour\r\n")]
)
def test_a_top_is_expected_with_the_lines_that_are_there(lines: int, text: bytes) -> None:
    assert top(_MESSAGE, lines) == b"Subject: x\r\n\r\n" + text
