"""A mailbox on an IMAP server as a Source: its complete listing, its messages octet for octet, its deletions.

A connection that died while nothing was under way is replaced without anybody noticing; one that dies inside a
message ends that message.
"""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from bridge.config import PassThrough
from bridge.imap import responses
from bridge.imap.client import ListingRows
from bridge.imap.commands import (
    AskRights,
    Enable,
    FetchBody,
    FetchFlags,
    FetchListing,
    Identify,
    Noop,
    Search,
    Select,
)
from bridge.imap.responses import Status
from bridge.maildrop.errors import (
    ListingIncomplete,
    MailboxReplaced,
    MessageGone,
    RetrievalRefused,
    Trouble,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Mailbox, Policy, refusal, unkeepable
from bridge.maildrop.source import Deletion, Sink
from bridge.names import Uid, UidValidity, uid_set
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_deletion import batches, carry_out
from bridge.upstream.targets import ask_for_targets, find_targets, targets_from
from bridge.upstream.together import together
from bridge.version import __version__
from bridge.violation import ProtocolViolation

WHO_WE_ARE = (("name", "Popbridge"), ("version", __version__))
"""RFC 2971. NetEase's servers refuse SELECT to clients that do not say who they are."""

KEEP_ALIVE = 240
"""Seconds between NOOPs: under the 5 minutes after which the strictest servers and NATs drop idle connections."""

ROUNDS = 3
"""How often a listing that fell short, or changed meanwhile, is caught up before the login is refused."""

SPARE_ROWS = 1000
"""Rows beyond two for each message that a listing may have, for messages that were told of twice or are new."""

MISSING_AT_ONCE = 50_000
"""Rows asked for in one command when a listing came incomplete."""

FIRST_PART = 16 * 1024
"""Octets asked for first when only the top of a message is wanted; nearly every header fits."""

Reach = Callable[[], Awaitable[ImapConnection]]
"""Connects and logs in once more, with the credentials of this session."""


class ImapSource:
    """One mailbox for one session."""

    def __init__(self, reach: Reach, account: PassThrough, clock: IReactorTime) -> None:
        self._reach = reach
        self._account = account
        self._policy = Policy(account.delete)
        self._connection: ImapConnection | None = None
        self._uidvalidity: int | None = None  # of the mailbox as it was listed
        self._mailbox: Mailbox | None = None
        self._keep_alive = LoopingCall(self._stay)
        self._keep_alive.clock = clock

    @property
    def mailbox(self) -> Mailbox | None:
        """What the mailbox allows; None until it was opened."""
        return self._mailbox

    async def list(self) -> Listing:
        listing = Listing(UidValidity(0))
        connection = await self._open(listing)
        self._uidvalidity = connection.mailbox.uidvalidity
        self._keep_alive.start(KEEP_ALIVE, now=False)
        return listing

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

    async def delete(self, uids: Sequence[int], policy: Policy, again: bool = False) -> Deletion:
        assert self._mailbox is not None, "delete before list"
        if policy is not self._policy and policy.moves:  # promised when the account had another policy
            found = await find_targets(await self._ready(), self._account, policy)
            self._mailbox = evolve(self._mailbox, targets={**self._mailbox.targets, **found})
        why = refusal(policy, self._mailbox)
        if why:
            return Deletion(len(uids), frozenset(uids), why)
        connection = await self._ready()
        return await carry_out(connection, policy, self._mailbox, self._account, uids, again=again)

    def close(self) -> None:
        self._rest()
        if self._connection is not None:
            self._connection.close()

    def abandon(self) -> None:
        self._rest()
        if self._connection is not None:
            self._connection.abandon()

    def _rest(self) -> None:
        if self._keep_alive.running:
            self._keep_alive.stop()

    def _stay(self) -> None:
        if self._connection is not None and self._connection.reusable:
            self._connection.ask(Noop()).addErrback(lambda _: None)

    async def _ready(self) -> ImapConnection:
        connection = self._connection
        if connection is None or connection.ended is not None:
            connection = await self._open(None)
        if connection.mailbox.uidvalidity != self._uidvalidity:
            connection.abandon()
            raise MailboxReplaced("the mailbox was replaced upstream while this session was open; log in again")
        return connection

    async def _open(self, listing: Listing | None) -> ImapConnection:
        """Connect, select and look at what the mailbox allows; with a listing, fetch it in the same write."""
        connection = await self._reach()
        try:
            await self._select(connection, listing)
        except BaseException:
            connection.abandon()
            raise
        self._connection = connection
        return connection

    async def _select(self, connection: ImapConnection, listing: Listing | None) -> None:
        has = connection.client.capabilities
        name = self._account.upstream.mailbox
        before: list[Deferred[Answer]] = []
        if "ID" in has:
            before.append(connection.ask(Identify(WHO_WE_ARE)))
        if "ENABLE" in has and "UTF8=ACCEPT" in has:
            before.append(connection.ask(Enable(("UTF8=ACCEPT",))))  # always or never, whatever the client says (S11)
        if not name.isascii():
            await together(*before)  # a name is written in UTF-8 once that is enabled
            before = []
        targets = ask_for_targets(connection, self._account, self._policy)
        selecting = connection.ask(Select(name))
        rights = connection.ask(AskRights(name)) if "ACL" in has else None
        adder = _adder(connection, listing) if listing is not None else None
        rows = connection.ask(FetchListing("1:*"), rows=adder) if adder is not None else None
        asked = [d for d in (*before, targets, selecting, rights, rows) if d is not None]
        answers = dict(zip(map(id, asked), await together(*asked), strict=True))

        selected = answers[id(selecting)]
        if not selected.ok:
            raise _not_opened(name, selected.status)
        if not connection.mailbox.uidvalidity:  # 0 is none (RFC 9051, section 2.3.1.1)
            raise UpstreamUnsuitable(f"the mailbox {name} has no UIDVALIDITY: its messages have no lasting names")
        self._mailbox = self._seen(connection, selected, answers.get(id(targets)), answers.get(id(rights)))
        why = unkeepable(self._policy, self._mailbox)
        if why:
            raise UpstreamUnsuitable(why)
        if listing is not None:
            listing.uidvalidity = UidValidity(connection.mailbox.uidvalidity)
            listing.settle()
            await _complete(connection, listing, fetched=answers[id(rows)].ok)

    def _seen(
        self, connection: ImapConnection, selected: Answer, targets: Answer | None, rights: Answer | None
    ) -> Mailbox:
        has = connection.client.capabilities
        granted = [
            r.rights for r in (rights.responses if rights is not None else ()) if isinstance(r, responses.Rights)
        ]
        code = selected.status.code
        return Mailbox(
            read_only=code is not None and code.name == "READ-ONLY",
            flags_kept=connection.mailbox.flags_kept,
            rights=granted[0] if granted else None,
            can_move="MOVE" in has or "IMAP4REV2" in has,
            can_expunge_by_uid="UIDPLUS" in has or "IMAP4REV2" in has,
            name=self._account.upstream.mailbox,
            targets=targets_from(self._account, targets),
            flag_deletes="X-GM-EXT-1" in has and self._account.gmail_auto_expunge,
        )

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


def _adder(connection: ImapConnection, listing: Listing) -> Callable[[ListingRows], None]:
    def add(rows: ListingRows) -> None:
        if len(listing) > 2 * (connection.mailbox.exists or 0) + SPARE_ROWS:
            raise ProtocolViolation(f"more than {len(listing)} rows for {connection.mailbox.exists} messages")
        hidden = bytes(rows.deleted)
        if any(rows.hidden):
            hidden = bytes(a | b for a, b in zip(hidden, rows.hidden, strict=True))
        listing.add(rows.uids, rows.sizes, rows.dates, hidden)

    return add


async def _complete(connection: ImapConnection, listing: Listing, *, fetched: bool) -> None:
    """S6: as many distinct UIDs as EXISTS said, or UID SEARCH ALL names what is missing, or there is no login.

    A mailbox whose rows were refused, or that never said EXISTS, is not an empty one.
    """
    if connection.mailbox.exists is None:
        raise ListingIncomplete("upstream does not say how many messages there are; try again later")
    expunges = 0 if fetched else -1
    for _ in range(ROUNDS):
        if len(listing) == connection.mailbox.exists and connection.mailbox.expunges == expunges:
            return
        expunges = connection.mailbox.expunges
        await _catch_up(connection, listing)
    if len(listing) != connection.mailbox.exists:
        raise ListingIncomplete(
            f"upstream lists {len(listing)} of {connection.mailbox.exists} messages; try again later"
        )


async def _catch_up(connection: ImapConnection, listing: Listing) -> None:
    """Drop what is gone and fetch what is missing."""
    present = await _present(connection)
    listing.without(set(listing.uids) - present)
    missing, held = present - set(listing.uids), -1
    while missing and len(listing) > held:  # MESSAGELIMIT (RFC 9738) gives a part each time
        held = len(listing)
        for batch in batches(missing, most=MISSING_AT_ONCE):
            await connection.ask(FetchListing(uid_set(batch)), rows=_adder(connection, listing))
        listing.settle()
        missing = present - set(listing.uids)


async def _present(connection: ImapConnection) -> set[int]:
    """Every UID there is; a server with MESSAGELIMIT tells the highest first, a part each time."""
    present: set[int] = set()
    criteria: tuple[str, ...] = ("ALL",)
    while True:
        answer = await connection.ask(Search(criteria, returning="ESEARCH" in connection.client.capabilities))
        if not answer.ok:
            raise ListingIncomplete(
                "upstream does not list the mailbox completely; try again later", detail=answer.status.text
            )
        part = {uid for r in answer.responses if isinstance(r, responses.Searched) for uid in r.uids} - present
        present |= part
        code = answer.status.code
        if code is None or code.name != "MESSAGELIMIT" or min(part, default=1) == 1:
            return present
        criteria = ("UID", f"1:{min(part) - 1}")


def _not_opened(name: str, status: Status) -> Trouble:
    code = status.code.name if status.code is not None else ""
    if code in {"NONEXISTENT", "NOPERM", "CANNOT"}:
        return UpstreamUnsuitable(f"the mailbox {name} cannot be opened upstream", detail=status.text)
    return UpstreamUnavailable(f"upstream does not open the mailbox {name} now", detail=status.text)
