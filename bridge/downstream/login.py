"""A login, read as a sentence: find the account, wait your turn, open its mailbox, all within the time allowed."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import CancelledError
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from bridge.accounts.account import Account, OwnLogin, guessed_of_own
from bridge.accounts.directory import Directory, LoginNotAllowed
from bridge.credentials.passwords import Evidence, Passwords, Proved
from bridge.downstream.at_once import Over, begin
from bridge.downstream.crowd import Crowd
from bridge.downstream.throttle import Standing, Throttle, network_of
from bridge.maildrop.errors import CredentialsRefused, LoginsSlowed, UpstreamUnavailable
from bridge.maildrop.source import Source
from bridge.names import SessionId
from bridge.passwords.scram import Keys, ScramError
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
    evidence: Evidence
    session: SessionId


@frozen
class Opened:
    """`device`: whose password it was, "" the account's own, None where it was upstream's. `farewell`: what proves the
    bridge to the client, to be sent before it is let in; b"" for nothing.
    """

    visit: Visit | Gathering
    device: str | None = None
    farewell: bytes = b""


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
        passwords: Passwords | None = None,
        offers_apop: bool = False,
    ) -> None:
        """`passwords`: of the accounts of the bridge's own; None where there are none.

        `offers_apop`: the vault has the password of every login there is.
        """
        self.offers_apop = offers_apop
        self._directory = directory
        self._make_source = make_source
        self._office = office
        self._throttle = throttle
        self._crowd = Crowd()
        self._clock = clock
        self._login_wait = login_wait
        self._passwords = passwords

    def scram_keys(self, login: bytes) -> Keys:
        """Whose salt this login is told, whether it is somebody's or not. Raises ScramError where there is none."""
        if self._passwords is None:
            raise ScramError("SCRAM is not available here")
        found = self._find(login)
        return self._passwords.scram_keys(found if isinstance(found, OwnLogin) else None, login)

    async def log_in(self, address: str, evidence: Evidence, session: SessionId) -> Opened:
        """An open maildrop, or a Trouble."""
        found = self._find(evidence.login)
        # Tries count for the account they would open, not for what was typed: that can be spelt in a thousand ways.
        # Nobody's count as if there were such an account: other spellings of an account that there is are nobody's.
        name = guessed_of_own(evidence.login) if isinstance(found, CredentialsRefused) else found.guessed
        trial = _Trial(address, name, found, evidence, session)
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

    async def _open_in_turn(self, trial: _Trial) -> Opened:
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

    async def _open(self, trial: _Trial) -> Opened:
        """What came of it counts before the place is given on: the next in it is met accordingly."""
        try:
            opened = await self._opened(trial)
        except CredentialsRefused:
            self._throttle.failed(trial.address, trial.name, trial.evidence.secret)
            raise
        self._throttle.succeeded(trial.address, trial.name)
        return opened

    async def _opened(self, trial: _Trial) -> Opened:
        match trial.found:
            case CredentialsRefused() as refusal:
                if self._passwords is not None:
                    await self._passwords.refuse(trial.evidence)
                raise refusal
            case Account() as account:
                if not isinstance(trial.evidence, Credentials):
                    raise CredentialsRefused(f"upstream cannot check {trial.evidence.mechanism}")
                source = self._make_source(account, trial.evidence, trial.session)
                return Opened(await self._office.open(account, source))
            case OwnLogin() as own:
                proved = await self._proved(own, trial.evidence)
                visit = await self._gathering(own, proved.password.sources, trial.session)
                return Opened(visit, proved.password.device, proved.farewell)

    async def _gathering(self, own: OwnLogin, sources: Sequence[Account], session: SessionId) -> Visit | Gathering:
        """Half the time is for what would be served without upstream, too: turns may have taken the other (S10)."""
        openings = [Opening(account, partial(self._make_source, account, None, session)) for account in sources]
        return await self._office.open_together(openings, patience=self._login_wait / 2, hides_copies=own.hides_copies)

    async def _proved(self, own: OwnLogin, evidence: Evidence) -> Proved:
        """Nothing goes upstream before."""
        assert self._passwords is not None, "where there are accounts, somebody checks their passwords"
        proved = await self._passwords.proved(own, evidence)
        if proved is None:
            raise CredentialsRefused("the password is none of the account's")
        return proved


def _late(outcome: Any, _seconds: float) -> Any:
    """Says who was waited for. What came of it in the last moment stands."""
    if not isinstance(outcome, Failure):
        return outcome
    outcome.trap(CancelledError)  # type: ignore[no-untyped-call]  # Twisted has no types there
    raise TimedOut(str(outcome.value) if isinstance(outcome.value, NotInTime) else "upstream")
