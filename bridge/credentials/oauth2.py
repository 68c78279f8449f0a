"""All OAuth2 grants of a configuration, and how a source proves itself by one: with a token that is good now."""

from collections.abc import Awaitable, Callable
from random import SystemRandom
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from bridge.accounts.account import Account
from bridge.config import Config, OAuth2Grant, Reference
from bridge.credentials.oauth2_client import Client, Resolve
from bridge.credentials.oauth2_http import Posting, posting
from bridge.credentials.oauth2_keeper import Keeper
from bridge.credentials.oauth2_renewal import Renewal
from bridge.credentials.references import resolve
from bridge.credentials.vault import Vault
from bridge.events import ConsentWanted, Emit, TokenDelayed
from bridge.maildrop.errors import CredentialsRefused, Trouble, UpstreamUnsuitable
from bridge.sasl import Credentials
from bridge.secret import Secret

STOPPING = 5.0
"""Seconds in which a request that is under way may end when the bridge stops: a new refresh token may come of it."""


class Grants:
    """One for the whole bridge. `wanted` is told of a grant that a person has to see to."""

    def __init__(
        self,
        grants: tuple[OAuth2Grant, ...],
        posting: Posting,
        vault: Vault,
        resolve: Resolve,
        clock: IReactorTime,
        random: Callable[[], float],
        emit: Emit,
        wanted: Callable[[OAuth2Grant], None] = lambda _: None,
    ) -> None:
        self._clients = {grant.name: Client.of(grant, posting, resolve, clock) for grant in grants}
        self._vault = vault
        self._clock = clock
        self._random = random
        self._emit = emit
        self._wanted = wanted
        self._keepers: dict[tuple[str, str], Keeper] = {}

    def proof(self, name: str, account: Account) -> "Granted":
        """By the grant of that name, which the configuration has."""
        return Granted(account, self._keeper(name, account.login.decode()), self._clients[name].server.mechanism)

    def stop(self) -> "Deferred[Any]":
        """Fires when no request is under way, or had its time."""
        settled = gatherResults([keeper.settled() for keeper in self._keepers.values()], consumeErrors=True)
        settled.addTimeout(STOPPING, self._clock, onTimeoutCancel=lambda *_: None)
        return settled

    def _keeper(self, name: str, login: str) -> Keeper:
        client = self._clients[name]
        # A service account's token is for one person's mail; the others are for whoever gave consent.
        key = (name, login if client.grant.grant == "service" else "")
        if key not in self._keepers:
            renewal = Renewal(client, self._vault, self._clock, login, self._stopped)
            self._keepers[key] = Keeper(
                name,
                renewal,
                self._clock,
                self._random,
                lambda reason, seconds: self._emit(TokenDelayed(name, reason, seconds)),
            )
        return self._keepers[key]

    def _stopped(self, grant: OAuth2Grant, reason: str) -> None:
        self._emit(ConsentWanted(grant.name, reason))
        self._wanted(grant)


def grants_of(
    config: Config,
    reactor: IReactorTime,
    vault: Vault,
    emit: Emit = lambda _: None,
    wanted: Callable[[OAuth2Grant], None] = lambda _: None,
) -> Grants:
    def found(reference: Reference) -> Awaitable[Secret]:
        return resolve(reference, vault)

    chance = SystemRandom().random
    return Grants(config.oauth2, posting(reactor), vault, found, reactor, chance, emit, wanted)


@define(eq=False)
class Granted:
    """A `Proof`. The client has proved itself to the bridge before."""

    account: Account
    keeper: Keeper
    mechanism: str
    _identity: Secret = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._identity = Secret(f"own {self.account.label}".encode())

    @property
    def identity(self) -> Secret:
        return self._identity

    @property
    def parks(self) -> bool:
        return True

    async def credentials(self) -> Credentials:
        return Credentials(self.account.login, await self.keeper.token(), self.mechanism, bearer=True)

    def renew(self, refused: Credentials, /) -> bool:
        return self.keeper.refused(refused.secret)

    def refused(self, refusal: CredentialsRefused) -> Trouble:
        """A token fresh from the provider: it is for somebody else, or for something else than mail."""
        return UpstreamUnsuitable(
            f"{self.account.label}: {self.account.settings.upstream.host} refuses a fresh access token; whoever runs "
            f"the bridge has to look at login and scopes, and to run popbridge authorise again",
            detail=refusal.detail,
        )
