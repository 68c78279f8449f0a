"""Passwords of the bridge's own accounts: scrypt hashes, checked in threads. What a client typed is never kept."""

import base64
import hmac
import os
import re
from hashlib import scrypt

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from bridge.secret import Secret

_HASH = re.compile(
    r"\$scrypt\$ln=(?P<ln>\d{1,2}),r=(?P<r>\d{1,2}),p=(?P<p>\d{1,2})\$(?P<salt>[\w+/]+)\$(?P<hash>[\w+/]+)"
)
_LOG_N, _R, _P = 15, 8, 1


def hashed(password: Secret) -> str:
    """As it stands in the configuration: `$scrypt$ln=15,r=8,p=1$salt$hash`."""
    salt = os.urandom(16)
    return f"$scrypt$ln={_LOG_N},r={_R},p={_P}${_text(salt)}${_text(_scrypt(password, salt, _LOG_N, _R, _P))}"


def fits(text: str, password: Secret) -> "Deferred[bool]":
    return deferToThread(_fits, text, password)


def _fits(text: str, password: Secret) -> bool:
    given = _HASH.fullmatch(text)
    if given is None:
        return False
    made = _scrypt(password, _octets(given["salt"]), int(given["ln"]), int(given["r"]), int(given["p"]))
    return hmac.compare_digest(made, _octets(given["hash"]))


def _scrypt(password: Secret, salt: bytes, ln: int, r: int, p: int) -> bytes:
    return scrypt(password.reveal(), salt=salt, n=1 << ln, r=r, p=p, maxmem=(256 << ln) * r, dklen=32)


def _text(octets: bytes) -> str:
    return base64.b64encode(octets).decode().rstrip("=")


def _octets(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4))
