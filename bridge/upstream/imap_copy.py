"""Was this message really copied? Asked before its original is flagged, and before it is copied again (S18).

COPYUID says it for servers with UIDPLUS. Elsewhere the copies are looked for in the target mailbox by Message-ID
and size; a message that has no Message-ID, or whose copy is not found, counts as not copied.
"""

import re
from collections import Counter
from collections.abc import Iterable

from attrs import define, evolve, field, frozen

from bridge.imap.client import ListingRows
from bridge.imap.commands import Examine, FetchBody, FetchListing, Search, Select
from bridge.imap.responses import Code, Copied, Searched, Status
from bridge.maildrop.errors import MailboxReplaced
from bridge.names import Uid, uid_set
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.together import together

MESSAGE_ID = "HEADER.FIELDS (MESSAGE-ID)"
_ID = re.compile(rb"<[\x21-\x3d\x3f-\x7e]{1,900}>")

NEWEST = 300
"""So many with the same Message-ID are looked at in the target; a copy just made is among the newest."""


@frozen
class _Likeness:
    """What a copy has in common with its original; `date` None where it does not matter."""

    message_id: bytes
    size: int
    date: int | None


async def confirmed_copies(
    connection: ImapConnection, copied: Status, uids: frozenset[int], mailbox: str, target: str
) -> frozenset[int]:
    """Those of `uids` whose copy in `target` is certain. Leaves `mailbox` selected, and the same one as before.

    The date is not looked at: a server may give a copy a new one, and that COPY took place it has said itself.
    """
    told = _copyuid(copied.code)
    if told is not None:
        return uids & told
    likenesses = await _likenesses(connection, uids)
    return await _found(connection, {uid: evolve(one, date=None) for uid, one in likenesses.items()}, mailbox, target)


async def earlier_copies(connection: ImapConnection, uids: frozenset[int], mailbox: str, target: str) -> frozenset[int]:
    """Those of `uids` that an earlier COPY, whose answer nobody saw, has brought to `target`.

    The date has to be the original's, as COPY should keep it (RFC 9051, section 6.4.7): a program that sends the
    same Message-ID every day has its mail of other days there. In doubt there will be two copies.
    """
    likenesses = await _likenesses(connection, uids)
    dated = {uid: one for uid, one in likenesses.items() if one.date is not None and one.date >= 0}
    return await _found(connection, dated, mailbox, target)


def _copyuid(code: Code | None) -> set[int] | None:
    if code is None or not isinstance(code.arguments, Copied):
        return None
    sources, targets = code.arguments.sources, code.arguments.targets
    return set(sources) if len(sources) == len(targets) else set()


@define
class _Held:
    """A few octets of a header, kept to be looked at; more than that is no Message-ID."""

    octets: bytes = b""

    def begin(self, size: int, flow: ImapConnection) -> None:
        pass

    def write(self, octets: bytes) -> None:
        if len(self.octets) < 2000:
            self.octets += octets[:2000]


@define
class _Rows:
    """RFC822.SIZE and INTERNALDATE by UID."""

    by_uid: dict[int, tuple[int, int]] = field(factory=dict)

    def add(self, rows: ListingRows) -> None:
        for uid, size, date in zip(rows.uids, rows.sizes, rows.dates, strict=True):
            self.by_uid[uid] = size, date


async def _likenesses(connection: ImapConnection, uids: Iterable[int]) -> dict[int, _Likeness]:
    """Without those that have no Message-ID, or are gone."""
    asked = {uid: await _likeness(connection, uid) for uid in sorted(uids)}
    return {uid: one for uid, one in asked.items() if one is not None}


async def _likeness(connection: ImapConnection, uid: int) -> _Likeness | None:
    header, rows = _Held(), _Rows()
    await together(
        connection.ask(FetchBody(Uid(uid), section=MESSAGE_ID), body=header),
        connection.ask(FetchListing(str(uid)), rows=rows.add),
    )
    found = _ID.search(header.octets)
    return _Likeness(found.group(), *rows.by_uid[uid]) if found is not None and uid in rows.by_uid else None


async def _found(
    connection: ImapConnection, likenesses: dict[int, _Likeness], mailbox: str, target: str
) -> frozenset[int]:
    """Those that have a copy of their own in the target: two that are alike need two of them."""
    if not likenesses:
        return frozenset()
    before = _identity(connection)
    examined = await connection.ask(Examine(target))
    copies: Counter[_Likeness] = Counter()
    # Refused, the mailbox itself may still be selected, and its originals would pass for copies.
    if examined.ok:
        for likeness in set(likenesses.values()):
            copies[likeness] = await _count(connection, likeness)
    await connection.ask(Select(mailbox))
    if _identity(connection) != before:
        raise MailboxReplaced("the mailbox was replaced upstream while messages were copied; nothing was deleted")
    certain = set()
    for uid, likeness in sorted(likenesses.items()):
        if copies[likeness]:
            copies[likeness] -= 1
            certain.add(uid)
    return frozenset(certain)


def _identity(connection: ImapConnection) -> tuple[int | None, str]:
    return connection.mailbox.uidvalidity, connection.mailbox.mailbox_id


async def _count(connection: ImapConnection, likeness: _Likeness) -> int:
    answer = await connection.ask(Search(("HEADER", "Message-ID", likeness.message_id), returning=False))
    found = {uid for response in answer.responses if isinstance(response, Searched) for uid in response.uids}
    uids = sorted(found)[-NEWEST:]
    if not uids:
        return 0
    rows = _Rows()
    await connection.ask(FetchListing(uid_set(uids)), rows=rows.add)
    return sum(
        size == likeness.size and likeness.date in {None, date}
        for uid, (size, date) in rows.by_uid.items()
        if uid in uids
    )
