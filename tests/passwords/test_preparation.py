"""A password fits however a keyboard makes its characters; nothing invisible is stored."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.passwords.preparation import prepare, prepared


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("e\u0301", "\u00e9"),
        ("a\u00a0b", "a b"),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_the_examples_of_rfc_4013(typed: str, kept: str) -> None:
    assert prepare(typed) == kept
    assert prepared(typed.encode()) == kept.encode()


@pytest.mark.parametrize(
    "forbidden", ["\x07", "tab\there", "\u06271", "a\u0627\u0628a", "\u0627a\u0628", "\ue000", "\ufffd"]
)
def test_what_rfc_4013_forbids_is_told_and_compared_as_it_is(forbidden: str) -> None:
    with pytest.raises(ValueError, match="it "):
        prepare(forbidden)
    assert prepared(forbidden.encode()) == forbidden.encode()


@pytest.mark.parametrize(
    "long", ["a" * 1025, "\ufdfa" * 60, "a" + "\u0300\u0316" * 600], ids=["typed", "unfolded", "to sort"]
)
def test_what_would_be_long_work_is_told_and_compared_as_it_is(long: str) -> None:
    with pytest.raises(ValueError, match="it has more than 1024 characters"):
        prepare(long)
    assert prepared(long.encode()) == long.encode()
    assert prepare("\ufdfa" * 50)


def test_octets_that_are_no_text_are_compared_as_they_are() -> None:
    assert prepared(b"caf\xe9") == b"caf\xe9"


def test_what_is_longer_than_any_password_takes_no_time() -> None:
    assert prepared("\u2168".encode() * 341) == b"IX" * 341
    assert prepared("\u2168".encode() * 342) == "\u2168".encode() * 342


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E)))
def test_ascii_stays_as_it_is(text: str) -> None:
    assert prepare(text) == text


@given(st.binary())
def test_nothing_that_a_client_sends_is_an_error(octets: bytes) -> None:
    assert isinstance(prepared(octets), bytes)
