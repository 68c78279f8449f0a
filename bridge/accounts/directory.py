"""From the name a mail program logs in with to the account it means. Nothing here asks anybody: no password is checked.

The first entry whose pattern fits decides. A pattern is a shell glob (*, ?, [seq]) over the whole login, its case
kept, but for the part behind the last @: a domain is the same in any case (RFC 5321, section 2.4), the part before it
belongs to the upstream server, which may tell "Ann" from "ann". Where the owner allows views by login, the pattern
meets the login without its view, and so does the upstream server.

A login of the bridge's own is found before any pattern, and by nothing but its name.
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import lru_cache
from urllib.parse import quote

from attrs import evolve

from bridge.accounts.account import Account, OwnLogin, OwnPassword, quoted
from bridge.accounts.login_view import parse_login, without_view
from bridge.config import Device, OwnAccount, OwnSource, PassThrough
from bridge.config.devices import as_seen_by
from bridge.maildrop.view import PLAIN, View
from bridge.names import AccountName, SourceName

LONGEST_LOGIN = 1024

LOGINS = 4096
"""Logins whose accounts are at hand: polls come from the same ones again and again."""


class LoginNotAllowed(Exception):
    """A name that never goes upstream (S22). The text may be logged; the client hears S23's one answer."""


class Directory:
    def __init__(self, passthrough: tuple[PassThrough, ...], accounts: tuple[OwnAccount, ...] = ()) -> None:
        self._own = {_folded(account.user): _own_login(account) for account in accounts}
        self._entries = tuple((_folded(_text(entry.users.encode())), entry) for entry in passthrough)
        self._found = lru_cache(maxsize=LOGINS)(self._find)

    @property
    def own(self) -> tuple[OwnLogin, ...]:
        """The logins of the bridge's own."""
        return tuple(self._own.values())

    def find(self, login: bytes) -> Account | OwnLogin | None:
        """`login` is UTF-8 or any other octets. Raises LoginNotAllowed."""
        return self._found(login)

    def _find(self, login: bytes) -> Account | OwnLogin | None:
        if not login:
            raise LoginNotAllowed("an empty login")
        if len(login) > LONGEST_LOGIN:
            raise LoginNotAllowed(f"a login of more than {LONGEST_LOGIN} octets")
        if any(octet < 0x20 or octet == 0x7F for octet in login):
            raise LoginNotAllowed("a control character in the login")
        if (own := self._own.get(canonical(login))) is not None:
            return own
        for pattern, entry in self._entries:
            name = without_view(login) if entry.login_views else login
            if fnmatchcase(_folded(_text(name)), pattern):
                return _account(name, *_seen(entry, login))
        return None


def _own_login(account: OwnAccount) -> OwnLogin:
    sources = tuple(_sources(account))
    passwords = [_of_device(account, device) for device in account.device]
    if account.password is not None:
        passwords.insert(0, OwnPassword("", account.password, account.scram, sources))
    return OwnLogin(account.user, tuple(passwords), sources, account.duplicates == "hide")


def _of_device(account: OwnAccount, device: Device) -> OwnPassword:
    """Its numbers, and what it has deleted for itself, are its own."""
    return OwnPassword(device.name, device.password, device.scram, tuple(_sources(account, device)))


def _sources(account: OwnAccount, device: Device | None = None) -> Iterator[Account]:
    for place, source in enumerate(account.source):
        seen = as_seen_by(device, source) if device is not None else source
        yield _source(account, seen, device.name if device is not None else "", first=place == 0)


def _source(account: OwnAccount, source: OwnSource, device: str, *, first: bool) -> Account:
    view = View(since=source.since, newest=source.newest, search=source.search, device=device)
    # No key of pass-through is without a blank, and no quoted name has one.
    name = AccountName(quoted(_folded(account.user).encode()))
    viewer = View(device=device).viewer
    return Account(source.login.encode(), name, source, view, viewer, source=SourceName(source.name), first=first)


def _seen(entry: PassThrough, login: bytes) -> tuple[PassThrough, View]:
    """The entry as it would stand for the mailbox that the login asks for, and what else it asks for."""
    if not entry.login_views:
        return entry, PLAIN
    try:
        _, wish = parse_login(login)
    except ValueError as error:
        raise LoginNotAllowed(str(error)) from None
    if wish.mailbox is not None and wish.mailbox != entry.upstream.mailbox:
        entry = _elsewhere(entry, wish.mailbox)
    return entry, wish


def _elsewhere(entry: PassThrough, mailbox: str) -> PassThrough:
    """Another mailbox is another account, with a memory of its own. By IMAP the same password opens it anyway."""
    name = entry.name and f"{entry.name}/{quote(mailbox)}"
    return evolve(entry, upstream=evolve(entry.upstream, mailbox=mailbox), name=name)


def _account(login: bytes, entry: PassThrough, wish: View) -> Account:
    if not login:
        raise LoginNotAllowed("an empty login")
    if b"*" in login and not entry.master_users:  # Dovecot's "user*master" opens anybody's mailbox
        raise LoginNotAllowed("a * in the login, which master_users = true would allow")
    local = login.rpartition(b"@")[0] or login
    parts = entry.login.replace("{user}", "\0user\0").replace("{local}", "\0local\0").split("\0")
    values = {"user": login, "local": local}
    sent = b"".join(values[part] if odd % 2 else part.encode() for odd, part in enumerate(parts))
    # Under a name memory is to survive a move, and on the new server the login may have another form. Without one it is
    # the upstream's own name for the mailbox that counts: two logins that mean the same share what is remembered.
    key = f"{entry.name} {quoted(_folded(_text(login)).encode('utf-8', 'surrogateescape'))}"
    name = AccountName(key if entry.name is not None else f"{entry.upstream} {quoted(sent)}")
    owners = View(since=entry.since, newest=entry.newest, search=entry.search)
    return Account(sent, name, entry, owners.narrowed(wish), wish.viewer)


def canonical(login: bytes) -> str:
    """The same for all spellings that find the same login of the bridge's own, and for no others."""
    return _folded(_text(login))


def _text(octets: bytes) -> str:
    """Octets that are not UTF-8 stay apart from each other and from all that is."""
    return octets.decode("utf-8", "surrogateescape")


def _folded(login: str) -> str:
    local, at, domain = login.rpartition("@")
    return f"{local}{at}{domain.lower()}" if at else login
