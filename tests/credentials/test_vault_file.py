"""The vault's file keeps every secret through crashes, a change of its key and other processes, and shows none."""

import os
import random
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from attrs import define, field

from bridge.credentials import vault_file
from bridge.credentials.sealing import Key, Keys, write_keys
from bridge.credentials.vault import VaultLocked, VaultUnavailable
from bridge.credentials.vault_file import VaultFile
from bridge.credentials.vault_key import KeyFile, KeyVariable
from bridge.secret import Secret
from tests.credentials.leaks import assert_nothing_leaked

SECRETS = {"work": "wonder-4711", "home": "ya29.a0AfH6SMBx~9Qk" * 40, "oauth2/work": "1//0gRefresh-token"}


def in_file(directory: Path) -> VaultFile:
    return VaultFile(directory / "popbridge.vault", KeyFile(directory / "popbridge.key"))


@pytest.fixture
def vault(tmp_path: Path) -> VaultFile:
    return in_file(tmp_path)


@pytest.fixture
def filled(vault: VaultFile) -> VaultFile:
    fill(vault)
    return vault


def fill(vault: VaultFile) -> None:
    for name, secret in SECRETS.items():
        vault.put(name, Secret(secret.encode()), 1.0)


def whole(vault: VaultFile) -> bool:
    return {name: vault.get(name) for name in vault.dates()} == {
        name: Secret(secret.encode()) for name, secret in SECRETS.items()
    }


# Nobody reads it.


def test_only_its_owner_may_read_it_from_the_first_octet_on(vault: VaultFile, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[int] = []
    connect = sqlite3.connect

    def watched(*args: object, **kwargs: object) -> sqlite3.Connection:
        modes.append(stat.S_IMODE(vault.path.stat().st_mode))
        return connect(*args, **kwargs)  # type: ignore[call-overload, no-any-return]  # passed on

    monkeypatch.setattr(sqlite3, "connect", watched)
    before = os.umask(0)
    try:
        fill(vault)
    finally:
        os.umask(before)
    assert set(modes) == {0o600}
    assert {stat.S_IMODE(file.stat().st_mode) for file in vault.path.parent.iterdir()} == {0o600}


def test_no_secret_is_in_the_file_its_journal_or_a_copy(filled: VaultFile, tmp_path: Path) -> None:
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as writing:
        # The journal of a change that is under way; a copy by SQLite's own means.
        writing.execute("PRAGMA cache_size = 1")
        writing.execute("PRAGMA cache_spill = 1")
        writing.execute("BEGIN")
        writing.execute("UPDATE secret SET put = 2")
        shutil.copytree(tmp_path, tmp_path / "copied")
        assert (tmp_path / "copied" / "popbridge.vault-journal").exists()
        writing.execute("ROLLBACK")
        with closing(sqlite3.connect(tmp_path / "backup")) as backup:
            writing.backup(backup)
    filled.rekey()
    assert whole(filled)
    assert_nothing_leaked(SECRETS, files=tmp_path)


def test_what_was_removed_leaves_nothing_even_for_who_has_the_key(filled: VaultFile) -> None:
    with closing(sqlite3.connect(filled.path)) as db:
        [(sealed,)] = db.execute("SELECT sealed FROM secret WHERE name = 'work'")
    assert filled.remove("work")
    assert sealed not in filled.path.read_bytes()
    assert b"work" not in filled.path.read_bytes().replace(b"oauth2/work", b"")


def test_a_write_ahead_log_that_somebody_turned_on_is_turned_off(filled: VaultFile) -> None:
    with closing(sqlite3.connect(filled.path)) as db:
        assert db.execute("PRAGMA journal_mode = WAL").fetchone() == ("wal",)
    assert whole(filled)
    with closing(sqlite3.connect(filled.path)) as db:
        assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)


# The key.


def test_without_its_key_the_vault_says_so_and_takes_nothing(filled: VaultFile) -> None:
    assert isinstance(filled.key, KeyFile)
    key = filled.key.path.read_bytes()
    filled.key.path.unlink()
    for ask in (lambda: filled.get("work"), lambda: filled.put("new", Secret(b"x"), 1.0), filled.rekey):
        with pytest.raises(VaultLocked, match=r"popbridge.vault is missing; put back a copy"):
            ask()
    assert not filled.key.path.exists(), "no new key is made that would fit nothing"
    assert filled.get("never put") is None
    filled.key.path.write_bytes(key)
    filled.key.path.chmod(0o600)
    assert whole(filled)


def test_a_wrong_key_is_called_one_and_destroys_nothing(filled: VaultFile) -> None:
    assert isinstance(filled.key, KeyFile)
    right = filled.key.path.read_bytes()
    filled.key.write(Keys((Key.fresh(),)))
    for ask in (lambda: filled.get("work"), lambda: filled.put("work", Secret(b"x"), 1.0), filled.rekey):
        with pytest.raises(VaultLocked, match=r"is sealed by the key [0-9a-f]{16}, and what"):
            ask()
    assert sorted(filled.dates()) == sorted(SECRETS)
    filled.key.path.write_bytes(right)
    assert whole(filled)


def test_without_the_key_a_secret_can_still_be_removed(filled: VaultFile) -> None:
    assert isinstance(filled.key, KeyFile)
    filled.key.path.unlink()
    assert all(filled.remove(name) for name in SECRETS)
    filled.put("work", Secret(b"new"), 1.0)
    assert filled.get("work") == Secret(b"new")


def test_a_damaged_value_is_named_and_can_be_put_again(filled: VaultFile) -> None:
    with closing(sqlite3.connect(filled.path)) as db:
        db.execute("UPDATE secret SET sealed = (SELECT sealed FROM secret WHERE name = 'home') WHERE name = 'work'")
        db.commit()
    with pytest.raises(VaultLocked, match="popbridge secret set work"):
        filled.get("work")
    with pytest.raises(VaultLocked, match="popbridge secret set work"):
        filled.rekey()
    filled.put("work", Secret(SECRETS["work"].encode()), 1.0)
    assert whole(filled)


# Changing the key.


def test_after_a_change_the_old_key_is_nowhere_and_opens_nothing(filled: VaultFile, tmp_path: Path) -> None:
    assert isinstance(filled.key, KeyFile)
    old = filled.key.read()
    assert filled.rekey() == 3
    assert whole(filled)
    new = filled.key.read()
    assert old is not None
    assert new is not None
    assert len(new.all) == 1
    assert_nothing_leaked({"the old key": old.all[0].octets.reveal()}, files=tmp_path)
    filled.key.write(old)
    with pytest.raises(VaultLocked, match=f"sealed by the key {new.marks[0]}, .* is the key {old.marks[0]}"):
        filled.get("work")


def test_an_empty_vault_has_its_key_changed_too(vault: VaultFile) -> None:
    assert vault.rekey() == 0
    fill(vault)
    assert whole(vault)


def test_a_key_that_the_owner_keeps_is_changed_in_two_steps(tmp_path: Path) -> None:
    old, new = Key.fresh(), Key.fresh()
    environment = {"KEY": write_keys(Keys((old,))).reveal().decode()}
    vault = VaultFile(tmp_path / "vault", KeyVariable("KEY", environment))
    fill(vault)
    assert vault.rekey() == 0, "nothing to do"
    environment["KEY"] = write_keys(Keys((new, old))).reveal().decode()
    assert whole(vault)
    assert vault.rekey() == 3
    environment["KEY"] = write_keys(Keys((new,))).reveal().decode()
    assert whole(vault)


class Cut(BaseException):
    """The power goes."""


@define
class Failing:
    """A key's place at which the power goes before or after the write with this number."""

    inner: KeyFile
    at: int
    before: bool
    writes: int = field(default=0, init=False)
    writable = True

    def read(self) -> Keys | None:
        return self.inner.read()

    def write(self, keys: Keys) -> None:
        self.writes += 1
        if self.writes == self.at and self.before:
            raise Cut
        self.inner.write(keys)
        if self.writes == self.at:
            raise Cut


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("at", [1, 2])
def test_a_change_that_is_cut_loses_nothing_and_can_be_done_again(filled: VaultFile, at: int, before: bool) -> None:
    assert isinstance(filled.key, KeyFile)
    with pytest.raises(Cut):
        VaultFile(filled.path, Failing(filled.key, at, before)).rekey()
    assert whole(filled)
    filled.put("new", Secret(b"new"), 1.0)
    assert filled.get("new") == Secret(b"new")
    filled.remove("new")
    assert filled.rekey() == 3
    assert whole(filled)
    keys = filled.key.read()
    assert keys is not None
    assert len(keys.all) == 1


@define
class Overtaken:
    """Another change of the key is cut, just behind ours, when it has written its keys and sealed nothing."""

    inner: KeyFile
    reads: int = field(default=0, init=False)
    writable = True

    def read(self) -> Keys | None:
        self.reads += 1
        keys = self.inner.read()
        if self.reads == 2:
            assert keys is not None
            self.inner.write(Keys((Key.fresh(), *keys.all)))
        return self.inner.read()

    def write(self, keys: Keys) -> None:
        self.inner.write(keys)


def test_two_changes_at_once_of_which_one_is_cut_lose_nothing(filled: VaultFile) -> None:
    assert isinstance(filled.key, KeyFile)
    assert VaultFile(filled.path, Overtaken(filled.key)).rekey() == 3
    assert whole(filled)
    assert filled.rekey() == 3
    assert whole(filled)


# Other processes.

WORKING = """
import sys
import time
from pathlib import Path
from bridge.credentials.vault_file import VaultFile
from bridge.credentials.vault_key import KeyFile
from bridge.secret import Secret
place = Path(sys.argv[2])
vault = VaultFile(place / "popbridge.vault", KeyFile(place / "popbridge.key"))
n = 0
while True:
    n += 1
    if sys.argv[1] == "rekey":
        vault.rekey()
        time.sleep(0.03)  # who holds the file all the time shuts others out
    else:
        vault.put("counter", Secret(str(n).encode()), float(n))
    print(n, flush=True)
"""


def working(what: str, place: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", WORKING, what, str(place)], stdout=subprocess.PIPE)


def killed(process: "subprocess.Popen[bytes]", after: float) -> int:
    """The last number that it told."""
    assert process.stdout is not None
    process.stdout.readline()
    time.sleep(after)  # noqa: TID251  # SIGKILL at any moment is the test
    process.send_signal(signal.SIGKILL)
    said = process.stdout.read().split()
    process.stdout.close()
    process.wait()
    return int(said[-1]) if said else 1


def test_what_was_put_survives_a_kill_at_any_moment(filled: VaultFile, tmp_path: Path) -> None:
    moments = random.Random(1)
    for _ in range(6):
        told = killed(working("put", tmp_path), moments.uniform(0, 0.05))
        kept = filled.get("counter")
        assert kept is not None
        assert int(kept.reveal()) in (told, told + 1)
    filled.remove("counter")
    assert whole(filled)


def test_a_change_of_the_key_that_is_killed_at_any_moment_loses_nothing(filled: VaultFile, tmp_path: Path) -> None:
    moments = random.Random(2)
    for _ in range(8):
        killed(working("rekey", tmp_path), moments.uniform(0, 0.05))
        assert whole(filled)
    filled.rekey()
    assert whole(filled)


def test_a_bridge_goes_on_while_the_key_is_changed_again_and_again(filled: VaultFile, tmp_path: Path) -> None:
    process = working("rekey", tmp_path)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        for n in range(50):
            filled.put("token", Secret(str(n).encode()), 1.0)
            assert filled.get("token") == Secret(str(n).encode())
            assert filled.get("home") == Secret(SECRETS["home"].encode())
    finally:
        killed(process, 0)
    filled.remove("token")
    assert whole(filled)


def test_one_that_holds_the_file_for_long_is_named(filled: VaultFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vault_file, "_PATIENCE", 0.05)
    with closing(sqlite3.connect(filled.path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(VaultUnavailable, match="is held by another program"):
            filled.get("work")
        with pytest.raises(VaultUnavailable, match="is held by another program"):
            filled.put("work", Secret(b"x"), 1.0)
    assert whole(filled)


# What is no vault.


def test_another_programs_database_is_left_alone(vault: VaultFile) -> None:
    with closing(sqlite3.connect(vault.path)) as db:
        db.execute("CREATE TABLE secret (name)")
    for ask in (vault.dates, lambda: vault.put("work", Secret(b"x"), 1.0)):
        with pytest.raises(VaultLocked, match="another program"):
            ask()


def test_a_newer_vault_is_left_alone(filled: VaultFile) -> None:
    with closing(sqlite3.connect(filled.path)) as db:
        db.execute("PRAGMA user_version = 2")
    with pytest.raises(VaultLocked, match="newer popbridge"):
        filled.get("work")


def test_what_is_no_database_is_left_alone(vault: VaultFile) -> None:
    vault.path.write_text("not at all " * 1000)
    with pytest.raises(VaultLocked, match="is no SQLite database"):
        vault.dates()


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    vault = in_file(tmp_path / "nowhere")
    assert vault.get("work") is None
    with pytest.raises(VaultLocked, match="cannot be written: No such file or directory"):
        vault.put("work", Secret(b"x"), 1.0)


def test_a_file_that_was_made_and_not_written_is_an_empty_vault(vault: VaultFile) -> None:
    vault.path.touch(0o600)
    assert vault.get("work") is None
    assert vault.dates() == {}
    fill(vault)
    assert whole(vault)
