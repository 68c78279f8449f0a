"""State in one SQLite file: it survives the process and a loss of power.

A change is on the disk (WAL, synchronous=FULL) before its Deferred fires. The reactor's thread reads single rows, never
waiting for a lock, and writes nothing. Other processes may use the same file meanwhile: `popbridge uidl` beside a
running bridge.
"""

import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from attrs import evolve
from twisted.internet.defer import Deferred

from bridge.maildrop.journal import Entry
from bridge.maildrop.memory import Fingerprint, Memory, News, Viewing
from bridge.names import AccountName, SourceKey, SourceName
from bridge.state import sql_copies, sql_journal, sql_sources, sql_troubles, sql_viewers
from bridge.state.faults import StateUnusable, unusable
from bridge.state.migrate import migrate, sync
from bridge.state.opened_file import OpenedFile
from bridge.state.store import Glance, Pending, Showing, Troubled
from bridge.state.threads import Reactor, Reader, Writer

_PATIENCE = 1.0
"""Seconds that a thread waits while another process writes. QUIT then waits for upstream, and answers in time."""

_PATIENCE_AT_START = 5.0
"""Another bridge may be upgrading the file."""


class SqliteStore:
    """`SqliteStore.open` makes one."""

    durable = True

    def __init__(self, writer: Writer, reader: Reader, glances: sqlite3.Connection, reactor: Reactor) -> None:
        self._writer = writer
        self._reader = reader
        self._glances: sqlite3.Connection | None = glances
        self._reactor = reactor

    @classmethod
    def open(cls, path: Path, reactor: Reactor) -> "SqliteStore":
        """For the service's start: it may wait for the disk. Raises StateUnusable."""
        path = path.absolute()
        try:
            _create(path)
            db = _connect(path)
        except (OSError, sqlite3.Error) as error:
            raise unusable(path, error) from error
        try:
            migrate(db, path)
            reading, glances = _connect(path), _connect(path)
            for each in (reading, glances):
                each.execute("PRAGMA query_only = ON")
            for each in (db, reading):
                each.execute(f"PRAGMA busy_timeout = {_PATIENCE * 1000:.0f}")
            glances.execute("PRAGMA busy_timeout = 0")
            opened = OpenedFile.at(path)
        except (OSError, sqlite3.Error) as error:
            db.close()
            raise unusable(path, error) from error
        except StateUnusable:
            db.close()
            raise
        # A login that needs nothing stored is shown what it always was, whatever became of the file: reads go on.
        writer = Writer(db, reactor, "state-writer", opened.check)
        return cls(writer, Reader(reading, reactor, "state-reader"), glances, reactor)

    # Listings and UIDLs.

    def recall(self, key: SourceKey) -> "Deferred[Memory | None]":
        return self._reader.ask(partial(sql_sources.recall, key=key))

    def glance(self, key: SourceKey, now: float) -> Glance | None:
        if self._glances is None:
            return None
        try:
            return sql_sources.glance(self._glances, key, now)
        except sqlite3.Error:
            return None

    def remember(self, key: SourceKey, memory: Memory, news: News) -> "Deferred[Memory]":
        stored = evolve(memory, listing=memory.listing.copy(), true_sizes=dict(memory.true_sizes))
        given, carried, gone = dict(news.given), dict(news.carried), tuple(news.gone)
        coming, computed = iter(news.computed), list[str]()

        def job(db: sqlite3.Connection) -> None:
            # In pieces, for no other thread runs while one is made; when it has to be done again, they have all come.
            while piece := list(islice(coming, 1000)):
                computed.extend(piece)
            told = evolve(news, given=given, carried=carried, gone=gone, computed=computed)
            sql_sources.remember(db, key, stored, told)

        remembered = evolve(memory, version=memory.version + 1, accepted=False)
        return self._writer.ask(job).addCallback(lambda _: remembered)

    def import_uidls(self, key: SourceKey, incarnation: int, uidls: Mapping[int, str]) -> "Deferred[None]":
        return self._writer.ask(partial(sql_sources.import_uidls, key=key, incarnation=incarnation, uidls=dict(uidls)))

    def accept(self, key: SourceKey) -> "Deferred[bool]":
        return self._writer.ask(partial(sql_sources.accept, key=key))

    def known(self) -> "Deferred[list[SourceKey]]":
        return self._reader.ask(sql_sources.known)

    # What is learned on the way.

    def fingerprints(self, key: SourceKey, incarnation: int) -> "Deferred[dict[int, Fingerprint]]":
        return self._reader.ask(partial(sql_sources.fingerprints, key=key, incarnation=incarnation))

    def learn(
        self,
        key: SourceKey,
        incarnation: int,
        *,
        true_sizes: Mapping[int, int],
        fingerprints: Mapping[int, Fingerprint],
        learned_to: int,
    ) -> "Deferred[None]":
        return self._writer.ask(
            partial(
                sql_sources.learn,
                key=key,
                incarnation=incarnation,
                true_sizes=dict(true_sizes),
                prints=dict(fingerprints),
                learned_to=learned_to,
            )
        )

    # Viewers.

    def viewing(self, key: SourceKey, viewer: str) -> "Deferred[Viewing | None]":
        return self._reader.ask(partial(sql_viewers.viewing, key=key, viewer=viewer))

    def note_trouble(self, key: SourceKey, text: str) -> "Deferred[None]":
        now = self._reactor.seconds()
        return self._writer.ask(partial(sql_troubles.note_trouble, key=key, text=text, now=now))

    def troubles(self) -> "Deferred[list[Troubled]]":
        return self._reader.ask(sql_troubles.troubles)

    def keepers(self, key: SourceKey) -> "Deferred[int]":
        return self._reader.ask(partial(sql_viewers.keepers, key=key))

    def show(self, viewer: str, showings: Sequence[Showing], copies: Mapping[bytes, SourceName]) -> "Deferred[None]":
        told = [Showing(one.key, _copied(one.viewing), one.before and _copied(one.before)) for one in showings]
        return self._writer.ask(partial(sql_viewers.show, viewer=viewer, showings=told, copies=dict(copies)))

    def highest_number(self, account: AccountName, viewer: str) -> "Deferred[int]":
        return self._reader.ask(partial(sql_viewers.highest_number, account=account, viewer=viewer))

    def shown_first(
        self, account: AccountName, viewer: str, copies: Collection[bytes]
    ) -> "Deferred[dict[bytes, SourceName]]":
        return self._reader.ask(partial(sql_copies.shown_first, account=account, viewer=viewer, copies=tuple(copies)))

    def keep(self, key: SourceKey, viewer: str, incarnation: int, uids: Sequence[int]) -> "Deferred[None]":
        return self._writer.ask(
            partial(sql_viewers.keep, key=key, viewer=viewer, incarnation=incarnation, uids=tuple(uids))
        )

    # The journal.

    def write_down(self, key: SourceKey, entries: Sequence[Entry]) -> "Deferred[list[Entry]]":
        now = self._reactor.seconds()
        return self._writer.ask(partial(sql_journal.write_down, key=key, entries=tuple(entries), now=now))

    def journal(self, key: SourceKey, now: float) -> "Deferred[list[Entry]]":
        return self._reader.ask(partial(sql_journal.journal, key=key, now=now))

    def advance(self, entries: Sequence[Entry]) -> "Deferred[None]":
        return self._writer.ask(partial(sql_journal.advance, entries=tuple(entries)))

    def strike(self, entries: Sequence[Entry]) -> "Deferred[None]":
        return self._writer.ask(partial(sql_journal.strike, entries=tuple(entries)))

    def give_up(self, key: SourceKey, entries: Sequence[Entry]) -> "Deferred[None]":
        return self._writer.ask(partial(sql_journal.give_up, key=key, entries=tuple(entries)))

    def pending(self) -> "Deferred[list[Pending]]":
        return self._reader.ask(sql_journal.pending)

    def close(self) -> "Deferred[None]":
        """The writer's connection is the last: it brings everything into the one file."""
        if self._glances is not None:
            self._glances.close()
            self._glances = None
        return self._reader.close().addCallback(lambda _: self._writer.close())


def _copied(viewing: Viewing) -> Viewing:
    """For another thread."""
    return evolve(viewing, ranks=viewing.ranks[:], numbers=viewing.numbers[:])


def _create(path: Path) -> None:
    """Nobody else may read it. SQLite gives the files beside it the same mode."""
    if not path.parent.is_dir():
        raise StateUnusable(f"{path.parent} is no directory; make it, or set state = to a file elsewhere")
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        sync(path.parent)
    except FileExistsError:
        os.close(os.open(path, os.O_RDWR))


def _connect(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=_PATIENCE_AT_START, isolation_level=None, check_same_thread=False)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA synchronous = FULL")
    db.execute("PRAGMA foreign_keys = ON")
    return db
