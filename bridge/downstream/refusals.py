"""From a Trouble to the -ERR that a client hears (S14, S23): the only place that chooses response codes."""

from bridge.maildrop.errors import (
    CredentialsRefused,
    MaildropInUse,
    MessageGone,
    MessageMarked,
    NoSuchMessage,
    Trouble,
)
from bridge.pop3.replies import ResponseCode, err

REFUSED = "user name or password is wrong"
"""The one answer to every login that is refused, whatever the reason: it must not tell which names exist."""


def refused_login(trouble: Trouble) -> bytes:
    """Before the password is verified upstream's own words are not passed on."""
    if isinstance(trouble, CredentialsRefused):
        return err(REFUSED, ResponseCode.AUTH)
    return err(str(trouble), _code(trouble))


def refused(trouble: Trouble) -> bytes:
    """After the login: our words first, then upstream's."""
    detail = f" (upstream says: {trouble.detail})" if trouble.detail else ""
    return err(str(trouble) + detail, _code(trouble))


def _code(trouble: Trouble) -> ResponseCode | None:
    match trouble:
        case NoSuchMessage() | MessageMarked() | MessageGone():
            return None
        case MaildropInUse():
            return ResponseCode.IN_USE
        case Trouble(temporary=True):
            return ResponseCode.SYS_TEMP
        case _:
            return ResponseCode.SYS_PERM
