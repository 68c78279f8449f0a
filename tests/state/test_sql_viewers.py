"""What a viewer was shown is one row, and moves with the mailbox."""

from array import array

from bridge.maildrop.memory import Moves, Viewing
from bridge.state import sql_viewers
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
