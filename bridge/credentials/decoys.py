"""Logins that nobody has, made to look like those that somebody has: the same salt each time, the same work (S23).

Each unknown name is the twin of some account here: as many passwords, of the same cost, that no password fits. Which
salt it is told hangs on its name and on a key that is kept beside the state, so that a restart does not change it;
nor does another spelling that would find the same account, if there were one.
"""

import hmac
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from secrets import token_bytes

from attrs import evolve

from bridge.accounts.account import OwnLogin, OwnPassword
from bridge.accounts.directory import canonical
from bridge.credentials.whole_file import write_new
from bridge.passwords.scram import Keys
from bridge.passwords.scrypt import PasswordHash

FILE = "popbridge.decoys"

_KEY = 32


class DecoysUnusable(Exception):
    """The key can neither be read nor made; the text says why, and what to do."""


class Decoys:
    """`known`: the logins of the bridge's own, at least one."""

    def __init__(self, key: bytes, known: Sequence[OwnLogin]) -> None:
        self._key = key
        self._known = known

    def model(self, login: bytes) -> OwnLogin:
        """Whose twin it is."""
        return self._known[int.from_bytes(self._octets(b"model", login, 8), "big") % len(self._known)]

    def twin(self, login: bytes) -> OwnLogin:
        """No password fits it."""
        model = self.model(login)
        passwords = tuple(self._password(login, index, one) for index, one in enumerate(model.passwords))
        return evolve(model, passwords=passwords)

    def _password(self, login: bytes, index: int, model: OwnPassword) -> OwnPassword:
        salt = self._octets(b"salt", login, len(model.hash.salt))
        digest = self._octets(b"digest %d" % index, login, _KEY)
        made = PasswordHash(model.hash.cost, salt, digest)
        return evolve(model, hash=made, scram=self._keys(login, model.scram) if model.scram is not None else None)

    def _keys(self, login: bytes, model: Keys) -> Keys:
        """Neither key is the hash of anything that a client could send."""
        salt = self._octets(b"scram salt", login, len(model.salt))
        return Keys(model.iterations, salt, self._octets(b"stored", login, _KEY), self._octets(b"server", login, _KEY))

    def _octets(self, what: bytes, login: bytes, length: int) -> bytes:
        made, name = b"", canonical(login).encode("utf-8", "surrogateescape")
        while len(made) < length:
            made += hmac.digest(self._key, b"%d %s %s" % (len(made), what, name), "sha256")
        return made[:length]


def kept_key(directory: Path) -> bytes:
    """The key in that directory; made where there is none. To be called before the reactor runs."""
    file = directory / FILE
    try:
        if not file.exists():
            with suppress(FileExistsError):  # another process has just made it
                write_new(file, token_bytes(_KEY))
        key = file.read_bytes()
    except OSError as error:
        raise DecoysUnusable(
            f"{file} can neither be read nor made ({error.strerror}); with state = in a directory that belongs to the "
            "user that the bridge runs as, it is there"
        ) from None
    if len(key) != _KEY:
        raise DecoysUnusable(f"{file} is not as the bridge has made it; remove it, and it makes another")
    return key
