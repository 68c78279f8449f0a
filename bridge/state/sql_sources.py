"""What is remembered of a source, in SQLite: its listing, and what is learned of its messages.

Every function is one transaction's part, on the connection it is given.
"""

import sqlite3
from collections.abc import Iterable, Mapping

from attrs import evolve

from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.journal import Stage
from bridge.maildrop.memory import Fingerprint, Issued, Memory, Moves, News
from bridge.names import AccountName, SourceKey, SourceName, UidValidity
from bridge.state import sql_journal, sql_uidls, sql_viewers
from bridge.state.columns import pack_listing, signed
from bridge.state.sql_rows import find, listed, listing
from bridge.state.store import Glance, Overtaken


def recall(db: sqlite3.Connection, key: SourceKey) -> Memory | None:
    row = find(db, key)
    if row is None:
        return None
    return Memory(
        version=row["version"],
        place=row["place"],
        incarnation=row["incarnation"],
        listing=listing(db, row),
        highest=row["highest"],
        issued=_issued(db, row),
        exceptions=exceptions(sql_uidls.stored(db, row["id"], row["incarnation"])),
        template=row["template"],
        true_sizes=dict(db.execute("SELECT uid, octets FROM true_size WHERE source = ?", (row["id"],))),
        learned_to=row["learned_to"],
        question=row["question"],
        accepted=bool(row["accepted"]),
    )


def glance(db: sqlite3.Connection, key: SourceKey, now: float) -> Glance:
    row = db.execute(
        "SELECT source.version, EXISTS (SELECT 1 FROM journal WHERE journal.source = source.id"
        " AND (stage <> ? OR due <= ?)) FROM source JOIN account ON account.id = source.account"
        " WHERE account.name = ? AND source.name = ?",
        (Stage.FLAGGED.value, now, key.account, key.source),
    ).fetchone()
    return Glance(row[0], bool(row[1])) if row is not None else Glance(0, waiting=False)


def _issued(db: sqlite3.Connection, row: sqlite3.Row) -> tuple[Issued, ...]:
    """All but what is computed now."""
    rows = db.execute(
        "SELECT incarnation, uidvalidity, highest, template FROM issued"
        " WHERE source = ? AND NOT (incarnation = ? AND template = ?) ORDER BY incarnation, template",
        (row["id"], row["incarnation"], row["template"]),
    )
    return tuple(
        Issued(incarnation, UidValidity(uidvalidity), highest, template)
        for incarnation, uidvalidity, highest, template in rows
    )


def remember(db: sqlite3.Connection, key: SourceKey, memory: Memory, news: News) -> Memory:
    row = find(db, key)
    if memory.version != (row["version"] if row else 0):
        raise Overtaken
    if row is None:
        source = _begin(db, key)
        renewed = True
    else:
        source = row["id"]
        renewed = row["incarnation"] != memory.incarnation
    account = _account(db, key)
    sql_uidls.claim(db, account, source, row, memory, news)
    if row is not None and renewed:
        _leave(db, source, memory, news)
    elif row is not None:
        _forget(db, source, row["incarnation"], news.gone)
    stored = evolve(memory, version=memory.version + 1, accepted=False)
    _store(db, source, stored)
    if renewed or news.columns:
        packed = pack_listing(memory.listing)
        db.execute("UPDATE source SET messages = ?, listing = ? WHERE id = ?", (len(memory.listing), packed, source))
    if renewed:
        db.execute("UPDATE source SET learned_to = ? WHERE id = ?", (memory.learned_to, source))
        _add_true_sizes(db, source, memory.true_sizes.items())
    sql_uidls.assign(db, account, source, memory.incarnation, {**news.given, **news.carried})
    if row is not None and renewed:
        # After those that were carried have left: they are most of them, and would be written twice.
        sql_uidls.retire(db, source, row["incarnation"])
    sql_uidls.count(db, source, memory)
    return stored


def _begin(db: sqlite3.Connection, key: SourceKey) -> int:
    db.execute("INSERT OR IGNORE INTO account (name) VALUES (?)", (key.account,))
    added = db.execute(
        "INSERT INTO source (account, name, version, place, incarnation, uidvalidity, uidnext, highestmodseq,"
        " mailbox_id, highest, template, learned_to, question, accepted, messages, listing)"
        " VALUES (?, ?, 0, '', 0, 0, 0, 0, '', 0, '', 0, '', 0, 0, x'')",
        (_account(db, key), key.source),
    )
    assert added.lastrowid is not None
    return added.lastrowid


def _account(db: sqlite3.Connection, key: SourceKey) -> int:
    account: int = db.execute("SELECT id FROM account WHERE name = ?", (key.account,)).fetchone()[0]
    return account


def _store(db: sqlite3.Connection, source: int, memory: Memory) -> None:
    rows = memory.listing
    db.execute(
        "UPDATE source SET version = ?, place = ?, incarnation = ?, uidvalidity = ?, uidnext = ?, highestmodseq = ?,"
        " mailbox_id = ?, highest = ?, template = ?, question = ?, accepted = ? WHERE id = ?",
        (
            memory.version,
            memory.place,
            memory.incarnation,
            rows.uidvalidity,
            rows.uidnext,
            signed(rows.highestmodseq),
            rows.mailbox_id,
            memory.highest,
            memory.template,
            memory.question,
            memory.accepted,
            source,
        ),
    )


def _leave(db: sqlite3.Connection, source: int, memory: Memory, news: News) -> None:
    """A new incarnation: what moves moves, and of the old one only the UIDLs stay."""
    db.execute("DELETE FROM true_size WHERE source = ?", (source,))
    db.execute("DELETE FROM fingerprint WHERE source = ?", (source,))
    moves = news.moves or Moves({})
    sql_viewers.move(db, source, moves)
    sql_journal.move(db, source, memory, moves)


def _forget(db: sqlite3.Connection, source: int, incarnation: int, gone: Iterable[int]) -> None:
    lost = sorted(set(gone))
    if lost:
        sql_uidls.retire(db, source, incarnation, lost)
        rows = [(source, uid) for uid in lost]
        db.executemany("DELETE FROM true_size WHERE source = ? AND uid = ?", rows)
        db.executemany("DELETE FROM fingerprint WHERE source = ? AND uid = ?", rows)
        sql_viewers.forget(db, source, lost)


def import_uidls(db: sqlite3.Connection, key: SourceKey, incarnation: int, uidls: Mapping[int, str]) -> None:
    row = find(db, key)
    if row is None or row["incarnation"] != incarnation:
        raise Overtaken
    given = {uid: uidls[uid] for uid in listed(db, row, uidls)}
    memory = Memory(
        place="", incarnation=incarnation, listing=listing(db, row), highest=row["highest"], template=row["template"]
    )
    sql_uidls.claim(db, row["account"], row["id"], row, memory, News(given=given))
    sql_uidls.assign(db, row["account"], row["id"], incarnation, given)
    db.execute("UPDATE source SET version = version + 1 WHERE id = ?", (row["id"],))


def accept(db: sqlite3.Connection, key: SourceKey) -> bool:
    row = find(db, key)
    if row is not None:
        db.execute("UPDATE source SET accepted = 1, version = version + 1 WHERE id = ?", (row["id"],))
    return row is not None


def known(db: sqlite3.Connection) -> list[SourceKey]:
    rows = db.execute(
        "SELECT account.name, source.name FROM source JOIN account ON account.id = source.account"
        " ORDER BY account.name, source.name"
    )
    return [SourceKey(AccountName(account), SourceName(source)) for account, source in rows]


def fingerprints(db: sqlite3.Connection, key: SourceKey, incarnation: int) -> dict[int, Fingerprint]:
    row = find(db, key)
    if row is None or row["incarnation"] != incarnation:
        return {}
    rows = db.execute("SELECT uid, message_id, header, stable_id FROM fingerprint WHERE source = ?", (row["id"],))
    return {uid: Fingerprint(message_id, header, stable_id) for uid, message_id, header, stable_id in rows}


def learn(
    db: sqlite3.Connection,
    key: SourceKey,
    incarnation: int,
    true_sizes: Mapping[int, int],
    prints: Mapping[int, Fingerprint],
    learned_to: int,
) -> None:
    row = find(db, key)
    if row is None or row["incarnation"] != incarnation:
        return
    source = row["id"]
    _add_true_sizes(db, source, [(uid, true_sizes[uid]) for uid in listed(db, row, true_sizes)])
    db.executemany(
        "INSERT OR REPLACE INTO fingerprint (source, uid, message_id, header, stable_id) VALUES (?, ?, ?, ?, ?)",
        [(source, uid, p.message_id, p.header, p.stable_id) for uid in listed(db, row, prints) for p in (prints[uid],)],
    )
    db.execute("UPDATE source SET learned_to = max(learned_to, ?) WHERE id = ?", (learned_to, source))


def _add_true_sizes(db: sqlite3.Connection, source: int, sizes: Iterable[tuple[int, int]]) -> None:
    db.executemany(
        "INSERT OR REPLACE INTO true_size (source, uid, octets) VALUES (?, ?, ?)",
        [(source, uid, octets) for uid, octets in sizes],
    )
