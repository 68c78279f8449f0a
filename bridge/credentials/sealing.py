"""Seals secrets so that whoever reads the file, a backup or the disk learns nothing of them without the key.

AES-256-GCM with a random nonce. The secret's name is authenticated with it, so that no sealed value can be put in the
place of another; the key's mark stands beside it, so that a key can be changed while values of the old one remain.
"""

import base64
import binascii
import os
from hashlib import sha256

from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bridge.secret import Secret

_LENGTH = 32
_NONCE = 12  # SP 800-38D, section 8.2: the length for which GCM is made


class NoSuchKey(Exception):
    """`str()` is the mark of the key that sealed it."""


class Broken(Exception):
    """The key is right and the octets are not those that were sealed under this name."""


@frozen
class Key:
    octets: Secret
    mark: str = field(init=False)
    """Its id: what was sealed says by which key."""

    @mark.default
    def _mark(self) -> str:
        """Says nothing of a key that is 256 random bits."""
        return sha256(b"popbridge vault key " + self.octets.reveal()).hexdigest()[:16]

    @classmethod
    def fresh(cls) -> "Key":
        return cls(Secret(os.urandom(_LENGTH)))


@frozen
class Sealed:
    key: str
    nonce: bytes
    octets: bytes


@frozen
class Keys:
    """The first one seals; each unseals what it has sealed."""

    all: tuple[Key, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        return tuple(key.mark for key in self.all)

    def seal(self, name: str, secret: Secret) -> Sealed:
        key, nonce = self.all[0], os.urandom(_NONCE)
        octets = AESGCM(key.octets.reveal()).encrypt(nonce, secret.reveal(), _named(name))
        return Sealed(key.mark, nonce, octets)

    def unseal(self, name: str, sealed: Sealed) -> Secret:
        """Raises NoSuchKey and Broken."""
        key = next((key for key in self.all if key.mark == sealed.key), None)
        if key is None:
            raise NoSuchKey(sealed.key)
        try:
            return Secret(AESGCM(key.octets.reveal()).decrypt(sealed.nonce, sealed.octets, _named(name)))
        except (InvalidTag, ValueError):  # ValueError: no nonce is so short
            raise Broken from None


def _named(name: str) -> bytes:
    return b"popbridge vault 1 " + name.encode()


def write_keys(keys: Keys) -> Secret:
    """One to a line, the first one first, as `read_keys` takes them."""
    return Secret(b"".join(base64.b64encode(key.octets.reveal()) + b"\n" for key in keys.all))


def read_keys(text: bytes) -> Keys:
    """One or several, with blanks or line ends between them; lines with # are comments.

    Raises ValueError, which repeats nothing of them.
    """
    words = [word for line in text.splitlines() if not line.startswith(b"#") for word in line.split()]
    if not words:
        raise ValueError("holds no key")
    return Keys(tuple(Key(Secret(_octets(word))) for word in words))


def _octets(word: bytes) -> bytes:
    try:
        octets = base64.b64decode(word, validate=True)
    except binascii.Error:
        octets = b""
    if len(octets) != _LENGTH:
        raise ValueError(f"holds something that is no key (base64 of {_LENGTH} octets)")
    return octets
