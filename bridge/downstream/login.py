"""A login, read as a sentence: find the account, wait your turn, open its mailbox, all within the time allowed."""

from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from bridge.accounts.account import Account, OwnLogin, folded
from bridge.accounts.directory import Directory, LoginNotAllowed
from bridge.credentials.passwords import fits
from bridge.downstream.at_once import Over, begin
from bridge.downstream.crowd import Crowd
from bridge.downstream.throttle import Standing, Throttle, network_of
from bridge.maildrop.errors import CredentialsRefused, LoginsSlowed, UpstreamUnavailable
from bridge.maildrop.source import Source
from bridge.names import SessionId
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.opening import Opening, PostOffice
from bridge.postoffice.together import NotInTime
from bridge.postoffice.visit import Visit
from bridge.sasl import Credentials

PATIENCE = 30.0
"""Seconds a client is left waiting for its turn after failed logins; beyond that it is told to come back."""


class MakeSource(Protocol):
    """`given`: what the client sent, where that is what upstream gets."""

    def __call__(self, account: Account, given: Credentials | None, session: SessionId) -> Source: ...


@frozen
class _Trial:
    """One try to log in: `name` is whom it counts for, `found` the account or why there is none."""

    address: str
    name: str
    found: Account | OwnLogin | CredentialsRefused
    credentials: Credentials
    session: SessionId


class Logins:
    """Shared by all sessions."""

    def __init__(
        self,
        directory: Directory,
        make_source: MakeSource,
        office: PostOffice,
        throttle: Throttle,
        clock: IReactorTime,
        *,
        login_wait: float,
    ) -> None:
        self._directory = directory
        self._make_source = make_source
        self._office = office
        self._throttle = throttle
        self._crowd = Crowd()
        self._clock = clock
        self._login_wait = login_wait

    async def log_in(self, address: str, credentials: Credentials, session: SessionId) -> Visit | Gathering:
        """An open maildrop, or a Trouble."""
        found = self._find(credentials.login)
        # Tries count for the account they would open, not for what was typed: that can be spelt in a thousand ways.
        name = folded(credentials.login) if isinstance(found, CredentialsRefused) else found.guessed
        trial = _Trial(address, name, found, credentials, session)
        opening = begin(self._open_in_turn(trial))
        if isinstance(opening, Over):
            return opening.result
        opening.addTimeout(self._login_wait, self._clock, _late)
        try:
            return await opening
        except TimedOut as late:
            raise UpstreamUnavailable(
                f"{late} did not let us in within {self._login_wait:g} seconds; try again later"
            ) from None

    def _find(self, login: bytes) -> Account | OwnLogin | CredentialsRefused:
        """A login that no account takes waits and is answered like a wrong password."""
        try:
            account = self._directory.find(login)
        except LoginNotAllowed as error:
            return CredentialsRefused(str(error))
        return account or CredentialsRefused("no account takes this login")

    async def _open_in_turn(self, trial: _Trial) -> Visit | Gathering:
        """How a try is met is looked at again when its place is free:

        of many sent at once, those behind the first failures are no longer welcome, or have a penalty now.
        """
        while True:
            standing = self._throttle.standing(trial.address, trial.name)
            await self._turn(trial)
            async with self._place(trial, standing):
                if self._throttle.standing(trial.address, trial.name) is standing:
                    return await self._open(trial)

    async def _turn(self, trial: _Trial) -> None:
        patience = min(PATIENCE, self._login_wait / 2)
        turn = self._throttle.wait(trial.address, trial.name, at_most=patience)
        if turn > patience:
            raise LoginsSlowed("too many failed logins lately; try again in some minutes")
        if turn > 0:
            await deferLater(self._clock, turn)

    def _place(self, trial: _Trial, standing: Standing) -> AbstractAsyncContextManager[None]:
        if standing is Standing.WELCOME:
            return self._crowd.welcome_place(trial.name)
        return self._crowd.place(network_of(trial.address), trial.name)

    async def _open(self, trial: _Trial) -> Visit | Gathering:
        """What came of it counts before the place is given on: the next in it is met accordingly."""
        try:
            visit = await self._visit(trial)
        except CredentialsRefused:
            self._throttle.failed(trial.address, trial.name, trial.credentials.secret)
            raise
        self._throttle.succeeded(trial.address, trial.name)
        return visit

    async def _visit(self, trial: _Trial) -> Visit | Gathering:
        match trial.found:
            case CredentialsRefused() as refusal:
                raise refusal
            case Account() as account:
                source = self._make_source(account, trial.credentials, trial.session)
                return await self._office.open(account, source)
            case OwnLogin() as own:
                if trial.credentials.bearer or not await fits(own.password, trial.credentials.secret):
                    raise CredentialsRefused("the password is not that of the account")
                return await self._gathering(own, trial.session)

    async def _gathering(self, own: OwnLogin, session: SessionId) -> Visit | Gathering:
        """Half the time is for what would be served without upstream, too: turns may have taken the other (S10)."""
        openings = [Opening(account, partial(self._make_source, account, None, session)) for account in own.sources]
        return await self._office.open_together(openings, patience=self._login_wait / 2, hides_copies=own.hides_copies)


def _late(outcome: Any, _seconds: float) -> Any:
    """Says who was waited for. What came of it in the last moment stands."""
    if not isinstance(outcome, Failure):
        return outcome
    outcome.trap(CancelledError)  # type: ignore[no-untyped-call]  # Twisted has no types there
    raise TimedOut(str(outcome.value) if isinstance(outcome.value, NotInTime) else "upstream")
