"""APOP (RFC 1939, section 7): the client sends the MD5 of the greeting's timestamp and the password.

It is for programs that know nothing better. It needs the password itself on the server's side, and who listens can try
passwords at his leisure: one that a program made up, of 79 bits, stands that; one that a person thought up may not.
"""

import hmac
from hashlib import md5
from typing import ClassVar

from attrs import field, frozen

from bridge.secret import Secret


@frozen
class Digest:
    """What a client sent to prove that it is `login`, in lower case, and the timestamp it was made with."""

    login: bytes
    timestamp: bytes
    digest: bytes = field(repr=False)
    mechanism: ClassVar[str] = "APOP"

    @property
    def secret(self) -> Secret:
        """What is counted as a guess; another one at each login."""
        return Secret(self.digest)

    def fits(self, password: Secret) -> bool:
        return hmac.compare_digest(self.digest, digest_of(self.timestamp, password))


def make_timestamp(unique: str) -> bytes:
    """A msg-id (RFC 822), as the greeting has it. `unique`: letters and digits never used before, on any server."""
    return b"<%s@popbridge>" % unique.encode("ascii")


def digest_of(timestamp: bytes, password: Secret) -> bytes:
    made = md5(timestamp + password.reveal(), usedforsecurity=False)  # what the protocol says
    return made.hexdigest().encode("ascii")
