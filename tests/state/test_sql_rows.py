"""A source's row is found without its listing, and the listing when it is asked for."""

from bridge.state.sql_rows import find, listed, listing
from tests.state.rows import KEY, database, with_source


def test_a_source_is_found_without_reading_its_listing() -> None:
    row = find(with_source(), KEY)
    assert row is not None
    assert (row["messages"], row["uidvalidity"]) == (3, 7)
    assert "listing" not in row.keys()  # noqa: SIM118  # a Row's `in` looks at its values
    assert find(database(), KEY) is None


def test_which_messages_are_listed() -> None:
    db = with_source((2, 5))
    row = find(db, KEY)
    assert row is not None
    assert list(listing(db, row).uids) == [2, 5]
    assert listed(db, row, [5, 1, 2]) == [5, 2]
    db.execute("UPDATE source SET listing = x''")
    assert listed(db, row, []) == []  # not even looked at
