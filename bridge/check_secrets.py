"""Whether every secret that the owner keeps for the bridge can be had, and is the bridge's alone."""

from collections.abc import Callable

from bridge.config import Config
from bridge.credentials.references import named, open_to_all, resolve
from bridge.credentials.vault import Vault
from bridge.maildrop.errors import Trouble


async def check_secrets(config: Config, vault: Vault, say: Callable[[str], None]) -> bool:
    """Says what is wrong, and nothing where nothing is."""
    fine = True
    for who, reference in named(config):
        try:
            await resolve(reference, vault)
        except Trouble as trouble:
            say(f"secret of {who}: {trouble}")
            fine = False
            continue
        if open_to_all(reference):
            say(f"secret of {who}: everybody on this machine can read {reference.name}")
    return fine
