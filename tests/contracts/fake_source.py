"""A mailbox in memory, for tests of what stands downstream of a Source; the contract suite proves it true."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from attrs import define

from bridge.maildrop.errors import (
    MailboxReplaced,
    MessageGone,
    RetrievalRefused,
    UpstreamUnavailable,
    UpstreamUnsuitable,
)
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Held, Look, Sink
from bridge.names import Uid, UidValidity

PIECE = 8192
"""Octets in one write, as a network brings them."""


@define
class FakeMessage:
    """`size` as listed, where it is not the true one. `refused`: it is there and not given now.

    `deleted` and `hidden`: it carries \\Deleted or $POP3Deleted. `stable_id`: EMAILID, where the server has such.
    """

    octets: bytes
    size: int | None = None
    date: int = 1_700_000_000
    deleted: bool = False
    hidden: bool = False
    seen: bool = False
    modseq: int = 0
    stable_id: str = ""
    refused: bool = False
    cut_at: int | None = None  # upstream dies after so many octets


@define
class FakeFlow:
    """What a sink may do with the flow; a test looks at it."""

    paused: bool = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False


class FakeAhead:
    """Implements Ahead. What is asked for is there at once. `asked`: window by window, the UIDs."""

    def __init__(self, octets: Callable[[int], bytes | None], room: int) -> None:
        self.asked: list[tuple[int, ...]] = []
        self._octets = octets
        self._left = room
        self._held: dict[int, Held] = {}

    def room(self) -> int:
        return max(self._left, 0)

    def ask(self, uids: Mapping[Uid, int], part: int | None = None) -> None:
        if self.room() and uids:
            self.asked.append(tuple(uids))
            for uid in uids:
                octets = self._octets(uid)
                if octets:
                    self.take(uid)
                    self._held[uid] = Held(octets[:part], whole=part is None or len(octets) < part)
                    self._left -= len(octets[:part])

    def awaits(self, uid: Uid) -> bool:
        return uid in self._held

    def take(self, uid: Uid) -> Held | None:
        held = self._held.pop(uid, None)
        self._left += len(held.octets) if held is not None else 0
        return held

    def forget(self, uids: Iterable[Uid]) -> None:
        for uid in uids:
            self.take(uid)


class FakeSource:
    """Implements Source. Everything is there at once; `fails` is raised by whatever is asked next.

    `refuses` is the answer to every deletion. `asked`: what was asked to be deleted, policy by policy;
    `purged`: the same of purges; `deleted`: the UIDs for which that was done. `broken`: the connection is gone, until
    somebody looks. `finds`: the answers to searches, beside ALL, UNSEEN and DELETED.
    """

    def __init__(
        self,
        messages: dict[int, FakeMessage],
        *,
        uidvalidity: int = 7,
        uidnext: int | None = None,
        fails: BaseException | None = None,
        refuses: Deletion | None = None,
        finds: Mapping[str, frozenset[int]] | None = None,
    ) -> None:
        self.messages = messages
        self.uidvalidity = UidValidity(uidvalidity)
        self.uidnext = uidnext
        self.mailbox_id = ""
        self.highestmodseq = 0
        self.fails = fails
        self.refuses = refuses
        self.finds = finds or {}
        self.deleted: list[int] = []
        self.asked: list[tuple[Policy, tuple[int, ...]]] = []
        self.purged: list[tuple[int, ...]] = []
        self.broken = False
        self.closed = False
        self.abandoned = False
        self.flow = FakeFlow()
        self.ahead = FakeAhead(self._now, 1 << 20)
        self._listed: Listing | None = None
        self._highest = 0

    @property
    def unbroken(self) -> bool:
        return self._listed is not None and not (self.broken or self.closed or self.abandoned)

    async def enter(self) -> None:
        self._fail()

    async def list(self, known: Listing | None = None) -> Listing:
        self._fail()
        self.broken = False
        listing = Listing(self.uidvalidity, highestmodseq=self.highestmodseq, mailbox_id=self.mailbox_id)
        listing.uidnext = self._uidnext()
        for uid, message in sorted(self.messages.items()):
            listing.add([uid], [_size(message)], [message.date], bytes([message.deleted or message.hidden]))
        self._listed = listing.copy()
        return listing

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        await self._give(uid, sink, whole=True)

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        await self._give(uid, sink, whole=False)

    async def search(self, criteria: str) -> frozenset[int]:
        self._fail()
        match criteria:
            case "ALL":
                return frozenset(self.messages)
            case "UNSEEN":
                return frozenset(uid for uid, message in self.messages.items() if not message.seen)
            case "DELETED":
                return frozenset(uid for uid, message in self.messages.items() if message.deleted)
            case _:
                return self.finds[criteria]

    async def stable_ids(self, uids: Sequence[int]) -> dict[int, str]:
        self._fail()
        if not all(message.stable_id for message in self.messages.values()):
            raise UpstreamUnsuitable("upstream gives messages no lasting ids")
        return {uid: self.messages[uid].stable_id for uid in uids if uid in self.messages}

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        self._fail()
        there = {uid: self.messages[uid] for uid in uids if uid in self.messages}
        return {uid: fingerprint(message.octets, message.stable_id) for uid, message in there.items()}

    async def look(self, uids: Sequence[int]) -> dict[int, Look]:
        self._fail()
        listed = self._listed
        assert listed is not None, "look before list"
        known = (listed.uidvalidity, listed.mailbox_id)
        if known != (self.uidvalidity, self.mailbox_id) or self._uidnext() <= max(listed.uids, default=0):
            raise MailboxReplaced("the mailbox was replaced upstream while this session was open; log in again")
        self.broken = False
        there = {uid: self.messages[uid] for uid in uids if uid in self.messages}
        return {uid: Look(_size(one), one.date, one.deleted, one.hidden, one.modseq) for uid, one in there.items()}

    def refusal(self, policy: Policy) -> str:
        return self.refuses.why_not if self.refuses is not None and not self.refuses.temporary else ""

    async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
        self._fail()
        if not self.unbroken:
            raise UpstreamUnavailable("the connection to upstream was lost")
        self.asked.append((policy, tuple(uids)))
        if self.refuses is not None:
            return self.refuses
        self._uidnext()
        for uid in uids:
            if uid in self.messages:
                self._delete(uid, policy)
        return Deletion(len(uids))

    async def purge(self, uids: Sequence[int]) -> Deletion:
        self._fail()
        if not self.unbroken:
            raise UpstreamUnavailable("the connection to upstream was lost")
        self.purged.append(tuple(uids))
        if self.refuses is not None:
            return self.refuses
        self._uidnext()
        for uid in uids:
            if uid in self.messages and self.messages[uid].deleted:
                self._delete(uid, Policy.EXPUNGE)
        return Deletion(len(uids))

    async def mark_seen(self, uids: Sequence[int]) -> None:
        self._fail()
        for uid in uids:
            if uid in self.messages:
                self.messages[uid].seen = True

    def close(self) -> None:
        self.closed = True

    def abandon(self) -> None:
        self.abandoned = True

    async def _give(self, uid: Uid, sink: Sink, *, whole: bool) -> None:
        held = self.ahead.take(uid)
        if held is not None and held.whole:
            sink.begin(self.flow)
            sink.write(held.octets)
            return
        self._fail()
        message = self.messages.get(uid)
        if message is None:
            raise MessageGone("this message was removed from the mailbox")
        if message.refused:
            raise RetrievalRefused("upstream does not give this message now; try again later")
        self.flow = FakeFlow()
        if not (whole or not sink.satisfied):
            return
        sink.begin(self.flow)
        for start in range(0, len(message.octets), PIECE):
            if message.cut_at is not None and start + PIECE > message.cut_at:
                sink.write(message.octets[start : message.cut_at])
                raise UpstreamUnavailable("upstream closed the connection")
            if sink.satisfied and not whole:
                return
            sink.write(message.octets[start : start + PIECE])

    def _now(self, uid: int) -> bytes | None:
        message = self.messages.get(uid)
        refused = message is None or message.refused or message.cut_at is not None or self.fails is not None
        return None if message is None or refused else message.octets

    def _delete(self, uid: int, policy: Policy) -> None:
        if uid not in self.deleted:
            self.deleted.append(uid)
        match policy:
            case Policy.FLAG:
                self.messages[uid].deleted = True
            case Policy.HIDE:
                self.messages[uid].hidden = True
            case _:
                del self.messages[uid]

    def _uidnext(self) -> int:
        """Of a mailbox whose last message may be gone."""
        self._highest = max(self._highest, *self.messages, 0)
        return self._highest + 1 if self.uidnext is None else self.uidnext

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails


def _size(message: FakeMessage) -> int:
    return len(message.octets) if message.size is None else message.size
