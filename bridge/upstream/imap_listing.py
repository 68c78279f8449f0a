"""The listing of a mailbox: complete or refused (S6), and of one that is known only what changed since.

What is known is believed as long as nothing speaks against it. Else everything is listed afresh, and whoever
remembers compares the rows: whether it is another mailbox now (S1) is not decided here.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from twisted.internet.defer import Deferred

from bridge.imap.client import ListingRows
from bridge.imap.commands import FetchListing, Select
from bridge.imap.responses import StatusKind, Vanished
from bridge.maildrop.errors import ListingIncomplete
from bridge.maildrop.listing import Listing
from bridge.names import UidValidity, uid_set
from bridge.upstream.imap_batches import batches
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_searching import completed, found, search
from bridge.upstream.selected import Selected
from bridge.violation import ProtocolViolation

ROUNDS = 3
"""How often a listing that fell short, or changed meanwhile, is caught up before the login is refused."""

SPARE_ROWS = 1000
"""Rows beyond two for each message that a listing may have, for messages that were told of twice or are new."""

MISSING_AT_ONCE = 50_000
"""Rows asked for in one command when a listing came incomplete."""

SAMPLES = 8
"""Known messages that are looked at again: a mailbox that was rebuilt under the same UIDVALIDITY shows in them."""

NOT_FOR_POP3 = ("OR", "DELETED", "KEYWORD", "$POP3Deleted")

NEVER_SEARCHED = {"BADCHARSET", "CANNOT"}
"""Codes of a NO to such a search that will be the same next time (RFC 9051, section 7.1; RFC 5530)."""

LAST_UID = 2**32 - 1


def selecting(connection: ImapConnection, mailbox: str, known: Listing | None = None) -> Select:
    """SELECT that brings as much as the server can tell along."""
    has = connection.client.capabilities
    if known is not None and known.highestmodseq and {"ENABLE", "QRESYNC"} <= has:
        return Select(mailbox, since=(known.uidvalidity, known.highestmodseq))
    return Select(mailbox, condstore="CONDSTORE" in has or "QRESYNC" in has)


class Roll:
    """A listing on its way. `ask` goes out in one write with SELECT, and `called` makes it complete."""

    def __init__(self, connection: ImapConnection, known: Listing | None, *, again: bool = False) -> None:
        """`again`: this connection has listed the mailbox before."""
        self._connection = connection
        self._last = known
        self._known = known if known is not None and len(known) else None
        # Then the answer to SELECT says whether anything changed, and what else there is to ask (S7).
        self._modseq_tells = known is not None and known.highestmodseq > 0
        self._again = again and self._modseq_tells
        self._rows = Listing(UidValidity(0))  # as they come
        self._changes = 0  # up to which what is held is right

    def ask(self) -> "list[Deferred[Answer]]":
        if self._again:
            return []
        if self._known is None:
            return [self._fetch("1:*")]
        searching = [] if self._modseq_tells else [self._search()]
        return [*searching, self._fetch_changes(self._known)]

    def _search(self) -> "Deferred[Answer]":
        return self._connection.ask(search(self._connection, NOT_FOR_POP3))

    def _fetch_changes(self, known: Listing) -> "Deferred[Answer]":
        wanted = [str(uid) for uid in samples(known.uids)]
        # What is new. A server without anything new answers with its last message (RFC 9051, section 6.4.9).
        wanted.append(f"{min(known.uids[-1] + 1, LAST_UID)}:*")
        return self._fetch(",".join(wanted))

    async def called(self, selected: Answer, answers: Sequence[Answer]) -> Listing:
        """`answers` to what was asked, in its order. Raises ListingIncomplete."""
        if self._again:
            if self._last is not None and self._unchanged(self._last):
                return self._last
            answers = [await (self._fetch("1:*") if self._known is None else self._fetch_changes(self._known))]
        if self._known is None:
            listing = await self._settled(answers[0])
        else:
            still = await self._brought_up_to_date(self._known, selected, answers)
            if still is self._known:
                return still
            listing = still if still is not None else await self._afresh()
        mailbox = self._connection.mailbox
        listing.uidvalidity = UidValidity(mailbox.uidvalidity or 0)
        if mailbox.uidnext and len(listing):  # mail that came since SELECT has taken it
            mailbox.uidnext = max(mailbox.uidnext, listing.uids[-1] + 1)
        listing.uidnext = mailbox.uidnext or 0
        listing.highestmodseq, listing.mailbox_id = mailbox.highestmodseq, mailbox.mailbox_id
        return listing

    # Everything

    async def _afresh(self) -> Listing:
        return await self._settled(await self._fetch("1:*"))

    async def _settled(self, fetched: Answer) -> Listing:
        self._rows.settle()
        await self._complete(self._rows, fetched=fetched.ok)
        return self._rows

    # What changed

    def _unchanged(self, known: Listing) -> bool:
        """Neither came nor went a message, nor changed any of its flags (RFC 7162, section 3.1.1)."""
        mailbox = self._connection.mailbox
        return (
            (mailbox.uidvalidity, mailbox.uidnext, mailbox.highestmodseq, mailbox.mailbox_id)
            == (known.uidvalidity, known.uidnext, known.highestmodseq, known.mailbox_id)
            and mailbox.exists == len(known)
            and mailbox.quiet
            and known.highestmodseq > 0
        )

    async def _brought_up_to_date(self, known: Listing, selected: Answer, answers: Sequence[Answer]) -> Listing | None:
        """None: what is known does not hold any more."""
        if speaks_against(known, self._connection.mailbox):
            return None
        fetched = answers[-1]
        rows = self._rows
        rows.settle()
        if fetched.ok and len(rows) and self._unchanged(known) and same_rows(known, rows, range(len(rows))):
            return known
        searched = answers[0] if len(answers) > 1 else await self._search()
        new = bisect_right(rows.uids, known.uids[-1])
        listing = known.copy()
        vanish(listing, [span for told in selected.responses if isinstance(told, Vanished) for span in told.uids])
        listing.hidden = bytearray(len(listing))
        for uid in await self._hidden(searched):
            row = _row(listing, uid)
            if row is not None:
                listing.hidden[row] = 1
        listing.add(rows.uids[new:], rows.sizes[new:], rows.dates[new:], bytes(rows.hidden[new:]))
        return await self._proven(known, listing, fetched)

    async def _hidden(self, searched: Answer) -> set[int]:
        """S7. Never taken for none because the server would not say."""
        code = searched.status.code.name if searched.status.code is not None else ""
        if searched.status.kind is StatusKind.BAD or code in NEVER_SEARCHED:
            return await found(self._connection, ("DELETED",))  # a server that takes no such keyword keeps none
        return await completed(self._connection, NOT_FOR_POP3, searched)

    async def _proven(self, known: Listing, listing: Listing, fetched: Answer) -> Listing | None:
        """Complete, and not rebuilt: of the known messages that are left one at least was seen to be the same."""
        for _ in range(ROUNDS):
            await self._complete(listing, fetched=fetched.ok)
            left = listing.uids[: bisect_right(listing.uids, known.uids[-1])]
            seen = [row for row, uid in enumerate(self._rows.uids) if uid <= known.uids[-1]]
            if not same_rows(known, self._rows, seen) or not _all_known(known, left):
                return None
            if not left or any(_row(listing, self._rows.uids[row]) is not None for row in seen):
                return listing
            fetched = await self._fetch(uid_set(samples(left)))
        raise ListingIncomplete("upstream does not show the messages that it says it has; try again later")

    # Completeness

    async def _complete(self, listing: Listing, *, fetched: bool) -> None:
        """As many distinct UIDs as EXISTS said, or UID SEARCH ALL names what is missing, or there is no login.

        A mailbox whose rows were refused, or that never said EXISTS, is not an empty one. The count alone proves
        nothing where messages came or went meanwhile: one that is gone makes up for a new one. Where that does not
        end, the listing is of the moment of the last search.
        """
        mailbox = self._connection.mailbox
        if mailbox.exists is None:
            raise ListingIncomplete("upstream does not say how many messages there are; try again later")
        doubted, whole = not fetched, False
        for _ in range(ROUNDS):
            if not doubted and self._fits(listing):
                return
            self._changes, doubted = mailbox.changes, False
            whole = await self._catch_up(listing)
        if not (whole or self._fits(listing)):
            raise ListingIncomplete(f"upstream lists {len(listing)} of {mailbox.exists} messages; try again later")

    def _fits(self, listing: Listing) -> bool:
        mailbox = self._connection.mailbox
        return len(listing) == mailbox.exists and mailbox.changes == self._changes

    async def _catch_up(self, listing: Listing) -> bool:
        """Drop what is gone and fetch what is missing. True if that is all that there was when it was searched."""
        mailbox = self._connection.mailbox
        before = mailbox.exists
        present = await found(self._connection, ("ALL",))
        counted = len(present) in {before, mailbox.exists}  # news is told before the result, or with its end
        listing.without(set(listing.uids) - present)
        missing, held = present - set(listing.uids), -1
        while missing and len(listing) > held:  # MESSAGELIMIT (RFC 9738) gives a part each time
            held = len(listing)
            for batch in batches(missing, most=MISSING_AT_ONCE):
                await self._connection.ask(FetchListing(uid_set(batch)), rows=adder(self._connection, listing))
            listing.settle()
            missing = present - set(listing.uids)
        return counted and not missing

    def _fetch(self, uids: str) -> "Deferred[Answer]":
        return self._connection.ask(FetchListing(uids), rows=adder(self._connection, self._rows))


def adder(connection: ImapConnection, listing: Listing) -> Callable[[ListingRows], None]:
    """Appends rows as they come."""

    def add(rows: ListingRows) -> None:
        if len(listing) > 2 * (connection.mailbox.exists or 0) + SPARE_ROWS:
            raise ProtocolViolation(f"more than {len(listing)} rows for {connection.mailbox.exists} messages")
        hidden = bytes(rows.deleted)
        if any(rows.hidden):
            hidden = bytes(a | b for a, b in zip(hidden, rows.hidden, strict=True))
        listing.add(rows.uids, rows.sizes, rows.dates, hidden)

    return add


def samples(uids: Sequence[int]) -> list[int]:
    """A few of these, spread evenly, the last one among them."""
    last, count = len(uids) - 1, min(len(uids), SAMPLES)
    return sorted({uids[last - last * step // max(count - 1, 1)] for step in range(count)})


def speaks_against(known: Listing, mailbox: Selected) -> bool:
    """SELECT shows that the known rows may belong to another mailbox."""
    return (
        mailbox.uidvalidity != known.uidvalidity
        or (mailbox.uidnext is not None and mailbox.uidnext <= known.uids[-1])
        or (bool(known.mailbox_id and mailbox.mailbox_id) and mailbox.mailbox_id != known.mailbox_id)
        or 0 < mailbox.highestmodseq < known.highestmodseq
    )


def same_rows(known: Listing, rows: Listing, among: Iterable[int]) -> bool:
    """Size and date of these rows are what was known of them."""
    for row in among:
        at = _row(known, rows.uids[row])
        if at is None or (known.sizes[at], known.dates[at]) != (rows.sizes[row], rows.dates[row]):
            return False
    return True


def vanish(listing: Listing, spans: Iterable[tuple[int, int]]) -> None:
    """Drop the rows of all UIDs in these spans, of which most were never there."""
    gone: set[int] = set()
    for first, last in spans:
        gone.update(listing.uids[bisect_left(listing.uids, first) : bisect_right(listing.uids, last)])
    if gone:
        listing.without(gone)


def _all_known(known: Listing, left: "array[int]") -> bool:
    """UIDs only grow (RFC 9051, section 2.3.1.1): one that turns up among the known ones is another mailbox's."""
    return left == known.uids or set(known.uids).issuperset(left)


def _row(listing: Listing, uid: int) -> int | None:
    row = bisect_left(listing.uids, uid)
    return row if row < len(listing) and listing.uids[row] == uid else None
