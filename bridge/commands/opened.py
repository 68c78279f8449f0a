"""What a command is about, opened and surely closed again: the account, the state file, the mailbox upstream."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

from bridge.accounts.account import Account, OwnLogin
from bridge.accounts.directory import Directory, LoginNotAllowed
from bridge.accounts.login_view import without_view
from bridge.check_state import look_at_state
from bridge.commands.terminal import CommandRefused
from bridge.config import Config, ConfigError, PassThrough, from_flags, load
from bridge.credentials.oauth2 import grants_of
from bridge.credentials.proof import proof_of
from bridge.credentials.vault_file import FileVault
from bridge.maildrop.source import Source
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.state.faults import StateUnusable
from bridge.state.memory import MemoryStore
from bridge.state.sqlite import SqliteStore
from bridge.state.store import Store
from bridge.state.threads import Reactor as ReactorWithThreads
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener


def settings_of(file: Path | None, upstream: str | None, state: str | None) -> Config:
    """From a file, or from the flags with which twistd was started without one."""
    try:
        if file is not None:
            if upstream is not None or state is not None:
                raise CommandRefused("--config goes without --upstream and --state; the file says both")
            return load(file)
        # A configuration has to listen somewhere; a command does not.
        return from_flags(
            pop3=("127.0.0.1:0",),
            pop3s=(),
            upstream=(upstream,) if upstream is not None else (),
            state=state,
            delete=None,
            seen=None,
            certificate=None,
            key=None,
        )
    except ConfigError as error:
        raise CommandRefused(str(error)) from None


def find_account(config: Config, login: str, source: str | None = None) -> Account:
    """`source`: which of several behind the login."""
    sources = find_sources(config, login)
    named = [account for account in sources if source is None or account.source == source]
    match named:
        case [only]:
            return only
        case []:
            names = ", ".join(account.source for account in sources if account.source)
            raise CommandRefused(f"{login} has no source {source}" + (f"; there is {names}" if names else ""))
        case _:
            raise CommandRefused(
                f"{login} has several sources; say which: " + ", ".join(f"--source {one.source}" for one in sources)
            )


def find_sources(config: Config, login: str) -> Sequence[Account]:
    """All that lies behind a login, in the order of the configuration."""
    try:
        account = Directory(config.passthrough, config.accounts).find(login.encode())
    except LoginNotAllowed as error:
        raise CommandRefused(f"this login is not taken: {error}") from None
    match account:
        case None:
            raise CommandRefused(f"no account and no [[passthrough]] entry takes the login {login}")
        case OwnLogin(sources=sources):
            return sources
        case Account():
            return [account]


def plain_login(login: str, account: Account) -> str:
    """What was typed at the old server: the login without the view that the bridge understands."""
    return (
        without_view(login.encode()).decode()
        if isinstance(account.settings, PassThrough) and account.settings.login_views
        else login
    )


@asynccontextmanager
async def state_of(
    config: Config, reactor: ReactorWithThreads, *, missing: Literal["make", "refuse", "empty"]
) -> AsyncIterator[Store]:
    """The state file. `missing`: what becomes of it where there is none; "empty" looks at one that is never written."""
    path = config.state
    found = look_at_state(path) if path is not None else None
    if missing == "empty" and (found is None or not (found.exists or found.trouble)):
        yield MemoryStore()
        return
    if path is None or found is None:
        raise CommandRefused('state = "memory:" keeps nothing beyond its process; write state = "sqlite:FILE"')
    if missing == "refuse" and not found.exists:
        raise CommandRefused(f"there is no state file {path}: nothing is remembered yet")
    if found.is_older:
        # A bridge of that version may be running.
        raise CommandRefused(f"{path} is of an older version; the bridge upgrades it at its next start")
    try:
        store = SqliteStore.open(path, reactor)
    except StateUnusable as error:
        raise CommandRefused(str(error)) from None
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def mailbox_of(
    config: Config, reactor: Reactor, account: Account, password: Secret | None
) -> AsyncIterator[Source]:
    """Nothing is connected yet: the first question does that. `password`: None where the owner keeps one."""
    given = Credentials(account.login, password, "USER", bearer=False) if password is not None else None
    vault = FileVault.at(config.vault, reactor.seconds)
    proof = proof_of(account, given, vault, grants_of(config, reactor, vault))
    source: Source = Opener(reactor, config.timeouts).source(account, proof)
    try:
        yield source
    except BaseException:
        source.abandon()
        raise
    source.close()
