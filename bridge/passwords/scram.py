"""SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's half: the client proves its password and never sends it.

What is kept is salt and keys: with them a login is checked, but not made. Several passwords may be behind one name; as
the client is told one salt before it proves anything, they all have the same, and the proof says which one it was.

A wrong proof is answered by the protocol around (-ERR), not by an `e=`: clients understand that everywhere, and it
says no more than for any other mechanism. There is no channel binding, and none is announced.
"""

import binascii
import hmac
import re
from base64 import b64encode
from collections.abc import Callable
from hashlib import pbkdf2_hmac, sha256
from itertools import starmap
from operator import xor
from typing import ClassVar

from attrs import evolve, field, frozen

from bridge.passwords.preparation import prepare, prepared
from bridge.secret import Secret

MECHANISM = "SCRAM-SHA-256"

ITERATIONS = 20_000
"""About what RFC 7677, section 4, calls a tenth of a second; an old device has to do them at every login."""

LONGEST_MESSAGE = 4096
LONGEST_NONCE = 512
MOST_ITERATIONS = 1_000_000

_KEY = 32
_NOTATION = re.compile(
    r"SCRAM-SHA-256\$([1-9]\d{3,6}):([A-Za-z0-9+/]{11,88}={0,2})\$([A-Za-z0-9+/]{43}=):([A-Za-z0-9+/]{43}=)"
)
_NONCE = re.compile(rb"[\x21-\x2b\x2d-\x7e]+")  # printable, no comma (RFC 5802, section 7)
_BROKEN_NAME = re.compile(rb"=(?!2C|3D)")


class ScramError(Exception):
    """The client broke the mechanism's rules; the text says how, and holds nothing of what it sent."""


@frozen
class Keys:
    """As RFC 5803 writes them: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`."""

    iterations: int
    salt: bytes
    stored: bytes = field(repr=False)
    server: bytes = field(repr=False)

    def __str__(self) -> str:
        stored, server = _text(self.stored), _text(self.server)
        return f"{MECHANISM}${self.iterations}:{_text(self.salt)}${stored}:{server}"


def make_keys(password: Secret, salt: bytes, iterations: int = ITERATIONS) -> Keys:
    salted = pbkdf2_hmac("sha256", prepared(password.reveal()), salt, iterations)
    client, server = hmac.digest(salted, b"Client Key", "sha256"), hmac.digest(salted, b"Server Key", "sha256")
    return Keys(iterations, salt, sha256(client).digest(), server)


def parse_keys(text: str) -> Keys:
    parts = _NOTATION.fullmatch(text)
    if parts is None or not 4096 <= int(parts[1]) <= MOST_ITERATIONS:  # RFC 7677, section 4
        raise ValueError("these are no SCRAM-SHA-256 keys")
    try:
        keys = Keys(int(parts[1]), *(binascii.a2b_base64(part, strict_mode=True) for part in parts.groups()[1:]))
    except binascii.Error:
        raise ValueError("these are no SCRAM-SHA-256 keys") from None
    if str(keys) != text:
        raise ValueError("these are no SCRAM-SHA-256 keys")
    return keys


@frozen
class Claim:
    """What a client has said to prove that it is `login`, to be checked against the keys of each of its passwords."""

    login: bytes
    proof: bytes = field(repr=False)
    signed: bytes = field(repr=False)
    mechanism: ClassVar[str] = MECHANISM

    @property
    def secret(self) -> Secret:
        """What is counted as a guess. Another one at each login: nobody can see that it is the same wrong password."""
        return Secret(self.proof)

    def signature(self, keys: Keys) -> bytes | None:
        """The server's last message, which proves to the client that it has the keys; None: the proof is wrong."""
        client = bytes(starmap(xor, zip(self.proof, hmac.digest(keys.stored, self.signed, "sha256"), strict=True)))
        if not hmac.compare_digest(sha256(client).digest(), keys.stored):
            return None
        return b"v=" + b64encode(hmac.digest(keys.server, self.signed, "sha256"))


@frozen
class _Opening:
    login: bytes
    nonce: bytes
    header: bytes
    bare: bytes


class Exchange:
    """One login. `nonce`: the server's, printable and never used again. `keys_of`: keys with the salt to be told."""

    def __init__(self, nonce: bytes, keys_of: Callable[[bytes], Keys]) -> None:
        self._nonce = nonce
        self._keys_of = keys_of
        self._opening: _Opening | None = None
        self._asked = b""

    def step(self, response: bytes | None) -> bytes | Claim:
        """The next challenge, or at the end the claim. Raises ScramError."""
        if response is None:
            return b""
        if len(response) > LONGEST_MESSAGE:
            raise ScramError("a SCRAM message is shorter than that")
        if self._opening is None:
            return self._open(response)
        return self._claim(self._opening, response)

    def _open(self, message: bytes) -> bytes:
        opening = _read_opening(message)
        keys = self._keys_of(opening.login)
        self._opening = evolve(opening, nonce=opening.nonce + self._nonce)
        self._asked = b"r=%s,s=%s,i=%d" % (self._opening.nonce, b64encode(keys.salt), keys.iterations)
        return self._asked

    def _claim(self, opening: _Opening, message: bytes) -> Claim:
        unproved, comma, proof = message.rpartition(b",p=")
        binding, *rest = unproved.split(b",")
        if not comma or not rest or not rest[0].startswith(b"r="):
            raise ScramError("the second SCRAM message is broken")
        if binding != b"c=" + b64encode(opening.header):
            raise ScramError("the second SCRAM message does not repeat the first one's header")
        if rest[0] != b"r=" + opening.nonce:
            raise ScramError("the second SCRAM message does not repeat the nonce")
        signed = b",".join((opening.bare, self._asked, unproved))
        return Claim(opening.login, _read_proof(proof), signed)


def _read_opening(message: bytes) -> _Opening:
    """client-first-message (RFC 5802, section 7); what follows the nonce is an extension, to be ignored."""
    fields = message.split(b",")
    if len(fields) < 4:
        raise ScramError("the first SCRAM message is broken")
    flag, authzid, name, nonce = fields[:4]
    if flag.startswith(b"p="):
        raise ScramError("channel binding is not available here")
    if flag not in (b"n", b"y"):
        raise ScramError("the first SCRAM message is broken")
    if name.startswith(b"m="):
        raise ScramError("this extension of SCRAM is not available here")
    login = _read_name(name, b"n=")
    if authzid and _read_name(authzid, b"a=") != login:
        raise ScramError("to log in for somebody else is not possible here")
    nonce_text = nonce.removeprefix(b"r=")
    if nonce_text == nonce or len(nonce_text) > LONGEST_NONCE or not _NONCE.fullmatch(nonce_text):
        raise ScramError("the nonce is missing, too long, or holds what no nonce has")
    header = flag + b"," + authzid + b","
    return _Opening(login, nonce_text, header, message[len(header) :])


def _read_name(field_text: bytes, key: bytes) -> bytes:
    if not field_text.startswith(key) or _BROKEN_NAME.search(field_text, 2):
        raise ScramError("the user name is missing or not encoded as it should be")
    octets = field_text[2:].replace(b"=2C", b",").replace(b"=3D", b"=")
    try:
        name = prepare(octets.decode("utf-8")).encode("utf-8")
    except ValueError:
        raise ScramError("the user name holds what no name has") from None
    if not name:
        raise ScramError("the user name is empty")
    return name


def _read_proof(text: bytes) -> bytes:
    try:
        proof = binascii.a2b_base64(text, strict_mode=True)
    except binascii.Error:
        proof = b""
    if len(proof) != _KEY:
        raise ScramError("the proof is not one of SHA-256")
    return proof


def _text(octets: bytes) -> str:
    return b64encode(octets).decode("ascii")
