"""What POP3 logins were shown, and what each has deleted for itself alone, in SQLite."""

import sqlite3
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress

from attrs import evolve

from bridge.maildrop.memory import Moves, Viewing
from bridge.names import AccountName, SourceKey, SourceName
from bridge.state.columns import pack, unpack_uids
from bridge.state.sql_copies import take_down
from bridge.state.sql_rows import find, listed
from bridge.state.store import VIEWERS_AT_MOST, Overtaken, Showing

_NEVER = Viewing(incarnation=0)


def viewing(db: sqlite3.Connection, key: SourceKey, viewer: str) -> Viewing | None:
    row = find(db, key)
    if row is None:
        return None
    rows = db.execute("SELECT uid FROM kept WHERE source = ? AND viewer = ?", (row["id"], viewer))
    kept = frozenset(uid for (uid,) in rows)
    shown = _shown(db, row, viewer)
    if shown is not None:
        return evolve(shown, kept=kept)
    return Viewing(incarnation=row["incarnation"], kept=kept) if kept else None


def keepers(db: sqlite3.Connection, key: SourceKey) -> int:
    row = find(db, key)
    if row is None:
        return 0
    counted: int = db.execute("SELECT count(DISTINCT viewer) FROM kept WHERE source = ?", (row["id"],)).fetchone()[0]
    return counted


def highest_number(db: sqlite3.Connection, account: AccountName, viewer: str) -> int:
    found: int = db.execute(
        "SELECT ifnull(max(viewing.highest), 0) FROM viewing JOIN source ON source.id = viewing.source"
        " JOIN account ON account.id = source.account WHERE account.name = ? AND viewer = ?",
        (account, viewer),
    ).fetchone()[0]
    return found


def show(db: sqlite3.Connection, viewer: str, showings: Sequence[Showing], copies: Mapping[bytes, SourceName]) -> None:
    sources = [_at(db, showing.key, showing.viewing.incarnation) for showing in showings]
    for source, showing in zip(sources, showings, strict=True):
        shown = _shown(db, source, viewer)
        if not _alike(shown, showing.before):
            raise Overtaken
        if shown is None:
            _make_room(db, source["id"])
        if shown is None or not _alike(shown, showing.viewing):
            _show(db, source["id"], viewer, showing.viewing)
    if copies:
        take_down(db, sources[0]["account"], viewer, copies)


def _alike(one: Viewing | None, other: Viewing | None) -> bool:
    """All but what is kept."""
    alike = [(each.ranks, each.numbers, each.floor) for each in (one or _NEVER, other or _NEVER)]
    return alike[0] == alike[1]


def _make_room(db: sqlite3.Connection, source: int) -> None:
    if db.execute("SELECT count(*) FROM viewing WHERE source = ?", (source,)).fetchone()[0] >= VIEWERS_AT_MOST:
        db.execute(
            "DELETE FROM viewing WHERE rowid = (SELECT rowid FROM viewing AS one WHERE source = ? AND viewer <> ''"
            " AND NOT EXISTS (SELECT 1 FROM kept WHERE source = one.source AND viewer = one.viewer)"
            " ORDER BY rowid LIMIT 1)",
            (source,),
        )


def _shown(db: sqlite3.Connection, source: sqlite3.Row, viewer: str) -> Viewing | None:
    """None where this viewer was never shown any."""
    row = db.execute("SELECT * FROM viewing WHERE source = ? AND viewer = ?", (source["id"], viewer)).fetchone()
    return None if row is None else _unpacked(row, source["incarnation"])


def _unpacked(row: sqlite3.Row, incarnation: int) -> Viewing:
    numbers = unpack_uids(row["numbers"], row["numbered"]) if row["numbered"] else array("I")
    ranks = unpack_uids(row["ranks"], row["messages"])
    return Viewing(incarnation=incarnation, ranks=ranks, numbers=numbers, floor=row["floor"])


def _show(db: sqlite3.Connection, source: int, viewer: str, shown: Viewing) -> None:
    """Its row becomes the last: the order of rowids is that in which ranks were stored."""
    numbers = shown.numbers
    db.execute(
        "INSERT OR REPLACE INTO viewing (source, viewer, messages, ranks, floor, numbered, numbers, highest)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            source,
            viewer,
            len(shown.ranks),
            pack([shown.ranks]),
            shown.floor,
            len(numbers),
            pack([numbers]) if numbers else b"",
            max(numbers, default=0),
        ),
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
        old = _unpacked(row, 0)
        below = (new for uid, new in moves.uids.items() if uid < old.floor)
        moved = Viewing(
            incarnation=0,
            ranks=array("I", [moves.uids[uid] for uid in old.ranks if uid in moves.uids]),
            numbers=array("I", compress(old.numbers, map(moves.uids.__contains__, old.ranks))),
            floor=max(below, default=0) + 1 if old.floor else 0,
        )
        _show(db, source, row["viewer"], moved)
    kept = db.execute("SELECT viewer, uid FROM kept WHERE source = ?", (source,)).fetchall()
    db.execute("DELETE FROM kept WHERE source = ?", (source,))
    keep_from(db, source, [(viewer, moves.uids[uid]) for viewer, uid in kept if uid in moves.uids])


def _at(db: sqlite3.Connection, key: SourceKey, incarnation: int) -> sqlite3.Row:
    row = find(db, key)
    if row is None or row["incarnation"] != incarnation:
        raise Overtaken
    return row
