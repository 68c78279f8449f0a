"""What is told of a peer that breaks the rules: little, and printable."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.violation import ProtocolViolation, excerpt


@given(st.binary(max_size=200), st.integers(1, 80))
def test_an_excerpt_is_short_and_printable(octets: bytes, limit: int) -> None:
    shown = excerpt(octets, limit)
    assert len(shown) <= limit + 1
    assert shown.isprintable()


def test_an_excerpt_shows_what_can_be_shown() -> None:
    assert excerpt(b"* OK\r\n\x1b\xe4") == "* OK????"
    assert excerpt(b"abcdef", 3) == "abc…"


def test_a_violation_is_an_exception_with_a_text() -> None:
    assert str(ProtocolViolation("a line is too long")) == "a line is too long"
