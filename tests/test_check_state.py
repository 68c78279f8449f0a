"""The state file is looked at, and what would stop the bridge is told before it starts."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from bridge.check_state import StateFile, look_at_state
from bridge.state.migrate import migrate, schemas

NEWEST = max(schemas())


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """A state file as the bridge leaves it when it ends."""
    path = tmp_path / "popbridge.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, path)
    yield path


def seen(path: Path) -> StateFile:
    """What is found, by a look that makes nothing beside the file, not even for a moment."""
    before = path.parent.stat().st_mtime_ns
    found = look_at_state(path)
    assert path.parent.stat().st_mtime_ns == before
    return found


def sets(path: Path, *pragmas: str) -> None:
    with closing(sqlite3.connect(path)) as db:
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
        db.execute("PRAGMA journal_mode = DELETE")
        db.commit()


def test_a_file_of_this_version_is_fine(file: Path) -> None:
    found = seen(file)

    assert (found.exists, found.schema, found.trouble, found.is_older) == (True, NEWEST, "", False)


def test_a_file_that_a_running_bridge_writes_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "popbridge.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate(db, path)
        assert (tmp_path / "popbridge.sqlite-wal").exists()
        assert look_at_state(path).schema == NEWEST


def test_no_file_yet_is_fine(tmp_path: Path) -> None:
    found = look_at_state(tmp_path / "popbridge.sqlite")

    assert (found.exists, found.trouble) == (False, "")
    assert list(tmp_path.iterdir()) == []


def test_an_empty_file_is_filled_by_the_bridge(tmp_path: Path) -> None:
    (tmp_path / "popbridge.sqlite").touch()

    found = look_at_state(tmp_path / "popbridge.sqlite")

    assert (found.trouble, found.is_older) == ("", False)


def test_an_older_file_will_be_upgraded(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bridge.check_state.schemas", lambda: {NEWEST: "", NEWEST + 1: ""})

    assert look_at_state(file).is_older


@pytest.mark.parametrize(
    ("pragma", "told"),
    [("user_version = 4711", "newer popbridge"), ("application_id = 7", "another program")],
)
def test_a_file_that_the_bridge_would_refuse_is_refused(file: Path, pragma: str, told: str) -> None:
    sets(file, pragma)

    assert told in look_at_state(file).trouble


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    path = tmp_path / "popbridge.sqlite"
    path.write_bytes(b"no database" * 1000)

    assert "is no SQLite database" in look_at_state(path).trouble


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    assert "is no directory" in look_at_state(tmp_path / "none" / "popbridge.sqlite").trouble


@pytest.mark.parametrize(("forbidden", "told"), [("folder", "no file can be written"), ("file", "cannot be read and")])
def test_what_cannot_be_written_is_told(file: Path, forbidden: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """os.access stands for the system's answer: the tests may run as root, who may write everywhere."""
    closed = {"folder": file.parent, "file": file}[forbidden]
    monkeypatch.setattr("bridge.check_state.os.access", lambda path, _: path != closed)

    assert told in look_at_state(file).trouble
