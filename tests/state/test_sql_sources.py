"""Of messages that are gone only their UIDLs stay in the file, and no question walks through other sources' rows."""

from array import array

from attrs import evolve

from bridge.maildrop.journal import Entry
from bridge.maildrop.memory import Fingerprint, Issued, Moves, News, Viewing
from bridge.maildrop.retention import Policy
from bridge.names import UidValidity
from bridge.state import sql_journal, sql_sources, sql_viewers
from bridge.state.store import Showing
from tests.state.rows import KEY, memory, plans, rows, with_source

TABLES = ("true_size", "fingerprint", "kept")
PRINT = Fingerprint(b"m", b"h", "")


def test_of_gone_messages_only_the_uidl_stays() -> None:
    db = with_source((1, 2), News(given={1: "a", 2: "b"}))
    sql_sources.learn(db, KEY, 1, {1: 5, 2: 6}, {1: PRINT, 2: PRINT}, 2)
    sql_viewers.keep(db, KEY, "", 1, [1, 2])
    sql_sources.remember(db, KEY, memory((2,), version=1), News(gone=[1]))
    for table in TABLES:
        assert rows(db, f"SELECT uid FROM {table}") == [(2,)]
    assert rows(db, "SELECT uidl, gone FROM uidl ORDER BY uidl") == [("a", 1), ("b", 0)]


def test_so_of_a_mailbox_that_was_replaced() -> None:
    db = with_source((1, 2), News(given={1: "a", 2: "b"}))
    sql_sources.learn(db, KEY, 1, {1: 5}, {1: PRINT}, 2)
    sql_viewers.keep(db, KEY, "", 1, [1])
    sql_viewers.show(db, "", [Showing(KEY, Viewing(incarnation=1, ranks=array("I", [1, 2])), None)], {})
    new = evolve(memory((3,), version=1, incarnation=2), issued=(Issued(1, UidValidity(7), 2, "{uidvalidity}.{uid}"),))
    sql_sources.remember(db, KEY, new, News(carried={3: "b"}, moves=Moves({2: 3})))
    for table in TABLES:
        assert rows(db, f"SELECT * FROM {table}") == []
    assert rows(db, "SELECT uidl, incarnation, uid, gone FROM uidl ORDER BY uidl") == [("a", 1, 1, 1), ("b", 2, 3, 0)]
    assert rows(db, "SELECT incarnation, highest FROM issued ORDER BY incarnation") == [(1, 2), (2, 3)]


def test_a_listing_whose_columns_stay_is_not_written_again() -> None:
    db = with_source((1, 2))
    db.execute("UPDATE source SET listing = x'00'")
    sql_sources.remember(db, KEY, memory((1, 2), version=1), News(columns=False))
    assert rows(db, "SELECT version, listing FROM source") == [(2, b"\0")]
    sql_sources.remember(db, KEY, memory((1, 2), version=2), News())
    assert rows(db, "SELECT length(listing) > 1 FROM source") == [(1,)]


def test_no_question_walks_through_all_rows_of_a_large_table() -> None:
    db = with_source((1, 2, 3), News(given={1: "a"}))
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    entry = Entry(viewer="", incarnation=1, uid=3, size=1, date=1, policy=Policy.FLAG)
    written = sql_journal.write_down(db, KEY, [entry], 1.0)
    sql_sources.learn(db, KEY, 1, {1: 5}, {1: PRINT}, 2)
    sql_viewers.keep(db, KEY, "", 1, [1])
    sql_viewers.show(db, "", [Showing(KEY, Viewing(incarnation=1, ranks=array("I", [1])), None)], {})
    sql_viewers.viewing(db, KEY, "")
    sql_journal.advance(db, written)
    sql_journal.give_up(db, KEY, written)
    sql_sources.remember(db, KEY, memory((2, 3), version=1), News(given={2: "b", 3: "c"}, computed=["x"], gone=[1]))
    sql_sources.recall(db, KEY)
    sql_sources.fingerprints(db, KEY, 1)
    new = memory((3,), version=2, incarnation=2)
    sql_sources.remember(db, KEY, new, News(carried={3: "b"}, moves=Moves({2: 3})))
    db.set_trace_callback(None)
    told = plans(db, statements)
    assert any("SEARCH uidl USING PRIMARY KEY" in plan for plan in told)
    # json_each is the list that was asked for, and sqlite_sequence has one row.
    small = ("json_each", "sqlite_sequence")
    assert [plan for plan in told if plan.startswith("SCAN") and not any(name in plan for name in small)] == []
