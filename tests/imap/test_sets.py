"""Sets of numbers are read in order and never cost more than their bound."""

from array import array

import pytest

from bridge.imap.sets import read_numbers, read_ranges
from bridge.violation import ProtocolViolation


def test_ranges_keep_their_order_and_put_the_smaller_first() -> None:
    assert read_ranges(b"41,43:116,118,9:7") == [(41, 41), (43, 116), (118, 118), (7, 9)]


def test_numbers_are_spelled_out() -> None:
    assert read_numbers(b"3,1:2,9", 10) == array("I", [3, 1, 2, 9])


@pytest.mark.parametrize("octets", [b"", b"*", b"1:*", b"0", b"1:0", b"4294967296", b"1,,2", b"1:2:3", b"-1", b"1 2"])
def test_what_is_no_set_is_a_violation(octets: bytes) -> None:
    with pytest.raises(ProtocolViolation):
        read_ranges(octets)


def test_a_set_of_four_thousand_million_is_refused_before_it_is_spelled_out() -> None:
    with pytest.raises(ProtocolViolation):
        read_numbers(b"1:4294967295", 2_000_000)
    with pytest.raises(ProtocolViolation):
        read_numbers(b",".join([b"1:1000000"] * 3), 2_000_000)
