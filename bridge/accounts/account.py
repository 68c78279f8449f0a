"""Whose mail it is: one login at one upstream, with the settings its owner gave it and the view it asked for."""

from hashlib import sha256
from urllib.parse import quote_from_bytes

from attrs import evolve, field, frozen

from bridge.config import Settings
from bridge.maildrop.view import PLAIN, View
from bridge.names import ALONE, AccountName, SourceKey, SourceName
from bridge.passwords.scram import Keys
from bridge.passwords.scrypt import PasswordHash


@frozen
class Account:
    """`login` is sent upstream as it stands; `name` is the key of everything kept for this account (S22).

    `view`: what of the mailbox is seen, the owner's word and the login's together. `viewer`: whose eyes these are,
    from the login alone, so that an owner who changes his mind changes nobody's numbers. `source`: which of several
    behind one login it is, "" of pass-through.
    """

    login: bytes
    name: AccountName
    settings: Settings
    view: View = PLAIN
    viewer: str = ""
    source: SourceName = ALONE
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
        return SourceKey(self.name, self.source)

    @place.default
    def _place(self) -> str:
        return f"{self.settings.upstream} {quoted(self.login)}"

    @guessed.default
    def _guessed(self) -> str:
        server = evolve(self.settings.upstream, mailbox="INBOX")
        return folded(str(server).encode() + b" " + self.login)

    @property
    def label(self) -> str:
        """As a person is told of it."""
        return f"{self.name}/{self.source}" if self.source else str(self.name)


@frozen
class OwnPassword:
    """One of the passwords that open an account, and what it opens. `device`: whose it is, "" for the account's own."""

    device: str
    hash: PasswordHash
    scram: Keys | None
    sources: tuple[Account, ...]


@frozen
class OwnLogin:
    """A login of the bridge's own, which a password lets in that upstream never hears of; and what stands behind it."""

    user: str
    passwords: "tuple[OwnPassword, ...]"
    """At least one; all with the same salt and cost."""
    sources: tuple[Account, ...]
    """As the account has them; each password may have them otherwise."""

    @property
    def guessed(self) -> str:
        """As of `Account`."""
        return folded(b"own " + self.user.encode())


def quoted(login: bytes) -> str:
    """Printable ASCII without blanks, different for different logins."""
    return quote_from_bytes(login, safe="@+")


def folded(octets: bytes) -> str:
    """The same for every case; ASCII, also of octets that are no text, and never long."""
    name = octets.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
    return sha256(name).hexdigest()
