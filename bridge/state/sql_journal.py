"""What waits to be deleted upstream, in SQLite."""

import sqlite3
from collections.abc import Sequence

from attrs import evolve

from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.memory import Memory, Moves
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, SourceKey, SourceName
from bridge.state.columns import signed, unsigned
from bridge.state.sql_rows import find, listed
from bridge.state.sql_viewers import keep_from
from bridge.state.store import Overtaken, Pending


def write_down(db: sqlite3.Connection, key: SourceKey, entries: Sequence[Entry], now: float) -> list[Entry]:
    row = find(db, key)
    if row is None or any(entry.incarnation != row["incarnation"] for entry in entries):
        raise Overtaken
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
    new = [entry.noted(number=number) for number, entry in enumerate(entries, last["seq"] + 1 if last else 1)]
    _insert(db, row["id"], [(entry, now) for entry in new])
    return new


def _insert(db: sqlite3.Connection, source: int, entries: Sequence[tuple[Entry, float]]) -> None:
    """Each, with the time when it was first written down, in place of another about the same message."""
    db.executemany(
        "INSERT OR REPLACE INTO journal"
        " (id, source, viewer, incarnation, uid, size, date, policy, stage, due, modseq, written)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            (
                entry.id,
                source,
                entry.viewer,
                entry.incarnation,
                entry.uid,
                signed(entry.size),
                entry.date,
                entry.policy.value,
                entry.stage.value,
                entry.due,
                signed(entry.modseq),
                written,
            )
            for entry, written in entries
        ],
    )


def journal(db: sqlite3.Connection, key: SourceKey, now: float) -> list[Entry]:
    row = find(db, key)
    if row is None:
        return []
    rows = db.execute(
        "SELECT * FROM journal WHERE source = ? AND (stage <> ? OR due <= ?) ORDER BY id",
        (row["id"], Stage.FLAGGED.value, now),
    )
    return [_entry(one) for one in rows]


def _waiting(db: sqlite3.Connection, source: int) -> list[sqlite3.Row]:
    return db.execute("SELECT * FROM journal WHERE source = ? ORDER BY id", (source,)).fetchall()


def _entry(row: sqlite3.Row) -> Entry:
    return Entry(
        id=row["id"],
        viewer=row["viewer"],
        incarnation=row["incarnation"],
        uid=row["uid"],
        size=unsigned(row["size"]),
        date=row["date"],
        policy=Policy(row["policy"]),
        stage=Stage(row["stage"]),
        due=row["due"],
        modseq=unsigned(row["modseq"]),
    )


def advance(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    db.executemany(
        "UPDATE journal SET stage = ?, due = ?, modseq = ? WHERE id = ? AND incarnation = ?",
        [(e.stage.value, e.due, signed(e.modseq), e.id, e.incarnation) for e in entries],
    )


def strike(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    db.executemany("DELETE FROM journal WHERE id = ? AND incarnation = ?", [(e.id, e.incarnation) for e in entries])


def give_up(db: sqlite3.Connection, key: SourceKey, entries: Sequence[Entry]) -> None:
    row = find(db, key)
    if row is None:
        return
    meant = {(entry.id, entry.incarnation) for entry in entries}
    given_up = [one for one in map(_entry, _waiting(db, row["id"])) if (one.id, one.incarnation) in meant]
    strike(db, given_up)
    present = set(listed(db, row, [entry.uid for entry in given_up]))
    keep_from(db, row["id"], [(entry.viewer, entry.uid) for entry in given_up if entry.uid in present])


def move(db: sqlite3.Connection, source: int, memory: Memory, moves: Moves) -> None:
    """Into a new incarnation: what is certain follows its message, what is not is struck and the message kept."""
    listing = memory.listing
    rows = {uid: row for row, uid in enumerate(listing.uids)}
    waiting = _waiting(db, source)
    db.execute("DELETE FROM journal WHERE source = ?", (source,))
    for row in waiting:
        entry, uid = _entry(row), moves.uids.get(row["uid"])
        if uid is None or uid not in rows:
            continue
        if entry.uid in moves.certain:
            size, date = listing.sizes[rows[uid]], listing.dates[rows[uid]]
            moved = evolve(entry, incarnation=memory.incarnation, uid=uid, size=size, date=date, modseq=0)
            _insert(db, source, [(moved, row["written"])])
        else:
            keep_from(db, source, [(entry.viewer, uid)])


def pending(db: sqlite3.Connection) -> list[Pending]:
    rows = db.execute(
        "SELECT account.name, source.name, count(*) FILTER (WHERE stage <> :flagged),"
        " coalesce(min(written) FILTER (WHERE stage <> :flagged), 0.0), count(*) FILTER (WHERE stage = :flagged)"
        " FROM journal"
        " JOIN source ON source.id = journal.source JOIN account ON account.id = source.account"
        " GROUP BY source.id ORDER BY account.name, source.name",
        {"flagged": Stage.FLAGGED.value},
    )
    return [
        Pending(SourceKey(AccountName(account), SourceName(name)), entries, oldest, flagged)
        for account, name, entries, oldest, flagged in rows
    ]
