"""Carrying out DELE upstream, by UID only, and looking that it came true (S16-S20).

The rule: no message is removed that this session did not mark. Bare EXPUNGE is sent only where the owner
accepted its race in so many words, and even then only while nobody else's message is flagged.
"""

from collections.abc import Iterable, Iterator, Sequence

from attrs import define

from bridge.config import PassThrough
from bridge.imap.commands import Copy, Expunge, ExpungeAll, FetchFlags, Move, Noop, Search, Store
from bridge.imap.responses import Fetched, Searched, Status
from bridge.maildrop.errors import Trouble, UpstreamUnavailable
from bridge.maildrop.retention import Mailbox, Policy
from bridge.maildrop.source import Deletion
from bridge.names import to_ranges, uid_set
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_copy import confirmed_copies

LONGEST_SET = 4000
"""Octets of a UID set in one command; servers take lines of 8,000 at least (RFC 7162, section 4)."""

MOST_AT_ONCE = 5000
"""Messages in one command: what a look at their flags brings back is held in memory."""

DELETED = ("\\Deleted",)


def batches(uids: Iterable[int], *, most: int = MOST_AT_ONCE) -> Iterator[frozenset[int]]:
    """These UIDs, ascending, in parts whose UID set fits in one command and that hold no more than `most`."""
    held: list[int] = []
    octets = 0
    for first, last in to_ranges(uids):
        start = first
        while start <= last:
            end = min(last, start + most - len(held) - 1)
            more = len(f"{start}:{end},")
            if held and (octets + more > LONGEST_SET or end < start):
                yield frozenset(held)
                held, octets = [], 0
                continue
            held.extend(range(start, end + 1))
            octets += more
            start = end + 1
    if held:
        yield frozenset(held)


def _most(connection: ImapConnection) -> int:
    """How many messages this server deals with in one command (MESSAGELIMIT, RFC 9738)."""
    named = [name.partition("=")[2] for name in connection.client.capabilities if name.startswith("MESSAGELIMIT=")]
    limit = int(named[0]) if named and named[0].isdecimal() and len(named[0]) < 10 else 0
    return min(limit or MOST_AT_ONCE, MOST_AT_ONCE)


@define
class _Tally:
    """The first reason why something was not done."""

    why_not: str = ""
    temporary: bool = False
    detail: str = ""

    def note(self, status: Status, what: str) -> None:
        if not self.why_not:
            code = status.code.name if status.code is not None else ""
            self.why_not = f"upstream refused to {what}"
            self.temporary = code not in {"NOPERM", "CANNOT", "READ-ONLY", "NONEXISTENT", "TRYCREATE", "OVERQUOTA"}
            self.detail = status.text


async def carry_out(
    connection: ImapConnection, policy: Policy, mailbox: Mailbox, account: PassThrough, uids: Sequence[int]
) -> Deletion:
    """`done` counts the messages that are gone or carry the flag, as upstream itself says afterwards.

    Where upstream is lost on the way, what was seen to be done until then still counts.
    """
    tally = _Tally()
    left = len(uids)
    try:
        for batch in batches(uids, most=_most(connection)):
            left += await _carry_out(connection, policy, mailbox, account, batch, tally) - len(batch)
    except Trouble as trouble:
        return Deletion(len(uids), len(uids) - left, str(trouble), trouble.temporary, trouble.detail, certain=False)
    if left and not tally.why_not:
        tally.why_not, tally.temporary = "upstream said OK and still has them", True
    return Deletion(len(uids), len(uids) - left, *((tally.why_not, tally.temporary, tally.detail) if left else ()))


async def _carry_out(
    connection: ImapConnection,
    policy: Policy,
    mailbox: Mailbox,
    account: PassThrough,
    uids: frozenset[int],
    tally: _Tally,
) -> int:
    """How many of these are left."""
    match policy:
        case Policy.FLAG:
            return await _flag(connection, uids, tally)
        case Policy.EXPUNGE:
            return await _expunge(connection, mailbox, account, uids, tally)
        case Policy.TRASH if mailbox.can_move:
            return await _move(connection, mailbox, uids, tally)
        case Policy.TRASH:
            return await _copy_away(connection, mailbox, account, uids, tally)


async def _flag(connection: ImapConnection, uids: frozenset[int], tally: _Tally) -> int:
    stored = await connection.ask(Store(uid_set(uids), DELETED))
    if not stored.ok:
        tally.note(stored.status, "flag them")
    return len(await _still_there(connection, uids, deleted=False))


async def _expunge(
    connection: ImapConnection, mailbox: Mailbox, account: PassThrough, uids: frozenset[int], tally: _Tally
) -> int:
    if not mailbox.can_expunge_by_uid:
        left = await _flag(connection, uids, tally)
        if account.expunge_without_uidplus and not left:
            await _expunge_if_alone(connection, uids)
        return left  # flagged is what this server can do (S19)
    written = uid_set(uids)
    stored = await connection.ask(Store(written, DELETED))
    if not stored.ok:
        tally.note(stored.status, "flag them")
    remaining = uids
    # In steps, and twice: with several sessions at one mailbox Dovecot 2.3's UID EXPUNGE says OK and leaves some
    # messages behind, more often in one write with STORE. The next listing would hide them, and nobody try again.
    for _ in range(2):
        expunged = await connection.ask(Expunge(written))
        if not expunged.ok:
            tally.note(expunged.status, "expunge them")
        remaining = await _still_there(connection, uids)
        if not remaining or not (stored.ok and expunged.ok):
            break
    return len(remaining)


async def _expunge_if_alone(connection: ImapConnection, uids: frozenset[int]) -> None:
    """The race that the owner accepted: somebody may flag a message between these two commands."""
    flagged = _found(await connection.ask(Search(("DELETED",), returning=False)))
    if flagged and flagged <= uids:  # a search that was refused finds nothing
        await connection.ask(ExpungeAll())


async def _move(connection: ImapConnection, mailbox: Mailbox, uids: frozenset[int], tally: _Tally) -> int:
    assert mailbox.trash is not None
    moved = await connection.ask(Move(uid_set(uids), mailbox.trash))
    if not moved.ok:
        tally.note(moved.status, f"move them to {mailbox.trash}")
    return len(await _still_there(connection, uids))


async def _copy_away(
    connection: ImapConnection, mailbox: Mailbox, account: PassThrough, uids: frozenset[int], tally: _Tally
) -> int:
    """COPY, see the copies, only then flag (and expunge) the originals: a duplicate is better than a loss."""
    assert mailbox.trash is not None
    written = uid_set(uids)
    present = _rows(await connection.ask(FetchFlags(written)), uids)
    copied = await connection.ask(Copy(written, mailbox.trash))
    if not copied.ok:
        tally.note(copied.status, f"copy them to {mailbox.trash}")
        return len(present)
    safe = await confirmed_copies(connection, copied.status, present, account.upstream.mailbox, mailbox.trash)
    left = len(present - safe)
    if left and not tally.why_not:
        tally.why_not, tally.temporary = f"their copies in {mailbox.trash} could not be found", True
    return left + (await _expunge(connection, mailbox, account, safe, tally) if safe else 0)


async def _still_there(connection: ImapConnection, uids: frozenset[int], *, deleted: bool = True) -> frozenset[int]:
    """Which of them upstream has after all, asked in steps.

    Dovecot 2.3 answers a FETCH in the same write from its memory, before it tries to change the mailbox; where that
    then fails (a read-only disk) it says OK all the same, and takes it back with the next NOOP.
    """
    await connection.ask(Noop())
    return _rows(await connection.ask(FetchFlags(uid_set(uids))), uids, deleted=deleted)


def _rows(answer: Answer, uids: frozenset[int], *, deleted: bool = True) -> frozenset[int]:
    """Those of `uids` that upstream still has; with deleted=False only those without \\Deleted.

    Rows about other messages may come at any time: others' flags change, and that is told to everybody.
    """
    if not answer.ok:
        raise UpstreamUnavailable("upstream does not say what became of them", detail=answer.status.text)
    rows = {row.uid: row for row in answer.responses if isinstance(row, Fetched) and row.uid is not None}
    return frozenset(uid for uid, row in rows.items() if uid in uids and (deleted or not _is_deleted(row)))


def _is_deleted(row: Fetched) -> bool:
    return any(flag.lower() == "\\deleted" for flag in row.flags or ())


def _found(answer: Answer) -> set[int]:
    return {uid for response in answer.responses if isinstance(response, Searched) for uid in response.uids}
