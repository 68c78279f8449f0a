"""Where the vault's key is found, and what its owner is told when it is not."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bridge.config import KeySource
from bridge.credentials.sealing import Key, Keys, write_keys
from bridge.credentials.vault import VaultLocked
from bridge.credentials.vault_key import KeyCredential, KeyFile, KeyInKeyring, KeyPlace, KeyVariable, key_place

ONE, TWO = Key.fresh(), Key.fresh()
TEXT = write_keys(Keys((ONE, TWO))).reveal().decode()


def ids(place: KeyPlace) -> tuple[str, ...]:
    keys = place.read()
    assert keys is not None
    return keys.marks


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "popbridge.key")


# A file.


def test_a_file_that_is_not_there_is_made_when_a_key_is_needed(file: KeyFile) -> None:
    assert file.read() is None
    file.write(Keys((ONE,)))
    assert ids(file) == (ONE.mark,)


def test_nobody_else_may_read_it_whatever_the_umask_is(file: KeyFile) -> None:
    before = os.umask(0)
    try:
        file.write(Keys((ONE,)))
        file.write(Keys((TWO,)))
    finally:
        os.umask(before)
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert list(file.path.parent.iterdir()) == [file.path], "nothing is left beside it"


def test_a_link_to_it_stays_one_and_the_old_key_is_nowhere(file: KeyFile, tmp_path: Path) -> None:
    file.write(Keys((ONE,)))
    link = KeyFile(tmp_path / "link")
    link.path.symlink_to(file.path)
    link.write(Keys((TWO,)))
    assert link.path.is_symlink()
    assert ids(file) == (TWO.mark,)


def test_it_is_changed_as_a_whole(file: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write(Keys((ONE,)))

    def lost(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", lost)
    with pytest.raises(VaultLocked, match="cannot be written: No space left"):
        file.write(Keys((TWO,)))
    assert ids(file) == (ONE.mark,)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_can_read_is_refused(file: KeyFile, mode: int) -> None:
    file.write(Keys((ONE,)))
    file.path.chmod(mode)
    with pytest.raises(VaultLocked, match=f"chmod 600 {file.path}"):
        file.read()
    file.path.chmod(0o400)
    assert ids(file) == (ONE.mark,)


def test_a_broken_file_is_refused_and_nothing_of_it_repeated(file: KeyFile) -> None:
    for text, what in (("wonderland", "is no key"), ("", "holds no key"), (TEXT * 100, "too long")):
        file.path.write_text(text)
        file.path.chmod(0o600)
        with pytest.raises(VaultLocked, match=what) as refused:
            file.read()
        assert "wonderland" not in str(refused.value)


def test_what_is_no_file_is_refused(file: KeyFile) -> None:
    file.path.mkdir()
    with pytest.raises(VaultLocked, match="cannot be read: Is a directory"):
        file.read()
    with pytest.raises(VaultLocked, match="is no file"):
        KeyFile(Path("/dev/null")).read()


# What systemd and the environment give.


def test_a_credential_of_the_unit(tmp_path: Path) -> None:
    (tmp_path / "vault.key").write_text(TEXT)
    given = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert ids(KeyCredential("vault.key", given)) == (ONE.mark, TWO.mark)
    with pytest.raises(VaultLocked, match="LoadCredential=other"):
        KeyCredential("other", given).read()
    with pytest.raises(VaultLocked, match="cannot be read"):
        KeyCredential(".", given).read()
    with pytest.raises(VaultLocked, match="systemd-run"):
        KeyCredential("vault.key", {}).read()


def test_a_variable() -> None:
    assert ids(KeyVariable("KEY", {"KEY": TEXT.replace("\n", " ")})) == (ONE.mark, TWO.mark)
    for environment in ({}, {"KEY": ""}):
        with pytest.raises(VaultLocked, match=r"KEY .*is not set"):
            KeyVariable("KEY", environment).read()
    with pytest.raises(VaultLocked, match="is no key"):
        KeyVariable("KEY", {"KEY": "wonderland"}).read()


def test_both_are_the_owners_to_change() -> None:
    for place in (KeyVariable("KEY"), KeyCredential("KEY")):
        assert not place.writable
        with pytest.raises(VaultLocked, match="popbridge secret key"):
            place.write(Keys((ONE,)))


# The keyring.


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[tuple[str, str], str]]:
    """A backend of the real package, which keeps nothing beyond this process."""
    keyring = pytest.importorskip("keyring")
    kept: dict[tuple[str, str], str] = {}

    class InMemory(keyring.backend.KeyringBackend):  # type: ignore[misc, name-defined]  # known when it is there
        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            if "broken" in username:
                raise keyring.errors.KeyringLocked("locked")
            return kept.get((service, username))

        def set_password(self, service: str, username: str, password: str) -> None:
            if username == "read-only":
                raise keyring.errors.PasswordSetError("no")
            kept[service, username] = password

        def delete_password(self, service: str, username: str) -> None:
            del kept[service, username]

    before = keyring.get_keyring()
    keyring.set_keyring(InMemory())
    yield kept
    keyring.set_keyring(before)


def test_a_key_in_the_keyring(ring: dict[tuple[str, str], str]) -> None:
    place = KeyInKeyring("vault")
    assert place.read() is None
    place.write(Keys((ONE, TWO)))
    assert ids(place) == (ONE.mark, TWO.mark)
    assert list(ring) == [("popbridge", "vault")]


def test_a_keyring_that_is_locked_is_named(ring: dict[tuple[str, str], str]) -> None:
    with pytest.raises(VaultLocked, match="does not give the vault's key broken: locked"):
        KeyInKeyring("broken").read()
    with pytest.raises(VaultLocked, match="does not take the vault's key read-only: no"):
        KeyInKeyring("read-only").write(Keys((ONE,)))


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    missing: ModuleType | None = None
    monkeypatch.setitem(sys.modules, "keyring", missing)
    with pytest.raises(VaultLocked, match=r"popbridge\[keyring\]"):
        KeyInKeyring("vault").read()


def test_each_kind_of_source_has_its_place(tmp_path: Path) -> None:
    assert key_place(KeySource("file", str(tmp_path / "k"))) == KeyFile(tmp_path / "k")
    assert isinstance(key_place(KeySource("credential", "k")), KeyCredential)
    assert isinstance(key_place(KeySource("env", "K")), KeyVariable)
    assert isinstance(key_place(KeySource("keyring", "k")), KeyInKeyring)
