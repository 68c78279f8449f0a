"""Where a secret is found that the owner keeps for the bridge: "vault:NAME", "file:PATH", "env:NAME".

Read anew each time.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from twisted.internet.threads import deferToThread

from bridge.config import Config, Reference
from bridge.credentials.vault import LONGEST, Vault
from bridge.maildrop.errors import UpstreamUnsuitable
from bridge.secret import Secret


async def resolve(reference: Reference, vault: Vault) -> Secret:
    """Raises UpstreamUnsuitable that says what is missing, and what a vault raises."""
    if reference.kind == "vault":
        kept = await vault.get(reference.name)
        if kept is None:
            raise UpstreamUnsuitable(
                f"the vault has no secret {reference.name}; whoever runs the bridge has to say: "
                f"popbridge secret set {reference.name}"
            )
        return kept
    if reference.kind == "env":
        value = os.environb.get(reference.name.encode())
        if not value:
            raise UpstreamUnsuitable(f"the environment variable {reference.name} that holds a password is not set")
        return Secret(value)
    return await deferToThread(_read, reference.name)


def _read(name: str) -> Secret:
    try:
        with Path(name).open("rb") as file:
            value = file.read(LONGEST + 1).rstrip(b"\r\n")
    except OSError as error:
        raise UpstreamUnsuitable(f"the password in {name} cannot be read ({error.strerror})") from None
    if not 0 < len(value) <= LONGEST:
        raise UpstreamUnsuitable(f"{name} holds no password" if not value else f"{name} is too long for a password")
    return Secret(value)


def named(config: Config) -> Iterator[tuple[str, Reference]]:
    """Every secret that the owner keeps for the bridge, and who needs it; a source with a grant has none of its own."""
    for account in config.accounts:
        for source in account.source:
            if source.secret.kind != "oauth2":
                yield f"{account.user}/{source.name}", source.secret
    for grant in config.oauth2:
        for reference in (grant.client_secret, grant.private_key, grant.service_account):
            if reference is not None:
                yield f"oauth2 {grant.name}", reference


def open_to_all(reference: Reference) -> bool:
    """Whether everybody on the machine can read it. Containers mount secrets so, where nobody else is: no refusal."""
    return reference.kind == "file" and bool(Path(reference.name).stat().st_mode & 0o004)
