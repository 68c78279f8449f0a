"""The seam between the banks: what downstream may ask of the place where the mail lives.

A contract suite (`tests/contracts`) holds for every Source, real or fake. Failures are `maildrop.errors`.
"""

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from bridge.maildrop.listing import Listing
from bridge.names import Uid


class Flow(Protocol):
    """The octets of one message on their way; who receives them says how fast."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def stop(self) -> None:
        """Nobody wants the rest. The transfer ends, or the connection does when too much is left of it."""


class Sink(Protocol):
    """Where a message goes, chunk by chunk."""

    @property
    def satisfied(self) -> bool:
        """True once nothing more is wanted (TOP has its lines)."""

    def begin(self, flow: Flow) -> None:
        """The first octet is on its way: from here on a failure can no longer be a clean refusal."""

    def write(self, octets: bytes) -> None: ...


@frozen
class Deletion:
    """What became of the marks at QUIT: how many were asked for and how many of them are seen to hold upstream.

    `certain` False: upstream was lost on the way, and some of the others may hold too.
    """

    asked: int
    done: int
    why_not: str = ""
    temporary: bool = False
    detail: str = ""
    certain: bool = True


class Source(Protocol):
    """One mailbox elsewhere, opened for one session. One question at a time."""

    async def list(self) -> Listing:
        """Everything that is there, complete or an error (S6)."""

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        """The whole message, listed with `size`, into the sink; returns when the last octet was written.

        MessageGone or another Trouble before `begin` was called: nothing of the message was sent.
        Any Trouble after it: the message was cut.
        """

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        """The message from its first octet in growing parts, until the sink is satisfied or the message ends."""

    async def delete(self, uids: Sequence[int]) -> Deletion:
        """Carry out the account's policy for exactly these messages, and look that it came true."""

    def close(self) -> None:
        """Hang up in good order; never raises."""

    def abandon(self) -> None:
        """Hang up at once, whatever is under way."""
