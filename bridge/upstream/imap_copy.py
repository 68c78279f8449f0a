"""Was this message really copied? Asked before its original is flagged, and before it is copied again (S18).

COPYUID says it for servers with UIDPLUS. Elsewhere the copies are looked for in the target mailbox by Message-ID
and size; a message that has no Message-ID, or whose copy is not found, counts as not copied.
"""

import re
from collections import Counter
from collections.abc import Iterable

from attrs import evolve, frozen

from bridge.imap.commands import Examine, FetchHeaders, FetchStates, Search, Select
from bridge.imap.responses import Code, Copied, Fetched, Status
from bridge.maildrop.errors import MailboxReplaced
from bridge.names import uid_set
from bridge.upstream.imap_batches import Headers, batches
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.together import together

NEWEST = 300
"""So many with the same Message-ID are looked at in the target; a copy just made is among the newest."""

AT_ONCE = 300
"""Messages in one command."""

HEADER_AT_MOST = 2000
"""Octets of a header that are looked at; a Message-ID beyond is none."""

SEARCHES = 50
"""Under way at once."""

_ID = re.compile(rb"<[\x21-\x3d\x3f-\x7e]{1,900}>")


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
    dated = {uid: one for uid, one in likenesses.items() if one.date is not None}
    return await _found(connection, dated, mailbox, target)


def _copyuid(code: Code | None) -> set[int] | None:
    if code is None or not isinstance(code.arguments, Copied):
        return None
    sources, targets = code.arguments.sources, code.arguments.targets
    return set(sources) if len(sources) == len(targets) else set()


async def _likenesses(connection: ImapConnection, uids: Iterable[int]) -> dict[int, _Likeness]:
    """Without those that have no Message-ID, or are gone."""
    likenesses = {}
    for part in batches(uids, most=AT_ONCE):
        headers = Headers(part, HEADER_AT_MOST)
        asked = FetchHeaders(uid_set(part), ("MESSAGE-ID",), ("RFC822.SIZE", "INTERNALDATE"))
        for uid, (size, date) in _sizes([await connection.ask(asked, bodies=headers)]).items():
            found = _ID.search(headers.by_uid.get(uid, b""))
            if found is not None:
                likenesses[uid] = _Likeness(found.group(), size, date)
    return {uid: likenesses[uid] for uid in uids if uid in likenesses}


def _sizes(answers: Iterable[Answer]) -> dict[int, tuple[int, int | None]]:
    """RFC822.SIZE and INTERNALDATE by UID."""
    rows = [row for answer in answers for row in answer.responses if isinstance(row, Fetched)]
    return {row.uid: (row.size, row.internaldate) for row in rows if row.uid is not None and row.size is not None}


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
        different = list(set(likenesses.values()))
        for start in range(0, len(different), SEARCHES):
            copies.update(await _count(connection, different[start : start + SEARCHES]))
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


async def _count(connection: ImapConnection, likenesses: list[_Likeness]) -> Counter[_Likeness]:
    """How many of each there are in the selected mailbox."""
    searches = (Search(("HEADER", "Message-ID", one.message_id), returning=False) for one in likenesses)
    named = [_newest(answer) for answer in await together(*(connection.ask(search) for search in searches))]
    looked_at = (FetchStates(uid_set(uids)) for uids in named if uids)
    sizes = _sizes(await together(*(connection.ask(look) for look in looked_at)))
    return Counter(
        {
            one: sum(uid in sizes and _is_like(one, *sizes[uid]) for uid in uids)
            for one, uids in zip(likenesses, named, strict=True)
        }
    )


def _newest(answer: Answer) -> list[int]:
    return sorted(answer.found)[-NEWEST:]


def _is_like(one: _Likeness, size: int, date: int | None) -> bool:
    return one.size == size and one.date in {None, date}
