"""Where a secret is found that the owner keeps for the bridge: "env:NAME" or "file:PATH". Read anew each time."""

import os
from pathlib import Path

from twisted.internet.threads import deferToThread

from bridge.config import Reference
from bridge.maildrop.errors import UpstreamUnsuitable
from bridge.secret import Secret

LONGEST = 64 * 1024
"""Octets; tokens are long."""


async def resolve(reference: Reference) -> Secret:
    """Raises UpstreamUnsuitable that says what is missing."""
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
