"""The vault as a small SQLite file beside the state: a bridge and the owner's commands use it at once.

Each question opens the file and the key and closes them again, so that a running bridge sees at once what a command
has done, the change of the key included. What was put is on the disk, its name in the directory too.

The file has a rollback journal, no write-ahead log: while somebody reads, nobody's change is complete, and so the key
that is read behind a value is always one that knows it (`rekey`).
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import NoReturn, TypeVar
from urllib.parse import quote

from attrs import frozen
from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.threads import deferToThread

from bridge.config import VaultSettings
from bridge.credentials.private_file import make_private
from bridge.credentials.sealing import Broken, Key, Keys, NoSuchKey, Sealed
from bridge.credentials.vault import VaultLocked, VaultUnavailable, check
from bridge.credentials.vault_key import KeyPlace, key_place
from bridge.secret import Secret
from bridge.state.faults import words
from bridge.state.migrate import sync

T = TypeVar("T")

OURS = int.from_bytes(b"PopV", "big")
"""PRAGMA application_id: no other program's database is taken for ours."""

_VERSION = 1
_PATIENCE = 5.0
"""Seconds to wait, in a thread, while another process writes."""

_TABLE = """
CREATE TABLE secret (
    name TEXT PRIMARY KEY,
    key TEXT NOT NULL,      -- the mark of the key that sealed it
    nonce BLOB NOT NULL,
    sealed BLOB NOT NULL,
    put REAL NOT NULL       -- seconds since 1970
) STRICT, WITHOUT ROWID
"""

_PASSING = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR})


class FileVault:
    """A Vault; one question after the other, each in a thread."""

    @classmethod
    def at(cls, settings: VaultSettings, seconds: Callable[[], float]) -> "FileVault":
        """Nothing is opened or made until something is asked."""
        return cls(VaultFile(settings.file, key_place(settings.key)), seconds)

    def __init__(self, file: "VaultFile", seconds: Callable[[], float]) -> None:
        self._file = file
        self._seconds = seconds
        self._turn = DeferredLock()

    def get(self, name: str) -> "Deferred[Secret | None]":
        return self._ask(lambda: self._file.get(name))

    def put(self, name: str, secret: Secret) -> "Deferred[None]":
        check(name, secret)
        return self._ask(lambda: self._file.put(name, secret, self._seconds()))

    def remove(self, name: str) -> "Deferred[bool]":
        return self._ask(lambda: self._file.remove(name))

    def dates(self) -> "Deferred[dict[str, float]]":
        return self._ask(self._file.dates)

    def names(self) -> "Deferred[list[str]]":
        return self.dates().addCallback(sorted)

    def rekey(self) -> "Deferred[int]":
        """How many values were sealed anew under a new key, the old one being forgotten."""
        return self._ask(self._file.rekey)

    def _ask(self, job: Callable[[], T]) -> "Deferred[T]":
        return self._turn.run(deferToThread, job)


@frozen
class VaultFile:
    """What is done in the threads. Everything here may wait, and raise VaultLocked and VaultUnavailable."""

    path: Path
    key: KeyPlace

    def get(self, name: str) -> Secret | None:
        with self._reading() as db:
            sealed = _sealed(db, name) if db else None
            if sealed is None:
                return None
            keys = self.key.read() or self._missing()
            return self._unsealed(keys, name, sealed)

    def put(self, name: str, secret: Secret, now: float) -> None:
        with self._writing() as db:
            _store(db, name, self._sealing(db).seal(name, secret), now)

    def remove(self, name: str) -> bool:
        if not self.path.exists():
            return False
        with self._writing() as db:
            return db.execute("DELETE FROM secret WHERE name = ?", (name,)).rowcount > 0

    def dates(self) -> dict[str, float]:
        with self._reading() as db:
            return dict(db.execute("SELECT name, put FROM secret").fetchall()) if db else {}

    def rekey(self) -> int:
        """Both keys are in their place before the first value is sealed by the new one, and the old one goes when the
        last of its values went: whenever this is cut, every value has a key, and it can be done again.
        """
        with self._writing() as db:
            keys = self._sealing(db)
            rows = dict(_all(db))
            plain = {name: self._unsealed(keys, name, sealed) for name, sealed in rows.items()}
            if self.key.writable:
                keys = Keys((Key.fresh(), *keys.all))
                self.key.write(keys)
            anew = [name for name, sealed in rows.items() if sealed.key != keys.all[0].mark]
            for name in anew:
                sealed = keys.seal(name, plain[name])
                put = (sealed.key, sealed.nonce, sealed.octets, name)
                db.execute("UPDATE secret SET key = ?, nonce = ?, sealed = ? WHERE name = ?", put)
        if self.key.writable:
            self._forget_old_keys()
        return len(anew)

    def _forget_old_keys(self) -> None:
        with self._writing() as db:
            keys = self.key.read() or self._missing()
            if _marks(db) <= {keys.all[0].mark}:
                self.key.write(Keys(keys.all[:1]))

    def _sealing(self, db: sqlite3.Connection) -> Keys:
        """The keys to seal with; made, where nothing was sealed yet. Asked inside the transaction that writes."""
        used, keys = _marks(db), self.key.read()
        if keys is None:
            if used:
                self._missing()
            keys = Keys((Key.fresh(),))
            self.key.write(keys)
        if used and not used & set(keys.marks):
            self._wrong(keys, min(used))
        return keys

    def _unsealed(self, keys: Keys, name: str, sealed: Sealed) -> Secret:
        try:
            return keys.unseal(name, sealed)
        except NoSuchKey:
            self._wrong(keys, sealed.key)
        except Broken:
            raise VaultLocked(
                f"the secret {name} in the vault {self.path} is damaged; put it in again: popbridge secret set {name}"
            ) from None

    def _missing(self) -> NoReturn:
        raise VaultLocked(
            f"the key of the vault {self.path} is missing; put back a copy of it, or remove the vault and set every "
            "secret again"
        )

    def _wrong(self, keys: Keys, used: str) -> NoReturn:
        raise VaultLocked(
            f"the vault {self.path} is sealed by the key {used}, and what [vault] key = names is the key "
            f"{', '.join(keys.marks)}; name the right one, or put it back from a copy"
        )

    @contextmanager
    def _reading(self) -> "Iterator[sqlite3.Connection | None]":
        """None where nothing was put yet."""
        if not self.path.exists():
            yield None
            return
        with self._transaction("BEGIN") as db:
            yield db if self._known(db) else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            _create(self.path)
        except OSError as error:
            raise self._unusable(error) from None
        with self._transaction("BEGIN IMMEDIATE") as db:
            if not self._known(db):
                db.execute(_TABLE)
                db.execute(f"PRAGMA application_id = {OURS}")
                db.execute(f"PRAGMA user_version = {_VERSION}")
            yield db

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        # "rw" makes no file: `_create` does, with its mode. EXTRA syncs the directory from which the journal went.
        where = f"file:{quote(str(self.path.absolute()))}?mode=rw"
        try:
            with closing(sqlite3.connect(where, uri=True, timeout=_PATIENCE, isolation_level=None)) as db:
                db.execute("PRAGMA journal_mode = DELETE")
                db.execute("PRAGMA synchronous = EXTRA")
                db.execute("PRAGMA secure_delete = ON")
                db.execute(begin)
                yield db
                db.execute("COMMIT")  # what closes without it is rolled back
        except sqlite3.Error as error:
            raise self._unusable(error) from error

    def _known(self, db: sqlite3.Connection) -> bool:
        """False for an empty file."""
        [application], [version] = (db.execute(f"PRAGMA {name}").fetchone() for name in _PRAGMAS)
        [tables] = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if not (application or version or tables):
            return False
        if application != OURS:
            raise VaultLocked(f"{self.path} is the database of another program; name another file in [vault] file =")
        if version != _VERSION:
            raise VaultLocked(f"the vault {self.path} was written by a newer popbridge; run that version again")
        return True

    def _unusable(self, error: OSError | sqlite3.Error) -> Exception:
        if isinstance(error, OSError):
            return VaultLocked(f"the vault {self.path} cannot be written: {error.strerror}")
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        kind = VaultUnavailable if code in _PASSING else VaultLocked
        return kind(f"the vault {self.path} {words(error)}")


_PRAGMAS = ("application_id", "user_version")


def _create(path: Path) -> None:
    with suppress(FileExistsError):
        os.close(make_private(path))
        sync(path.parent)


def _all(db: sqlite3.Connection) -> Iterator[tuple[str, Sealed]]:
    for name, *sealed in db.execute("SELECT name, key, nonce, sealed FROM secret"):
        yield name, Sealed(*sealed)


def _sealed(db: sqlite3.Connection, name: str) -> Sealed | None:
    found = db.execute("SELECT key, nonce, sealed FROM secret WHERE name = ?", (name,)).fetchone()
    return found and Sealed(*found)


def _marks(db: sqlite3.Connection) -> set[str]:
    return {key for (key,) in db.execute("SELECT DISTINCT key FROM secret")}


def _store(db: sqlite3.Connection, name: str, sealed: Sealed, now: float) -> None:
    row = (name, sealed.key, sealed.nonce, sealed.octets, now)
    db.execute("INSERT OR REPLACE INTO secret (name, key, nonce, sealed, put) VALUES (?, ?, ?, ?, ?)", row)
