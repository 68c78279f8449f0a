"""Whatever an authorization server sends is either tokens that are safe to use, its refusal, or is not believed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.credentials.oauth2_answers import (
    LONGEST_LIFE,
    DeviceCodes,
    ErrorAnswer,
    Garbled,
    Tokens,
    read_device_codes,
    read_tokens,
    shown,
)
from bridge.sasl import Credentials, initial_response
from bridge.secret import Secret


def answer(**fields: Any) -> bytes:
    return json.dumps({"access_token": "a", "token_type": "Bearer", **fields}).encode()


def test_tokens_are_read() -> None:
    assert read_tokens(answer(expires_in=3600, refresh_token="r")) == Tokens(Secret(b"a"), 3600.0, Secret(b"r"))
    assert read_tokens(answer()) == Tokens(Secret(b"a"), None, None)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        (3599, 3599.0),
        ("3599", 3599.0),
        (0, 0.0),
        (-5, 0.0),
        (1e300, LONGEST_LIFE),
        (10**400, LONGEST_LIFE),
        (float("nan"), None),
        (float("inf"), LONGEST_LIFE),
        (True, None),
        ("soon", None),
        (None, None),
        ([1], None),
    ],
)
def test_a_life_is_believed_within_reason(said: Any, seconds: float | None) -> None:
    """Some servers write it as text; one that is no number is as good as none."""
    tokens = read_tokens(answer(expires_in=said))
    assert isinstance(tokens, Tokens)
    assert tokens.lifetime == seconds


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 60_000,
        b"{}",
        b"9" * 60_000,
        answer(access_token=""),
        answer(access_token=7),
        answer(access_token="with blank"),
        answer(access_token="two\r\nlines"),
        answer(access_token="nul\0"),
        answer(access_token="ümlaut"),
        answer(access_token="x" * 20_000),
        answer(refresh_token="two\nlines"),
        answer(token_type="mac"),
        answer(token_type=1),
        answer(error={"code": 400}),
        answer(error="bad\nname"),
        answer(error=""),
    ],
)
def test_anything_else_is_not_believed(octets: bytes) -> None:
    with pytest.raises(Garbled):
        read_tokens(octets)


def test_a_refusal_has_the_server_s_word_and_its_text() -> None:
    octets = b'{"error": "invalid_grant", "error_description": "Token revoked"}'
    assert read_tokens(octets) == ErrorAnswer("invalid_grant", "Token revoked")
    assert read_tokens(b'{"error": "slow_down", "error_description": 5}') == ErrorAnswer("slow_down", "")


def test_a_code_for_a_person_is_read_in_either_spelling() -> None:
    said = {"device_code": "d", "user_code": "WXYZ", "verification_uri": "https://x.example/d", "expires_in": 300}
    codes = read_device_codes(json.dumps(said).encode())
    assert codes == DeviceCodes(Secret(b"d"), "WXYZ", "https://x.example/d", None, 300.0, 5.0)
    said["verification_url"] = said.pop("verification_uri")
    said |= {"interval": 0.5, "verification_uri_complete": "https://x.example/d?c=WXYZ"}
    again = read_device_codes(json.dumps(said).encode())
    assert isinstance(again, DeviceCodes)
    assert (again.address, again.complete_address, again.interval) == (
        "https://x.example/d",
        "https://x.example/d?c=WXYZ",
        1.0,
    )
    assert read_device_codes(b'{"error": "invalid_client"}') == ErrorAnswer("invalid_client", "")


@pytest.mark.parametrize("wrong", [{"verification_uri": "javascript:x"}, {"user_code": ""}, {"user_code": "\x1b[2J"}])
def test_nothing_but_an_address_and_a_code_is_shown_to_a_person(wrong: dict[str, str]) -> None:
    said = {"device_code": "d", "user_code": "WXYZ", "verification_uri": "https://x.example", **wrong}
    with pytest.raises(Garbled):
        read_device_codes(json.dumps(said).encode())


def test_foreign_text_stays_one_line_of_bearable_length() -> None:
    assert shown("two\nlines\x1b[2J") == "two lines [2J"
    assert len(shown("x" * 10_000)) < 400


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = ("access_token", "token_type", "expires_in", "refresh_token", "error", "error_description")


@given(st.binary() | st.dictionaries(st.sampled_from(NAMES), json_values).map(lambda d: json.dumps(d).encode()))
def test_no_answer_is_a_bug_and_every_token_fits_into_a_login(octets: bytes) -> None:
    try:
        read = read_tokens(octets)
    except Garbled:
        return
    if isinstance(read, Tokens):
        initial_response("XOAUTH2", Credentials(b"ann", read.access, "XOAUTH2", bearer=True))
