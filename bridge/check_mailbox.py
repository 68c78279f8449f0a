"""`popbridge check --login`: one mailbox, opened as a login opens it, and what each policy would come to there.

It selects, lists, searches and looks for targets. It deletes nothing, marks nothing and remembers nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from attrs import evolve, frozen
from twisted.internet.interfaces import IReactorTime

from bridge.accounts.account import Account, OwnLogin
from bridge.accounts.directory import Directory, LoginNotAllowed
from bridge.check_pop3 import look as look_by_pop3
from bridge.config import Config, Settings
from bridge.credentials.oauth2 import Grants, grants_of
from bridge.credentials.proof import Proof, proof_of
from bridge.credentials.vault import Vault
from bridge.credentials.vault_file import FileVault
from bridge.imap.quirks import ignore
from bridge.maildrop.errors import CredentialsRefused, Trouble
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Mailbox, Policy, refusal, shortfall, unkeepable
from bridge.maildrop.view import select
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.tls import client_context
from bridge.upstream.authenticate import log_in
from bridge.upstream.connect import Reactor, connect
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.imap_inquiries import stable_ids
from bridge.upstream.imap_opening import open_mailbox
from bridge.upstream.imap_searching import found_by_owner
from bridge.upstream.targets import find_targets

Say = Callable[[str], None]

_DAY = 86400


@frozen
class Secrets:
    """Where the secrets of the bridge's own accounts come from."""

    vault: Vault
    grants: Grants

    @classmethod
    def of(cls, config: Config, reactor: IReactorTime, vault: Vault) -> "Secrets":
        return cls(vault, grants_of(config, reactor, vault))


async def check_mailbox(
    config: Config, reactor: Reactor, say: Say, login: bytes, password: Secret | None, secrets: Secrets | None = None
) -> bool:
    """True when this login would be let in, and its DELE would mean what it says.

    `password`: upstream's, of a login that is passed through; an account of the bridge's own has the owner's secrets.
    `secrets`: instead of those that are on the disk.
    """
    secrets = secrets or Secrets.of(config, reactor, FileVault.at(config.vault, reactor.seconds))
    try:
        found = Directory(config.passthrough, config.accounts).find(login)
    except LoginNotAllowed as error:
        say(f"this login is not taken: {error}")
        return False
    match found:
        case None:
            say("no account and no [[passthrough]] entry takes this login")
            return False
        case OwnLogin(sources=sources):
            return all([await _checked(source, config, reactor, say, None, secrets) for source in sources])
        case account:
            return await _checked(account, config, reactor, say, password, secrets)


async def _checked(
    account: Account, config: Config, reactor: Reactor, say: Say, password: Secret | None, secrets: Secrets
) -> bool:
    given = Credentials(account.login, password, "USER", bearer=False) if password is not None else None
    proof = proof_of(account, given, secrets.vault, secrets.grants)
    try:
        if account.settings.upstream.protocol == "pop3":
            return await look_by_pop3(account, config, reactor, say, proof)
        async with logged_in(config, reactor, account, proof) as connection:
            return await _look(account, connection, reactor, say)
    except CredentialsRefused as refusal:
        trouble: Trouble = proof.refused(refusal)
    except Trouble as other:
        trouble = other
    said = str(trouble).removeprefix(f"{account.label}: ")
    say(f"login {account.label}: {said}" + (f" ({trouble.detail})" if trouble.detail else ""))
    return False


@asynccontextmanager
async def logged_in(config: Config, reactor: Reactor, account: Account, proof: Proof) -> AsyncIterator[ImapConnection]:
    connection = await reached(config, reactor, account.settings)
    try:
        await log_in(connection, evolve(await proof.credentials(), login=account.login))
        yield connection
    except BaseException:
        connection.abandon()
        raise
    connection.close()


async def reached(config: Config, reactor: Reactor, settings: Settings) -> ImapConnection:
    """Connected and trusted, before any login."""

    def make() -> ImapConnection:
        return ImapConnection(
            reactor,
            silence=config.timeouts.upstream_silence,
            close_abort=config.timeouts.close_abort,
            trace=None,
            on_quirk=ignore,
        )

    tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)
    return await connect(reactor, settings.upstream, tls, config.timeouts, make)


async def _look(account: Account, connection: ImapConnection, reactor: Reactor, say: Say) -> bool:
    settings = account.settings
    # "keep" opens every mailbox, so that the policies can be told apart afterwards.
    opened = await open_mailbox(connection, evolve(settings, delete="keep"), listing=True)
    assert opened.listing is not None
    targets = {
        name: mailbox
        for policy in (Policy.TRASH, Policy.ARCHIVE)
        for name, mailbox in (await find_targets(connection, settings, policy)).items()
    }
    mailbox = evolve(opened.mailbox, targets=targets)
    visible = opened.listing.visible()
    say(f"login {account.label}: {len(visible)} messages, {sum(visible.sizes)} octets")
    await _view(account, connection, opened.listing, reactor.seconds(), say)
    for policy in Policy:
        _policy(policy, settings, mailbox, say)
    _later(settings, mailbox, say)
    if settings.seen != "never":
        kept = mailbox.flags_kept is None or "\\seen" in mailbox.flags_kept
        say(f'  seen = "{settings.seen}": ' + ("holds" if kept else "the mailbox does not keep the \\Seen flag"))
    ids = await _ids(account, connection, visible, say)
    return ids and not unkeepable(Policy(settings.delete), mailbox)


async def _view(account: Account, connection: ImapConnection, listing: Listing, now: float, say: Say) -> None:
    if account.view.hides_nothing:
        return
    found = await found_by_owner(connection, account.view.search) if account.view.search else None
    seen = select(listing, account.view, None, now=now, found=found).uids
    say(f"  its view shows {len(seen)} of them to a program that comes for the first time")


def _policy(policy: Policy, settings: Settings, mailbox: Mailbox, say: Say) -> None:
    chosen = " (this account's)" if policy.value == settings.delete else ""
    why = unkeepable(policy, mailbox) or refusal(policy, mailbox) or shortfall(policy, mailbox)
    target = f", to {mailbox.targets[policy]}" if policy in mailbox.targets else ""
    say(f'  delete = "{policy.value}"{chosen}: {why or f"holds{target}"}')


def _later(settings: Settings, mailbox: Mailbox, say: Say) -> None:
    if settings.after is not None:
        say(f"  after = {_time(settings.after)}: holds; until then only this login does not see the message")
    if settings.purge is not None:
        why = "" if mailbox.can_expunge_by_uid else "without UIDPLUS what was flagged is never expunged"
        say(f"  purge = {_time(settings.purge)}: {why or refusal(Policy.EXPUNGE, mailbox) or 'holds'}")


async def _ids(account: Account, connection: ImapConnection, listing: Listing, say: Say) -> bool:
    """Formats made of the server's own ids are tried on its newest message."""
    settings, uidl_format = account.settings, account.uidl_format(None)
    if not uidl_format.stable:
        return True
    try:
        ids: Mapping[int, str] = await stable_ids(connection, listing.uids[-1:])
        made = [uidl_format.stable_uidl(one) for one in ids.values()]
    except Trouble as trouble:
        say(f'  uidl = "{settings.uidl}": {trouble}')
        return False
    say(f'  uidl = "{settings.uidl}": holds' + (f", such as {made[0]}" if made else ""))
    return True


def _time(seconds: float) -> str:
    """As it is written in the configuration."""
    return f"{seconds / _DAY:g} days" if seconds >= _DAY else f"{seconds:g} seconds"
