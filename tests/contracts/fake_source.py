"""A mailbox in memory, for tests of what stands downstream of a Source; the contract suite proves it true."""

from collections.abc import Sequence

from attrs import define

from bridge.maildrop.errors import MessageGone, RetrievalRefused, UpstreamUnavailable
from bridge.maildrop.listing import Listing
from bridge.maildrop.source import Deletion, Sink
from bridge.names import Uid, UidValidity

PIECE = 8192
"""Octets in one write, as a network brings them."""


@define
class FakeMessage:
    """`size` as listed, where it is not the true one. `refused`: it is there and not given now."""

    octets: bytes
    size: int | None = None
    hidden: bool = False
    refused: bool = False
    cut_at: int | None = None  # upstream dies after so many octets


@define
class FakeFlow:
    """What a sink may do with the flow; a test looks at it."""

    paused: bool = False
    stopped: bool = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def stop(self) -> None:
        self.stopped = True


class FakeSource:
    """Implements Source. Everything is there at once; `fails` is raised by whatever is asked next."""

    def __init__(
        self,
        messages: dict[int, FakeMessage],
        *,
        uidvalidity: int = 7,
        fails: BaseException | None = None,
        refuses: Deletion | None = None,
    ) -> None:
        self.messages = messages
        self.uidvalidity = UidValidity(uidvalidity)
        self.fails = fails
        self.refuses = refuses
        self.deleted: list[int] = []
        self.closed = False
        self.abandoned = False
        self.flow = FakeFlow()

    async def list(self) -> Listing:
        self._fail()
        listing = Listing(self.uidvalidity)
        for uid, message in sorted(self.messages.items()):
            size = len(message.octets) if message.size is None else message.size
            listing.add([uid], [size], [1_700_000_000], bytes([message.hidden or uid in self.deleted]))
        return listing

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        await self._give(uid, sink, whole=True)

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        await self._give(uid, sink, whole=False)

    async def delete(self, uids: Sequence[int]) -> Deletion:
        self._fail()
        if self.refuses is not None:
            return self.refuses
        self.deleted += [uid for uid in uids if uid in self.messages and uid not in self.deleted]
        return Deletion(len(uids), len(uids))

    def close(self) -> None:
        self.closed = True

    def abandon(self) -> None:
        self.abandoned = True

    async def _give(self, uid: Uid, sink: Sink, *, whole: bool) -> None:
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
            if self.flow.stopped or (sink.satisfied and not whole):
                return
            sink.write(message.octets[start : start + PIECE])

    def _fail(self) -> None:
        if self.fails is not None:
            raise self.fails
