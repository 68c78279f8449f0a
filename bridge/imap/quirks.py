"""The closed list of what is accepted beyond the IMAP standards, so that a faulty server's mail can still be read.

Each entry says what the server does and where that was seen. Nothing else is tolerated; a quirk never changes the
meaning of what was said.
"""

from collections.abc import Callable
from enum import Enum


class Quirk(Enum):
    """A tolerance; its value is what the server does, and the server it was seen at."""

    BARE_LF = "a line ends in LF without CR; test servers that are a script of a few lines"
    MISSING_TEXT = "a status line without text; Gmail after [HIGHESTMODSEQ], iCloud's `* BYE`, ppops.net's `A6 OK`"
    EMPTY_CONTINUATION = "`+` without the blank behind it; public-inbox-imapd"
    TRAILING_BLANK = "a blank at the end of a line or list; Yahoo's SEARCH, Exchange's STATUS, imap.qq.com's FETCH"
    DOUBLED_BLANK = "two blanks where one belongs; imap.exmail.qq.com's CAPABILITY"
    UNKNOWN_RESPONSE = (
        "a response that no command of ours asks for; servers with extensions of their own, Yahoo, iCloud"
    )
    LOGINDISABLED_AFTER_LOGIN = "LOGINDISABLED is announced after the login; Cyrus 3.6.1"
    UID_LAST = "UID at the end of a FETCH response, behind the body; hoodiecrow"
    QUOTED_BODY = "a body as a quoted string, not a literal; Cyrus 3.6.1 for a part beyond the message's end"
    ABSENT_BODY = "NIL for a body; servers that keep an expunged message's number for other sessions (RFC 2180, 4.1)"
    PARTIAL_WITH_COUNT = "a part is labelled with its count, `BODY[]<0.20>`; hoodiecrow"
    ZERO_UID = "UID 0 in a FETCH response, which no message can have; Outlook"
    BAD_INTERNALDATE = "an INTERNALDATE that is no date; messages imported with a broken Date field"
    RAW_MAILBOX_NAME = (
        "a mailbox name that is not modified UTF-7; servers that show file names as they are, old Courier"
    )
    # What is said in words where there is a response code for it: see `wordings`.
    NOT_CONNECTED = "`BAD User is authenticated but not connected.` behind a good login; Exchange Online"
    THROTTLED_IN_WORDS = (
        "`Request is throttled. Suggested Backoff Time: 89117 milliseconds`, as NO or BAD; Exchange Online"
    )
    UNAVAILABLE_IN_WORDS = "`NO Server Unavailable. 15` to a login; Exchange"
    TOO_MANY_CONNECTIONS = "`NO [ALERT] Too many simultaneous connections.` to a login; Gmail, from the sixteenth on"
    TRAFFIC_USED_UP = "OVERQUOTA for commands and octets of a day, not for room; Gmail"
    ANOTHER_PASSWORD_WANTED = "`NO [ALERT] Application-specific password required` to the right one; Gmail"  # noqa: S105
    WEB_LOGIN_WANTED = "`NO [WEBALERT …] Web login required.` to the right password; Gmail"
    IMAP_SWITCHED_OFF = "`NO [ALERT] Your account is not enabled for IMAP use.` to a login; Gmail"
    UNSAFE_LOGIN = "`NO SELECT Unsafe Login.` to who has not said who he is by ID; 163, 126, yeah.net"
    SUBSTITUTE_LETTER = "a letter that says so in the place of a message that is gone, and OK; Courier"


FLAGS_IN_IDLE = frozenset({"Dovecot"})
"""Servers, by the name they give in ID, that tell an IDLE of flag changes too, which RFC 2177 does not promise.

Seen at Dovecot 2.3.19; `tests/stories/test_parked.py` holds it against the real one.
"""

SUBSTITUTES = {129: "87939b08cb95b9a1fb1ba4a95f1944787d76bc1f29224b36936ede231a7f34e8"}
"""Octets and SHA-256 of letters that stand for messages that are gone (SUBSTITUTE_LETTER): Courier 5.0.13's."""

Met = Callable[[Quirk], None]


def ignore(_quirk: Quirk) -> None:
    """Nobody wants to know."""
