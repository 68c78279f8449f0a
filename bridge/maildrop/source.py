"""The seam between the banks: what downstream may ask of the place where the mail lives.

A contract suite (`tests/contracts`) holds for every Source, real or fake. Failures are `maildrop.errors`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from attrs import frozen

from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.retention import Policy
from bridge.names import Uid


class Flow(Protocol):
    """The octets of one message on their way; who receives them says how fast."""

    def pause(self) -> None: ...

    def resume(self) -> None: ...


class Sink(Protocol):
    """Where a message goes, chunk by chunk."""

    @property
    def satisfied(self) -> bool:
        """True once nothing more is wanted (TOP has its lines)."""

    def begin(self, flow: Flow) -> None:
        """The first octet is on its way: from here on a failure can no longer be a clean refusal.

        Once more with another flow when the rest of the message comes over another connection (S15).
        """

    def write(self, octets: bytes) -> None: ...


class Held(NamedTuple):
    """A message, or its beginning, that was read ahead. A tuple, because each message of a walk is one."""

    octets: bytes
    whole: bool


class Ahead(Protocol):
    """Messages that are asked for before they are read. A hint, without a promise: whoever reads one may find nothing.

    What is given is what the message was at a moment when upstream had not told yet that messages are gone (S14).
    """

    def room(self) -> int:
        """Octets that may be asked for now; 0 while others are on their way, and where nothing is read ahead."""

    def ask(self, uids: Mapping[Uid, int], part: int | None = None) -> None:
        """These messages with what each may take, in octets; or only the first `part` octets of each. Never raises."""

    def awaits(self, uid: Uid) -> bool:
        """It is held, or on its way."""

    def take(self, uid: Uid) -> Held | None:
        """What is held of it, and from now on is not."""

    def forget(self, uids: Iterable[Uid]) -> None:
        """They will not be read."""


@frozen
class Deletion:
    """What became of the marks at QUIT: how many were asked for, and the UIDs of which it is not seen to hold upstream.

    `certain` False: upstream was lost on the way, and some of those left may be done too.
    """

    asked: int
    left: frozenset[int] = frozenset()
    why_not: str = ""
    temporary: bool = False
    detail: str = ""
    certain: bool = True

    @property
    def done(self) -> int:
        return self.asked - len(self.left)


@frozen
class Look:
    """One message as it is upstream now. `modseq` 0 where the server keeps none (RFC 7162)."""

    size: int
    date: int
    deleted: bool
    hidden: bool
    modseq: int = 0


class Source(Protocol):
    """One mailbox elsewhere, opened for one session. One question at a time."""

    @property
    def unbroken(self) -> bool:
        """True while the connection that listed, or looked last, lives: nothing was replaced since behind our back."""

    @property
    def ahead(self) -> Ahead:
        """What was, or may be, read ahead for this session."""

    async def enter(self) -> None:
        """Have the password checked, and no more: for who waits for another login of the account to list."""

    async def list(self, known: Listing | None = None) -> Listing:
        """Everything that is there, complete or an error (S6).

        `known` is what was listed last time: only what changed since is asked for, unless something shows that the
        mailbox is another one now; then everything is. It stays as it is.
        """

    async def stream(self, uid: Uid, sink: Sink, size: int) -> None:
        """The whole message, listed with `size`, into the sink; returns when the last octet was written.

        MessageGone or another Trouble before `begin` was called: nothing of the message was sent.
        Any Trouble after it: the message was cut.
        """

    async def top(self, uid: Uid, sink: Sink, size: int) -> None:
        """The message from its first octet in growing parts, until the sink is satisfied or the message ends."""

    async def search(self, criteria: str) -> frozenset[int]:
        """The UIDs that IMAP's search keys, such as "UNSEEN", find now."""

    async def stable_ids(self, uids: Sequence[int]) -> dict[int, str]:
        """EMAILID (RFC 8474), X-GM-MSGID in decimal, or the name that a POP3 server gives, by UID.

        UpstreamUnsuitable where the server has none of them.
        """

    async def fingerprints(self, uids: Sequence[int]) -> dict[int, Fingerprint]:
        """What these messages are recognised by in a mailbox that was replaced; those that are gone are missing."""

    async def look(self, uids: Sequence[int]) -> dict[int, Look]:
        """These messages as they are now, those that are gone missing; on a new connection if the old one died.

        MailboxReplaced when UIDVALIDITY, MAILBOXID or UIDNEXT show that it is another mailbox than was listed.
        """

    def refusal(self, policy: Policy) -> str:
        """Why this policy can delete nothing in the mailbox as it was opened; empty when it can."""

    async def delete(self, uids: Sequence[int], policy: Policy, *, again: bool = False) -> Deletion:
        """Carry this policy out for exactly these messages, and look that it came true.

        `again`: it may have been tried before, and nobody saw how it ended; a copy made then is not made twice.
        Only on the connection that listed or looked last: UpstreamUnavailable when that is gone.
        """

    async def purge(self, uids: Sequence[int]) -> Deletion:
        """Expunge by UID those of them that carry \\Deleted, and set nothing. The connection as for `delete`.

        Left are those that are still there and still flagged. One whose flag was taken back is not: it stays. Nor are
        any where the server cannot expunge by UID: they stay flagged, which is all that it can do (S19).
        """

    async def mark_seen(self, uids: Sequence[int]) -> None:
        """Set \\Seen on those of them that are there."""

    def close(self) -> None:
        """Hang up in good order; never raises."""

    def abandon(self) -> None:
        """Hang up at once, whatever is under way."""
