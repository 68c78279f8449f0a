"""The journal in the file is in the owner's words and in parcels, and no entry's number is used twice."""

import sqlite3
from collections.abc import Callable
from math import inf

import pytest

from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.retention import Policy
from bridge.postoffice.applying import AT_ONCE
from bridge.state import sql_journal
from bridge.state.migrate import schemas
from tests.state.rows import KEY, database, plans, rows, with_source


def entry(uid: int) -> Entry:
    return Entry(viewer="v", incarnation=1, uid=uid, size=2**64 - 1, date=-1, policy=Policy.TRASH, stage=Stage.SENT)


def test_an_owner_reads_what_waits() -> None:
    db = with_source()
    sql_journal.write_down(db, KEY, [entry(1), entry(3), entry(2)], 1700000000.5)
    seen = rows(db, "SELECT viewer, lowest, highest, policy, stage, written FROM journal")
    assert seen == [("v", 1, 3, "trash", "sent", 1700000000.5)]


def test_a_struck_entrys_number_is_never_anothers() -> None:
    db = with_source()
    numbers = set()
    for _ in range(3):
        written = sql_journal.write_down(db, KEY, [entry(1)], 1.0)
        numbers.add(written[0].id)
        sql_journal.strike(db, written)
    assert len(numbers) == 3


def test_any_size_that_a_server_may_say() -> None:
    db = with_source()
    written = sql_journal.write_down(db, KEY, [entry(1)], 1.0)
    assert sql_journal.journal(db, KEY, inf) == written
    assert written[0].size == 2**64 - 1


def uids(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    """Of each parcel."""
    return rows(db, "SELECT (SELECT group_concat(value ->> 1) FROM json_each(messages)) FROM journal ORDER BY id")


def test_what_one_quit_promises_is_one_row_as_long_as_all_of_it_comes_equally_far() -> None:
    db = with_source()
    written = sql_journal.write_down(db, KEY, [entry(uid) for uid in (1, 2, 3, 4)], 5.0)
    assert uids(db) == [("1,2,3,4",)]

    flagged = [one._replace(stage=Stage.FLAGGED, due=9.0) for one in written[1:3]]
    sql_journal.advance(db, flagged)
    assert uids(db) == [("1,4",), ("2,3",)]
    assert rows(db, "SELECT stage, written FROM journal ORDER BY id") == [("sent", 5.0), ("flagged", 5.0)]
    assert sql_journal.journal(db, KEY, inf) == [written[0], *flagged, written[3]]

    sql_journal.strike(db, [written[0], written[2]])
    assert uids(db) == [("2",), ("4",)]
    sql_journal.strike(db, written)
    assert uids(db) == []


def test_no_parcel_holds_more_than_is_carried_out_at_once() -> None:
    db = with_source()
    written = sql_journal.write_down(db, KEY, [entry(uid) for uid in range(1, 2501)], 5.0)
    counts = "SELECT json_array_length(messages) FROM journal ORDER BY id"
    assert rows(db, counts) == [(1000,), (1000,), (500,)]
    assert sql_journal.LARGEST == AT_ONCE

    sql_journal.advance(db, [one._replace(stage=Stage.WRITTEN) for one in written[:AT_ONCE]])
    sql_journal.strike(db, written[:AT_ONCE])
    assert rows(db, counts) == [(1000,), (500,)]
    assert sql_journal.journal(db, KEY, inf) == written[AT_ONCE:]


def test_an_entry_takes_another_ones_place_whatever_parcel_that_is_in() -> None:
    db = with_source()
    first = sql_journal.write_down(db, KEY, [entry(uid) for uid in (1, 2, 3)], 5.0)
    again = sql_journal.write_down(db, KEY, [entry(2), entry(7)], 6.0)
    assert uids(db) == [("1,3",), ("2,7",)]

    sql_journal.strike(db, first[1:2])
    assert sql_journal.journal(db, KEY, inf) == [first[0], first[2], *again], "the other one's number is not its own"


def test_the_same_message_twice_in_one_go_is_there_once() -> None:
    db = with_source()
    written = sql_journal.write_down(db, KEY, [entry(1), entry(1)], 5.0)
    assert sql_journal.journal(db, KEY, inf) == written[1:]


TOUCHING: list[Callable[[sqlite3.Connection], object]] = [
    lambda db: sql_journal.write_down(db, KEY, [entry(5000)], 9.0),
    lambda db: sql_journal.strike(db, sql_journal.write_down(db, KEY, [entry(5000)], 9.0)),
    lambda db: sql_journal.journal(db, KEY, 1.0),
]


@pytest.mark.parametrize("touch", TOUCHING)
def test_months_of_what_waits_for_its_purge_are_not_read(
    touch: Callable[[sqlite3.Connection], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = with_source()
    for uid in (1, 2, 3):
        written = sql_journal.write_down(db, KEY, [entry(uid)], 5.0)
        sql_journal.advance(db, [one._replace(stage=Stage.FLAGGED, due=99.0) for one in written])
    read: list[sqlite3.Row] = []
    messages = sql_journal._messages

    def noted(parcel: sqlite3.Row) -> list[sql_journal.Message]:
        read.append(parcel)
        return messages(parcel)

    monkeypatch.setattr(sql_journal, "_messages", noted)
    touch(db)
    assert all(parcel["lowest"] == 5000 for parcel in read)

    said: list[str] = []
    db.set_trace_callback(said.append)
    touch(db)
    db.set_trace_callback(None)
    whole = [plan for plan in plans(db, said) if plan.startswith("SCAN journal") or "(rowid<?)" in plan]
    assert not whole


def test_a_journal_in_rows_becomes_one_in_parcels() -> None:
    db = database(2)
    db.execute("INSERT INTO account (id, name) VALUES (1, 'alice')")
    names = [row["name"] for row in db.execute("PRAGMA table_info(source)")]
    values = {"id": 7, "account": 1, "name": KEY.source, "incarnation": 1}
    db.execute(
        f"INSERT INTO source ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})",
        [values.get(name, 0) for name in names],
    )
    db.executemany(
        "INSERT INTO journal VALUES (?, 7, 'v', 1, ?, -1, 5, 'flag', ?, 0.0, ?, 2.5)",
        [(1, 11, "sent", 3), (2, 12, "written", 0), (3, 13, "sent", -2), (9, 14, "sent", 3)],
    )
    db.execute("DELETE FROM journal WHERE id = 9")
    db.executescript(schemas()[3])

    def was(number: int, uid: int, stage: Stage, modseq: int) -> Entry:
        return Entry("v", 1, uid, 2**64 - 1, 5, Policy.FLAG, stage, 0.0, modseq, number)

    told = [was(1, 11, Stage.SENT, 3), was(2, 12, Stage.WRITTEN, 0), was(3, 13, Stage.SENT, 2**64 - 2)]
    assert sql_journal.journal(db, KEY, inf) == told
    assert uids(db) == [("11,13",), ("12",)]
    assert [one.id for one in sql_journal.write_down(db, KEY, [entry(15)], 3.0)] == [10], "no number is used again"
    assert not rows(db, "SELECT name FROM sqlite_master WHERE name = 'journal_of_rows'")


def test_an_empty_journal_in_rows_keeps_its_numbers() -> None:
    db = database(2)
    db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('journal', 41)")
    db.executescript(schemas()[3])
    assert rows(db, "SELECT seq FROM sqlite_sequence WHERE name = 'journal'") == [(41,)]
