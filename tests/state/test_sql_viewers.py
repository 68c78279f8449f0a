"""What a viewer was shown is one row, and moves with the mailbox."""

import sqlite3
from array import array

from bridge.maildrop.memory import Moves, Viewing
from bridge.state import sql_viewers
from bridge.state.columns import pack
from bridge.state.migrate import schemas
from bridge.state.store import Showing
from tests.state.rows import KEY, rows, with_source


def test_ranks_and_floor_are_one_row_per_viewer() -> None:
    db = with_source()
    before = None
    for ranks in ([1], [3, 1]):
        viewing = Viewing(incarnation=1, ranks=array("I", ranks), floor=1)
        sql_viewers.show(db, "newest=2", [Showing(KEY, viewing, before)], {})
        before = viewing
    assert rows(db, "SELECT viewer, messages, floor FROM viewing") == [("newest=2", 2, 1)]


def test_a_floor_that_nothing_moved_from_below_hides_nothing() -> None:
    db = with_source((1, 2, 3))
    for viewer, floor in (("a", 2), ("b", 0)):
        sql_viewers.show(
            db, viewer, [Showing(KEY, Viewing(incarnation=1, ranks=array("I", [2, 3]), floor=floor), None)], {}
        )
    sql_viewers.move(db, 1, Moves({2: 20, 3: 30}))
    assert rows(db, "SELECT viewer, floor FROM viewing ORDER BY viewer") == [("a", 1), ("b", 0)]


def test_what_is_kept_is_kept_once() -> None:
    db = with_source()
    sql_viewers.keep_from(db, 1, [("a", 1), ("a", 1), ("b", 1)])
    assert rows(db, "SELECT viewer, uid FROM kept ORDER BY viewer") == [("a", 1), ("b", 1)]


def test_what_a_version_without_several_sources_has_stored_has_no_numbers() -> None:
    """Its ranks are those of a source that stood alone."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    db.row_factory = sqlite3.Row
    db.executescript(schemas()[1])
    db.execute("INSERT INTO account (id, name) VALUES (1, ?)", (KEY.account,))
    db.execute("INSERT INTO source VALUES (1, 1, '', 1, 'p', 1, 7, 4, 0, '', 3, '{uid}', 0, '', 0, 0, ?)", (pack([]),))
    db.execute("INSERT INTO viewing VALUES (1, 'v', 2, ?, 3)", (pack([array("I", [3, 1])]),))
    db.executescript(schemas()[2])

    before = sql_viewers.viewing(db, KEY, "v")
    assert before == Viewing(incarnation=1, ranks=array("I", [3, 1]), floor=3)
    assert sql_viewers.highest_number(db, KEY.account, "v") == 0
    now = Viewing(incarnation=1, ranks=array("I", [3, 1, 2]), numbers=array("I", [1, 2, 3]))
    sql_viewers.show(db, "v", [Showing(KEY, now, before)], {})
    assert sql_viewers.viewing(db, KEY, "v") == now
