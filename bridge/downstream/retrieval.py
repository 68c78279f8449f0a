"""RETR and TOP: a message that was read ahead is answered at once, any other as it comes from upstream."""

from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any, Protocol

from attrs import define, frozen

from bridge.downstream.delivery import Delivery, Line
from bridge.downstream.refusals import refused
from bridge.events import Emit, UpstreamLost
from bridge.maildrop.errors import MailboxReplaced, MessageGone, RetrievalRefused, Trouble
from bridge.maildrop.readahead import Way
from bridge.names import MessageNumber, SessionId
from bridge.pop3.commands import Quit, Retr, Top
from bridge.pop3.replies import ok
from bridge.pop3.server import Server
from bridge.pop3.stuffing import MessageOctets, top_of_message, whole_message
from bridge.postoffice.gathering import Gathering
from bridge.postoffice.visit import Visit

GONE_AT_MOST = 3
"""How often one vanished message may be asked for before the session ends (S14)."""

COVERS_ANY = 99_999_999
"""Lines of a pipelined TOP that are taken for the whole message, without a look at its size: fetchmail's."""

_WHOLE, _TOPS = Way.WHOLE, Way.TOPS  # by names of their own: Python 3.11 takes 0.2 µs to find a member in its class


@frozen
class Cut:
    """A message broke off in the middle: the connection closes, and no terminator is written (S15)."""


@define
class Doings:
    """What a session did, for its line in the log."""

    retrieved: int = 0
    topped: int = 0
    octets: int = 0
    marked: int = 0
    deleted: int = 0


class Host(Protocol):
    """The dialogue that these commands belong to."""

    over: bool
    did: Doings


class Retrieval:
    """Of one session, from its login on."""

    def __init__(
        self,
        session: SessionId,
        host: Host,
        line: Line,
        server: Server,
        visit: Visit | Gathering,
        emit: Emit,
        nul: bytes | None,
    ) -> None:
        self._session = session
        self._host = host
        self._line = line
        self._server = server
        self._visit = visit
        self._emit = emit
        self._nul = nul
        self._gone: Counter[int] = Counter()

    def retrieve(self, number: MessageNumber) -> "bytes | Coroutine[Any, Any, bytes | Cut]":
        size = self._visit.maildrop.size(number)  # refused here, where a number names no message
        held = self._visit.read_ahead(number, _WHOLE, self._retrievals)
        if held is None or not held.whole:
            return self._retrieve(number, size)
        message, octets = whole_message(held.octets, self._nul)
        self._retrieved(number, octets)
        return b"+OK %d octets\r\n%b" % (size, message)

    def top(self, number: MessageNumber, lines: int) -> "bytes | Coroutine[Any, Any, bytes | Cut]":
        # A line has an octet at least: so many lines are the whole message, and it is sent as RETR sends it.
        whole = lines >= self._visit.maildrop.size(number)
        way, said = (_WHOLE, self._retrievals) if whole else (_TOPS, self._tops)
        held = self._visit.read_ahead(number, way, said)
        if held is None:
            return self._top(number, lines, whole=whole)
        if not whole:
            top = top_of_message(held.octets, lines, self._nul, whole=held.whole)
        else:
            top = whole_message(held.octets, self._nul) if held.whole else None
        if top is None:  # what is held is too little
            return self._top(number, lines, whole=whole)
        message, octets = top
        self._topped(number, octets, whole=whole)
        return b"+OK top of the message\r\n%b" % message

    async def _retrieve(self, number: MessageNumber, size: int) -> "bytes | Cut":
        delivery = Delivery(self._line, ok(f"{size} octets"), MessageOctets(nul=self._nul))
        failure = await self._delivered(number, delivery, self._visit.stream(number, delivery))
        if failure is not None:
            return failure
        self._retrieved(number, delivery.octets)
        return b""

    async def _top(self, number: MessageNumber, lines: int, *, whole: bool) -> "bytes | Cut":
        message = MessageOctets(lines=None if whole else lines, nul=self._nul)
        delivery = Delivery(self._line, ok("top of the message"), message)
        visit = self._visit
        coming = visit.stream(number, delivery) if whole else visit.top(number, delivery)
        failure = await self._delivered(number, delivery, coming)
        if failure is not None:
            return failure
        self._topped(number, delivery.octets, whole=whole)
        return b""

    def _retrieved(self, number: MessageNumber, octets: int) -> None:
        self._visit.maildrop.accessed(number)
        self._visit.delivered(number, octets, by_top=False)
        self._host.did.retrieved += 1
        self._host.did.octets += octets

    def _topped(self, number: MessageNumber, octets: int, *, whole: bool) -> None:
        if whole:
            self._visit.delivered(number, octets, by_top=True)
        else:
            self._visit.topped(octets)
        self._host.did.topped += 1
        self._host.did.octets += octets

    async def _delivered(
        self, number: MessageNumber, delivery: Delivery, coming: Coroutine[Any, Any, None]
    ) -> "bytes | Cut | None":
        """None when the message is out; otherwise what to do instead."""
        try:
            await coming
        except MessageGone as gone:
            self._gone[number] += 1
            self._host.over = self._gone[number] >= GONE_AT_MOST
            return refused(gone)
        except Trouble as trouble:
            healthy = isinstance(trouble, RetrievalRefused | MailboxReplaced)  # upstream said so, on a good connection
            if not (healthy or self._host.over):  # over: it was the client that went
                upstream = self._visit.upstream(number)
                why = f"{trouble} ({trouble.detail})" if trouble.detail else str(trouble)
                self._emit(UpstreamLost(self._session, upstream, why))
            if isinstance(trouble, MailboxReplaced):
                self._host.over = True
            return Cut() if delivery.written else refused(trouble)
        delivery.finish()
        return None

    # What the client has said already, and waits for.

    def _retrievals(self) -> Iterable[MessageNumber]:
        return self._said(whole=True)

    def _tops(self) -> Iterable[MessageNumber]:
        return self._said(whole=False)

    def _said(self, *, whole: bool) -> Iterable[MessageNumber]:
        """Up to where it reads in another way, or ends."""
        for command in self._server.pipelined():
            match command:
                case Retr(number) if whole:
                    yield number
                case Top(number, lines) if whole is (lines >= COVERS_ANY):
                    yield number
                case Retr() | Top() | Quit():
                    return
                case _:
                    pass
