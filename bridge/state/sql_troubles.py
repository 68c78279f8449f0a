"""Why sources could not be opened the last time, in SQLite."""

import sqlite3

from bridge.names import AccountName, SourceKey, SourceName
from bridge.state.store import Troubled


def note_trouble(db: sqlite3.Connection, key: SourceKey, text: str, now: float) -> None:
    """Another reason begins when the first one did: the source was away all that time."""
    if text:
        db.execute(
            "INSERT INTO trouble (account, source, since, text) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (account, source) DO UPDATE SET text = excluded.text",
            (key.account, key.source, now, text),
        )
    else:
        db.execute("DELETE FROM trouble WHERE account = ? AND source = ?", (key.account, key.source))


def troubles(db: sqlite3.Connection) -> list[Troubled]:
    rows = db.execute("SELECT account, source, since, text FROM trouble ORDER BY account, source")
    return [Troubled(SourceKey(AccountName(a), SourceName(s)), since, text) for a, s, since, text in rows]
