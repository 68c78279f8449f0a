"""Where the bridge keeps the secrets that it needs by itself: passwords and tokens for upstream, sealed at rest (S30).

What is in it was put there by the owner's command or by the bridge; nothing that a client types is ever a key to it,
so no wrong login can lose anything.
"""

import re
from typing import Protocol

from twisted.internet.defer import Deferred

from bridge.maildrop.errors import Lasting, Trouble
from bridge.secret import Secret

LONGEST = 64 * 1024
"""Octets of a secret; tokens are long."""

OWNERS_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What an owner may call a secret. The bridge's own have a kind in front: "oauth2/work"."""

_NAME = re.compile(r"[!-~]{1,255}")


class VaultLocked(Lasting):
    """The key is missing, wrong or open to others, or the file cannot be used: a person has to see to it."""


class VaultUnavailable(Trouble):
    """The file cannot be read or written now; nothing was promised."""


class Vault(Protocol):
    """Secrets by name. What was put is on the disk when its Deferred fires; all may fail with VaultLocked or
    VaultUnavailable.
    """

    def get(self, name: str) -> "Deferred[Secret | None]": ...

    def put(self, name: str, secret: Secret) -> "Deferred[None]":
        """In the place of one that has this name. Raises ValueError for what `check` refuses."""

    def remove(self, name: str) -> "Deferred[bool]":
        """Whether there was one. It needs no key."""

    def dates(self) -> "Deferred[dict[str, float]]":
        """When each was put, by its name. It needs no key."""

    def names(self) -> "Deferred[list[str]]":
        """Ordered."""


def check(name: str, secret: Secret) -> None:
    """Raises ValueError for what no vault takes."""
    if not _NAME.fullmatch(name):
        raise ValueError("a secret's name is 1 to 255 printable characters without blanks")
    if not 0 < len(secret.reveal()) <= LONGEST:
        raise ValueError(f"a secret has 1 to {LONGEST:,} octets")
