"""Whose mail it is: one login at one upstream, with the settings its owner gave it and the view it asked for."""

from hashlib import sha256
from urllib.parse import quote_from_bytes

from attrs import evolve, field, frozen

from bridge.config import OwnSource, Settings
from bridge.maildrop.memory import Memory
from bridge.maildrop.uidl import UidlFormat, parse_format, tag_of
from bridge.maildrop.view import PLAIN, View
from bridge.names import ALONE, AccountName, SourceKey, SourceName
from bridge.passwords.scram import Keys
from bridge.passwords.scrypt import PasswordHash


@frozen
class Account:
    """`login` is sent upstream as it stands; `name` is the key of everything kept for this account (S22).

    `view`: what of the mailbox is seen, the owner's word and the login's together. `viewer`: whose eyes these are,
    from the login alone, so that an owner who changes his mind changes nobody's numbers. `source`: which of several
    behind one login it is, "" of pass-through; `first` of them.
    """

    login: bytes
    name: AccountName
    settings: Settings
    view: View = PLAIN
    viewer: str = ""
    source: SourceName = ALONE
    first: bool = True
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

    def uidl_format(self, memory: Memory | None) -> UidlFormat:
        """UIDLs of the first source have no tag (S3). One that is remembered keeps the tag, or the want of one, with
        which it was listed: an owner may put his sources in another order.
        """
        plain = parse_format(self.settings.uidl)
        tagged = plain.tagged(tag_of(self.source))
        said = plain if self.first else tagged
        return next((form for form in (plain, tagged) if memory and form.template == memory.template), said)

    @property
    def is_remembered(self) -> bool:
        """What was listed last is served when upstream cannot be reached (S10)."""
        return isinstance(self.settings, OwnSource) and self.settings.unavailable == "remembered"

    @property
    def origin_header(self) -> str | None:
        return self.settings.origin_header if isinstance(self.settings, OwnSource) else None

    @property
    def user(self) -> str:
        """Who logs in with a mail program."""
        return str(self.name) if self.source else self.login.decode("utf-8", "replace")

    @property
    def label(self) -> str:
        """As a person is told of it."""
        return self.key.label


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
    hides_copies: bool = False
    """Of a message that is in several sources only the first is shown."""

    @property
    def guessed(self) -> str:
        """As of `Account`."""
        return guessed_of_own(self.user.encode())


def guessed_of_own(login: bytes) -> str:
    """As of `Account`, for a login of the bridge's own that there is or that there might be."""
    return folded(b"own " + login)


def quoted(login: bytes) -> str:
    """Printable ASCII without blanks, different for different logins."""
    return quote_from_bytes(login, safe="@+")


def folded(octets: bytes) -> str:
    """The same for every case; ASCII, also of octets that are no text, and never long."""
    name = octets.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
    return sha256(name).hexdigest()
