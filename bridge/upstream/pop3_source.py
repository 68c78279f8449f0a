"""A mailbox on a POP3 server as a Source: its complete listing, its messages octet for octet, its deletions.

The maildrop of a POP3 session is a snapshot that nobody else changes (RFC 1939, section 4): as long as the session
upstream lives, what was listed is what there is. One that died is replaced without anybody noticing: messages are known
by their names, and get the new session's numbers. One session at a time is open at the server, see `turns`.

Nothing is read ahead: at Gmail a message that was read is not listed to any later session.
"""

from array import array
from bisect import bisect_left
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import NoReturn

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater

from bridge.maildrop.errors import (
    MessageGone,
    RetrievalRefused,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.naming import listing_of
from bridge.maildrop.readahead import Budget
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Look, Sink
from bridge.names import MessageNumber, Uid
from bridge.pop3.answers import Status
from bridge.pop3.commands import Command, Dele, Noop, Quit, Retr, Top
from bridge.upstream.imap_ahead import ImapAhead
from bridge.upstream.imap_source import GO_ON_AFTER
from bridge.upstream.pop3_body import Again, Beginning, Whole
from bridge.upstream.pop3_connection import Answer, Body, Pop3Connection
from bridge.upstream.pop3_listing import call_roll, headers_of
from bridge.upstream.together import together
from bridge.upstream.turns import Turn

KEEP_ALIVE = 50
"""Seconds between NOOPs: Exchange Online drops a POP3 connection that was idle for 60."""

LINES = (50, 1_000, 100_000_000)
"""How many lines of the text TOP asks for, until the client has those that it wants; the last is all of them."""

HEADERS_AT_ONCE = 50
"""How many messages' headers are learned before it is looked whether another login wants the mailbox."""

_PASSING = frozenset({"SYS/TEMP", "IN-USE"})
_GONE = MessageNumber(0)


class Pop3Source:
    """One mailbox for one session. `take_turn` waits for the server to be free, `reach` connects and logs in."""

    def __init__(
        self,
        take_turn: Callable[[], Awaitable[Turn]],
        reach: Callable[[], Awaitable[Pop3Connection]],
        clock: IReactorTime,
    ) -> None:
        self._take_turn = take_turn
        self._reach = reach
        self._turn: Turn | None = None
        self._connection: Pop3Connection | None = None
        self._listing: Listing | None = None
        self._numbers = array("I")  # of the listing's rows, in the session that is open
        self.ahead = ImapAhead(lambda: None, Budget(0, 0))  # there is never room
        self._keep_alive = LoopingCall(self._stay)
        self._keep_alive.clock = self._clock = clock

    @property
    def unbroken(self) -> bool:
        return self._live() is not None

    async def enter(self) -> None:
        if self._live() is None:
            await self._open()

    async def list(self, known: Listing | None = None) -> Listing:
        connection = self._live() or await self._open()
        try:
            roll = await call_roll(connection)
        except BaseException:
            self.abandon()
            raise
        self._listing = listing_of(roll.names, roll.sizes, known)
        self._place(dict(zip(roll.names, roll.numbers, strict=True)))
        if not self._keep_alive.running:
            self._keep_alive.start(KEEP_ALIVE, now=False)
        return self._listing.copy()

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        body = Whole(sink)
        try:
            answer = await self._fetch(Retr, uid, body)
        except UpstreamUnavailable:
            if not body.begun:
                raise
            await self._go_on(uid, body)
            return
        if not answer.status.ok:
            await self._explain_absence(uid, answer.status)
        if not body.begun and size > 0:
            self._refuse_nothing()
        body.start()

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        """More and more lines, until the sink has what it wants. Only a server without TOP has to send all of it."""
        known = 0
        for lines in LINES:
            part = Beginning(sink, known)
            answer = await self._fetch(partial(Top, lines=lines), uid, part)
            whole = not answer.status.ok and not self._can("TOP")
            if whole:
                answer = await self._fetch(Retr, uid, part)
            if not answer.status.ok:
                await self._explain_absence(uid, answer.status)
            if not part.begun and size > 0:
                self._refuse_nothing()
            part.start()
            if sink.satisfied or whole or part.lines < lines:
                return
            known = max(known, part.octets)

    async def search(self, criteria: str) -> frozenset[int]:  # noqa: ARG002  the seam's
        raise UpstreamUnsuitable("a POP3 server cannot search")

    async def stable_ids(self, uids: Sequence[int]) -> dict[int, str]:
        """The names."""
        listing = self._listed()
        return {uid: listing.names[row] for uid in uids if (row := self._row(uid)) is not None}

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        """In the session that is open. What is learned behind QUIT is no reason to let another login wait.

        A login that recognises a mailbox which has moved is rare, and gives way too: the other one does it then.
        """
        found: dict[int, Fingerprint] = {}
        for start in range(0, len(uids), HEADERS_AT_ONCE):
            if self._turn is not None and self._turn.wanted:
                raise UpstreamUnavailable("another login of this account waits for the mailbox")
            connection = self._witness()
            numbers: dict[int, int] = {self._number(uid): uid for uid in uids[start : start + HEADERS_AT_ONCE]}
            numbers.pop(_GONE, None)
            headers = await headers_of(connection, {number: self._size(uid) for number, uid in numbers.items()})
            names = await self.stable_ids(list(numbers.values()))
            found |= {
                numbers[number]: fingerprint(header, names[numbers[number]]) for number, header in headers.items()
            }
        return found

    async def look(self, uids: Sequence[int]) -> dict[int, Look]:
        """In a session that lives nothing changes; a new one shows what is there now."""
        if self._live() is None:
            await self._open_again()
        sizes = self._listed().sizes
        return {
            uid: Look(sizes[row], -1, deleted=False, hidden=False)
            for uid in uids
            if (row := self._row(uid)) is not None and self._numbers[row] != _GONE
        }

    def refusal(self, policy: Policy) -> str:
        return "" if policy in {Policy.EXPUNGE, Policy.KEEP} else f"a POP3 server cannot {policy.value} messages"

    async def delete(
        self,
        uids: Sequence[int],
        policy: Policy,
        *,
        again: bool = False,  # noqa: ARG002  nothing is copied
    ) -> Deletion:
        """DELE and QUIT: its +OK is upstream's word that they are gone, and the end of the session there."""
        connection = self._witness()
        why = self.refusal(policy)
        if why:
            return Deletion(len(uids), frozenset(uids), why)
        there = {uid: number for uid in uids if (number := self._number(uid)) != _GONE}
        if not there:
            return Deletion(len(uids))
        asked = [connection.ask(Dele(number)) for number in there.values()]
        *answers, quitting = await together(*asked, connection.ask(Quit()))
        self._give_back()
        if not quitting.status.ok:
            why, detail = "upstream did not delete all of them", quitting.status.text
            return Deletion(len(uids), frozenset(there), why, temporary=True, detail=detail, certain=False)
        refusals = {uid: one.status for uid, one in zip(there, answers, strict=True) if not one.status.ok}
        if not refusals:
            return Deletion(len(uids))
        first = next(iter(refusals.values()))
        passing = any(status.code != "SYS/PERM" for status in refusals.values())
        why = "upstream refuses to delete them"
        return Deletion(len(uids), frozenset(refusals), why, temporary=passing, detail=first.text)

    async def purge(self, uids: Sequence[int]) -> Deletion:
        """Nothing is ever flagged."""
        self._witness()
        return Deletion(len(uids))

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """There is no such mark."""

    def close(self) -> None:
        self._leave(Pop3Connection.close)

    def abandon(self) -> None:
        self._leave(Pop3Connection.abandon)

    # Sessions upstream.

    def _live(self) -> Pop3Connection | None:
        connection = self._connection
        return connection if connection is not None and connection.ended is None else None

    def _can(self, name: str) -> bool:
        return self._connection is not None and name in self._connection.client.capabilities

    def _witness(self) -> Pop3Connection:
        connection = self._live()
        if connection is None:
            raise UpstreamUnavailable("the session upstream has ended")
        return connection

    async def _open(self) -> Pop3Connection:
        if self._turn is None:
            self._turn = await self._take_turn()
        turn = self._turn
        try:
            connection = await self._reach()
        except BaseException:
            if self._turn is turn:
                self._give_back()
            raise
        if self._turn is not turn:
            connection.abandon()
            raise UpstreamUnavailable("the session was given up")
        turn.verified = True
        self._connection = connection
        return connection

    async def _open_again(self) -> Pop3Connection:
        """Messages are where their names are now; what is new is of no interest."""
        connection = await self._open()
        try:
            roll = await call_roll(connection)
        except BaseException:
            connection.abandon()
            raise
        self._place(dict(zip(roll.names, roll.numbers, strict=True)))
        return connection

    def _give_back(self) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.give_back()

    def _leave(self, how: Callable[[Pop3Connection], None]) -> None:
        """The turn is given back when the server has let go of the maildrop, too."""
        if self._keep_alive.running:
            self._keep_alive.stop()
        connection, self._connection = self._connection, None
        turn, self._turn = self._turn, None
        if connection is not None:
            how(connection)
        if turn is None:
            return
        if connection is None:
            turn.give_back()
        else:
            connection.lost.addCallback(lambda _: turn.give_back())

    def _stay(self) -> None:
        connection = self._live()
        if connection is not None and connection.reusable:
            connection.ask(Noop()).addErrback(lambda _: None)

    # Messages.

    def _listed(self) -> Listing:
        assert self._listing is not None, "nothing was listed"
        return self._listing

    def _place(self, numbers: Mapping[str, int]) -> None:
        self._numbers = array("I", [numbers.get(name, _GONE) for name in self._listed().names])

    def _row(self, uid: int) -> int | None:
        uids = self._listed().uids
        row = bisect_left(uids, uid)
        return row if row < len(uids) and uids[row] == uid else None

    def _size(self, uid: int) -> int:
        row = self._row(uid)
        return 0 if row is None else self._listed().sizes[row]

    def _number(self, uid: int) -> MessageNumber:
        row = self._row(uid)
        return _GONE if row is None else MessageNumber(self._numbers[row])

    async def _ask(self, make: Callable[[MessageNumber], Command], uid: Uid, body: Body) -> Answer:
        connection = self._live() or await self._open_again()
        number = self._number(uid)
        if number == _GONE:
            raise MessageGone("this message was removed from the mailbox")
        return await connection.ask(make(number), body=body)

    async def _fetch(self, make: Callable[[MessageNumber], Command], uid: Uid, body: "Whole | Beginning") -> Answer:
        """One retry in a new session when the old one died before the first octet."""
        fresh = self._live() is None
        try:
            return await self._ask(make, uid, body)
        except UpstreamUnavailable:
            if fresh or body.begun:
                raise
        return await self._ask(make, uid, body)

    async def _go_on(self, uid: Uid, whole: Whole) -> None:
        """S15: once more over a new connection, and the rest of it, if it is the same message still."""
        waits = list(GO_ON_AFTER)
        while True:
            await deferLater(self._clock, waits.pop(0))
            again, got = Again.of(whole), whole.got
            try:
                answer = await self._ask(Retr, uid, again)
            except UpstreamUnavailable:
                if whole.got > got:
                    waits = list(GO_ON_AFTER)
                if not waits:
                    raise
                continue
            if answer.status.ok and again.going_on:
                return
            raise UpstreamUnavailable("upstream was lost inside a message, and does not give the same again")

    def _refuse_nothing(self) -> NoReturn:
        """Dovecot 2.3 and Courier 5.2 do not stuff a mail's very first dot, and a lone one ends their answer.

        What comes behind it is the mail's, and could be made to look like the answer to the next question.
        """
        if self._connection is not None:
            self._connection.abandon()
        raise RetrievalRefused("upstream gave nothing of this message")

    async def _explain_absence(self, uid: Uid, status: Status) -> NoReturn:
        """Gone, or only refused? A new session shows it: a client that believes it gone forgets it (S14)."""
        if status.code not in _PASSING:
            connection = self._live()
            if connection is not None:
                await connection.ask(Quit())
            await self._open_again()
            if self._number(uid) == _GONE:
                raise MessageGone("this message was removed from the mailbox")
        raise RetrievalRefused("upstream does not give this message now; try again later", detail=status.text)
