"""How the bridge proves to upstream whose mail it fetches: with what the client gave it, or with a secret of its own.

Asked anew for every connection, so that one in the middle of a session gets a token that is still good.
"""

from typing import Protocol

from attrs import frozen

from bridge.accounts.account import Account
from bridge.config import OwnSource, Reference
from bridge.credentials.oauth2 import Grants
from bridge.credentials.references import resolve
from bridge.credentials.vault import Vault
from bridge.maildrop.errors import CredentialsRefused, Trouble, UpstreamUnsuitable
from bridge.sasl import Credentials
from bridge.secret import Secret


class Proof(Protocol):
    @property
    def identity(self) -> Secret:
        """The same for whoever may use the same connection upstream: what was proved, to upstream or to the bridge."""

    @property
    def parks(self) -> bool:
        """A connection may wait for the next session that proves the same (S22)."""

    async def credentials(self) -> Credentials:
        """For one login now. May raise a Trouble."""

    def renew(self, _refused: Credentials, /) -> bool:
        """Upstream took these for wrong. True where others will be given now, and one more try is worth it."""

    def refused(self, refusal: CredentialsRefused) -> Trouble:
        """What the client is to hear when that was the last try."""


@frozen
class Given:
    """What the client sent is what upstream gets."""

    given: Credentials

    @property
    def identity(self) -> Secret:
        return Secret(len(self.given.login).to_bytes(4, "big") + self.given.login + self.given.secret.reveal())

    @property
    def parks(self) -> bool:
        """Nobody but upstream knows whether a token is still good."""
        return not self.given.bearer

    async def credentials(self) -> Credentials:
        return self.given

    def renew(self, _refused: Credentials, /) -> bool:
        return False

    def refused(self, refusal: CredentialsRefused) -> Trouble:
        return refusal


@frozen
class Kept:
    """A password that the owner keeps for the bridge. The client has proved itself to the bridge before."""

    account: Account
    reference: Reference
    vault: Vault

    @property
    def identity(self) -> Secret:
        return Secret(f"own {self.account.label}".encode())

    @property
    def parks(self) -> bool:
        return True

    async def credentials(self) -> Credentials:
        return Credentials(self.account.login, await resolve(self.reference, self.vault), "PLAIN", bearer=False)

    def renew(self, _refused: Credentials, /) -> bool:
        return False

    def refused(self, refusal: CredentialsRefused) -> Trouble:
        """Nothing that the client could mend, and no guess of his."""
        return UpstreamUnsuitable(
            f"{self.account.label}: {self.account.settings.upstream.host} refuses the password in {self.reference}; "
            "whoever runs the bridge has to mend it",
            detail=refusal.detail,
        )


def proof_of(account: Account, given: Credentials | None, vault: Vault, grants: Grants) -> Proof:
    """`given`: what the client, or the owner at the terminal, says for himself; a source of ours has its own secret."""
    match account.settings:
        case OwnSource(secret=Reference(kind="oauth2", name=grant)):
            return grants.proof(grant, account)
        case OwnSource(secret=reference):
            return Kept(account, reference, vault)
        case _ if given is not None:
            return Given(given)
    raise ValueError("pass-through with nothing to pass")
