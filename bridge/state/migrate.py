"""Brings the file to the schema that this version knows: a copy of it first, then all of an upgrade or nothing.

`schema/0001-….sql` and so on are applied once each, in order; PRAGMA user_version counts them.
"""

import os
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path

from bridge.state.faults import StateUnusable

OURS = int.from_bytes(b"Popb", "big")
"""PRAGMA application_id: no other program's database is taken for ours."""

_FILE = re.compile(r"(\d{4})-[a-z0-9-]+\.sql")


def schemas() -> dict[int, str]:
    """The text of every schema file by its number."""
    found = {}
    for file in files("bridge.state").joinpath("schema").iterdir():
        if match := _FILE.fullmatch(file.name):
            found[int(match[1])] = file.read_text(encoding="utf-8")
    return found


def migrate(db: sqlite3.Connection, path: Path, known: Mapping[int, str] | None = None) -> None:
    """`db` is open on `path`, in autocommit mode. Raises StateUnusable, sqlite3.Error and OSError."""
    known = schemas() if known is None else known
    _check(db, path, newest := max(known))
    if db.execute("PRAGMA journal_mode = WAL").fetchone()[0] != "wal":
        raise StateUnusable(f"{path} can have no write-ahead log there; put it on a disk of this machine")
    if _version(db) < newest:
        _upgrade(db, path, known)


def _check(db: sqlite3.Connection, path: Path, newest: int) -> None:
    application = db.execute("PRAGMA application_id").fetchone()[0]
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    if application != OURS and not (application == 0 and empty):
        raise StateUnusable(f"{path} is the database of another program; set state = to another file")
    version = _version(db)
    if version > newest:
        copy = path.with_name(f"{path.name}.before-{version}")
        raise StateUnusable(
            f"{path} was written by a newer popbridge (its schema is {version}, this one knows {newest}); "
            "run that version again" + (f", or put back the copy that it made, {copy}" if copy.exists() else "")
        )


def _upgrade(db: sqlite3.Connection, path: Path, known: Mapping[int, str]) -> None:
    db.execute("BEGIN IMMEDIATE")
    try:
        version, newest = _version(db), max(known)  # another process may have been first
        if 0 < version < newest:
            _copy(path, path.with_name(f"{path.name}.before-{newest}"))
        for number in range(version + 1, newest + 1):
            for statement in _statements(known[number]):
                db.execute(statement)
        db.execute(f"PRAGMA application_id = {OURS}")
        db.execute(f"PRAGMA user_version = {newest}")
        db.execute("COMMIT")
    finally:
        if db.in_transaction:
            db.execute("ROLLBACK")


def _copy(path: Path, copy: Path) -> None:
    """Whole and on the disk before it has its name. A connection that has begun to write cannot be copied from."""
    part = copy.with_name(f"{copy.name}.part")
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as target:
        source.backup(target)
    sync(part)
    part.replace(copy)
    sync(copy.parent)


def sync(path: Path) -> None:
    """To the disk: a file's octets, or the names in a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _version(db: sqlite3.Connection) -> int:
    version: int = db.execute("PRAGMA user_version").fetchone()[0]
    return version


def _statements(text: str) -> Iterator[str]:
    """One by one: executescript() would commit what is under way."""
    statement = ""
    for line in text.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
