"""An upgrade is done whole or not at all, after a copy; a file that is not ours is left alone."""

import re
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.state.faults import StateUnusable
from bridge.state.migrate import migrate, schemas

NEXT = """-- What comes with the next version; a comment may hold a ; too.
ALTER TABLE account ADD COLUMN note TEXT NOT NULL DEFAULT 'a;b';
CREATE TRIGGER noted AFTER INSERT ON account BEGIN
    UPDATE account SET note = 'new' WHERE id = new.id;
END;
UPDATE account SET note = 'upgraded';
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture
def db(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    yield connection
    connection.close()


def number(db: sqlite3.Connection) -> int:
    found: int = db.execute("PRAGMA user_version").fetchone()[0]
    return found


def names(db: sqlite3.Connection) -> list[str]:
    return [name for (name,) in db.execute("SELECT name FROM account")]


def test_the_schemas_are_numbered_without_gaps() -> None:
    found = schemas()
    assert list(range(1, len(found) + 1)) == sorted(found)


def test_every_statement_of_a_schema_is_carried_out(db: sqlite3.Connection, path: Path) -> None:
    migrate(db, path)
    tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert tables - {"sqlite_sequence"} == set(re.findall(r"CREATE TABLE (\w+)", "".join(schemas().values())))
    assert number(db) == max(schemas())
    assert not list(path.parent.glob("*.before-*"))


def test_a_file_of_this_version_is_left_as_it_is(db: sqlite3.Connection, path: Path) -> None:
    migrate(db, path)
    db.execute("INSERT INTO account (name) VALUES ('alice')")
    migrate(db, path)
    assert names(db) == ["alice"]


def test_an_upgrade_keeps_what_was_there_and_a_copy(db: sqlite3.Connection, path: Path) -> None:
    migrate(db, path, {1: schemas()[1]})
    db.execute("INSERT INTO account (name) VALUES ('alice')")
    copy = path.with_name("state.sqlite.before-2")
    copy.write_bytes(b"of an upgrade that did not end")
    migrate(db, path, {1: schemas()[1], 2: NEXT})
    assert (number(db), db.execute("SELECT name, note FROM account").fetchall()) == (2, [("alice", "upgraded")])
    db.execute("INSERT INTO account (name) VALUES ('bob')")
    assert db.execute("SELECT note FROM account WHERE name = 'bob'").fetchall() == [("new",)]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    old = sqlite3.connect(copy)
    assert (number(old), names(old)) == (1, ["alice"])
    old.close()
    assert not list(path.parent.glob("*.part"))


def test_an_upgrade_that_fails_changes_nothing(db: sqlite3.Connection, path: Path) -> None:
    migrate(db, path, {1: schemas()[1]})
    db.execute("INSERT INTO account (name) VALUES ('alice')")
    before = db.execute("SELECT sql FROM sqlite_master").fetchall()
    with pytest.raises(sqlite3.OperationalError):
        migrate(db, path, {1: schemas()[1], 2: NEXT, 3: "CREATE TABLE more (id);\nCREATE TABLE account (id);\n"})
    assert (number(db), db.execute("SELECT sql FROM sqlite_master").fetchall()) == (1, before)
    assert path.with_name("state.sqlite.before-3").exists()
    assert not db.in_transaction
    migrate(db, path, {1: schemas()[1], 2: NEXT})
    assert names(db) == ["alice"]


def test_a_newer_file_is_refused_with_the_way_back(db: sqlite3.Connection, path: Path) -> None:
    migrate(db, path, {1: schemas()[1], 2: NEXT})
    newer = r"newer popbridge \(its schema is 2, this one knows 1\); run that version again"
    with pytest.raises(StateUnusable, match=f"{newer}$"):  # it began with that version: there is no copy
        migrate(db, path, {1: schemas()[1]})
    path.with_name("state.sqlite.before-2").touch()
    with pytest.raises(StateUnusable, match=rf"{newer}, or put back the copy that it made, .*\.before-2$"):
        migrate(db, path, {1: schemas()[1]})
    assert number(db) == 2


def test_another_programs_database_is_left_alone(db: sqlite3.Connection, path: Path) -> None:
    db.execute("CREATE TABLE bookmarks (id)")
    before = path.read_bytes()
    with pytest.raises(StateUnusable, match="database of another program"):
        migrate(db, path)
    assert path.read_bytes() == before
    db.execute("DROP TABLE bookmarks")
    db.execute("PRAGMA application_id = 7")
    with pytest.raises(StateUnusable, match="database of another program"):
        migrate(db, path)


def test_a_place_without_a_write_ahead_log_is_refused() -> None:
    with pytest.raises(StateUnusable, match="disk of this machine"):
        migrate(sqlite3.connect(":memory:", isolation_level=None), Path("memory"))
