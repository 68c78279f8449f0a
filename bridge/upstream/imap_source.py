"""A mailbox on an IMAP server as a Source: its complete listing, its messages octet for octet, its deletions.

A connection that died while nothing was under way is replaced without anybody noticing; one that dies inside a
message ends that message.
"""

from collections.abc import Awaitable, Callable, Sequence

from attrs import evolve
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import deferLater

from bridge.config import Settings
from bridge.imap import responses
from bridge.imap.commands import FetchBody, FetchFlags, Noop
from bridge.imap.quirks import Quirk
from bridge.maildrop import retention
from bridge.maildrop.errors import MailboxReplaced, MessageGone, RetrievalRefused, Trouble, UpstreamUnavailable
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.readahead import FIRST_PART, Budget
from bridge.maildrop.retention import Mailbox, Policy
from bridge.maildrop.source import Deletion, Held, Look, Sink
from bridge.names import Uid
from bridge.upstream import imap_inquiries as inquiries
from bridge.upstream.imap_ahead import ImapAhead
from bridge.upstream.imap_body import Here, Part, Rest, Unmasked, Whole
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

GO_ON_AFTER = (0.0, 1.0, 3.0)
"""Seconds before each new connection over which a message is to go on that was cut; any octet starts them again."""

Reach = Callable[[], Awaitable[ImapConnection]]
"""Connects and logs in once more, with the credentials of this session."""


class ImapSource:
    """One mailbox for one session."""

    def __init__(
        self,
        reach: Reach,
        account: Settings,
        clock: IReactorTime,
        mooring: Mooring = NONE,
        budget: Budget | None = None,
    ) -> None:
        self._reach = reach
        self._mooring = mooring
        self._account = account
        self._connection: ImapConnection | None = None
        self._witness: ImapConnection | None = None  # the connection that listed, or looked last
        self._listed: Listing | None = None
        self._mailbox: Mailbox | None = None
        self.ahead = ImapAhead(self._live, budget if budget is not None else Budget(0, 0))
        self._clock = clock
        self._over = False
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
        held = await self._ahead_of(uid)
        if held is not None and held.whole:
            sink.begin(Here())
            sink.write(held.octets)
            return
        body = Whole(sink, size)
        try:
            answer = await self._fetch(FetchBody(uid), body, size)
        except UpstreamUnavailable:
            if not body.begun or self._over:
                raise
            await self._go_on(uid, body)
            return
        if not body.begun:
            await self._explain_absence(uid, answer)
        if not answer.ok:
            raise RetrievalRefused("upstream could not read this message to its end", detail=answer.status.text)

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        """In parts of BODY.PEEK[]<start.count>, so that TOP's octets are RETR's by construction.

        BODY[HEADER] is not used: Courier makes it an octet short and hoodiecrow too long where there is no body.
        """
        start, count = 0, FIRST_PART
        held = await self._ahead_of(uid)
        if held is not None:
            sink.begin(Here())
            sink.write(held.octets)
            if held.whole:
                return
            start = len(held.octets)
        while not sink.satisfied:
            part = Part(sink, begun=start > 0, may_be_empty=start > 0 or size == 0)
            answer = await self._fetch(FetchBody(uid, start=start, count=count), part, size)
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
        self._over = True
        self.ahead.drop()
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.connection.close()
        staying, self._staying = self._staying, None
        if staying is not None:
            staying.cancel()

    def _live(self) -> ImapConnection | None:
        connection = self._connection
        return connection if connection is not None and connection.ended is None else None

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
            self.ahead.drop()
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

    async def _ahead_of(self, uid: Uid) -> Held | None:
        """What was read ahead of this message, if need be when it has arrived."""
        if self.ahead.awaits(uid):
            await self.ahead.arrival(uid)
        return self.ahead.take(uid)

    async def _go_on(self, uid: Uid, whole: Whole) -> None:
        """S15: the rest over a new connection, if it is the same message still."""
        waits = list(GO_ON_AFTER)
        while True:
            await deferLater(self._clock, waits.pop(0))
            rest = Rest.of(whole)
            try:
                answer = await (await self._ready()).ask(FetchBody(uid, start=rest.start, count=rest.count), body=rest)
            except UpstreamUnavailable:
                if rest.going_on:
                    waits = list(GO_ON_AFTER)
                if not waits:
                    raise
                continue
            if answer.ok and rest.complete:
                return
            raise UpstreamUnavailable("upstream was lost inside a message, and does not give the rest of it")

    async def _fetch(self, command: FetchBody, body: "Whole | Part", size: int) -> Answer:
        """One retry on a new connection when the old one died before the first octet."""
        fresh = self._connection is None or self._connection.ended is not None
        for again in (not fresh, False):
            unmasked = Unmasked(body, size)
            connection = await self._ready()
            try:
                answer = await connection.ask(command, body=unmasked)
            except UpstreamUnavailable:
                if body.begun or self._over or not again:
                    raise
                continue
            if unmasked.substituted:
                connection.on_quirk(Quirk.SUBSTITUTE_LETTER)
                await connection.ask(Noop())  # Courier's list of messages is that of SELECT until it is asked so
            return answer
        raise AssertionError("unreachable")

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
