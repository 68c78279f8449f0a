"""What every Store promises of copies is in tests/contracts/test_store_sessions.py; here are the statements."""

from bridge.names import SourceName
from bridge.state import sql_copies
from tests.state.rows import KEY, plans, rows, with_source


def test_what_is_known_stays_and_is_one_row() -> None:
    db = with_source()
    for _ in range(2):
        sql_copies.take_down(db, 1, "", {b"a": SourceName("")})
    assert rows(db, "SELECT account, viewer, identity, source FROM first_shown") == [(1, "", b"a", 1)]


def test_a_hundred_thousand_are_looked_up_by_their_key() -> None:
    db = with_source()
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    assert sql_copies.shown_first(db, KEY.account, "", [b"a"]) == {}
    db.set_trace_callback(None)
    assert statements
    assert not [plan for plan in plans(db, statements) if plan.startswith("SCAN")]
