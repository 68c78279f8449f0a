"""From the name a mail program logs in with to the account it means. Nothing here asks anybody: no password is checked.

The first entry whose pattern fits decides. A pattern is a shell glob (*, ?, [seq]) over the whole login, its case
kept, but for the part behind the last @: a domain is the same in any case (RFC 5321, section 2.4), the part before it
belongs to the upstream server, which may tell "Ann" from "ann".
"""

from fnmatch import fnmatchcase
from urllib.parse import quote_from_bytes

from bridge.accounts.account import Account
from bridge.config import PassThrough
from bridge.names import AccountName

LONGEST_LOGIN = 1024


class LoginNotAllowed(Exception):
    """A name that never goes upstream (S22). The text may be logged; the client hears S23's one answer."""


class Directory:
    def __init__(self, passthrough: tuple[PassThrough, ...]) -> None:
        self._entries = tuple((_folded(_text(entry.users.encode())), entry) for entry in passthrough)

    def find(self, login: bytes) -> Account | None:
        """`login` is UTF-8 or any other octets. Raises LoginNotAllowed."""
        if not login:
            raise LoginNotAllowed("an empty login")
        if len(login) > LONGEST_LOGIN:
            raise LoginNotAllowed(f"a login of more than {LONGEST_LOGIN} octets")
        if any(octet < 0x20 or octet == 0x7F for octet in login):
            raise LoginNotAllowed("a control character in the login")
        folded = _folded(_text(login))
        for pattern, entry in self._entries:
            if fnmatchcase(folded, pattern):
                return _account(login, entry)
        return None


def _account(login: bytes, entry: PassThrough) -> Account:
    if b"*" in login and not entry.master_users:  # Dovecot's "user*master" opens anybody's mailbox
        raise LoginNotAllowed("a * in the login, which master_users = true would allow")
    local = login.rpartition(b"@")[0] or login
    parts = entry.login.replace("{user}", "\0user\0").replace("{local}", "\0local\0").split("\0")
    values = {"user": login, "local": local}
    sent = b"".join(values[part] if odd % 2 else part.encode() for odd, part in enumerate(parts))
    return Account(sent, AccountName(f"{entry.upstream} {quote_from_bytes(sent, safe='@+')}"), entry)


def _text(octets: bytes) -> str:
    """Octets that are not UTF-8 stay apart from each other and from all that is."""
    return octets.decode("utf-8", "surrogateescape")


def _folded(login: str) -> str:
    local, at, domain = login.rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else login
