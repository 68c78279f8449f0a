"""Messages of one session that were asked for before they were read: one window on its way, and what is held of it.

What is held is given up as soon as the server has told that messages went (S14): it is not looked at which.
"""

from collections.abc import Callable, Iterable, Mapping

from twisted.internet.defer import Deferred

from bridge.imap.commands import FetchBodies
from bridge.maildrop.readahead import Budget
from bridge.maildrop.source import Flow, Held
from bridge.names import Uid
from bridge.upstream.imap_batches import batches
from bridge.upstream.imap_body import is_substitute
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.selected import Selected

SPARE = 64 * 1024
"""Octets that a message may have beyond what its listing says; with more it is read when it is asked for."""


class ImapAhead:
    """`connection` gives the one that is open now, if any; none is opened for a guess."""

    def __init__(self, connection: Callable[[], ImapConnection | None], budget: Budget) -> None:
        self._connection = connection
        self._budget = budget
        self._held: dict[int, Held] = {}
        self._octets = 0  # of these
        self._waiting: dict[int, int] = {}  # of the window on its way: UIDs and what each may take
        self._expected = 0  # octets of these
        self._unwanted: set[int] = set()  # of the same window: forgotten, and on their way all the same
        self._given = 0  # octets of what was read last: a slow client has not taken them yet
        self._counted = 0  # octets that the budget knows of
        self._windows = 0  # so many so far
        self._part: int | None = None
        self._told = (Selected(), 0)  # where these came from, and how often it had told that messages went
        self._arriving: list[bytes] | None = None
        self._waiter: Deferred[None] | None = None
        self._waited_for = 0

    def room(self) -> int:
        return 0 if self._on_its_way else self._budget.share(self._octets)

    @property
    def _on_its_way(self) -> bool:
        """Something of the last window, wanted or not."""
        return bool(self._waiting or self._unwanted)

    def ask(self, uids: Mapping[Uid, int], part: int | None = None) -> None:
        connection = self._connection()
        if connection is None or self._on_its_way or not uids:
            return
        now = next(batches(uids))
        self._waiting = {uid: cost for uid, cost in uids.items() if uid in now}
        self._expected = sum(self._waiting.values())
        self._windows, self._part = self._windows + 1, part
        self._check()
        self._count()
        connection.ask(FetchBodies(now, part), bodies=self).addBoth(self._window_ends, self._windows)

    def awaits(self, uid: Uid) -> bool:
        self._check()
        return uid in self._held or uid in self._waiting

    def take(self, uid: Uid) -> Held | None:
        self._check()
        held = self._held.pop(uid, None)
        given, self._given = self._given, len(held.octets) if held is not None else 0
        self._octets -= self._given
        self._counted -= given
        self._budget.used -= given
        return held

    def arrival(self, uid: Uid) -> "Deferred[None]":
        """Fires when this message is held, or will not come."""
        arrival: Deferred[None] = Deferred()
        if uid in self._waiting:
            self._waiter, self._waited_for = arrival, uid
        else:
            arrival.callback(None)
        return arrival

    def forget(self, uids: Iterable[Uid]) -> None:
        for uid in uids:
            held = self._held.pop(uid, None)
            self._octets -= len(held.octets) if held is not None else 0
            if uid in self._waiting:
                self._expected -= self._waiting.pop(uid)
                self._unwanted.add(uid)
        self._count()

    def drop(self) -> None:
        """Everything, at the end or because the mailbox is another one. What is on its way is read over."""
        self._given = 0
        self.forget([Uid(uid) for uid in (*self._held, *self._waiting)])

    # What comes.

    def came(self, bodies: "list[tuple[Uid, bytes]]") -> None:
        self._check()
        for uid, octets in bodies:
            self._hold(uid, octets)
        self._count()

    def caught_up(self) -> None:
        """Whoever waits goes on now and not as soon as it could: more is here, and the next window may be asked for."""
        self._tell()

    def begin(self, size: int, _flow: Flow) -> None:
        self._arriving = [] if size <= max(self._waiting.values(), default=0) + SPARE else None

    def write(self, octets: bytes) -> None:
        if self._arriving is not None:
            self._arriving.append(octets)

    def end(self, uid: Uid | None) -> None:
        arrived, self._arriving = self._arriving, None
        if uid is not None and arrived is not None:
            self.came([(uid, b"".join(arrived))])

    def _hold(self, uid: Uid, octets: bytes) -> None:
        cost = self._waiting.pop(uid, None)
        if cost is None:
            self._unwanted.discard(uid)
            return
        self._expected -= cost
        # Nothing where something is listed, or a letter of the server's, is how some say that they cannot read it: let
        # `stream` find out.
        if octets and len(octets) <= cost + SPARE and not is_substitute(octets, cost):
            self._held[uid] = Held(octets, self._part is None or cost <= len(octets) < self._part)
            self._octets += len(octets)

    def _window_ends(self, _: object, window: int) -> None:
        if window != self._windows:  # all of it had come, and the next one was asked for before the server said so
            return
        self._waiting.clear()
        self._unwanted.clear()
        self._expected = 0
        self._arriving = None
        self._count()
        self._tell()

    def _tell(self) -> None:
        if self._waiter is not None and self._waited_for not in self._waiting:
            waiter, self._waiter = self._waiter, None
            waiter.callback(None)

    def _check(self) -> None:
        """Told that messages are gone, also by another connection: what came before that is not served any more."""
        connection = self._connection()
        if connection is None:
            return
        mailbox, removals = self._told
        if connection.mailbox is not mailbox or connection.mailbox.removals != removals:
            self._told = (connection.mailbox, connection.mailbox.removals)
            self._held.clear()
            self._octets = 0
            self._count()

    def _count(self) -> None:
        """Let the budget know, also of what was given, until the client reads on: it is in the memory as before."""
        now = self._octets + self._expected + self._given
        self._budget.used += now - self._counted
        self._counted = now
