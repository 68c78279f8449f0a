"""What a file on a disk can do to its bridge: it is full, read-only or damaged."""

import os
import random
import re
import resource
import sqlite3
import stat
import tempfile
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from math import inf
from pathlib import Path

import pytest

from bridge.maildrop.errors import StateUnavailable
from bridge.maildrop.memory import News, Viewing
from bridge.state.faults import StateUnusable
from bridge.state.sqlite import SqliteStore
from bridge.state.store import Showing
from tests.state.pump import Pump
from tests.state.values import KEY, entry, memory

NOBODY = 65534

# The file.


def test_nobody_else_may_read_what_is_remembered(store: SqliteStore, path: Path, pump: Pump) -> None:
    pump.wait(store.remember(KEY, memory(3), News()))
    files = sorted(path.parent.iterdir())
    assert [file.name for file in files] == ["state.sqlite", "state.sqlite-shm", "state.sqlite-wal"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_at_the_end_everything_is_in_one_file(store: SqliteStore, path: Path, pump: Pump) -> None:
    pump.wait(store.remember(KEY, memory(3), News()))
    pump.wait(store.close())
    assert list(path.parent.iterdir()) == [path]


def test_the_owner_can_read_it(store: SqliteStore, path: Path, pump: Pump) -> None:
    pump.wait(store.remember(KEY, memory(3), News(given={2: "two"})))
    pump.wait(store.write_down(KEY, [entry(1)]))
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT messages, policy, stage FROM journal").fetchall() == [
            ("[[1, 1, 1, 1, 0]]", "flag", "written")
        ]
        assert db.execute("SELECT uidl, uid, gone FROM uidl").fetchall() == [("two", 2, 0)]
        assert db.execute("SELECT messages, uidvalidity FROM source").fetchall() == [(3, 7)]


def test_each_write_is_on_the_disk_before_it_is_answered(store: SqliteStore, pump: Pump) -> None:
    def settings(db: sqlite3.Connection) -> list[object]:
        return [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode", "foreign_keys")]

    assert pump.wait(store._writer.ask(settings)) == [2, "wal", 1]
    assert store.durable


def test_what_the_caller_does_to_its_values_while_they_wait_changes_nothing(store: SqliteStore, pump: Pump) -> None:
    go = threading.Event()
    store._writer.ask(lambda _: go.wait(10))
    made, given, ranks = memory(3), {1: "one"}, array("I", [3, 1])
    asked = store.remember(KEY, made, News(given=given))
    shown = store.show("", [Showing(KEY, Viewing(incarnation=1, ranks=ranks), None)], {})
    made.listing.without([1])
    given[2] = "two"
    ranks.pop()
    go.set()
    pump.wait(asked)
    pump.wait(shown)
    found, viewing = pump.wait(store.recall(KEY)), pump.wait(store.viewing(KEY, ""))
    assert found is not None
    assert viewing is not None
    assert (len(found.listing), dict(found.exceptions.items()), list(viewing.ranks)) == (3, {1: "one"}, [3, 1])


# What keeps it from starting.


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may do everything; another user may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


@pytest.fixture
def public() -> Iterator[Path]:
    """A directory that other users can enter."""
    with tempfile.TemporaryDirectory() as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_a_missing_directory(tmp_path: Path, pump: Pump) -> None:
    with pytest.raises(StateUnusable, match=re.escape(f"{tmp_path}/none is no directory; make it")):
        SqliteStore.open(tmp_path / "none" / "state.sqlite", pump)


def test_a_directory_in_its_place(tmp_path: Path, pump: Pump) -> None:
    with pytest.raises(StateUnusable, match="cannot be opened: Is a directory"):
        SqliteStore.open(tmp_path, pump)


def test_a_file_that_is_no_database(path: Path, pump: Pump) -> None:
    path.write_bytes(b"state = remembered\n" * 100)
    with pytest.raises(StateUnusable, match="is no SQLite database"):
        SqliteStore.open(path, pump)
    assert path.read_bytes() == b"state = remembered\n" * 100


def test_a_directory_that_cannot_be_written(public: Path, pump: Pump) -> None:
    public.chmod(0o555)
    with as_nobody(), pytest.raises(StateUnusable, match="cannot be opened: Permission denied"):
        SqliteStore.open(public / "state.sqlite", pump)


def test_a_file_that_cannot_be_written(public: Path, pump: Pump) -> None:
    path = public / "state.sqlite"
    pump.wait(SqliteStore.open(path, pump).close())
    path.chmod(0o444)
    with as_nobody(), pytest.raises(StateUnusable, match="cannot be opened: Permission denied"):
        SqliteStore.open(path, pump)


def test_a_file_that_can_be_written_and_its_directory_not(public: Path, pump: Pump) -> None:
    path = public / "state.sqlite"
    pump.wait(SqliteStore.open(path, pump).close())
    path.chmod(0o666)
    public.chmod(0o555)
    with as_nobody(), pytest.raises(StateUnusable, match=r"cannot be (opened|written)"):
        SqliteStore.open(path, pump)


def test_a_newer_schema(path: Path, pump: Pump) -> None:
    pump.wait(SqliteStore.open(path, pump).close())
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StateUnusable, match="newer popbridge"):
        SqliteStore.open(path, pump)


def test_another_program_that_holds_it(
    path: Path, pump: Pump, monkeypatch: pytest.MonkeyPatch, store: SqliteStore
) -> None:
    pump.wait(store.close())
    monkeypatch.setattr("bridge.state.sqlite._PATIENCE_AT_START", 0.1)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StateUnusable, match="held by another program"):
            SqliteStore.open(path, pump)


def test_a_full_disk(path: Path, pump: Pump) -> None:
    with limited(4096), pytest.raises(StateUnusable, match=r"cannot be (read or )?written: the disk"):
        SqliteStore.open(path, pump)


# What happens later.


@contextmanager
def limited(octets: int) -> Iterator[None]:
    """No file of this process grows beyond. (Python ignores the signal, so that writing fails.)"""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_takes_no_more(store: SqliteStore, path: Path, pump: Pump) -> None:
    """Nothing is half stored, what was stored is still read, and with room again it goes on by itself."""
    stored = pump.wait(store.remember(KEY, memory(10), News()))
    log = path.with_name("state.sqlite-wal")
    with limited(log.stat().st_size + 8192):
        with pytest.raises(StateUnavailable, match="cannot be read or written"):
            pump.wait(store.remember(KEY, memory(20_000, version=1), News(given={11: "x"})))
        with pytest.raises(StateUnavailable, match="cannot be read or written"):
            pump.wait(store.write_down(KEY, [entry(uid) for uid in range(1, 1000)]))
        assert pump.wait(store.recall(KEY)) == stored
        assert pump.wait(store.journal(KEY, inf)) == []
    assert pump.wait(store.remember(KEY, memory(20_000, version=1), News(given={11: "x"}))).version == 2
    assert len(pump.wait(store.write_down(KEY, [entry(uid) for uid in range(1, 1000)]))) == 999


def test_a_file_that_is_full_as_sqlite_says_it(store: SqliteStore, pump: Pump) -> None:
    stored = pump.wait(store.remember(KEY, memory(10), News()))

    def most(pages: int) -> None:
        pump.wait(store._writer.ask(lambda db: db.execute(f"PRAGMA max_page_count = {pages}").fetchall()))

    most(1)
    small, large = store.accept(KEY), store.remember(KEY, memory(20_000, version=2), News())
    later = store.accept(KEY)
    assert pump.wait(small)
    with pytest.raises(StateUnavailable, match="the disk is full"):
        pump.wait(large)
    assert pump.wait(later)
    found = pump.wait(store.recall(KEY))
    assert found is not None
    assert found.listing == stored.listing
    most(2**30)
    assert pump.wait(store.remember(KEY, memory(20_000, version=3), News())).version == 4


def test_a_file_that_became_read_only(store: SqliteStore, pump: Pump) -> None:
    stored = pump.wait(store.remember(KEY, memory(10), News()))

    only = store._writer._db.execute
    only("PRAGMA query_only = ON")
    with pytest.raises(StateUnavailable, match="read-only"):
        pump.wait(store.write_down(KEY, [entry(1)]))
    assert pump.wait(store.recall(KEY)) == stored
    only("PRAGMA query_only = OFF")
    assert len(pump.wait(store.write_down(KEY, [entry(1)]))) == 1


def test_a_file_that_is_removed_or_replaced_promises_nothing_more(
    store: SqliteStore, path: Path, tmp_path: Path, pump: Pump
) -> None:
    """What it takes then is gone with the process. What is shown already is shown on."""
    stored = pump.wait(store.remember(KEY, memory(10), News()))
    for file in (path, path.with_name("state.sqlite-wal")):
        for copy in (False, True):
            moved = file.rename(tmp_path / "moved")
            if copy:
                file.write_bytes(moved.read_bytes())
            with pytest.raises(StateUnavailable, match=rf"{file}.* was removed or replaced while the bridge runs"):
                pump.wait(store.write_down(KEY, [entry(1)]))
            assert pump.wait(store.recall(KEY)) == stored
            moved.rename(file)
            assert len(pump.wait(store.write_down(KEY, [entry(1)]))) == 1


def damage(path: Path, start: float, octets: int) -> None:
    with path.open("r+b") as file:
        file.seek(int(path.stat().st_size * start) // 4096 * 4096)
        file.write(random.Random(1).randbytes(octets))


def test_damaged_pages_are_trouble_and_never_a_shorter_listing(
    opened: Callable[[], SqliteStore], path: Path, pump: Pump
) -> None:
    pump.wait((store := opened()).remember(KEY, memory(20_000), News()))
    pump.wait(store.close())
    whole = path.read_bytes()
    for start in (0.5, 0.7, 0.9):
        path.write_bytes(whole)
        damage(path, start, 4096)
        store = opened()
        with pytest.raises(StateUnavailable, match=r"damaged.*restore"):
            pump.wait(store.recall(KEY))
        pump.wait(store.close())


def test_so_are_damaged_tables(opened: Callable[[], SqliteStore], path: Path, pump: Pump) -> None:
    uidls = {uid: f"uidl-{uid}" for uid in range(1, 5000)}
    pump.wait((store := opened()).remember(KEY, memory(5000), News(given=uidls)))
    pump.wait(store.close())
    with closing(sqlite3.connect(path)) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'uidl_of_message'").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((root - 1) * 4096)
        file.write(random.Random(1).randbytes(4096))
    store = opened()
    with pytest.raises(StateUnavailable, match=r"damaged.*restore"):
        pump.wait(store.recall(KEY))


def test_a_row_that_somebody_cut(store: SqliteStore, path: Path, pump: Pump) -> None:
    pump.wait(store.remember(KEY, memory(10), News()))
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE source SET messages = 9")
    with pytest.raises(StateUnavailable, match="damaged"):
        pump.wait(store.recall(KEY))
