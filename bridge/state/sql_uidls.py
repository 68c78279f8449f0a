"""Which UIDLs are whose, in SQLite: they are claimed, given, and stay taken for good (S2)."""

import json
import sqlite3
from collections.abc import Mapping, Sequence

from bridge.maildrop.memory import Issued, Memory, News
from bridge.state.computed import Computed, Known, Owner, Wish, taken
from bridge.state.sql_rows import listing
from bridge.state.store import UidlTaken


def stored(db: sqlite3.Connection, source: int, incarnation: int) -> dict[int, str]:
    """The UIDLs of present messages that are not the computed ones."""
    return dict(
        db.execute(
            "SELECT uid, uidl FROM uidl WHERE source = ? AND incarnation = ? AND gone = 0", (source, incarnation)
        )
    )


def claim(
    db: sqlite3.Connection, account: int, source: int, row: sqlite3.Row | None, memory: Memory, news: News
) -> None:
    """Raises UidlTaken where one is another message's; `row` is the source as it was stored before."""
    before = row["incarnation"] if row is not None and row["incarnation"] != memory.incarnation else 0
    own = Computed(source, memory.incarnation, memory.template, memory.listing.uidvalidity, memory.highest)
    wish = Wish(source, memory.incarnation, own, news.given, news.carried, tuple(news.computed), before)
    known = Known(
        stored=_owners(db, account, wish),
        ranges=_ranges(db, account),
        exempt=lambda span: _with_stored(db, span.source, span.incarnation),
        listed=set(listing(db, row).uids) if row is not None and before else (),
    )
    refused = taken(wish, known)
    if refused:
        raise UidlTaken(refused)


def _owners(db: sqlite3.Connection, account: int, wish: Wish[int]) -> dict[str, Owner[int]]:
    if db.execute("SELECT 1 FROM uidl WHERE account = ? LIMIT 1", (account,)).fetchone() is None:
        return {}
    rows = db.execute(
        "SELECT uidl, source, incarnation, uid, gone FROM json_each(?) CROSS JOIN uidl"
        " ON uidl.account = ? AND uidl.uidl = json_each.value",
        (json.dumps([uidl for uidl, _, _ in wish.each()]), account),
    )
    return {uidl: Owner(source, incarnation, uid, not gone) for uidl, source, incarnation, uid, gone in rows}


def _ranges(db: sqlite3.Connection, account: int) -> list[Computed[int]]:
    rows = db.execute(
        "SELECT issued.source, issued.incarnation, issued.template, issued.uidvalidity, issued.highest"
        " FROM source CROSS JOIN issued ON issued.source = source.id WHERE source.account = ?",
        (account,),
    )
    return [Computed(*row) for row in rows]


def _with_stored(db: sqlite3.Connection, source: int, incarnation: int) -> set[int]:
    rows = db.execute("SELECT uid FROM uidl WHERE source = ? AND incarnation = ?", (source, incarnation))
    return {uid for (uid,) in rows}


def retire(db: sqlite3.Connection, source: int, incarnation: int, uids: Sequence[int] | None = None) -> None:
    """They stay taken, and nobody has them any more: all of an incarnation, or these messages'."""
    statement = "UPDATE uidl SET gone = 1 WHERE source = ? AND incarnation = ? AND gone = 0"
    if uids is None:
        db.execute(statement, (source, incarnation))
    else:
        db.executemany(f"{statement} AND uid = ?", [(source, incarnation, uid) for uid in uids])


def assign(db: sqlite3.Connection, account: int, source: int, incarnation: int, uidls: Mapping[int, str]) -> None:
    """After `claim`, and before `count`. What these messages had until now stays taken."""
    if not uidls:
        return
    with_stored = _with_stored(db, source, incarnation)
    for span in _ranges(db, account):
        if (span.source, span.incarnation) == (source, incarnation):
            computed = [uid for uid in uidls if uid <= span.highest and uid not in with_stored]
            db.executemany(
                "INSERT OR IGNORE INTO uidl (account, uidl, source, incarnation, uid, gone) VALUES (?, ?, ?, ?, ?, 1)",
                [(account, span.uidl(uid), source, incarnation, uid) for uid in computed],
            )
    retire(db, source, incarnation, [uid for uid in uidls if uid in with_stored])
    db.executemany(
        "INSERT OR REPLACE INTO uidl (account, uidl, source, incarnation, uid, gone) VALUES (?, ?, ?, ?, ?, 0)",
        [(account, uidl, source, incarnation, uid) for uid, uidl in uidls.items()],
    )


def count(db: sqlite3.Connection, source: int, memory: Memory) -> None:
    """Take down which UIDLs have been computed by now."""
    now = Issued(memory.incarnation, memory.listing.uidvalidity, memory.highest, memory.template)
    db.executemany(
        "INSERT INTO issued (source, incarnation, template, uidvalidity, highest) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (source, incarnation, template)"
        " DO UPDATE SET uidvalidity = excluded.uidvalidity, highest = max(highest, excluded.highest)",
        [(source, one.incarnation, one.template, one.uidvalidity, one.highest) for one in (*memory.issued, now)],
    )
