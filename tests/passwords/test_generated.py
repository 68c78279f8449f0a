"""A generated password is hopeless to guess and easy to type."""

from math import log2
from secrets import randbelow

from bridge.passwords.generated import ALPHABET, GROUPS, LENGTH, generate


def test_it_is_typed_in_four_groups() -> None:
    assert generate(lambda n: n - 1).reveal() == b"9999-9999-9999-9999"
    assert generate(lambda n: 0).reveal() == b"aaaa-aaaa-aaaa-aaaa"


def test_it_has_79_bits_and_nothing_that_looks_like_something_else() -> None:
    assert int(log2(len(ALPHABET)) * GROUPS * LENGTH) == 79
    assert not set("il1o0") & set(ALPHABET)
    assert len(set(ALPHABET)) == len(ALPHABET)


def test_no_two_are_alike() -> None:
    assert len({generate(randbelow).reveal() for _ in range(1000)}) == 1000
