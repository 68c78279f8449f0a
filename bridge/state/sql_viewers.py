"""What POP3 logins were shown, and what each has deleted for itself alone, in SQLite."""

import sqlite3
from array import array
from collections.abc import Iterable, Sequence

from bridge.maildrop.memory import Moves, Viewing
from bridge.names import SourceKey
from bridge.state.columns import pack, unpack_uids
from bridge.state.sql_rows import find, listed
from bridge.state.store import Overtaken


def viewing(db: sqlite3.Connection, key: SourceKey, viewer: str) -> Viewing | None:
    row = find(db, key)
    if row is None:
        return None
    rows = db.execute("SELECT uid FROM kept WHERE source = ? AND viewer = ?", (row["id"], viewer))
    kept = frozenset(uid for (uid,) in rows)
    shown = _shown(db, row["id"], viewer)
    if shown is not None:
        return Viewing(incarnation=row["incarnation"], ranks=shown[0], kept=kept, floor=shown[1])
    return Viewing(incarnation=row["incarnation"], kept=kept) if kept else None


def viewers(db: sqlite3.Connection, key: SourceKey) -> int:
    row = find(db, key)
    if row is None:
        return 0
    union = "SELECT viewer FROM viewing WHERE source = ? UNION SELECT viewer FROM kept WHERE source = ?"
    return len(db.execute(union, (row["id"], row["id"])).fetchall())


def show(db: sqlite3.Connection, key: SourceKey, viewer: str, viewing: Viewing, before: Viewing | None) -> None:
    source = _at(db, key, viewing.incarnation)["id"]
    ranks, floor = _shown(db, source, viewer) or (array("I"), 0)
    if (ranks, floor) != ((before.ranks, before.floor) if before is not None else (array("I"), 0)):
        raise Overtaken
    _show(db, source, viewer, viewing.ranks, viewing.floor)


def _shown(db: sqlite3.Connection, source: int, viewer: str) -> "tuple[array[int], int] | None":
    """Ranks and floor; None where this viewer was never shown any."""
    row = db.execute("SELECT * FROM viewing WHERE source = ? AND viewer = ?", (source, viewer)).fetchone()
    return None if row is None else (unpack_uids(row["ranks"], row["messages"]), row["floor"])


def _show(db: sqlite3.Connection, source: int, viewer: str, ranks: "array[int]", floor: int) -> None:
    db.execute(
        "INSERT OR REPLACE INTO viewing (source, viewer, messages, ranks, floor) VALUES (?, ?, ?, ?, ?)",
        (source, viewer, len(ranks), pack([ranks]), floor),
    )


def keep(db: sqlite3.Connection, key: SourceKey, viewer: str, incarnation: int, uids: Sequence[int]) -> None:
    row = _at(db, key, incarnation)
    keep_from(db, row["id"], [(viewer, uid) for uid in listed(db, row, uids)])


def keep_from(db: sqlite3.Connection, source: int, kept: Iterable[tuple[str, int]]) -> None:
    """From this viewer, this message."""
    db.executemany(
        "INSERT OR IGNORE INTO kept (source, viewer, uid) VALUES (?, ?, ?)",
        [(source, viewer, uid) for viewer, uid in kept],
    )


def forget(db: sqlite3.Connection, source: int, gone: Sequence[int]) -> None:
    viewers = [viewer for (viewer,) in db.execute("SELECT DISTINCT viewer FROM kept WHERE source = ?", (source,))]
    for viewer in viewers:
        db.executemany(
            "DELETE FROM kept WHERE source = ? AND viewer = ? AND uid = ?", [(source, viewer, uid) for uid in gone]
        )


def move(db: sqlite3.Connection, source: int, moves: Moves) -> None:
    """Into a new incarnation; what did not move is dropped."""
    for row in db.execute("SELECT * FROM viewing WHERE source = ?", (source,)).fetchall():
        old = unpack_uids(row["ranks"], row["messages"])
        ranks = array("I", [moves.uids[uid] for uid in old if uid in moves.uids])
        below = (new for uid, new in moves.uids.items() if uid < row["floor"])
        _show(db, source, row["viewer"], ranks, max(below, default=0) + 1 if row["floor"] else 0)
    kept = db.execute("SELECT viewer, uid FROM kept WHERE source = ?", (source,)).fetchall()
    db.execute("DELETE FROM kept WHERE source = ?", (source,))
    keep_from(db, source, [(viewer, moves.uids[uid]) for viewer, uid in kept if uid in moves.uids])


def _at(db: sqlite3.Connection, key: SourceKey, incarnation: int) -> sqlite3.Row:
    row = find(db, key)
    if row is None or row["incarnation"] != incarnation:
        raise Overtaken
    return row
