"""What waits to be deleted upstream, in SQLite: in parcels, rows of as many entries as were written down together."""

import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import groupby, islice
from operator import attrgetter

from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.memory import Memory, Moves
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, SourceKey, SourceName
from bridge.state.columns import unsigned
from bridge.state.sql_rows import find, listed
from bridge.state.sql_viewers import keep_from
from bridge.state.store import Overtaken, Pending

Message = tuple[int, int, int, int, int]
"""An entry's number, and its message's UID, size, date and MODSEQ."""

LARGEST = 1000
"""Messages of a parcel: no more are written anew because one of them has come further."""

_head = attrgetter("viewer", "incarnation", "policy", "stage", "due")
_message = attrgetter("id", "uid", "size", "date", "modseq")


def write_down(db: sqlite3.Connection, key: SourceKey, entries: Sequence[Entry], now: float) -> list[Entry]:
    row = find(db, key)
    if row is None or not {entry.incarnation for entry in entries} <= {row["incarnation"]}:
        raise Overtaken
    last = db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'journal'").fetchone()
    new = [Entry._make((*entry[:-1], number)) for number, entry in enumerate(entries, last["seq"] + 1 if last else 1)]
    by_uid = {entry.uid: entry for entry in new}
    _take_out(db, row["id"], by_uid.keys())
    _insert(db, row["id"], by_uid.values(), now)
    return new


def _take_out(db: sqlite3.Connection, source: int, uids: Collection[int]) -> None:
    """An entry takes the place of another about the same message."""
    if not uids:
        return
    statement = "SELECT * FROM journal WHERE source = ? AND lowest <= ? AND highest >= ?"
    for parcel in db.execute(statement, (source, max(uids), min(uids))).fetchall():
        messages = _messages(parcel)
        left = [message for message in messages if message[1] not in uids]
        if len(left) < len(messages):
            _leave(db, parcel, left)


def _insert(db: sqlite3.Connection, source: int, entries: Iterable[Entry], written: float) -> None:
    """`written`: when they were first written down."""
    for (viewer, incarnation, policy, stage, due), alike in groupby(entries, _head):
        messages = map(_message, alike)
        while some := list(islice(messages, LARGEST)):
            _put(db, (source, viewer, incarnation, policy.value, stage.value, due, written), some)


def _put(db: sqlite3.Connection, head: tuple[object, ...], messages: list[Message]) -> None:
    numbers, uids, *_ = zip(*messages, strict=True)
    db.execute(
        "INSERT INTO journal (source, viewer, incarnation, policy, stage, due, written,"
        " id, last, lowest, highest, messages) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (*head, min(numbers), max(numbers), min(uids), max(uids), json.dumps(messages)),
    )
    db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?) WHERE name = 'journal'", (max(numbers),))


def _leave(db: sqlite3.Connection, parcel: sqlite3.Row, left: list[Message]) -> None:
    """Only these of it."""
    db.execute("DELETE FROM journal WHERE id = ?", (parcel["id"],))
    if left:
        head = ("source", "viewer", "incarnation", "policy", "stage", "due", "written")
        _put(db, tuple(parcel[name] for name in head), left)


def _messages(parcel: sqlite3.Row) -> list[Message]:
    messages: list[Message] = json.loads(parcel["messages"])
    return messages


def _entries(parcel: sqlite3.Row, messages: Iterable[Message]) -> list[Entry]:
    viewer, incarnation = parcel["viewer"], parcel["incarnation"]
    policy, stage, due = Policy(parcel["policy"]), Stage(parcel["stage"]), parcel["due"]
    return [
        Entry(viewer, incarnation, uid, unsigned(size), date, policy, stage, due, unsigned(modseq), number)
        for number, uid, size, date, modseq in messages
    ]


def journal(db: sqlite3.Connection, key: SourceKey, now: float) -> list[Entry]:
    row = find(db, key)
    if row is None:
        return []
    parcels = db.execute(
        "SELECT * FROM journal WHERE source = ? AND (stage <> ? OR due <= ?)", (row["id"], Stage.FLAGGED.value, now)
    )
    entries = [entry for parcel in parcels for entry in _entries(parcel, _messages(parcel))]
    return sorted(entries, key=lambda entry: entry.id)


def _parted(
    db: sqlite3.Connection, entries: Sequence[Entry]
) -> Iterator[tuple[sqlite3.Row, list[Message], list[Message]]]:
    """Every parcel that holds some of these entries, with its messages: theirs, and the others."""
    meant = {entry.id: entry.incarnation for entry in entries}
    if not meant:
        return
    between = (max(meant), min(meant))
    # The plus: by `last`, for among the lower numbers is all that has waited for long.
    for parcel in db.execute("SELECT * FROM journal WHERE +id <= ? AND last >= ?", between).fetchall():
        messages, incarnation = _messages(parcel), parcel["incarnation"]
        theirs = [message for message in messages if meant.get(message[0]) == incarnation]
        if len(theirs) == len(messages):
            yield parcel, theirs, []
        elif theirs:
            yield parcel, theirs, [message for message in messages if meant.get(message[0]) != incarnation]


def advance(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    now = {entry.id: entry for entry in entries}
    for parcel, theirs, others in _parted(db, entries):
        _leave(db, parcel, others)
        moved = [
            entry._replace(stage=now[entry.id].stage, due=now[entry.id].due, modseq=now[entry.id].modseq)
            for entry in _entries(parcel, theirs)
        ]
        _insert(db, parcel["source"], moved, parcel["written"])


def strike(db: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    for parcel, _, others in _parted(db, entries):
        _leave(db, parcel, others)


def give_up(db: sqlite3.Connection, key: SourceKey, entries: Sequence[Entry]) -> None:
    row = find(db, key)
    if row is None:
        return
    given_up: list[tuple[str, int]] = []
    for parcel, theirs, others in _parted(db, entries):
        if parcel["source"] == row["id"]:
            given_up += [(parcel["viewer"], message[1]) for message in theirs]
            _leave(db, parcel, others)
    present = set(listed(db, row, [uid for _, uid in given_up]))
    keep_from(db, row["id"], [(viewer, uid) for viewer, uid in given_up if uid in present])


def move(db: sqlite3.Connection, source: int, memory: Memory, moves: Moves) -> None:
    """Into a new incarnation: what is certain follows its message, what is not is struck and the message kept."""
    listing = memory.listing
    rows = {uid: row for row, uid in enumerate(listing.uids)}
    parcels = db.execute("SELECT * FROM journal WHERE source = ? ORDER BY id", (source,)).fetchall()
    db.execute("DELETE FROM journal WHERE source = ?", (source,))
    for parcel in parcels:
        moved: list[Entry] = []
        for entry in _entries(parcel, _messages(parcel)):
            uid = moves.uids.get(entry.uid)
            if uid is None or uid not in rows:
                continue
            if entry.uid in moves.certain:
                size, date = listing.sizes[rows[uid]], listing.dates[rows[uid]]
                moved.append(entry._replace(incarnation=memory.incarnation, uid=uid, size=size, date=date, modseq=0))
            else:
                keep_from(db, source, [(entry.viewer, uid)])
        _insert(db, source, moved, parcel["written"])


def pending(db: sqlite3.Connection) -> list[Pending]:
    rows = db.execute(
        "SELECT account.name, source.name,"
        " coalesce(sum(json_array_length(journal.messages)) FILTER (WHERE stage <> :flagged), 0),"
        " coalesce(min(written) FILTER (WHERE stage <> :flagged), 0.0),"
        " coalesce(sum(json_array_length(journal.messages)) FILTER (WHERE stage = :flagged), 0)"
        " FROM journal"
        " JOIN source ON source.id = journal.source JOIN account ON account.id = source.account"
        " GROUP BY source.id ORDER BY account.name, source.name",
        {"flagged": Stage.FLAGGED.value},
    )
    return [
        Pending(SourceKey(AccountName(account), SourceName(name)), entries, oldest, flagged)
        for account, name, entries, oldest, flagged in rows
    ]
