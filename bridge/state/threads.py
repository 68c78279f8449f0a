"""Two threads that work for the reactor's: one writes, one reads, each with a connection of its own.

Nothing here is waited for on the reactor's thread, and every answer is given there. A write is answered when it is on
the disk; what waits meanwhile is written together, with one fsync.
"""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Protocol, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred

from bridge.maildrop.errors import StateUnavailable
from bridge.state.faults import unavailable

T = TypeVar("T")

_TOGETHER = 1000
"""So many at most are committed together: none of them is answered before all are."""


class Reactor(Protocol):
    """What is asked of Twisted's."""

    def callFromThread(self, callable: Callable[..., Any], /, *args: object) -> object: ...  # noqa: N802, A002  # Twisted's names

    def seconds(self) -> float: ...


@frozen(eq=False)
class Asked:
    """A question, and where its answer goes."""

    job: Callable[[sqlite3.Connection], Any]
    answer: "Deferred[Any]"


Told = list[tuple[Asked, object]]
"""Each with its answer, or with the exception that is its failure."""


class _Queue(ABC):
    """A thread, from the first question to `close`."""

    together = 1

    def __init__(self, db: sqlite3.Connection, reactor: Reactor, name: str) -> None:
        self._db = db
        self._reactor = reactor
        self._asked: SimpleQueue[Asked | None] = SimpleQueue()
        self._closed: Deferred[None] | None = None
        # A daemon: a process that dies without `close` is not kept alive by it.
        self._thread = Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, job: Callable[[sqlite3.Connection], T]) -> "Deferred[T]":
        answer: Deferred[T] = Deferred()
        if self._closed is None:
            self._asked.put(Asked(job, answer))
        else:
            answer.errback(StateUnavailable("the bridge is stopping"))
        return answer

    def close(self) -> "Deferred[None]":
        """After everything that was asked before."""
        if self._closed is None:
            self._closed = Deferred()
            self._asked.put(None)
        answer: Deferred[None] = Deferred()
        self._closed.addCallback(lambda _: answer.callback(None))
        return answer

    @abstractmethod
    def carry_out(self, asked: list[Asked]) -> Told:
        """The reader and the writer each do it in their own way."""

    def _run(self) -> None:
        last = False
        while not last:
            asked, last = self._next()
            if asked:
                self._reactor.callFromThread(_tell, self.carry_out(asked))
        self._db.close()
        self._reactor.callFromThread(self._end)

    def _next(self) -> tuple[list[Asked], bool]:
        """What is to be done together, and whether nothing comes after it."""
        asked: list[Asked] = []
        one = self._asked.get()
        while one is not None:
            asked.append(one)
            if len(asked) == self.together:
                return asked, False
            try:
                one = self._asked.get_nowait()
            except Empty:
                return asked, False
        return asked, True

    def _end(self) -> None:
        self._thread.join()
        assert self._closed is not None
        self._closed.callback(None)


class Reader(_Queue):
    """One question after the other, each on the file as it was at one moment. Never behind a write."""

    def carry_out(self, asked: list[Asked]) -> Told:
        db = self._db
        told: Told = []
        for one in asked:
            try:
                db.execute("BEGIN")
                told.append((one, _done(one, db)))
            except sqlite3.Error as error:
                told.append((one, _translated(error)))
            finally:
                _roll_back(db)
        return told


class Writer(_Queue):
    """All that wait in one transaction; each as if it were alone: the failure of one undoes that one.

    `check` is asked before each transaction, in the thread; its StateUnavailable is the answer to all.
    """

    together = _TOGETHER

    def __init__(self, db: sqlite3.Connection, reactor: Reactor, name: str, check: Callable[[], None]) -> None:
        self._check = check
        super().__init__(db, reactor, name)

    def carry_out(self, asked: list[Asked]) -> Told:
        left, told = list(asked), Told()
        while left:
            done, culprit = self._together(left)
            told.extend(done)
            left = [one for one in left if one is not culprit] if culprit is not None else []
        return told

    def _together(self, asked: list[Asked]) -> tuple[Told, Asked | None]:
        """What is decided now; with the one whose failure undid the others, which are to be done again without it."""
        db, done = self._db, Told()
        try:
            db.execute("BEGIN IMMEDIATE")
            self._check()  # behind what may have waited
            for one in asked:
                outcome = self._alone(one)
                if not db.in_transaction:
                    return [(one, outcome)], one
                done.append((one, outcome))
            db.execute("COMMIT")
        except (sqlite3.Error, StateUnavailable) as error:
            failure = _translated(error)
            own = {id(one): outcome for one, outcome in done if isinstance(outcome, Exception)}
            return [(one, own.get(id(one), failure)) for one in asked], None
        finally:
            _roll_back(db)
        return done, None

    def _alone(self, one: Asked) -> object:
        db = self._db
        db.execute("SAVEPOINT one")
        outcome = _done(one, db)
        if isinstance(outcome, Exception) and db.in_transaction:
            try:
                db.execute("ROLLBACK TO one")
            except sqlite3.Error:
                _roll_back(db)
                return outcome
        # SQLite ends the transaction by itself after some failures of the disk ("Response To Errors Within A
        # Transaction").
        if db.in_transaction:
            db.execute("RELEASE one")
        return outcome


def _done(one: Asked, db: sqlite3.Connection) -> object:
    assert one.job is not None
    try:
        return one.job(db)
    except Exception as error:  # noqa: BLE001  # whatever it is goes to who has asked
        return _translated(error)


def _translated(error: Exception) -> Exception:
    """A bug stays what it is."""
    if not isinstance(error, sqlite3.OperationalError) and type(error) is not sqlite3.DatabaseError:
        return error
    trouble = unavailable(error)
    trouble.__cause__ = error
    return trouble


def _roll_back(db: sqlite3.Connection) -> None:
    if db.in_transaction:
        with suppress(sqlite3.Error):  # the disk's failure has been told; SQLite forgets what was not committed
            db.execute("ROLLBACK")


def _tell(told: Told) -> None:
    """On the reactor's thread."""
    for one, outcome in told:
        if isinstance(outcome, Exception):
            one.answer.errback(outcome)
        else:
            one.answer.callback(outcome)
