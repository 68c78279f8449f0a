"""`popbridge account list` and `show`: who may log in, with which passwords, and what each may do to which mailbox."""

from collections.abc import Callable, Iterator

from bridge.commands.terminal import counted
from bridge.config import Config, Device, OwnAccount, OwnSource
from bridge.config.devices import as_seen_by
from bridge.config.offers import working

Say = Callable[[str], None]


def list_accounts(settings: Config, say: Say) -> None:
    for account in settings.accounts:
        devices = [device.name for device in account.device]
        own = ["its own password"] if account.password is not None else []
        by = ", ".join([*own, *devices])
        say(f"{account.user}: {by}; {counted(len(account.source), 'mailbox', 'mailboxes')}")
    if not settings.accounts:
        say("no accounts yet; popbridge account add NAME makes one")
        return
    ways = ", ".join(name for name in working(settings.passthrough, settings.accounts) if name not in _OTHERS)
    say(f"ways to log in that work for all: USER and PASS, {ways}")


_OTHERS = frozenset({"XOAUTH2", "OAUTHBEARER"})


def show_account(account: OwnAccount, say: Say) -> None:
    """No hash is shown: whoever needs one reads the file."""
    say(account.user)
    for source in account.source:
        say(f"  {source.name}: {source.upstream} as {source.login}, secret in {source.secret}")
    if account.password is not None:
        say(f"  its own password{_scram(account)}")
        for source in account.source:
            say(f"    {source.name}: {'; '.join(_means(source))}")
    for device in account.device:
        say(f"  device {device.name}{_scram(device)}")
        for source in account.source:
            say(f"    {source.name}: {'; '.join(_means(as_seen_by(device, source)))}")


def _scram(place: OwnAccount | Device) -> str:
    return "" if place.scram is not None else ", without SCRAM keys"


def _means(source: OwnSource) -> Iterator[str]:
    yield f'delete = "{source.delete}"'
    yield from (f"{key} = {value:g} s" for key in ("after", "purge", "since") if (value := getattr(source, key)))
    if source.seen != "never":
        yield f'seen = "{source.seen}"'
    if source.newest is not None:
        yield f"newest = {source.newest}"
    if source.search is not None:
        yield f"search = {source.search}"
