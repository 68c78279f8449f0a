"""A login, read as a sentence: find the account, wait your turn, open its mailbox, all within the time allowed."""

from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from bridge.accounts.account import Account, folded
from bridge.accounts.directory import Directory, LoginNotAllowed
from bridge.downstream.crowd import Crowd
from bridge.downstream.throttle import Throttle, network_of
from bridge.maildrop.errors import CredentialsRefused, UpstreamUnavailable
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.source import Source
from bridge.names import SessionId
from bridge.postoffice.opening import open_maildrop
from bridge.sasl import Credentials

PATIENCE = 30.0
"""Seconds a client is left waiting for its turn after failed logins; beyond that it is told to come back."""


class MakeSource(Protocol):
    def __call__(self, account: Account, credentials: Credentials, session: SessionId) -> Source: ...


@frozen
class Opened:
    """What a successful login gives a session."""

    account: Account
    source: Source
    maildrop: Maildrop


@frozen
class _Trial:
    """One try to log in: `name` is whom it counts for, `found` the account or why there is none."""

    address: str
    name: str
    found: Account | CredentialsRefused
    credentials: Credentials
    session: SessionId


class Logins:
    """Shared by all sessions."""

    def __init__(
        self,
        directory: Directory,
        make_source: MakeSource,
        throttle: Throttle,
        clock: IReactorTime,
        *,
        login_wait: float,
    ) -> None:
        self._directory = directory
        self._make_source = make_source
        self._throttle = throttle
        self._crowd = Crowd()
        self._clock = clock
        self._login_wait = login_wait

    async def log_in(self, address: str, credentials: Credentials, session: SessionId) -> Opened:
        """An open maildrop, or a Trouble."""
        found = self._find(credentials.login)
        # Tries count for the account they would open, not for what was typed: that can be spelt in a thousand ways.
        name = found.guessed if isinstance(found, Account) else folded(credentials.login)
        trial = _Trial(address, name, found, credentials, session)
        patience = min(PATIENCE, self._login_wait / 2)
        turn = self._throttle.wait(address, name, at_most=patience)
        if turn > patience:
            raise UpstreamUnavailable("too many failed logins lately; try again in some minutes")
        if turn > 0:
            await deferLater(self._clock, turn)
        try:
            opened = await self._in_time(trial, self._login_wait - turn)
        except CredentialsRefused:
            self._throttle.failed(address, name, credentials.secret)
            raise
        self._throttle.succeeded(address, name)
        return opened

    def _find(self, login: bytes) -> Account | CredentialsRefused:
        """A login that no account takes waits and is answered like a wrong password."""
        try:
            account = self._directory.find(login)
        except LoginNotAllowed as error:
            return CredentialsRefused(str(error))
        return account or CredentialsRefused("no account takes this login")

    async def _open_in_turn(self, trial: _Trial) -> Opened:
        if self._throttle.is_welcome(trial.address, trial.name):
            return await self._open(trial)
        async with self._crowd.place(network_of(trial.address), trial.name):
            return await self._open(trial)

    async def _open(self, trial: _Trial) -> Opened:
        if isinstance(trial.found, CredentialsRefused):
            raise trial.found
        source = self._make_source(trial.found, trial.credentials, trial.session)
        return Opened(trial.found, source, await open_maildrop(trial.found, source))

    async def _in_time(self, trial: _Trial, seconds: float) -> Opened:
        opening = Deferred.fromCoroutine(self._open_in_turn(trial))
        opening.addTimeout(seconds, self._clock)
        try:
            return await opening
        except TimedOut:
            raise UpstreamUnavailable(
                f"upstream did not let us in within {seconds:g} seconds; try again later"
            ) from None
