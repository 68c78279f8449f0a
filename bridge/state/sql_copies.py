"""By what a POP3 login knows copies of messages that it was shown before, in SQLite."""

import sqlite3
from collections.abc import Collection, Mapping

from bridge.names import AccountName, SourceName


def shown_first(
    db: sqlite3.Connection, account: AccountName, viewer: str, copies: Collection[bytes]
) -> dict[bytes, SourceName]:
    found: dict[bytes, SourceName] = {}
    for copy in copies:
        row = db.execute(
            "SELECT source.name FROM first_shown JOIN source ON source.id = first_shown.source"
            " JOIN account ON account.id = first_shown.account WHERE account.name = ? AND viewer = ? AND identity = ?",
            (account, viewer, copy),
        ).fetchone()
        if row is not None:
            found[copy] = SourceName(row[0])
    return found


def take_down(db: sqlite3.Connection, account: int, viewer: str, copies: Mapping[bytes, SourceName]) -> None:
    """What is known already stays; `account` is the row's."""
    sources = dict(db.execute("SELECT name, id FROM source WHERE account = ?", (account,)))
    db.executemany(
        "INSERT OR IGNORE INTO first_shown (account, viewer, identity, source) VALUES (?, ?, ?, ?)",
        [(account, viewer, identity, sources[source]) for identity, source in copies.items()],
    )
