"""Whose mail it is: one login at one upstream, with the settings its owner gave it and the view it asked for."""

from hashlib import sha256
from urllib.parse import quote_from_bytes

from attrs import evolve, field, frozen

from bridge.config import PassThrough
from bridge.maildrop.view import PLAIN, View
from bridge.names import AccountName, SourceKey


@frozen
class Account:
    """`login` is sent upstream as it stands; `name` is the key of everything kept for this account (S22).

    `view`: what of the mailbox is seen, the owner's word and the login's together. `viewer`: whose eyes these are,
    from the login alone, so that an owner who changes his mind changes nobody's numbers.
    """

    login: bytes
    name: AccountName
    passthrough: PassThrough
    view: View = PLAIN
    viewer: str = ""
    key: SourceKey = field(init=False, eq=False, repr=False)
    place: str = field(init=False, eq=False, repr=False)
    """Server, mailbox and login: whatever is listed in another place is another mailbox (S1)."""
    guessed: str = field(init=False, eq=False, repr=False)
    """The key of what is counted against guessing (S23).

    Many servers take a login in any case: spelt in a thousand ways, for a thousand mailboxes, it is still one password
    that is guessed at.
    """

    @key.default
    def _key(self) -> SourceKey:
        return SourceKey(self.name)

    @place.default
    def _place(self) -> str:
        return f"{self.passthrough.upstream} {quoted(self.login)}"

    @guessed.default
    def _guessed(self) -> str:
        server = evolve(self.passthrough.upstream, mailbox="INBOX")
        return folded(str(server).encode() + b" " + self.login)


def quoted(login: bytes) -> str:
    """Printable ASCII without blanks, different for different logins."""
    return quote_from_bytes(login, safe="@+")


def folded(octets: bytes) -> str:
    """The same for every case; ASCII, also of octets that are no text, and never long."""
    name = octets.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
    return sha256(name).hexdigest()
