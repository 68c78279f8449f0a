"""A message goes out in as few writes as its pieces, and its end never without it."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.downstream.delivery import Delivery
from bridge.maildrop.source import Flow
from bridge.pop3.stuffing import MessageOctets
from tests.downstream.memory_upstream import MemoryFlow


class Recorder:
    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.followed: list[Flow | None] = []

    def write(self, octets: bytes) -> None:
        self.writes.append(octets)

    def follow(self, flow: Flow | None) -> None:
        self.followed.append(flow)


def delivered(*pieces: bytes, lines: int | None = None) -> Recorder:
    line = Recorder()
    delivery = Delivery(line, b"+OK 9 octets\r\n", MessageOctets(lines=lines))
    delivery.begin(MemoryFlow())
    for piece in pieces:
        delivery.write(piece)
    delivery.finish()
    return line


def test_a_short_message_is_one_write_with_status_line_and_terminator() -> None:
    """Q21: clients look for the end of a reply at the end of what they received."""
    assert delivered(b"S: x\r\n\r\n").writes == [b"+OK 9 octets\r\nS: x\r\n\r\n.\r\n"]


def test_the_status_line_comes_with_the_first_octets_and_the_terminator_with_the_last() -> None:
    assert delivered(b"S: x\r\n", b"\r\n", b"body").writes == [b"+OK 9 octets\r\nS: x\r\n", b"\r\n", b"body\r\n.\r\n"]


def test_a_message_without_octets_is_one_write_too() -> None:
    assert delivered().writes == [b"+OK 9 octets\r\n.\r\n"]
    assert delivered(b"", b"").writes == [b"+OK 9 octets\r\n.\r\n"]


@given(st.lists(st.binary(max_size=9), max_size=9))
def test_first_and_last_write_keep_that_for_any_pieces(pieces: list[bytes]) -> None:
    writes = delivered(*pieces).writes

    assert writes[0].startswith(b"+OK 9 octets\r\n")
    assert writes[-1].endswith(b".\r\n")
    assert all(writes)
    assert len(writes[0]) > len(b"+OK 9 octets\r\n")


def test_it_is_written_only_when_a_piece_really_left() -> None:
    line = Recorder()
    delivery = Delivery(line, b"+OK\r\n", MessageOctets())
    delivery.write(b"first")
    assert (delivery.written, line.writes) == (False, [])
    delivery.write(b"second")
    assert (delivery.written, line.writes[:]) == (True, [b"+OK\r\nfirst"])


def test_whoever_sends_it_is_followed_and_nothing_is_written_before_the_first_octet() -> None:
    line, flow = Recorder(), MemoryFlow()
    Delivery(line, b"+OK\r\n", MessageOctets()).begin(flow)

    assert line.followed == [flow]
    assert line.writes == []


def test_top_is_satisfied_when_it_has_its_lines() -> None:
    delivery = Delivery(Recorder(), b"+OK\r\n", MessageOctets(lines=1))
    satisfied = []
    for piece in (b"S: x\r\n\r\n", b"one\r\ntwo\r\n"):
        delivery.write(piece)
        satisfied.append(delivery.satisfied)

    assert satisfied == [False, True]
    assert delivery.octets == len(b"S: x\r\n\r\none\r\n")
