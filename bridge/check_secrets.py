"""Whether every secret that the owner keeps for the bridge can be had, and is the bridge's alone."""

from collections.abc import Callable

from bridge.config import Config
from bridge.credentials.references import open_to_all, resolve
from bridge.credentials.vault import Vault
from bridge.maildrop.errors import Trouble


async def check_secrets(config: Config, vault: Vault, say: Callable[[str], None]) -> bool:
    """Says what is wrong, and nothing where nothing is."""
    fine = True
    for account in config.accounts:
        for source in account.source:
            try:
                await resolve(source.secret, vault)
            except Trouble as trouble:
                say(f"secret of {account.user}/{source.name}: {trouble}")
                fine = False
                continue
            if open_to_all(source.secret):
                say(f"secret of {account.user}/{source.name}: everybody on this machine can read {source.secret.name}")
    return fine
