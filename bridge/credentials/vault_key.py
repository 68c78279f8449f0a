"""Where the vault's key is: a file that only the bridge may read, a systemd credential, the environment, the keyring.

A file and the keyring are written by the bridge, at their first use and when the key is changed; into the others the
owner puts what `popbridge secret key` prints. Everything here may wait for the disk.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from attrs import field, frozen

from bridge.config import KeySource
from bridge.credentials.sealing import Keys, read_keys, write_keys
from bridge.credentials.vault import VaultLocked
from bridge.credentials.whole_file import write_over

_LONGEST = 4096
"""Octets: a handful of keys and a comment."""

_COMMENT = b"# The key of Popbridge's vault. Keep a copy, and not beside a copy of the vault.\n"

_SERVICE = "popbridge"
"""What the keyring knows the bridge as."""


class KeyPlace(Protocol):
    writable: bool

    def read(self) -> Keys | None:
        """None where there is none yet and one may be written. Raises VaultLocked."""

    def write(self, keys: Keys, /) -> None:
        """In the place of what is there, all at once, and on the disk when it returns. Raises VaultLocked."""


def key_place(source: KeySource) -> KeyPlace:
    match source.kind:
        case "file":
            return KeyFile(Path(source.name))
        case "credential":
            return KeyCredential(source.name)
        case "env":
            return KeyVariable(source.name)
        case "keyring":
            return KeyInKeyring(source.name)


@frozen
class KeyFile:
    path: Path
    writable = True

    def read(self) -> Keys | None:
        try:
            with self.path.open("rb") as file:
                mode = os.fstat(file.fileno()).st_mode
                if not stat.S_ISREG(mode):
                    raise VaultLocked(f"the vault's key file {self.path} is no file")
                if mode & 0o077:
                    raise VaultLocked(f"others may read the vault's key file; run chmod 600 {self.path}")
                return _parsed(file.read(_LONGEST + 1), f"the vault's key file {self.path}")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise _unreadable(self.path, error) from None

    def write(self, keys: Keys) -> None:
        try:
            # A link stays one, and no old key is left where it leads.
            write_over(self.path.resolve(), _COMMENT + write_keys(keys).reveal())
        except OSError as error:
            raise VaultLocked(f"the vault's key file {self.path} cannot be written: {error.strerror}") from None


@frozen
class KeyCredential:
    """A file that systemd gives to the service alone: LoadCredential= or SetCredentialEncrypted= of its unit."""

    name: str
    environment: Mapping[str, str] = field(factory=lambda: os.environ)
    writable = False

    def read(self) -> Keys:
        directory = self.environment.get("CREDENTIALS_DIRECTORY")
        if directory is None:
            raise VaultLocked(
                f"the vault's key is the systemd credential {self.name}, and there are no credentials here; write "
                f"LoadCredential={self.name}:… into the unit, and run commands by systemd-run with the same --property"
            )
        path = Path(directory, self.name)
        try:
            with path.open("rb") as file:
                return _parsed(file.read(_LONGEST + 1), f"the systemd credential {self.name}")
        except FileNotFoundError:
            raise VaultLocked(
                f"systemd gives no credential {self.name}; write LoadCredential={self.name}:… into the unit, with a "
                "file of what `popbridge secret key` prints"
            ) from None
        except OSError as error:
            raise _unreadable(path, error) from None

    def write(self, _keys: Keys) -> None:
        raise VaultLocked(f"a systemd credential is the owner's to change: {_by_hand('it')}")


@frozen
class KeyVariable:
    name: str
    environment: Mapping[str, str] = field(factory=lambda: os.environ)
    writable = False

    def read(self) -> Keys:
        if not (text := self.environment.get(self.name)):
            raise VaultLocked(
                f"the environment variable {self.name} with the vault's key is not set; `popbridge secret key` prints "
                "one for a new vault"
            )
        return _parsed(text.encode(), f"the environment variable {self.name}")

    def write(self, _keys: Keys) -> None:
        raise VaultLocked(f"the environment is the owner's to change: {_by_hand(self.name)}")


@frozen
class KeyInKeyring:
    """The desktop's: the freedesktop Secret Service, KWallet, macOS, Windows. It wants the package keyring."""

    name: str
    writable = True

    def read(self) -> Keys | None:
        try:
            import keyring  # noqa: PLC0415  # only who has its key there needs the package
            from keyring.errors import KeyringError  # noqa: PLC0415
        except ImportError:
            raise VaultLocked(
                "the vault's key is in the keyring, which needs a package more: pip install 'popbridge[keyring]'"
            ) from None
        try:
            text = keyring.get_password(_SERVICE, self.name)
        except KeyringError as error:
            raise VaultLocked(f"the keyring does not give the vault's key {self.name}: {error}") from None
        return None if text is None else _parsed(text.encode(), f"the keyring's entry {_SERVICE} {self.name}")

    def write(self, keys: Keys) -> None:
        import keyring  # noqa: PLC0415  # it was read before
        from keyring.errors import KeyringError  # noqa: PLC0415

        try:
            keyring.set_password(_SERVICE, self.name, write_keys(keys).reveal().decode())
        except KeyringError as error:
            raise VaultLocked(f"the keyring does not take the vault's key {self.name}: {error}") from None


def _by_hand(where: str) -> str:
    return f"put what `popbridge secret key` prints into {where}, in front of the old key, and try again"


def _parsed(text: bytes, where: str) -> Keys:
    if len(text) > _LONGEST:
        raise VaultLocked(f"{where} is too long for a key")
    try:
        return read_keys(text)
    except ValueError as error:
        raise VaultLocked(f"{where} {error}; put back a copy of it") from None


def _unreadable(path: Path, error: OSError) -> VaultLocked:
    return VaultLocked(
        f"the vault's key file {path} cannot be read: {error.strerror}; it has to belong to the user that the bridge "
        "runs as, and commands are run as that user too"
    )
