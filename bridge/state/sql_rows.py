"""How a source's row is found in SQLite, and which messages it lists."""

import sqlite3
from collections.abc import Iterable

from attrs import evolve

from bridge.maildrop.listing import Listing
from bridge.names import SourceKey
from bridge.state.columns import unpack_listing, unsigned


def find(db: sqlite3.Connection, key: SourceKey) -> sqlite3.Row | None:
    """All but the listing, which may be long."""
    row: sqlite3.Row | None = db.execute(
        "SELECT source.id, account, version, place, incarnation, uidvalidity, uidnext, highestmodseq, mailbox_id,"
        " highest, template, learned_to, question, accepted, messages"
        " FROM source JOIN account ON account.id = source.account WHERE account.name = ? AND source.name = ?",
        (key.account, key.source),
    ).fetchone()
    return row


def listing(db: sqlite3.Connection, row: sqlite3.Row) -> Listing:
    packed = db.execute("SELECT listing FROM source WHERE id = ?", (row["id"],)).fetchone()[0]
    return evolve(
        unpack_listing(packed, row["messages"], row["uidvalidity"]),
        uidnext=row["uidnext"],
        highestmodseq=unsigned(row["highestmodseq"]),
        mailbox_id=row["mailbox_id"],
    )


def listed(db: sqlite3.Connection, row: sqlite3.Row, uids: Iterable[int]) -> list[int]:
    """Those of them that are listed."""
    wanted = list(uids)
    present = set(listing(db, row).uids) if wanted else set()
    return [uid for uid in wanted if uid in present]
