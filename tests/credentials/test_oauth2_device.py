# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""Waiting for a person who types a code elsewhere: no more often than the server likes, no longer than it said."""

from bridge.credentials.oauth2_answers import DeviceCodes, Tokens
from bridge.credentials.oauth2_client import Refused
from bridge.credentials.oauth2_device import TooLate, until_typed
from bridge.secret import Secret
from tests.credentials.authority import Authority, Outcome, Said, refusal, tokens

CODES = DeviceCodes(Secret(b"device"), "WXYZ", "https://x.example", None, 60.0, 5.0)
PENDING = refusal("authorization_pending")


def waiting(authority: Authority) -> Outcome:
    return authority.started(until_typed(authority.client(), CODES, authority.clock))


def passed(authority: Authority, seconds: int) -> int:
    """How often it was asked until then."""
    for _ in range(seconds):
        authority.clock.advance(1)
        for _ in range(5):
            authority.http.flush()
    return len(authority.asked)


def test_it_asks_in_the_server_s_interval_until_the_code_was_typed() -> None:
    authority = Authority([PENDING, PENDING, tokens()])
    outcome = waiting(authority)

    assert [passed(authority, n) for n in (4, 1, 4, 1, 5)] == [0, 1, 1, 2, 3]
    assert outcome.result == Tokens(Secret(b"access-1"), 1000.0)


def test_it_asks_less_often_when_told_to() -> None:
    authority = Authority([refusal("slow_down"), tokens()])
    waiting(authority)

    assert [passed(authority, n) for n in (5, 9, 1)] == [1, 1, 2]


def test_trouble_on_the_way_is_passed_over() -> None:
    authority = Authority([Said(b"", 502), tokens()])
    outcome = waiting(authority)

    assert [passed(authority, n) for n in (5, 9, 1)] == [1, 1, 2]
    assert outcome.result is not None


def test_a_no_ends_it() -> None:
    authority = Authority([refusal("access_denied")])
    outcome = waiting(authority)
    passed(authority, 5)
    assert isinstance(outcome.error, Refused)


def test_it_ends_with_the_code_s_life_or_when_the_server_says_so() -> None:
    authority = Authority([PENDING] * 20)
    outcome = waiting(authority)
    assert passed(authority, 100) == 11
    assert isinstance(outcome.error, TooLate)

    authority = Authority([refusal("expired_token")])
    outcome = waiting(authority)
    passed(authority, 5)
    assert isinstance(outcome.error, TooLate)
