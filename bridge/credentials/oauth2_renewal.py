"""One request for a new access token, in the order that loses nothing: what the server gave for later is stored first.

A refresh token that was replaced while the bridge is killed is in the vault before anybody sees the access token that
came with it.
"""

from collections.abc import Awaitable, Callable

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from bridge.config import OAuth2Grant
from bridge.credentials.oauth2_answers import Tokens
from bridge.credentials.oauth2_client import Client, Refused
from bridge.credentials.oauth2_record import Record, recall, record_name, remember
from bridge.credentials.vault import Vault
from bridge.secret import Secret

CONSENT = frozenset({"invalid_grant", "interaction_required", "consent_required", "login_required"})
"""RFC 6749, section 5.2; the others are OpenID Connect's, which Microsoft says at its token endpoint too."""


class ConsentNeeded(Exception):
    """No request helps before a person has said yes again; the text says why."""


class Renewal:
    """`stopped` is told once, when the server wants consent again.

    `login`: whose mail a service account reads; the others are for one person anyway.
    """

    def __init__(
        self,
        client: Client,
        vault: Vault,
        clock: IReactorTime,
        login: str,
        stopped: Callable[[OAuth2Grant, str], None],
    ) -> None:
        self._client = client
        self._vault = vault
        self._clock = clock
        self._login = login
        self._stopped = stopped
        self._unstored: tuple[Secret | None, Record] | None = None

    async def __call__(self) -> Tokens:
        """Raises NoTokens, ConsentNeeded, and what the vault or a secret's place raises."""
        await self._store()
        record = await recall(self._vault, self._name)
        if record.refused:
            raise ConsentNeeded(record.refused)
        try:
            return await self._renewed(record)
        except Refused as refused:
            if refused.code not in CONSENT:
                raise
            reason = str(refused)
        now = await recall(self._vault, self._name)
        if now.refresh != record.refresh and not now.refused:
            # Somebody was quicker: a command of the owner's, which rotated it or brought a new consent.
            return await self._renewed(now)
        await remember(self._vault, self._name, evolve(now, refused=reason, refused_at=self._clock.seconds()))
        self._stopped(self._client.grant, reason)
        raise ConsentNeeded(reason)

    @property
    def _name(self) -> str:
        return record_name(self._client.grant, self._login)

    async def _renewed(self, record: Record) -> Tokens:
        tokens = await self._asked(record)
        if tokens.refresh is not None and tokens.refresh != record.refresh:
            self._unstored = record.refresh, evolve(record, refresh=tokens.refresh, since=self._clock.seconds())
            await self._store()
        return tokens

    def _asked(self, record: Record) -> Awaitable[Tokens]:
        match self._client.grant.grant:
            case "client":
                return self._client.own()
            case "service":
                return self._client.as_service(self._login)
            case "code" | "device":
                return self._client.refreshed(self._consent(record))

    def _consent(self, record: Record) -> Secret:
        if record.refresh is None:
            raise ConsentNeeded("nobody has given consent yet")
        if record.client_id != self._client.grant.client_id:
            raise ConsentNeeded("consent was given to another client_id")
        return record.refresh

    async def _store(self) -> None:
        """Where the vault failed, the token is kept here and tried again before anything is asked.

        A consent that was given meanwhile is not overwritten: the owner had his reasons.
        """
        if self._unstored is None:
            return
        replaced, record = self._unstored
        if (await recall(self._vault, self._name)).refresh == replaced:
            await remember(self._vault, self._name, record)
        self._unstored = None
