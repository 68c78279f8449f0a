"""The question that a browser is sent with, and the one answer to it that is taken."""

import base64
import hashlib
from itertools import count
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.config.presets import authorization_server
from bridge.credentials.oauth2_code import AnotherAnswer, ConsentRefused, Question, code_of, question
from bridge.secret import Secret
from tests.credentials.authority import GRANT

REDIRECT = "http://127.0.0.1:4321/"


def asked(login: str | None = "ann@work.example") -> Question:
    numbers = count()
    return question(authorization_server(GRANT), "popbridge", REDIRECT, login, lambda n: bytes([next(numbers)]) * n)


def answer(**pairs: str) -> str:
    return f"{REDIRECT}?{urlencode({'state': asked().state.reveal().decode(), **pairs})}"


def test_the_question_says_who_asks_for_what_and_proves_nothing_yet() -> None:
    made = asked()
    pairs = dict(parse_qsl(urlsplit(made.address).query))

    verifier = made.verifier.reveal()
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=").decode()
    assert pairs == {
        "response_type": "code",
        "client_id": "popbridge",
        "redirect_uri": REDIRECT,
        "scope": "mail offline_access",
        "state": made.state.reveal().decode(),
        "code_challenge": challenge,
        "code_challenge_method": "S256",
        "login_hint": "ann@work.example",
    }
    assert 43 <= len(verifier) <= 128  # RFC 7636, section 4.1
    assert verifier.decode() not in made.address
    assert "login_hint" not in asked(None).address


def test_what_the_provider_wants_besides_is_asked_for_and_its_own_query_stays() -> None:
    server = evolve(authorization_server(GRANT), authorize="https://x.example/a?b=c", asks=(("prompt", "consent"),))
    address = question(server, "popbridge", REDIRECT, None, bytes).address
    assert address.startswith("https://x.example/a?b=c&response_type=code&")
    assert address.endswith("&prompt=consent")


@pytest.mark.parametrize(
    "text", [answer(code="c 1"), f"  {answer(code='c 1')}\n", answer(code="c 1").partition("?")[2]]
)
def test_the_code_is_read_from_an_address_or_its_query(text: str) -> None:
    assert code_of(asked(), text) == Secret(b"c 1")


@pytest.mark.parametrize(
    "text", ["", "https://x.example/", answer(), answer(code=""), "?code=1&state=other", "?code=1", "x" * 20_000]
)
def test_anything_that_is_not_the_answer_is_not_taken(text: str) -> None:
    with pytest.raises(AnotherAnswer):
        code_of(asked(), text)


def test_a_no_is_told_in_the_server_s_words() -> None:
    with pytest.raises(ConsentRefused, match=r"access_denied \(She said no\)"):
        code_of(asked(), answer(error="access_denied", error_description="She said no"))
    with pytest.raises(AnotherAnswer):  # anybody could say so
        code_of(asked(), "?error=access_denied&state=other")


def test_a_code_of_another_server_is_shown_to_nobody() -> None:
    named = evolve(asked(), issuer="https://accounts.google.com")
    with pytest.raises(ConsentRefused, match=r"another authorization server \(https://evil\.example\)"):
        code_of(named, answer(code="1", iss="https://evil.example"))
    assert code_of(named, answer(code="1", iss="https://accounts.google.com")) == Secret(b"1")
    assert code_of(named, answer(code="1")) == Secret(b"1")


@given(st.text())
def test_nothing_that_is_pasted_is_a_bug(text: str) -> None:
    with pytest.raises((AnotherAnswer, ConsentRefused)):
        code_of(asked(), text)
