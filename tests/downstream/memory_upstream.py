"""A mailbox in memory as a Source, whose every step a test can hold, slow down or let fail."""

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater

from bridge.accounts.account import Account
from bridge.maildrop.errors import CredentialsRefused, MessageGone, UpstreamUnsuitable
from bridge.maildrop.fingerprint import fingerprint
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Look, Sink
from bridge.names import SessionId, Uid, UidValidity
from bridge.sasl import Credentials
from tests.contracts.fake_source import FakeAhead

PASSWORD = b"right password"


class Upstream:
    """What is there: messages by UID. Steps: list, stream, inside (a message), top, look, delete, mark seen."""

    def __init__(self, clock: Clock, messages: Sequence[bytes], *, chunk: int = 1000) -> None:
        self.messages = dict(enumerate(messages, 11))
        self.password = PASSWORD
        self.chunk = chunk
        self.sources: list[MemorySource] = []
        self.asked: list[str] = []
        self.credentials: list[Credentials] = []
        self.faults: dict[str, BaseException] = {}
        self.held: dict[str, Deferred[None]] = {}
        self.slow = False
        self.room = 0  # octets that a session may hold ahead
        self.deletion: Deletion | None = None
        self.seen: set[int] = set()
        self.deleted_at: list[int] = []
        self._clock = clock

    def make(self, account: Account, given: Credentials | None, session: SessionId) -> "MemorySource":
        """Without credentials of the client's the owner's are meant, which are right."""
        if given is not None:
            self.credentials.append(given)
        source = MemorySource(self, given is None or given.secret.reveal() == self.password)
        self.sources.append(source)
        return source

    def hold(self, step: str) -> "Deferred[None]":
        """This step waits until the test fires what is returned."""
        self.held[step] = Deferred()
        return self.held[step]

    async def reach(self, step: str) -> None:
        self.asked.append(step)
        if step in self.held:
            await self.held.pop(step)
        if self.slow:
            await deferLater(self._clock, 0)
        if step in self.faults:
            raise self.faults[step]


class MemoryFlow:
    def __init__(self) -> None:
        self.paused = False
        self.told: list[str] = []
        self.ready: Deferred[None] | None = None

    def pause(self) -> None:
        self.told.append("pause")
        self.paused = True

    def resume(self) -> None:
        self.told.append("resume")
        self.paused = False
        ready, self.ready = self.ready, None
        if ready is not None:
            ready.callback(None)


class MemorySource:
    def __init__(self, upstream: Upstream, welcome: bool) -> None:
        self.ended: list[str] = []
        self.flows: list[MemoryFlow] = []
        self.ahead = FakeAhead(upstream.messages.get, upstream.room)
        self._upstream = upstream
        self._welcome = welcome
        self._entered = False

    @property
    def unbroken(self) -> bool:
        return True

    async def enter(self) -> None:
        await self._upstream.reach("list")
        self._entered = True
        if not self._welcome:
            raise CredentialsRefused("upstream refused the login", detail="NO [AUTHENTICATIONFAILED] who are you")

    async def list(self, known: Listing | None = None) -> Listing:
        if not self._entered:
            await self.enter()
        self._entered = False
        listing = Listing(UidValidity(7))
        messages = self._upstream.messages
        listing.add(list(messages), [len(m) for m in messages.values()], [-1] * len(messages), bytes(len(messages)))
        return listing

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        await self._upstream.reach("stream")
        await self._send(uid, sink)

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        await self._upstream.reach("top")
        await self._send(uid, sink)

    async def _send(self, uid: Uid, sink: Sink) -> None:
        octets = self._upstream.messages.get(uid)
        if octets is None:
            raise MessageGone("this message was removed from the mailbox")
        flow = MemoryFlow()
        self.flows.append(flow)
        sink.begin(flow)
        for start in range(0, len(octets), self._upstream.chunk):
            if start:
                await self._upstream.reach("inside")
            while flow.paused:
                flow.ready = Deferred()
                await flow.ready
            sink.write(octets[start : start + self._upstream.chunk])
            if sink.satisfied:
                return

    async def search(self, criteria: str) -> frozenset[int]:
        return frozenset(self._upstream.messages)

    async def stable_ids(self, uids: Sequence[int]) -> dict[int, str]:
        raise UpstreamUnsuitable("this server gives its messages no ids of their own")

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        return {uid: fingerprint(self._upstream.messages[uid]) for uid in uids if uid in self._upstream.messages}

    async def look(self, uids: Sequence[int]) -> dict[int, Look]:
        await self._upstream.reach("look")
        there = self._upstream.messages
        return {uid: Look(len(there[uid]), -1, deleted=False, hidden=False) for uid in uids if uid in there}

    def refusal(self, policy: Policy) -> str:
        return ""

    async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
        await self._upstream.reach("delete")
        if self._upstream.deletion is not None:
            return self._upstream.deletion
        for uid in uids:
            del self._upstream.messages[uid]
        return Deletion(len(uids))

    async def purge(self, uids: Sequence[int]) -> Deletion:
        raise AssertionError("nothing is purged here")

    async def mark_seen(self, uids: Sequence[int]) -> None:
        await self._upstream.reach("mark seen")
        self._upstream.seen.update(uids)

    def close(self) -> None:
        self.ended.append("closed")

    def abandon(self) -> None:
        self.ended.append("abandoned")
