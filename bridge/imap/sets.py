"""Sets of message numbers as the server writes them, `1:4,7`, read within bounds."""

import re
from array import array

from bridge.imap.lexer import U32
from bridge.violation import ProtocolViolation, excerpt

_SET = re.compile(rb"[0-9]{1,10}(?::[0-9]{1,10})?(?:,[0-9]{1,10}(?::[0-9]{1,10})?)*+")


def read_ranges(octets: bytes) -> list[tuple[int, int]]:
    """(first, last) in the order written, the smaller first. `*` has no meaning in an answer."""
    if not _SET.fullmatch(octets):
        raise ProtocolViolation(f"not a set of numbers: {excerpt(octets)}")
    return [_range(part) for part in octets.split(b",")]


def _range(part: bytes) -> tuple[int, int]:
    first, _, last = part.partition(b":")
    one, other = int(first), int(last or first)
    if not (0 < one <= U32 and 0 < other <= U32):
        raise ProtocolViolation(f"not a message number: {excerpt(part)}")
    return min(one, other), max(one, other)


def read_numbers(octets: bytes, limit: int) -> "array[int]":
    """Every number that the set stands for, in the order written; a set of more than `limit` is refused."""
    ranges = read_ranges(octets)
    if sum(last - first + 1 for first, last in ranges) > limit:
        raise ProtocolViolation(f"a set of more than {limit} numbers")
    numbers = array("I")
    for first, last in ranges:
        numbers.extend(range(first, last + 1))
    return numbers
