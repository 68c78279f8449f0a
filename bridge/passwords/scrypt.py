"""A password as the configuration has it: a scrypt hash (RFC 7914) in one line, from which nobody reads the password.

Checking takes a tenth of a second and 32 MiB, so that who steals the file cannot try many: not on the reactor's thread.
"""

import hmac
import re
from base64 import b64decode, b64encode
from hashlib import scrypt

from attrs import field, frozen

from bridge.passwords.preparation import prepared
from bridge.secret import Secret

SALT = 16
"""Octets of a new salt."""

DIGEST = 32

_MEMORY = 128 * 2**20
_STEPS = 2**22
_NOTATION = re.compile(
    r"\$scrypt\$ln=([1-9]\d?),r=([1-9]\d?),p=([1-9]\d?)\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{43})",
)


@frozen
class Cost:
    """scrypt's parameters: N is 2 to the power of `log_n`.

    The usual ones: 32 MiB and about 0.1 s. More memory would bound how many of a thousand devices, all polling after a
    restart, get in within a minute; less would spare the thief of a file work on a password that a person thought up.
    """

    log_n: int = 15
    r: int = 8
    p: int = 1

    @property
    def memory(self) -> int:
        """Octets that one check takes (RFC 7914, section 2)."""
        return 128 * self.r * ((1 << self.log_n) + self.p + 2)


USUAL = Cost()


@frozen
class PasswordHash:
    """As a PHC string: `$scrypt$ln=15,r=8,p=1$salt$hash`, base64 without padding."""

    cost: Cost
    salt: bytes
    digest: bytes = field(repr=False)

    def __str__(self) -> str:
        cost = self.cost
        return f"$scrypt$ln={cost.log_n},r={cost.r},p={cost.p}${_text(self.salt)}${_text(self.digest)}"

    def fits(self, digest: bytes) -> bool:
        """`digest`: what `derive` made of a password with this cost and this salt."""
        return hmac.compare_digest(self.digest, digest)


def make_hash(password: Secret, salt: bytes, cost: Cost = USUAL) -> PasswordHash:
    return PasswordHash(cost, salt, derive(password, salt, cost))


def derive(password: Secret, salt: bytes, cost: Cost) -> bytes:
    """The slow part."""
    return scrypt(
        prepared(password.reveal()),
        salt=salt,
        n=1 << cost.log_n,
        r=cost.r,
        p=cost.p,
        maxmem=cost.memory + 2**20,  # OpenSSL counts a little more than the RFC
        dklen=DIGEST,
    )


def parse_hash(text: str) -> PasswordHash:
    """ValueError: it is none, or one whose check would take more than 128 MiB or some seconds."""
    parts = _NOTATION.fullmatch(text)
    if parts is None:
        raise ValueError("this is no scrypt hash")
    cost = Cost(int(parts[1]), int(parts[2]), int(parts[3]))
    if cost.log_n < 10 or 128 * cost.r << min(cost.log_n, 40) > _MEMORY or cost.r * cost.p << cost.log_n > _STEPS:
        raise ValueError("the costs of this scrypt hash are out of bounds")
    salt, digest = _octets(parts[4]), _octets(parts[5])
    made = PasswordHash(cost, salt, digest)
    if str(made) != text:  # a length that base64 does not have, or stray bits at an end
        raise ValueError("this is no scrypt hash")
    return made


def _text(octets: bytes) -> str:
    return b64encode(octets).decode("ascii").rstrip("=")


def _octets(text: str) -> bytes:
    if len(text) % 4 == 1:
        raise ValueError("this is no scrypt hash")
    return b64decode(text + "=" * (-len(text) % 4))
