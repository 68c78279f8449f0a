"""What is remembered of a grant between two runs, sealed in the vault: its refresh token, or why that is of no use."""

import json
from hashlib import sha256
from typing import Any

from attrs import asdict, fields, frozen

from bridge.config import OAuth2Grant
from bridge.credentials.vault import Vault
from bridge.secret import Secret

PREFIX = "oauth2/"


@frozen(kw_only=True)
class Record:
    """`refused`: why the server wants consent again; empty while it does not. Times are seconds since 1970."""

    client_id: str = ""
    refresh: Secret | None = None
    since: float = 0.0
    refused: str = ""
    refused_at: float = 0.0


NOTHING = Record()


def record_name(grant: OAuth2Grant, login: str) -> str:
    """A service account speaks for each login by itself: that it may not for one stops none of the others."""
    return f"{grant.name}/{sha256(login.encode()).hexdigest()[:16]}" if grant.grant == "service" else grant.name


async def recall(vault: Vault, name: str) -> Record:
    """NOTHING where nothing is remembered, or nothing that could be understood: consent mends both."""
    kept = await vault.get(PREFIX + name)
    if kept is None:
        return NOTHING
    try:
        read: dict[str, Any] = json.loads(kept.reveal())
        known = {field.name: read[field.name] for field in fields(Record) if field.name in read}
    except (ValueError, TypeError):
        return NOTHING
    if isinstance(refresh := known.pop("refresh", None), str):
        known["refresh"] = Secret(refresh.encode())
    return Record(**known)


async def remember(vault: Vault, name: str, record: Record) -> None:
    """Durable when it returns."""
    shown = asdict(record, recurse=False)
    shown["refresh"] = record.refresh.reveal().decode() if record.refresh is not None else None
    await vault.put(PREFIX + name, Secret(json.dumps(shown).encode()))
