"""Lines from a mail program: complete, bounded, and cheap whatever comes."""

import time
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pop3.lines import Lines
from bridge.violation import ProtocolViolation


def taken(lines: Lines, limit: int = 255) -> list[bytes]:
    found = []
    while (line := lines.take(limit)) is not None:
        found.append(line)
    return found


def test_crlf_and_a_bare_line_feed_end_a_line() -> None:
    """Q35: fdm and embedded devices end lines with LF alone; it is accepted, and noticed."""
    lines = Lines()
    lines.receive(b"STAT\r\nNOOP\nQUIT\r")
    assert taken(lines) == [b"STAT", b"NOOP"]
    assert lines.bare_line_feeds == 1
    lines.receive(b"\n")
    assert taken(lines) == [b"QUIT"]
    assert lines.bare_line_feeds == 1


def test_only_one_carriage_return_belongs_to_the_end() -> None:
    lines = Lines()
    lines.receive(b"PASS a\r\r\n\r\n")
    assert taken(lines) == [b"PASS a\r", b""]


@given(st.lists(st.binary(max_size=12)))
def test_any_split_gives_the_same_lines(pieces: list[bytes]) -> None:
    whole, split = Lines(), Lines()
    whole.receive(b"".join(pieces))
    expected = taken(whole)
    found = []
    for piece in pieces:
        split.receive(piece)
        found += taken(split)
    assert found == expected
    assert len(split) == len(whole)


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_a_line_as_long_as_the_limit_passes_and_one_octet_more_does_not(end: bytes) -> None:
    """RFC 2449: 255 octets with the line's end."""
    lines = Lines()
    fits = b"x" * (255 - len(end))
    lines.receive(fits + end)
    assert taken(lines) == [fits]
    lines.receive(fits + b"x" + end)
    with pytest.raises(ProtocolViolation, match="255"):
        lines.take(255)


def test_the_limit_holds_in_each_segment_it_arrives_in() -> None:
    lines = Lines()
    for _ in range(254):
        lines.receive(b"x")
        assert lines.take(255) is None
    lines.receive(b"x")
    with pytest.raises(ProtocolViolation):
        lines.take(255)


def test_the_limit_may_change_while_a_line_is_coming() -> None:
    """A password may be long; the command after it may not."""
    lines = Lines()
    lines.receive(b"x" * 1000)
    assert lines.take(65536) is None
    with pytest.raises(ProtocolViolation):
        lines.take(255)
    lines.receive(b"\r\n")
    assert lines.take(65536) == b"x" * 1000


def test_a_hundred_megabytes_without_an_end_cost_no_memory() -> None:
    lines = Lines()
    segment = b"x" * 65536
    received = 0
    tracemalloc.start()
    try:
        with pytest.raises(ProtocolViolation):
            while received < 100_000_000:
                lines.receive(segment)
                received += len(segment)
                assert lines.take(65536) is None
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert received <= 2 * 65536
    assert peak < 1_000_000


def test_nothing_stays_of_lines_that_were_taken() -> None:
    """Thousands of sessions wait for the next command for minutes."""
    lines = Lines()
    tracemalloc.start()
    try:
        lines.receive(b"NOOP\r\n" * 10_000)
        taken(lines)
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < 1000


def test_half_a_million_empty_lines_in_one_piece_take_linear_time() -> None:
    def seconds(count: int) -> float:
        lines = Lines()
        lines.receive(b"\r\n" * count)
        begin = time.process_time()
        assert len(taken(lines)) == count
        return time.process_time() - begin

    small = min(seconds(50_000) for _ in range(3))
    # Ten times the lines: ten times the time, with room for a busy machine; moving the rest each time takes a hundred.
    assert seconds(500_000) < 35 * small


def test_what_waits_can_be_looked_at_and_thrown_away() -> None:
    lines = Lines()
    lines.receive(b"PASS x")
    assert lines.head(4) == b"PASS"
    assert len(lines) == 6
    lines.clear()
    assert len(lines) == 0
    lines.receive(b"NOOP\n")
    assert lines.take(255) == b"NOOP"


def test_lines_that_wait_can_be_looked_at_without_being_taken() -> None:
    lines = Lines()
    assert list(lines.waiting()) == []
    lines.receive(b"RETR 1\r\nRETR 2\n\r\nRETR 3\r")
    assert list(lines.waiting()) == [b"RETR 1", b"RETR 2", b""], "half a line is none"
    assert lines.bare_line_feeds == 0
    assert taken(lines) == [b"RETR 1", b"RETR 2", b""]
    assert list(lines.waiting()) == []
    lines.receive(b"\n")
    assert list(lines.waiting()) == [b"RETR 3"]


@given(st.lists(st.binary(max_size=12)))
def test_what_waits_is_what_will_be_taken(pieces: list[bytes]) -> None:
    lines = Lines()
    for piece in pieces:
        lines.receive(piece)
    waiting = list(lines.waiting())
    assert waiting == taken(lines)
