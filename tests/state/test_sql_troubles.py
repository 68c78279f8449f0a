"""What every Store promises of sources in trouble stands in tests/contracts; here are the statements."""

from bridge.state import sql_troubles
from tests.state.rows import KEY, rows, with_source


def test_a_source_has_one_row_as_long_as_it_is_in_trouble() -> None:
    db = with_source()
    for now, text in ((1.0, "away"), (2.0, "refused")):
        sql_troubles.note_trouble(db, KEY, text, now)
    assert rows(db, "SELECT since, text FROM trouble") == [(1.0, "refused")]
    sql_troubles.note_trouble(db, KEY, "", 3.0)
    assert rows(db, "SELECT * FROM trouble") == []
