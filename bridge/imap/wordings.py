"""What providers say in words alone, where the standards have a response code, and which trouble it is.

A list of whole phrases as they were seen. What is in none of them means what its status says (NO, BAD, BYE).
"""

import re

from attrs import frozen

from bridge.imap.quirks import Quirk

LONGEST_REST = 600.0
"""Seconds that are obeyed at most; Exchange Online asks for up to 300."""


@frozen
class Wording:
    """`phrase` in small letters; `says` is for the user. `temporary`: waiting may help; else it takes a person."""

    phrase: str
    quirk: Quirk
    temporary: bool
    says: str


WORDINGS = (
    Wording(
        "is authenticated but not connected",
        Quirk.NOT_CONNECTED,
        temporary=True,
        says="upstream took the login and opens no mailbox now: too many connections, or not allowed to this login",
    ),
    Wording(
        "request is throttled",
        Quirk.THROTTLED_IN_WORDS,
        temporary=True,
        says="upstream wants to be asked less for a while",
    ),
    Wording(
        "server unavailable. ", Quirk.UNAVAILABLE_IN_WORDS, temporary=True, says="upstream cannot open this mailbox now"
    ),
    Wording(
        "too many simultaneous connections",
        Quirk.TOO_MANY_CONNECTIONS,
        temporary=True,
        says="upstream has too many connections of this account",
    ),
    Wording(
        "exceeded command or bandwidth limits",
        Quirk.TRAFFIC_USED_UP,
        temporary=True,
        says="upstream's limit of traffic for this account is used up",
    ),
    Wording(
        "application-specific password required",
        Quirk.ANOTHER_PASSWORD_WANTED,
        temporary=False,
        says="upstream wants a password made for mail programs (an app password), not the account's",
    ),
    Wording(
        "web login required",
        Quirk.WEB_LOGIN_WANTED,
        temporary=False,
        says="upstream wants a login at its web site first",
    ),
    Wording(
        "not enabled for imap use",
        Quirk.IMAP_SWITCHED_OFF,
        temporary=False,
        says="IMAP is switched off for this account; switch it on in upstream's web settings",
    ),
    Wording(
        "unsafe login",
        Quirk.UNSAFE_LOGIN,
        temporary=False,
        says="upstream opens no mailbox for this program; allow it in upstream's web settings",
    ),
)
_BACKOFF = re.compile(r"suggested backoff time: (\d{1,9}) milliseconds", re.IGNORECASE)


def known(text: str) -> Wording | None:
    """What a refusal's text is known to mean."""
    said = text.lower()
    return next((wording for wording in WORDINGS if wording.phrase in said), None)


def asked_rest(text: str) -> float:
    """Seconds in which the server wants to hear nothing; 0 where it names none."""
    found = _BACKOFF.search(text)
    return min(int(found[1]) / 1000, LONGEST_REST) if found else 0.0
