"""What POP3 logins were shown, and what each has deleted for itself alone, in SQLite."""

import sqlite3
from array import array
from collections.abc import Iterable, Sequence

from bridge.maildrop.memory import Moves, Viewing
from bridge.names import SourceKey
from bridge.state.columns import pack, unpack_uids
from bridge.state.sql_rows import find, listed
from bridge.state.store import VIEWERS_AT_MOST, Overtaken


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


def keepers(db: sqlite3.Connection, key: SourceKey) -> int:
    row = find(db, key)
    if row is None:
        return 0
    counted: int = db.execute("SELECT count(DISTINCT viewer) FROM kept WHERE source = ?", (row["id"],)).fetchone()[0]
    return counted


def show(db: sqlite3.Connection, key: SourceKey, viewer: str, viewing: Viewing, before: Viewing | None) -> None:
    source = _at(db, key, viewing.incarnation)["id"]
    shown = _shown(db, source, viewer)
    if (shown or (array("I"), 0)) != ((before.ranks, before.floor) if before is not None else (array("I"), 0)):
        raise Overtaken
    if shown is None:
        _make_room(db, source)
    _show(db, source, viewer, viewing.ranks, viewing.floor)


def _make_room(db: sqlite3.Connection, source: int) -> None:
    if db.execute("SELECT count(*) FROM viewing WHERE source = ?", (source,)).fetchone()[0] >= VIEWERS_AT_MOST:
        db.execute(
            "DELETE FROM viewing WHERE rowid = (SELECT rowid FROM viewing AS one WHERE source = ? AND viewer <> ''"
            " AND NOT EXISTS (SELECT 1 FROM kept WHERE source = one.source AND viewer = one.viewer)"
            " ORDER BY rowid LIMIT 1)",
            (source,),
        )


def _shown(db: sqlite3.Connection, source: int, viewer: str) -> "tuple[array[int], int] | None":
    """Ranks and floor; None where this viewer was never shown any."""
    row = db.execute("SELECT * FROM viewing WHERE source = ? AND viewer = ?", (source, viewer)).fetchone()
    return None if row is None else (unpack_uids(row["ranks"], row["messages"]), row["floor"])


def _show(db: sqlite3.Connection, source: int, viewer: str, ranks: "array[int]", floor: int) -> None:
    """Its row becomes the last: the order of rowids is that in which ranks were stored."""
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
    for row in db.execute("SELECT * FROM viewing WHERE source = ? ORDER BY rowid", (source,)).fetchall():
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
