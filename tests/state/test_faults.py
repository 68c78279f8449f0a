"""What goes wrong with the file is said in its owner's words."""

import sqlite3
from pathlib import Path

import pytest

from bridge.state.faults import damaged, unavailable, unusable


def test_every_failure_has_words() -> None:
    for statement, words in (("SELECT * FROM nowhere", "cannot be used: no such table: nowhere"),):
        with pytest.raises(sqlite3.OperationalError) as raised:
            sqlite3.connect(":memory:").execute(statement)
        trouble = unavailable(raised.value)
        assert (str(trouble), trouble.temporary) == (f"the bridge's memory {words}", True)


def test_a_finer_code_is_told_like_the_plain_one(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as raised:
        sqlite3.connect(tmp_path).execute("SELECT 1")
    raised.value.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN_ISDIR
    assert "cannot be opened: it is a directory, or " in str(unavailable(raised.value))


def test_what_keeps_the_bridge_from_starting_names_the_file() -> None:
    error = PermissionError(13, "Permission denied")
    assert str(unusable(Path("/var/state"), error)) == "/var/state cannot be opened: Permission denied"
    assert "restore" in str(damaged("a checksum"))
