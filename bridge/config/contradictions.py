"""What is right alone and wrong together: an address taken twice, an entry never reached, settings at odds."""

from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import attrs
from cryptography import x509

from bridge.config.devices import KEYS, as_seen_by, passwords_at_odds
from bridge.config.notation import is_loopback
from bridge.config.oauth2 import check_grants
from bridge.config.offers import not_working
from bridge.config.problems import WrongValue
from bridge.config.values import Document, Endpoint, Listener, OwnAccount, OwnSource, PassThrough, Settings
from bridge.maildrop.uidl import UPSTREAM, parse_format, tag_of

KeyPath = tuple[str | int, ...]
_Entry = TypeVar("_Entry", bound=Settings)
Finding = tuple[KeyPath, WrongValue]


def check_listener(listener: Listener) -> Listener:
    if listener.pop3 is None and listener.pop3s is None:
        raise WrongValue("this listener has no address", remedy='write pop3 = "127.0.0.1:1110" or pop3s = ":995"')
    if listener.sasl is not None and len(set(listener.sasl)) < len(listener.sasl):
        raise WrongValue("a mechanism is named twice", remedy="name each once", key="sasl")
    return listener


def check_passthrough(entry: PassThrough) -> PassThrough:
    if entry.login_views and entry.upstream.protocol == "pop3":
        why = "has one mailbox and no search, and does not say when a message arrived"
        raise WrongValue(f"a POP3 server {why}", remedy="leave login_views out", key="login_views")
    return check_settings(entry)


def check_settings(entry: _Entry) -> _Entry:
    """The entry, its upstream told whether clear text was accepted."""
    _check_protocol(entry)
    _check_deletion(entry)
    _check_trust(entry)
    return attrs.evolve(entry, upstream=attrs.evolve(entry.upstream, cleartext=entry.cleartext))


def contradictions(document: Document) -> Iterator[Finding]:
    """Between the entries of a whole configuration."""
    if not document.listener:
        remedy = 'add [[listener]] with pop3 = "127.0.0.1:1110"'
        yield ("listener",), WrongValue("nothing to listen on", remedy=remedy)
    if not (document.passthrough or document.account or document.accounts):
        remedy = 'add [[passthrough]] with upstream = "imaps://imap.example.org"'
        yield ("passthrough",), WrongValue("no upstream", remedy=remedy)
    yield from _shared_addresses(document.listener)
    yield from _never_reached(document.passthrough)
    yield from _one_name_for_two(document.passthrough)
    yield from _one_user_twice(document.account)
    yield from _sources(document)
    yield from _devices(document.account)
    yield from _mechanisms(document)
    yield from check_grants(document)
    if document.state is None:
        yield from _forgotten(document)


def _check_protocol(entry: Settings) -> None:
    """A POP3 server lists, sends and deletes, and that is all."""
    if entry.upstream.protocol == "imap":
        if entry.uidl == UPSTREAM:
            raise WrongValue("an IMAP server has no UIDLs of its own", remedy="leave uidl out", key="uidl")
        return
    if entry.delete not in {"expunge", "keep"}:
        raise WrongValue(
            f'delete = "{entry.delete}", but a POP3 server cannot do that',
            remedy='write delete = "expunge" (the default there) or "keep"',
            key="delete",
        )
    if entry.uidl != UPSTREAM:
        raise WrongValue("a POP3 upstream has UIDLs of its own, which are kept", remedy="leave uidl out", key="uidl")
    for key, why in _NOT_BY_POP3.items():
        if getattr(entry, key) not in (None, False, "never"):
            raise WrongValue(f"a POP3 server {why}", remedy=f"leave {key} out", key=key)


_NOT_BY_POP3 = {
    "seen": "knows no read and unread messages",
    "since": "does not say when a message arrived",
    "search": "cannot search",
}


def _check_deletion(entry: Settings) -> None:
    for key in ("trash", "archive"):
        if getattr(entry, key) is not None and entry.delete != key:
            raise WrongValue(
                f'a mailbox for {key} is named, but delete = "{entry.delete}" does not use it',
                remedy=f'write delete = "{key}", or leave {key} out',
                key=key,
            )
    if entry.purge is not None and entry.delete != "flag":
        raise WrongValue(
            f'purge expunges what was flagged, but delete = "{entry.delete}" leaves nothing flagged',
            remedy='write delete = "flag", or leave purge out',
            key="purge",
        )
    if entry.after is not None and entry.delete == "keep":
        raise WrongValue(
            'delete = "keep" does nothing upstream that could be done later',
            remedy="write another delete, or leave after out",
            key="after",
        )
    expunges = entry.purge is not None or entry.delete in {"expunge", "trash", "archive"}
    if entry.expunge_without_uidplus and not expunges:
        raise WrongValue(
            f'delete = "{entry.delete}" never expunges',
            remedy='write delete = "expunge", "trash" or "archive", or leave expunge_without_uidplus out',
            key="expunge_without_uidplus",
        )
    if entry.top_counts and entry.seen != "retrieved":
        raise WrongValue(
            f'top_counts says what is a retrieval, but seen = "{entry.seen}" does not ask',
            remedy='write seen = "retrieved", or leave top_counts out',
            key="top_counts",
        )


def _holds_certificates(file: Path) -> bool:
    try:
        return bool(x509.load_pem_x509_certificates(file.read_bytes()))
    except ValueError:
        return False


def _check_trust(entry: Settings) -> None:
    if entry.ca is not None and entry.pin is not None:
        raise WrongValue(
            "a pin already names the one certificate that is trusted, so ca would never be asked",
            remedy="leave ca or pin out",
            key="ca",
        )
    if entry.ca is not None and not _holds_certificates(entry.ca):
        raise WrongValue(f"{entry.ca} holds no PEM certificate", remedy="name the authority's PEM file", key="ca")
    if entry.upstream.security != "none":
        return
    if entry.ca is not None or entry.pin is not None:
        key = "pin" if entry.ca is None else "ca"
        raise WrongValue(
            f"{key} is named, but {entry.upstream.scheme}:// has no TLS",
            remedy=f"write {entry.upstream.scheme}s://…",
            key="upstream",
        )
    if not (entry.cleartext or is_loopback(entry.upstream.host)):
        raise WrongValue(
            f"{entry.upstream.scheme}:// would send passwords to {entry.upstream.host} in clear",
            remedy=f"write {entry.upstream.scheme}s:// or {entry.upstream.scheme}+starttls://; "
            "where the way there is safe by itself, "
            "cleartext = true in [[passthrough]] of a configuration file allows it",
            key="upstream",
        )


def _shared_addresses(listeners: tuple[Listener, ...]) -> Iterator[Finding]:
    seen: list[Endpoint] = []
    for index, listener in enumerate(listeners):
        for key, endpoint in (("pop3", listener.pop3), ("pop3s", listener.pop3s)):
            if endpoint is None:
                continue
            if other := next((other for other in seen if _overlap(endpoint, other)), None):
                text = f"{endpoint} is taken by another listener ({other})"
                yield ("listener", index, key), WrongValue(text, remedy="choose another port or address")
            seen.append(endpoint)


def _overlap(one: Endpoint, other: Endpoint) -> bool:
    """Whether the system would refuse the second: the same port on the same address or on all of its family."""
    if one.port != other.port or one.port == 0:
        return False
    if one.host == other.host or "" in (one.host, other.host):
        return True
    same_family = (":" in one.host) == (":" in other.host)
    return same_family and bool({one.host, other.host} & {"0.0.0.0", "::"})  # noqa: S104  # compared, not bound


def _never_reached(entries: tuple[PassThrough, ...]) -> Iterator[Finding]:
    earlier: set[str] = set()
    for index, entry in enumerate(entries):
        if "*" in earlier or entry.users in earlier:
            pattern = entry.users if entry.users in earlier else "*"
            text = f'never reached: users = "{pattern}" stands in an earlier entry, and the first that fits is taken'
            remedy = "remove one of the two, or put the narrower first"
            yield ("passthrough", index, "users"), WrongValue(text, remedy=remedy)
        earlier.add(entry.users)


def _one_name_for_two(entries: tuple[PassThrough, ...]) -> Iterator[Finding]:
    """Logins that different servers know by the same name would share one memory."""
    named: dict[str, PassThrough] = {}
    for index, entry in enumerate(entries):
        if entry.name is None:
            continue
        if (other := named.setdefault(entry.name, entry)).upstream != entry.upstream:
            text = f'the name "{entry.name}" is that of an entry with another upstream ({other.upstream})'
            yield ("passthrough", index, "name"), WrongValue(text, remedy="choose another name")


def _one_user_twice(accounts: tuple[OwnAccount, ...]) -> Iterator[Finding]:
    """However the domain is spelt: a login finds one of them."""
    seen: set[str] = set()
    for index, account in enumerate(accounts):
        local, at, domain = account.user.rpartition("@")
        user = f"{local}{at}{domain.lower() if at else domain}"
        if user in seen:
            remedy = "one account may have several sources: put its [[account.source]] entries together"
            yield ("account", index, "user"), WrongValue(f"{account.user} is an account already", remedy=remedy)
        seen.add(user)


def _sources(document: Document) -> Iterator[Finding]:
    for index, account in enumerate(document.account):
        path: KeyPath = ("account", index, "source")
        if not account.source:
            remedy = "add [[account.source]] with name, upstream, login and secret"
            yield path, WrongValue("this account has no mailbox", remedy=remedy)
        for place, source in enumerate(account.source[1:], 1):
            for key, problem in _beside(source, account.source[:place]):
                yield (*path, place, key), problem
        if len(account.source) > 1 and document.state is None:
            text = 'the order of several sources has to be remembered, but state = "memory:" forgets it'
            yield (*path, 1), WrongValue(text, remedy='write state = "sqlite:popbridge.sqlite"')


def _beside(source: OwnSource, others: tuple[OwnSource, ...]) -> Iterator[tuple[str, WrongValue]]:
    """A further source of an account: messages and their UIDLs are told apart by its name (S3)."""
    for other in others:
        if tag_of(source.name) == tag_of(other.name):
            text = f'the names "{other.name}" and "{source.name}" make the same UIDLs'
            yield "name", WrongValue(text, remedy="choose another name")
        if (source.upstream, source.login) == (other.upstream, other.login):
            text = f'this is the mailbox of the source "{other.name}"'
            yield "upstream", WrongValue(text, remedy="name another mailbox, or remove one of the two")
    try:
        parse_format(source.uidl).tagged(tag_of(source.name))
    except ValueError as error:
        yield "uidl", WrongValue(f"{error}, with the source's name before them", remedy="write a shorter template")


def _devices(accounts: tuple[OwnAccount, ...]) -> Iterator[Finding]:
    for index, account in enumerate(accounts):
        for path, wrong in passwords_at_odds(account):
            yield ("account", index, *path), wrong
        for place, device in enumerate(account.device):
            for source in account.source:
                try:
                    check_settings(as_seen_by(device, source))
                except WrongValue as wrong:
                    yield ("account", index, "device", place, *([wrong.key] if wrong.key else [])), wrong
                    break


def _mechanisms(document: Document) -> Iterator[Finding]:
    for index, listener in enumerate(document.listener):
        for name, why in not_working(listener, document.passthrough, document.account):
            text = f"{name} {why}"
            yield ("listener", index, "sasl"), WrongValue(text, remedy=f"leave {name} out")


def _forgotten(document: Document) -> Iterator[Finding]:
    """What would be a promise for no longer than the process lives."""
    entries: list[tuple[KeyPath, Settings]] = [
        (("passthrough", index), entry) for index, entry in enumerate(document.passthrough)
    ]
    for index, account in enumerate(document.account):
        entries += [(("account", index, "source", place), source) for place, source in enumerate(account.source)]
        entries += [
            (("account", index, "device", place), as_seen_by(device, source))
            for place, device in enumerate(account.device)
            for source in account.source
            if any(getattr(device, key) is not None for key in KEYS)
        ]
    for path, entry in entries:
        for key in _remembering(entry):
            text = f'what {key} asks for has to be remembered, but state = "memory:" forgets it when the bridge ends'
            remedy = f'write state = "sqlite:popbridge.sqlite", or another {key}, or leave it out'
            yield (*path, key), WrongValue(text, remedy=remedy)


def _remembering(entry: Settings) -> Iterator[str]:
    if entry.delete == "keep":
        yield "delete"
    yield from (key for key in ("after", "purge", "since", "newest", "search") if getattr(entry, key) is not None)
    if isinstance(entry, PassThrough) and entry.login_views:
        yield "login_views"
    if parse_format(entry.uidl).needs_store:
        yield "uidl"
