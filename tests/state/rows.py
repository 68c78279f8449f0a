"""A database in memory with one source, for tests of the statements themselves."""

import sqlite3
from collections.abc import Sequence

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory, News
from bridge.names import AccountName, SourceKey, UidValidity
from bridge.state.migrate import schemas
from bridge.state.sql_sources import remember

KEY = SourceKey(AccountName("alice"))


def database(version: int = max(schemas())) -> sqlite3.Connection:
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    for number in range(1, version + 1):
        db.executescript(schemas()[number])
    return db


def memory(uids: Sequence[int], *, version: int = 0, incarnation: int = 1) -> Memory:
    listing = Listing(UidValidity(7), uidnext=max(uids, default=0) + 1)
    listing.add(uids, uids, uids, bytes(len(uids)))
    return Memory(
        version=version,
        incarnation=incarnation,
        place="p",
        listing=listing,
        highest=max(uids, default=0),
        template="{uidvalidity}.{uid}",
    )


def with_source(uids: Sequence[int] = (1, 2, 3), news: News | None = None) -> sqlite3.Connection:
    db = database()
    remember(db, KEY, memory(uids), news or News())
    return db


def rows(db: sqlite3.Connection, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in db.execute(statement)]


def plans(db: sqlite3.Connection, statements: Sequence[str]) -> list[str]:
    """How SQLite goes about each of them."""
    told: list[str] = []
    for statement in statements:
        if statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE")):
            told.extend(row["detail"] for row in db.execute(f"EXPLAIN QUERY PLAN {statement}"))
    return told
