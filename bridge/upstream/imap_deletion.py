"""Carrying out DELE upstream, by UID only, and looking that it came true (S16-S20).

The rule: no message is removed that this session did not mark. Bare EXPUNGE is sent only where the owner
accepted its race in so many words, and even then only while nobody else's message is flagged.
"""

from collections.abc import Iterable, Iterator, Sequence

from attrs import define

from bridge.config import PassThrough
from bridge.imap.commands import Copy, Expunge, ExpungeAll, FetchFlags, Move, Noop, Search, Store
from bridge.imap.responses import Fetched, Searched, Status
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.maildrop.retention import Mailbox, Policy
from bridge.maildrop.source import Deletion
from bridge.names import to_ranges
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_copy import confirmed_copies
from bridge.upstream.together import together

LONGEST_SET = 4000
"""Octets of a UID set in one command; servers take lines of 8,000 at least (RFC 7162, section 4)."""

DELETED = ("\\Deleted",)


def uid_sets(uids: Iterable[int], *, most: int | None = None) -> Iterator[str]:
    """These UIDs as sets that fit in one command each, with no more than `most` messages in one."""
    ordered = sorted(set(uids))
    for start in range(0, len(ordered), most or len(ordered) or 1):
        yield from _lines(ordered[start : start + most] if most else ordered)


def _lines(uids: Iterable[int]) -> Iterator[str]:
    held: list[str] = []
    octets = 0
    for first, last in to_ranges(uids):
        text = str(first) if first == last else f"{first}:{last}"
        if held and octets + len(text) >= LONGEST_SET:
            yield ",".join(held)
            held, octets = [], 0
        held.append(text)
        octets += len(text) + 1
    if held:
        yield ",".join(held)


def _most(connection: ImapConnection) -> int | None:
    """How many messages this server deals with in one command (MESSAGELIMIT, RFC 9738); None for all."""
    named = [name.partition("=")[2] for name in connection.client.capabilities if name.startswith("MESSAGELIMIT=")]
    return int(named[0]) or None if named and named[0].isdecimal() and len(named[0]) < 10 else None


@define
class _Tally:
    """What was seen to be done, and the first reason why something was not."""

    left: int = 0
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
    """`done` counts the messages that are gone or carry the flag, as upstream itself says afterwards."""
    tally = _Tally()
    for uid_set in uid_sets(uids, most=_most(connection)):
        match policy:
            case Policy.FLAG:
                tally.left += await _flag(connection, uid_set, tally)
            case Policy.EXPUNGE:
                tally.left += await _expunge(connection, mailbox, account, uid_set, tally)
            case Policy.TRASH if mailbox.can_move:
                tally.left += await _move(connection, mailbox, uid_set, tally)
            case Policy.TRASH:
                tally.left += await _copy_away(connection, mailbox, account, uid_set, tally)
    done = len(uids) - tally.left
    if tally.left and not tally.why_not:
        tally.why_not, tally.temporary = "upstream said OK and still has them", True
    return Deletion(len(uids), done, *((tally.why_not, tally.temporary, tally.detail) if tally.left else ()))


async def _flag(connection: ImapConnection, uid_set: str, tally: _Tally) -> int:
    stored = await connection.ask(Store(uid_set, DELETED))
    if not stored.ok:
        tally.note(stored.status, "flag them")
    return len(await _still_there(connection, uid_set, deleted=False))


async def _expunge(
    connection: ImapConnection, mailbox: Mailbox, account: PassThrough, uid_set: str, tally: _Tally
) -> int:
    if not mailbox.can_expunge_by_uid:
        left = await _flag(connection, uid_set, tally)
        if account.expunge_without_uidplus and not left:
            await _expunge_if_alone(connection, uid_set)
        return left  # flagged is what this server can do (S19)
    stored, expunged = await together(connection.ask(Store(uid_set, DELETED)), connection.ask(Expunge(uid_set)))
    if not stored.ok:
        tally.note(stored.status, "flag them")
    if not expunged.ok:
        tally.note(expunged.status, "expunge them")
    return len(await _still_there(connection, uid_set))


async def _expunge_if_alone(connection: ImapConnection, uid_set: str) -> None:
    """The race that the owner accepted: somebody may flag a message between these two commands."""
    flagged = await connection.ask(Search(("DELETED",), returning=False))
    ours = await connection.ask(Search(("UID", uid_set, "DELETED"), returning=False))
    if _found(ours) and _found(flagged) == _found(ours):  # a search that was refused finds nothing
        await connection.ask(ExpungeAll())


async def _move(connection: ImapConnection, mailbox: Mailbox, uid_set: str, tally: _Tally) -> int:
    assert mailbox.trash is not None
    moved = await connection.ask(Move(uid_set, mailbox.trash))
    if not moved.ok:
        tally.note(moved.status, f"move them to {mailbox.trash}")
    return len(await _still_there(connection, uid_set))


async def _copy_away(
    connection: ImapConnection, mailbox: Mailbox, account: PassThrough, uid_set: str, tally: _Tally
) -> int:
    """COPY, see the copies, only then flag (and expunge) the originals: a duplicate is better than a loss."""
    assert mailbox.trash is not None
    present = _rows(await connection.ask(FetchFlags(uid_set)))
    copied = await connection.ask(Copy(uid_set, mailbox.trash))
    if not copied.ok:
        tally.note(copied.status, f"copy them to {mailbox.trash}")
        return len(present)
    safe = await confirmed_copies(connection, copied.status, present, account.upstream.mailbox, mailbox.trash)
    left = len(present - safe)
    if left and not tally.why_not:
        tally.why_not, tally.temporary = f"their copies in {mailbox.trash} could not be found", True
    for confirmed in uid_sets(safe):
        left += await _expunge(connection, mailbox, account, confirmed, tally)
    return left


async def _still_there(connection: ImapConnection, uid_set: str, *, deleted: bool = True) -> set[int]:
    """Which of them upstream has after all, asked in steps.

    Dovecot 2.3 answers a FETCH in the same write from its memory, before it tries to change the mailbox; where that
    then fails (a read-only disk) it says OK all the same, and takes it back with the next NOOP.
    """
    await connection.ask(Noop())
    return _rows(await connection.ask(FetchFlags(uid_set)), deleted=deleted)


def _rows(answer: Answer, *, deleted: bool = True) -> set[int]:
    """The UIDs upstream still has; with deleted=False only those without \\Deleted."""
    if not answer.ok:
        raise UpstreamUnavailable("upstream does not say what became of them", detail=answer.status.text)
    rows = (response for response in answer.responses if isinstance(response, Fetched) and response.uid is not None)
    return {row.uid for row in rows if row.uid is not None and (deleted or not _is_deleted(row))}


def _is_deleted(row: Fetched) -> bool:
    return any(flag.lower() == "\\deleted" for flag in row.flags or ())


def _found(answer: Answer) -> set[int]:
    return {uid for response in answer.responses if isinstance(response, Searched) for uid in response.uids}
