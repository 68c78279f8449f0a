"""A source that cannot be reached now, and whose last listing is served (S10): nothing of its messages can be read.

What QUIT deletes is applied when upstream is back, to the mailbox that was listed and no other.
"""

from collections.abc import Iterable, Mapping, Sequence

from bridge.maildrop.advance import replaced
from bridge.maildrop.errors import MailboxReplaced, RetrievalRefused, UpstreamUnavailable
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Memory
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Held, Look, Sink, Source
from bridge.names import Uid


class Remembered:
    """`memory`: what is served of it. `source` reaches upstream when that can be; `label`: what people call it."""

    def __init__(self, source: Source, memory: Memory, place: str, label: str) -> None:
        self._source = source
        self._memory = memory
        self._place = place
        self._label = label
        self._listed = False
        self.ahead = _NothingAhead()

    @property
    def unbroken(self) -> bool:
        return self._listed and self._source.unbroken

    async def enter(self) -> None:
        raise self._away()

    async def list(self, known: Listing | None = None) -> Listing:  # noqa: ARG002  the seam's
        """What was listed last; whoever wants to know what is there now looks."""
        return self._memory.listing

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:  # noqa: ARG002  the seam's
        raise self._unread()

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:  # noqa: ARG002  the seam's
        raise self._unread()

    async def search(self, criteria: str) -> frozenset[int]:  # noqa: ARG002  the seam's
        raise self._away()

    async def stable_ids(self, uids: Sequence[int]) -> dict[int, str]:  # noqa: ARG002  the seam's
        raise self._away()

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:  # noqa: ARG002  the seam's
        """Learned by the next login that reaches it."""
        raise self._away()

    async def look(self, uids: Sequence[int]) -> dict[int, Look]:
        if not self.unbroken:
            listing = await self._source.list(self._memory.listing)
            if replaced(self._memory, self._place, listing):
                raise MailboxReplaced("the mailbox was replaced upstream while it could not be reached")
            self._listed = True
        return await self._source.look(uids)

    def refusal(self, policy: Policy) -> str:
        """Nobody knows as long as the mailbox is out of reach."""
        return self._source.refusal(policy) if self._listed else ""

    async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
        self._reached()
        return await self._source.delete(uids, policy, again=again)

    async def purge(self, uids: Sequence[int]) -> Deletion:
        self._reached()
        return await self._source.purge(uids)

    async def mark_seen(self, uids: Sequence[int]) -> None:  # noqa: ARG002  the seam's
        raise self._away()

    def close(self) -> None:
        self._source.close()

    def abandon(self) -> None:
        self._source.abandon()

    def _reached(self) -> None:
        if not self._listed:
            raise self._away()

    def _away(self) -> UpstreamUnavailable:
        return UpstreamUnavailable(f"{self._label} cannot be reached now")

    def _unread(self) -> RetrievalRefused:
        return RetrievalRefused(f"{self._label} cannot be reached now; its messages can be read when it is back")


class _NothingAhead:
    def room(self) -> int:
        return 0

    def ask(self, uids: Mapping[Uid, int], part: int | None = None) -> None:
        """Never asked for: there is no room."""

    def awaits(self, uid: Uid) -> bool:  # noqa: ARG002  the seam's
        return False

    def take(self, uid: Uid) -> Held | None:  # noqa: ARG002  the seam's
        return None

    def forget(self, uids: Iterable[Uid]) -> None:
        """Nothing is held."""
