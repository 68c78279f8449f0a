"""A client that says SCRAM-SHA-256 (RFC 5802, section 3), written from the RFC and not from the bridge's own half."""

import hmac
from base64 import b64decode, b64encode
from hashlib import pbkdf2_hmac, sha256


class ScramClient:
    def __init__(self, user: bytes, password: bytes, *, nonce: bytes = b"fyko+d2lbbFgONRv9qkxdawL") -> None:
        self._password = password
        self._bare = b"n=" + user.replace(b"=", b"=3D").replace(b",", b"=2C") + b",r=" + nonce
        self._expected = b""

    def first(self) -> bytes:
        return b"n,," + self._bare

    def final(self, asked: bytes) -> bytes:
        nonce, salt, count = (part[2:] for part in asked.split(b",")[:3])
        salted = pbkdf2_hmac("sha256", self._password, b64decode(salt), int(count))
        key = hmac.digest(salted, b"Client Key", "sha256")
        unproved = b"c=biws,r=" + nonce
        signed = b",".join((self._bare, asked, unproved))
        signature = hmac.digest(sha256(key).digest(), signed, "sha256")
        self._expected = b"v=" + b64encode(hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), signed, "sha256"))
        return unproved + b",p=" + b64encode(bytes(a ^ b for a, b in zip(key, signature, strict=True)))

    def trusts(self, farewell: bytes) -> bool:
        """The server knows the password too."""
        return farewell == self._expected
