"""What a failure of the file or its disk means, in words for the bridge's owner.

At the start it is StateUnusable, and the bridge does not run; later StateUnavailable, and what was asked is refused.
"""

import sqlite3
from pathlib import Path

from bridge.maildrop.errors import StateUnavailable


class StateUnusable(Exception):
    """The bridge cannot start with this file; `str()` says why and what to do."""


_WORDS = {
    sqlite3.SQLITE_BUSY: "is held by another program",
    sqlite3.SQLITE_LOCKED: "is held by another program",
    sqlite3.SQLITE_FULL: "cannot be written: the disk is full",
    sqlite3.SQLITE_READONLY: "cannot be written: the file, or its disk, is read-only",
    sqlite3.SQLITE_PERM: "cannot be written: the file's owner or mode forbids it",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: it is a directory, or its mode or that of a file beside it forbids it",
    sqlite3.SQLITE_IOERR: "cannot be read or written: the disk fails, or a quota is used up",
    sqlite3.SQLITE_CORRUPT: "is damaged; stop the bridge and restore the file from a copy",
    sqlite3.SQLITE_NOTADB: "is no SQLite database",
}


def unavailable(error: sqlite3.Error) -> StateUnavailable:
    return StateUnavailable(f"the bridge's memory {words(error)}")


def damaged(what: str) -> StateUnavailable:
    """A value that nobody has stored so."""
    return StateUnavailable(
        f"the bridge's memory is damaged ({what}); stop the bridge and restore the file from a copy"
    )


def unusable(path: Path, error: OSError | sqlite3.Error) -> StateUnusable:
    if isinstance(error, OSError):
        return StateUnusable(f"{path} cannot be opened: {error.strerror}")
    return StateUnusable(f"{path} {words(error)}")


def words(error: sqlite3.Error) -> str:
    """An extended code has the plain one in its low octet (SQLite, "Result and Error Codes")."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return _WORDS.get(code, f"cannot be used: {error}")
