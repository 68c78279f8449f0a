"""A mailbox on an IMAP server as a Source: its complete listing, its messages octet for octet, its deletions.

A connection that died while nothing was under way is replaced without anybody noticing; one that dies inside a
message ends that message.
"""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, evolve
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bridge.config import PassThrough
from bridge.imap import responses
from bridge.imap.commands import FetchBody, FetchFlags, Noop
from bridge.maildrop import retention
from bridge.maildrop.errors import MailboxReplaced, MessageGone, RetrievalRefused, Trouble, UpstreamUnavailable
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.retention import Mailbox, Policy
from bridge.maildrop.source import Deletion, Look, Sink
from bridge.names import Uid
from bridge.upstream import imap_inquiries as inquiries
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_deletion import carry_out
from bridge.upstream.imap_opening import Opened, open_mailbox
from bridge.upstream.imap_searching import found_by_owner
from bridge.upstream.mooring import NONE, Mooring
from bridge.upstream.pool import Parked
from bridge.upstream.selected import Selected
from bridge.upstream.targets import find_targets

KEEP_ALIVE = 240
"""Seconds between NOOPs: under the 5 minutes after which the strictest servers and NATs drop idle connections."""

FIRST_PART = 16 * 1024
"""Octets asked for first when only the top of a message is wanted; nearly every header fits."""

Reach = Callable[[], Awaitable[ImapConnection]]
"""Connects and logs in once more, with the credentials of this session."""


class ImapSource:
    """One mailbox for one session."""

    def __init__(self, reach: Reach, account: PassThrough, clock: IReactorTime, mooring: Mooring = NONE) -> None:
        self._reach = reach
        self._mooring = mooring
        self._account = account
        self._connection: ImapConnection | None = None
        self._witness: ImapConnection | None = None  # the connection that listed, or looked last
        self._listed: Listing | None = None
        self._mailbox: Mailbox | None = None
        self._clock = clock
        self._staying: IDelayedCall | None = None
        self._waiting: Parked | None = None  # a connection that is to be taken over

    @property
    def mailbox(self) -> Mailbox | None:
        """What the mailbox allows; None until it was opened."""
        return self._mailbox

    @property
    def unbroken(self) -> bool:
        witness = self._witness
        return witness is not None and witness.ended is None and not self._is_replaced(witness.mailbox)

    async def enter(self) -> None:
        if self._connection is None and self._waiting is None:
            self._waiting = self._mooring.take()
            if self._waiting is None:
                self._connection = await self._reach()

    async def list(self, known: Listing | None = None) -> Listing:
        listing = await self._taken_over(known) if self._connection is None else None
        if listing is None:
            opened = await self._open(listing=True, known=known)
            assert opened.listing is not None
            listing = opened.listing
        self._listed, self._witness = listing, self._connection
        if self._staying is None:
            self._staying = self._clock.callLater(KEEP_ALIVE, self._stay)
        return listing

    async def _taken_over(self, known: Listing | None) -> Listing | None:
        """By the connection of a session before; None where there is none, or where it is of no more use."""
        parked, self._waiting = self._waiting or self._mooring.take(), None
        if parked is None:
            return None
        connection, mailbox = parked.connection, parked.mailbox
        if known is not None and self._mooring.quiet(parked, known):
            self._connection, self._mailbox = connection, mailbox
            return known
        try:
            opened = await open_mailbox(connection, self._account, listing=True, known=known, before=mailbox)
        except Trouble:
            connection.abandon()  # it may have died long ago; a new one will tell the truth
            return None
        except BaseException:
            connection.abandon()
            raise
        if known is not None and opened.listing is not None and opened.listing.uidvalidity != known.uidvalidity:
            # Dovecot 2.3.19 mixes up in one process what it knew of a mailbox and what was made anew in its place.
            connection.close()
            return None
        self._connection, self._mailbox = connection, opened.mailbox
        return opened.listing

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        body = _Whole(sink, size)
        answer = await self._fetch(FetchBody(uid), body)
        if not body.begun:
            await self._explain_absence(uid, answer)
        if not answer.ok:
            raise RetrievalRefused("upstream could not read this message to its end", detail=answer.status.text)

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        """In parts of BODY.PEEK[]<start.count>, so that TOP's octets are RETR's by construction.

        BODY[HEADER] is not used: Courier makes it an octet short and hoodiecrow too long where there is no body.
        """
        start, count = 0, FIRST_PART
        while not sink.satisfied:
            part = _Part(sink, begun=start > 0, may_be_empty=start > 0 or size == 0)
            answer = await self._fetch(FetchBody(uid, start=start, count=count), part)
            if not part.came and start == 0:
                await self._explain_absence(uid, answer)
            if not part.came and start < size:
                raise RetrievalRefused("upstream gave only the beginning of this message", detail=answer.status.text)
            if not answer.ok:
                raise RetrievalRefused("upstream could not read this message to its end", detail=answer.status.text)
            start += part.octets
            at_end = part.octets < count and (start >= size or part.octets == 0)
            if at_end or part.octets > count:  # more: a server that knows no parts and sent the whole
                return
            count *= 4

    async def search(self, criteria: str) -> frozenset[int]:
        return await found_by_owner(await self._ready(), criteria)

    async def stable_ids(self, uids: Sequence[int]) -> dict[int, str]:
        return await inquiries.stable_ids(await self._ready(), uids)

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        return await inquiries.fingerprints(await self._ready(), uids)

    async def look(self, uids: Sequence[int]) -> dict[int, Look]:
        connection = await self._ready()
        looks = await inquiries.look(connection, uids)
        self._witness = connection
        return looks

    def refusal(self, policy: Policy) -> str:
        assert self._mailbox is not None, "refusal before list"
        return retention.refusal(policy, self._mailbox)

    async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
        connection, mailbox = self._witnessed()
        if policy.moves and policy not in mailbox.targets:
            self._mailbox = mailbox = evolve(mailbox, targets=await find_targets(connection, self._account, policy))
        why = retention.refusal(policy, mailbox)
        if why:
            return Deletion(len(uids), frozenset(uids), why)
        connection.mailbox.touch()
        return await carry_out(connection, policy, mailbox, self._account, uids, again=again)

    async def purge(self, uids: Sequence[int]) -> Deletion:
        connection, mailbox = self._witnessed()
        why = retention.refusal(Policy.EXPUNGE, mailbox)
        if why:
            return Deletion(len(uids), frozenset(uids), why)
        connection.mailbox.touch()
        return await carry_out(connection, None, mailbox, self._account, uids)

    async def mark_seen(self, uids: Sequence[int]) -> None:
        connection = await self._ready()
        connection.mailbox.touch()
        await inquiries.mark_seen(connection, uids)

    def close(self) -> None:
        self._rest()
        connection, mailbox = self._connection, self._mailbox
        if connection is None or (mailbox is not None and self._parked(connection, mailbox)):
            return
        connection.close()

    def _parked(self, connection: ImapConnection, mailbox: Mailbox) -> bool:
        """Only the mailbox that was listed is worth keeping."""
        listed = self._listed
        if listed is None or self._is_replaced(connection.mailbox):
            return False
        return self._mooring.park(connection, mailbox, listed if connection is self._witness else None)

    def abandon(self) -> None:
        self._rest()
        if self._connection is not None:
            self._connection.abandon()

    def _rest(self) -> None:
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.connection.close()
        staying, self._staying = self._staying, None
        if staying is not None:
            staying.cancel()

    def _stay(self) -> None:
        self._staying = self._clock.callLater(KEEP_ALIVE, self._stay)
        if self._connection is not None and self._connection.reusable:
            self._connection.ask(Noop()).addErrback(lambda _: None)

    async def _ready(self) -> ImapConnection:
        connection = self._connection
        if connection is None or connection.ended is not None:
            await self._open(listing=False)
            connection = self._connection
        assert connection is not None
        self._refuse_another(connection)
        return connection

    def _witnessed(self) -> tuple[ImapConnection, Mailbox]:
        """The connection that showed what is deleted now, and what the mailbox there allows."""
        connection = self._witness
        assert connection is not None, "delete before list"
        assert self._mailbox is not None, "delete before list"
        if connection.ended is not None:
            raise UpstreamUnavailable("the connection to upstream was lost", detail=connection.ended.detail)
        self._refuse_another(connection)
        return connection, self._mailbox

    def _refuse_another(self, connection: ImapConnection) -> None:
        if self._is_replaced(connection.mailbox):
            connection.abandon()
            raise MailboxReplaced("the mailbox was replaced upstream while this session was open; log in again")

    def _is_replaced(self, mailbox: Selected) -> bool:
        """S1, as far as SELECT tells."""
        listed = self._listed
        assert listed is not None, "nothing was listed"
        return (
            mailbox.uidvalidity != listed.uidvalidity
            or (bool(listed.mailbox_id and mailbox.mailbox_id) and mailbox.mailbox_id != listed.mailbox_id)
            or (len(listed) > 0 and mailbox.uidnext is not None and mailbox.uidnext <= listed.uids[-1])
        )

    async def _open(self, *, listing: bool, known: Listing | None = None) -> Opened:
        """On the connection that there is, if nothing is under way there, else on a new one."""
        connection = self._connection
        if connection is None or not connection.reusable:
            if connection is not None:
                connection.abandon()
            connection = await self._reach()
        try:
            opened = await open_mailbox(connection, self._account, listing=listing, known=known)
        except BaseException:
            connection.abandon()
            raise
        self._connection, self._mailbox = connection, opened.mailbox
        return opened

    async def _fetch(self, command: FetchBody, body: "_Whole | _Part") -> Answer:
        """One retry on a new connection when the old one died before the first octet."""
        fresh = self._connection is None or self._connection.ended is not None
        try:
            return await (await self._ready()).ask(command, body=body)
        except UpstreamUnavailable:
            if fresh or body.begun:
                raise
        return await (await self._ready()).ask(command, body=body)

    async def _explain_absence(self, uid: Uid, answer: Answer) -> None:
        """Gone, or only refused? Look before calling it gone: a client that believes it forgets it (S14)."""
        code = answer.status.code.name if answer.status.code is not None else ""
        if code not in {"EXPUNGEISSUED", "NONEXISTENT"}:
            seen = await (await self._ready()).ask(FetchFlags(str(uid)))
            still_there = any(isinstance(r, responses.Fetched) and r.uid == uid for r in seen.responses)
            if still_there or not seen.ok:
                raise RetrievalRefused(
                    "upstream does not give this message now; try again later", detail=answer.status.text
                )
        raise MessageGone("this message was removed from the mailbox")


@define
class _Whole:
    """A whole message on its way into the sink."""

    sink: Sink
    size: int
    begun: bool = False

    def begin(self, size: int, flow: ImapConnection) -> None:
        # An empty body of a message that is not empty is how some servers say that they cannot read it; passed on,
        # a client would take it for the message and delete it.
        if size > 0 or self.size == 0:
            self.begun = True
            self.sink.begin(flow)

    def write(self, octets: bytes) -> None:
        if self.begun:
            self.sink.write(octets)


@define
class _Part:
    """The next part of a message whose top is wanted; `begun` once the sink has begun, with this part or before."""

    sink: Sink
    begun: bool
    may_be_empty: bool
    came: bool = False
    octets: int = 0

    def begin(self, size: int, flow: ImapConnection) -> None:
        self.came = size > 0 or self.may_be_empty
        if self.came and not self.begun:
            self.begun = True
            self.sink.begin(flow)

    def write(self, octets: bytes) -> None:
        self.octets += len(octets)
        self.sink.write(octets)
