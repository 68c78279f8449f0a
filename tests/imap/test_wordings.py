"""What a provider says in words is understood wherever it stands, and nothing else is taken for it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.imap.quirks import Quirk
from bridge.imap.wordings import LONGEST_REST, asked_rest, known

PASSING = {
    "User is authenticated but not connected.": Quirk.NOT_CONNECTED,
    "Request is throttled. Suggested Backoff Time: 299961 milliseconds": Quirk.THROTTLED_IN_WORDS,
    "Server Unavailable. 15": Quirk.UNAVAILABLE_IN_WORDS,
    "Too many simultaneous connections. (Failure)": Quirk.TOO_MANY_CONNECTIONS,
    "Account exceeded command or bandwidth limits. a1mb123456789 (Failure)": Quirk.TRAFFIC_USED_UP,
}
LASTING = {
    "Application-specific password required: https://support.google.com/ (Failure)": Quirk.ANOTHER_PASSWORD_WANTED,
    "Web login required. (Failure)": Quirk.WEB_LOGIN_WANTED,
    "Your account is not enabled for IMAP use. Please visit your Gmail settings page": Quirk.IMAP_SWITCHED_OFF,
    "SELECT Unsafe Login. Please contact kefu@188.com for help": Quirk.UNSAFE_LOGIN,
    "EXAMINE unsafe Login. Please contact kefu@188.com for help": Quirk.UNSAFE_LOGIN,
}


@pytest.mark.parametrize(
    ("text", "quirk", "temporary"),
    [
        *((text, quirk, True) for text, quirk in PASSING.items()),
        *((text, quirk, False) for text, quirk in LASTING.items()),
    ],
)
def test_each_is_known_in_any_letters(text: str, quirk: Quirk, temporary: bool) -> None:
    for said in (text, text.upper(), f"AUTHENTICATE {text}"):
        wording = known(said)
        assert wording is not None
        assert (wording.quirk, wording.temporary) == (quirk, temporary)
        assert wording.says.isascii()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Invalid credentials (Failure)",
        "LOGIN failed.",
        "wrong password",
        "Mailbox does not exist",
        "server unavailable",
    ],
)
def test_other_words_mean_what_their_status_says(text: str) -> None:
    assert known(text) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Request is throttled. Suggested Backoff Time: 89117 milliseconds", 89.117),
        ("suggested backoff time: 0 milliseconds", 0),
        ("Suggested Backoff Time: 999999999 milliseconds", LONGEST_REST),
        ("Suggested Backoff Time: 9999999999 milliseconds", 0),
        ("Suggested Backoff Time: soon", 0),
        ("Request is throttled.", 0),
    ],
)
def test_a_rest_is_read_and_bounded(text: str, seconds: float) -> None:
    assert asked_rest(text) == seconds


@given(st.text())
def test_no_text_is_too_odd(text: str) -> None:
    known(text)
    assert 0 <= asked_rest(text) <= LONGEST_REST
