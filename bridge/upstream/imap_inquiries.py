"""What is asked about messages besides their octets: how they are now, their lasting ids, what they are known by."""

from collections.abc import Iterable, Sequence

from attrs import evolve

from bridge.imap.commands import Command, FetchHeaders, FetchIds, FetchStates, Noop, Store
from bridge.imap.listing import DELETED, HIDDEN
from bridge.imap.responses import Fetched
from bridge.maildrop.errors import UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.fingerprint import FIELDS, fingerprint
from bridge.maildrop.memory import Fingerprint
from bridge.maildrop.source import Look
from bridge.names import uid_set
from bridge.upstream.imap_batches import Headers, batches, fetched
from bridge.upstream.imap_connection import ImapConnection

HEADERS_AT_ONCE = 1000
"""Messages in one command for their header fields."""

_HIGHEST_MODSEQ = 2**63 - 1  # RFC 7162, section 7; the journal keeps no larger number


async def look(connection: ImapConnection, uids: Iterable[int]) -> dict[int, Look]:
    """Those that are gone are missing.

    In two steps: Dovecot 2.3 shows what others have expunged, and the flags as they were, until NOOP was answered.
    """
    await connection.ask(Noop())
    modseq = connection.mailbox.highestmodseq > 0
    rows = await fetched(connection, uids, lambda part: FetchStates(part, modseq), "what became of them")
    looks: dict[int, Look] = {}
    for row in rows:
        flags = row.flags or frozenset()
        if row.uid is not None and row.size is not None:
            looks[row.uid] = Look(
                row.size,
                -1 if row.internaldate is None else row.internaldate,
                DELETED in flags,
                HIDDEN in flags,
                min(row.modseq or 0, _HIGHEST_MODSEQ),
            )
        elif row.uid in looks and row.flags is not None:  # somebody changed them meanwhile
            newer = min(row.modseq or looks[row.uid].modseq, _HIGHEST_MODSEQ)
            looks[row.uid] = evolve(looks[row.uid], deleted=DELETED in flags, hidden=HIDDEN in flags, modseq=newer)
    return looks


async def stable_ids(connection: ImapConnection, uids: Iterable[int]) -> dict[int, str]:
    """Those that are gone are missing. UpstreamUnsuitable where the server has no such ids."""
    item = _id_item(connection)
    if item is None:
        raise UpstreamUnsuitable("upstream gives messages no lasting ids (OBJECTID or X-GM-EXT-1); set another uidl =")
    rows = await fetched(connection, uids, lambda part: FetchIds(part, item), "its ids of messages")
    return _ids(rows)


async def fingerprints(connection: ImapConnection, uids: Iterable[int]) -> dict[int, Fingerprint]:
    """Those that are gone are missing."""
    item = _id_item(connection)
    items = (item,) if item is not None else ()
    found: dict[int, Fingerprint] = {}
    for batch in batches(uids, most=HEADERS_AT_ONCE):
        headers = Headers(batch)

        def command(part: str) -> Command:
            return FetchHeaders(part, FIELDS, items)

        rows = await fetched(connection, batch, command, "the headers of messages", headers)
        ids = _ids(rows)
        found |= {uid: fingerprint(header, ids.get(uid, "")) for uid, header in headers.by_uid.items()}
    return found


async def mark_seen(connection: ImapConnection, uids: Iterable[int]) -> None:
    for batch in batches(uids):
        stored = await connection.ask(Store(uid_set(batch), ("\\Seen",)))
        if not stored.ok:
            raise UpstreamUnavailable("upstream does not mark messages as read", detail=stored.status.text)


def _id_item(connection: ImapConnection) -> str | None:
    has = connection.client.capabilities
    return "EMAILID" if "OBJECTID" in has else "X-GM-MSGID" if "X-GM-EXT-1" in has else None


def _ids(rows: Sequence[Fetched]) -> dict[int, str]:
    ids: dict[int, str] = {}
    for row in rows:
        if row.uid is not None and (row.emailid or row.gm_msgid):
            ids[row.uid] = row.emailid or str(row.gm_msgid)
    return ids
