"""Whose mail it is: one login at one upstream, with the settings its owner gave it."""

from hashlib import sha256

from attrs import frozen

from bridge.config import PassThrough
from bridge.names import AccountName


@frozen
class Account:
    """`login` is sent upstream as it stands; `name` is the key of everything kept for this account (S22)."""

    login: bytes
    name: AccountName
    passthrough: PassThrough

    @property
    def guessed(self) -> str:
        """The key of what is counted against guessing (S23).

        Many servers take a login in any case: spelt in a thousand ways it is still one password that is guessed at.
        """
        return folded(str(self.passthrough.upstream).encode() + b" " + self.login)


def folded(octets: bytes) -> str:
    """The same for every case; ASCII, also of octets that are no text, and never long."""
    name = octets.decode("utf-8", "surrogateescape").casefold().encode("utf-8", "surrogateescape")
    return sha256(name).hexdigest()
