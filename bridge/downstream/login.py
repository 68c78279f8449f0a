"""A login, read as a sentence: wait your turn, find the account, open its mailbox, all within the time allowed."""

from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from bridge.accounts.account import Account
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
        patience = min(PATIENCE, self._login_wait / 2)
        turn = self._throttle.wait(address, credentials.login, at_most=patience)
        if turn > patience:
            raise UpstreamUnavailable("too many failed logins lately; try again in some minutes")
        if turn > 0:
            await deferLater(self._clock, turn)
        try:
            opened = await self._in_time(address, credentials, session, self._login_wait - turn)
        except CredentialsRefused:
            self._throttle.failed(address, credentials)
            raise
        self._throttle.succeeded(address, credentials.login)
        return opened

    async def _open_in_turn(self, address: str, credentials: Credentials, session: SessionId) -> Opened:
        if self._throttle.is_welcome(address, credentials.login):
            return await self._open(credentials, session)
        async with self._crowd.place(network_of(address), credentials.login):
            return await self._open(credentials, session)

    async def _open(self, credentials: Credentials, session: SessionId) -> Opened:
        try:
            account = self._directory.find(credentials.login)
        except LoginNotAllowed as error:
            raise CredentialsRefused(str(error)) from error
        if account is None:
            raise CredentialsRefused("no account takes this login")
        source = self._make_source(account, credentials, session)
        return Opened(account, source, await open_maildrop(account, source))

    async def _in_time(self, address: str, credentials: Credentials, session: SessionId, seconds: float) -> Opened:
        opening = Deferred.fromCoroutine(self._open_in_turn(address, credentials, session))
        opening.addTimeout(seconds, self._clock)
        try:
            return await opening
        except TimedOut:
            raise UpstreamUnavailable(
                f"upstream did not let us in within {seconds:g} seconds; try again later"
            ) from None
