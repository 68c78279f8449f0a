"""What waits is written together, each as if alone; answers come on the reactor's thread, and never before the disk."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bridge.maildrop.errors import StateUnavailable
from bridge.state.threads import Reader, Writer
from tests.state.pump import Pump


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(tmp_path / "db", isolation_level=None, check_same_thread=False, timeout=0.1)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE number (n INTEGER PRIMARY KEY)")
    yield connection
    connection.close()


@pytest.fixture
def other(tmp_path: Path, db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """Another process's."""
    connection = sqlite3.connect(tmp_path / "db", isolation_level=None, timeout=0.1)
    yield connection
    connection.close()


def fine() -> None:
    """The file is where it was."""


def insert(number: int) -> Callable[[sqlite3.Connection], int]:
    def job(db: sqlite3.Connection) -> int:
        db.execute("INSERT INTO number VALUES (?)", (number,))
        return number

    return job


def numbers(db: sqlite3.Connection) -> list[int]:
    return [number for (number,) in db.execute("SELECT n FROM number ORDER BY n")]


class Held:
    """A job that holds the thread until `go`."""

    def __init__(self) -> None:
        self._began, self._go = threading.Event(), threading.Event()

    def __call__(self, db: sqlite3.Connection) -> None:
        self._began.set()
        assert self._go.wait(10)

    def began(self) -> None:
        assert self._began.wait(10)

    def go(self) -> None:
        self._go.set()


def test_an_answer_comes_on_the_reactors_thread_and_after_the_commit(
    db: sqlite3.Connection, other: sqlite3.Connection
) -> None:
    pump = Pump()
    writer = Writer(db, pump, "test", fine)
    seen: list[tuple[object, list[int], bool]] = []
    asked = writer.ask(insert(1)).addCallback(
        lambda n: seen.append((n, numbers(other), threading.current_thread() is threading.main_thread()))
    )
    pump.wait(asked)
    assert seen == [(1, [1], True)]
    pump.wait(writer.close())


def test_what_waits_is_committed_at_once(db: sqlite3.Connection) -> None:
    pump, held, statements = Pump(), Held(), list[str]()
    writer = Writer(db, pump, "test", fine)
    first = writer.ask(held)
    held.began()
    db.set_trace_callback(statements.append)
    waiting = [writer.ask(insert(n)) for n in range(500)]
    held.go()
    pump.wait(first)
    assert [pump.wait(one) for one in waiting] == list(range(500))
    assert statements.count("COMMIT") == 2
    pump.wait(writer.close())


def test_the_failure_of_one_hurts_no_other(db: sqlite3.Connection, other: sqlite3.Connection) -> None:
    pump, held = Pump(), Held()
    writer = Writer(db, pump, "test", fine)

    def half(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO number VALUES (10)")
        raise ValueError("a bug")

    writer.ask(held)
    held.began()
    one, two, three, four = map(writer.ask, (insert(1), half, insert(1), insert(2)))
    held.go()
    assert (pump.wait(one), pump.wait(four)) == (1, 2)
    with pytest.raises(ValueError, match="a bug"):
        pump.wait(two)
    with pytest.raises(sqlite3.IntegrityError):
        pump.wait(three)
    assert numbers(other) == [1, 2]
    pump.wait(writer.close())


def test_nor_one_that_undoes_the_whole_transaction(db: sqlite3.Connection, other: sqlite3.Connection) -> None:
    """As SQLite does by itself after some failures of the disk."""
    pump, held, times = Pump(), Held(), list[int]()
    writer = Writer(db, pump, "test", fine)

    def counted(db: sqlite3.Connection) -> None:
        times.append(1)
        insert(1)(db)

    def undo(db: sqlite3.Connection) -> None:
        db.execute("INSERT OR ROLLBACK INTO number VALUES (7)")
        db.execute("INSERT OR ROLLBACK INTO number VALUES (7)")

    writer.ask(held)
    held.began()
    one, two, three = map(writer.ask, (counted, undo, insert(3)))
    held.go()
    pump.wait(one)
    with pytest.raises(sqlite3.IntegrityError):
        pump.wait(two)
    assert (pump.wait(three), numbers(other), len(times)) == (3, [1, 3], 2)
    pump.wait(writer.close())


def test_a_commit_that_fails_fails_them_all(db: sqlite3.Connection, other: sqlite3.Connection) -> None:
    pump, held = Pump(), Held()
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("CREATE TABLE child (n REFERENCES number DEFERRABLE INITIALLY DEFERRED)")
    writer = Writer(db, pump, "test", fine)

    def orphan(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO child VALUES (99)")

    def refuse(db: sqlite3.Connection) -> None:
        raise ValueError("its own")

    writer.ask(held)
    held.began()
    asked = list(map(writer.ask, (insert(1), orphan, refuse, insert(2))))
    held.go()
    errors = []
    for one in asked:
        with pytest.raises(Exception, match=r".") as raised:
            pump.wait(one)
        errors.append(type(raised.value))
    assert errors == [sqlite3.IntegrityError, sqlite3.IntegrityError, ValueError, sqlite3.IntegrityError]
    assert numbers(other) == []
    assert pump.wait(writer.ask(insert(4))) == 4
    pump.wait(writer.close())


def test_who_is_held_up_too_long_is_told(db: sqlite3.Connection, other: sqlite3.Connection) -> None:
    pump = Pump()
    writer = Writer(db, pump, "test", fine)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateUnavailable, match="held by another program"):
        pump.wait(writer.ask(insert(1)))
    other.execute("ROLLBACK")
    assert pump.wait(writer.ask(insert(2))) == 2
    pump.wait(writer.close())


def test_nothing_is_written_to_a_file_that_is_not_there_any_more(
    db: sqlite3.Connection, other: sqlite3.Connection
) -> None:
    pump, there, threads = Pump(), [False], list[str]()

    def check() -> None:
        threads.append(threading.current_thread().name)
        if not there[0]:
            raise StateUnavailable("it was removed")

    writer = Writer(db, pump, "state-test", check)
    with pytest.raises(StateUnavailable, match="it was removed"):
        pump.wait(writer.ask(insert(1)))
    assert numbers(other) == []
    there[0] = True
    assert pump.wait(writer.ask(insert(2))) == 2
    assert (numbers(other), threads) == ([2], ["state-test"] * 2)
    pump.wait(writer.close())


def test_a_reader_sees_one_moment(db: sqlite3.Connection, other: sqlite3.Connection) -> None:
    pump, held = Pump(), Held()
    reader = Reader(db, pump, "test")

    def twice(db: sqlite3.Connection) -> tuple[list[int], list[int]]:
        before = numbers(db)
        held(db)
        return before, numbers(db)

    asked = reader.ask(twice)
    held.began()
    other.execute("INSERT INTO number VALUES (1)")
    held.go()
    assert pump.wait(asked) == ([], [])
    assert pump.wait(reader.ask(numbers)) == [1]
    pump.wait(reader.close())


def test_a_failed_question_leaves_the_reader_fit(db: sqlite3.Connection) -> None:
    pump = Pump()
    reader = Reader(db, pump, "test")

    def wrong(db: sqlite3.Connection) -> None:
        db.execute("SELECT * FROM nowhere")

    with pytest.raises(StateUnavailable, match="no such table") as raised:
        pump.wait(reader.ask(wrong))
    assert isinstance(raised.value.__cause__, sqlite3.OperationalError)
    assert pump.wait(reader.ask(numbers)) == []
    pump.wait(reader.close())


def test_what_was_asked_before_the_end_is_done_and_nothing_after(
    db: sqlite3.Connection, other: sqlite3.Connection
) -> None:
    pump, held = Pump(), Held()
    writer = Writer(db, pump, "state-test", fine)
    writer.ask(held)
    held.began()
    asked = writer.ask(insert(1))
    ends = [writer.close(), writer.close()]
    late = writer.ask(insert(2))
    held.go()
    for end in ends:
        pump.wait(end)
    assert (pump.wait(asked), numbers(other)) == (1, [1])
    with pytest.raises(StateUnavailable, match="stopping"):
        pump.wait(late)
    assert "state-test" not in [thread.name for thread in threading.enumerate()]


def test_who_does_not_wait_any_more_disturbs_nobody(db: sqlite3.Connection) -> None:
    pump, held = Pump(), Held()
    writer = Writer(db, pump, "test", fine)
    writer.ask(held)
    held.began()
    left, stays = writer.ask(insert(1)), writer.ask(insert(2))
    left.addErrback(lambda _: None)
    left.cancel()
    held.go()
    assert pump.wait(stays) == 2
    assert pump.wait(writer.ask(numbers)) == [1, 2]
    pump.wait(writer.close())
