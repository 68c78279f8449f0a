"""The seam to what survives a restart. A contract suite (`tests/contracts`) holds for every Store.

Every change is one transaction: seen whole or not at all, and durable when its Deferred fires (with `durable`).
All failures are StateUnavailable but for the two named here. What is remembered of a message under its UID belongs to
the incarnation now remembered; of a message that is not listed any more nothing new is taken in.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from attrs import frozen
from twisted.internet.defer import Deferred

from bridge.maildrop.journal import Entry
from bridge.maildrop.memory import Fingerprint, Memory, News, Viewing
from bridge.names import AccountName, SourceKey, SourceName

VIEWERS_AT_MOST = 50
"""Orders that are remembered of one mailbox: each may take some 400 KB for 100,000 messages."""


class Overtaken(Exception):
    """Somebody stored another version of this source meanwhile: recall it and think again. Nothing was changed."""


class UidlTaken(Exception):
    """These UIDLs were once given to other messages of the account. Nothing was changed."""

    def __init__(self, uidls: frozenset[str]) -> None:
        super().__init__(f"{len(uidls)} UIDLs are taken")
        self.uidls = uidls


@frozen
class Glance:
    """What is there to be read of a source. `version` 0: nothing. `waiting`: its journal is not empty."""

    version: int
    waiting: bool


@frozen
class Pending:
    """What the journal holds, for `popbridge status`.

    `entries` wait for upstream, the `oldest` written then (seconds since 1970; 0 of none); `flagged` wait for their
    purge.
    """

    key: SourceKey
    entries: int
    oldest: float
    flagged: int = 0


@frozen
class Showing:
    """What a viewer is shown of one source from now on: ranks, numbers and floor of `viewing` (not `kept`).

    They were made from `before`; None: the viewer was shown nothing of it until now.
    """

    key: SourceKey
    viewing: Viewing
    before: Viewing | None


@frozen
class Troubled:
    """A source that could not be opened the last time, and why; `since` in seconds since 1970."""

    key: SourceKey
    since: float
    text: str


class Store(Protocol):
    @property
    def durable(self) -> bool:
        """True when it survives the process and a loss of power."""

    # Listings and UIDLs.

    def recall(self, key: SourceKey) -> "Deferred[Memory | None]": ...

    def glance(self, key: SourceKey, now: float) -> Glance | None:
        """At once, for whoever holds what was recalled before; `now` as for `journal`. None: it cannot be said now."""

    def remember(self, key: SourceKey, memory: Memory, news: News) -> "Deferred[Memory]":
        """Store it in place of the version it was made from (`memory.version`); gives it back with its new version.

        Raises Overtaken, and UidlTaken if a UIDL in `given`, `carried` or `computed` ever belonged to another message
        of the account; a carried one may belong to a listed message of the same source in the incarnation before.
        With `moves`, viewings and journal of every viewer move along: what did not move is dropped from ranks and
        `kept`; a floor is now just above all that moved from below it. An entry whose old UID is `certain` follows,
        with the new size and date and an unknown modseq; any other is struck and its message, if it moved, kept from
        its viewer.
        A gone message's UIDL stays taken; whatever else is known of it is forgotten, but for its journal entry and
        its rank, which the next `show` leaves out.
        Within an incarnation `true_sizes` and `learned_to` are left to `learn`. `news.computed` may be read later,
        and in another thread.
        """

    def import_uidls(self, key: SourceKey, incarnation: int, uidls: Mapping[int, str]) -> "Deferred[None]":
        """The owner's own list overrides what these UIDs had: a new version. Raises Overtaken and UidlTaken."""

    def accept(self, key: SourceKey) -> "Deferred[bool]":
        """Set `accepted`, which the next `remember` clears; False where nothing is known of this source.

        A new version: whoever is about to store one that has not heard the owner's word is Overtaken.
        """

    def known(self) -> "Deferred[list[SourceKey]]":
        """Every source that is remembered."""

    # What is learned on the way; of no consequence when lost.

    def fingerprints(self, key: SourceKey, incarnation: int) -> "Deferred[dict[int, Fingerprint]]": ...

    def learn(
        self,
        key: SourceKey,
        incarnation: int,
        *,
        true_sizes: Mapping[int, int],
        fingerprints: Mapping[int, Fingerprint],
        learned_to: int,
    ) -> "Deferred[None]":
        """Add to what is known in this incarnation; nothing happens in another. Does not change the version."""

    # Sources in trouble, for their owner to read.

    def note_trouble(self, key: SourceKey, text: str) -> "Deferred[None]":
        """Why it could not be opened, from now on or still; "": it could."""

    def troubles(self) -> "Deferred[list[Troubled]]": ...

    # Viewers.

    def viewing(self, key: SourceKey, viewer: str) -> "Deferred[Viewing | None]": ...

    def keepers(self, key: SourceKey) -> "Deferred[int]":
        """How many viewers have deleted something for themselves alone, so that none of them is ever forgotten."""

    def show(self, viewer: str, showings: Sequence[Showing], copies: Mapping[bytes, SourceName]) -> "Deferred[None]":
        """Of one or several sources of one account, all of it or nothing.

        Raises Overtaken where of any of them others are stored by now, and in another incarnation. A viewer without
        ranks takes the place of another where VIEWERS_AT_MOST have some: of the one whose ranks were stored longest ago
        and who has deleted nothing for itself alone. The viewer "" stays.
        `copies`: by what others will be known as copies of messages that are shown now, and which source these are of;
        what is known already stays.
        """

    def highest_number(self, account: AccountName, viewer: str) -> "Deferred[int]":
        """Of those that the viewer's messages have, in whichever source of the account; 0 where none has one."""

    def shown_first(
        self, account: AccountName, viewer: str, copies: Collection[bytes]
    ) -> "Deferred[dict[bytes, SourceName]]":
        """Of which source the message was by which each of these was shown first; those never shown are missing."""

    def keep(self, key: SourceKey, viewer: str, incarnation: int, uids: Sequence[int]) -> "Deferred[None]":
        """This viewer has deleted them. Raises Overtaken in another incarnation."""

    # The journal.

    def write_down(self, key: SourceKey, entries: Sequence[Entry]) -> "Deferred[list[Entry]]":
        """The entries with their ids; one takes the place of another about the same message, whoever marked it.

        Raises Overtaken when the incarnation is another.
        """

    def journal(self, key: SourceKey, now: float) -> "Deferred[list[Entry]]":
        """What waits, oldest first, but for what is FLAGGED and not due at `now` (seconds since 1970).

        A login asks, and months of deleted mail may wait for their purge.
        """

    def advance(self, entries: Sequence[Entry]) -> "Deferred[None]":
        """Store stage, due and modseq of these entries; one that was struck stays struck.

        Here and below, an entry that has moved to another incarnation meanwhile stays as it is.
        """

    def strike(self, entries: Sequence[Entry]) -> "Deferred[None]":
        """They are done, or undone by somebody."""

    def give_up(self, key: SourceKey, entries: Sequence[Entry]) -> "Deferred[None]":
        """Strike them, and keep their messages from their viewers as under `keep` (S17)."""

    def pending(self) -> "Deferred[list[Pending]]": ...

    def close(self) -> "Deferred[None]":
        """What was asked before is finished first."""
