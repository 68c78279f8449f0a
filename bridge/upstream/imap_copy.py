"""Was this message really copied? Asked before its original is flagged (S18).

COPYUID says it for servers with UIDPLUS. Elsewhere the copy is looked for in the target mailbox by Message-ID
and size; a message that has no Message-ID, or whose copy is not found, counts as not copied.
"""

import re

from attrs import define, field

from bridge.imap.client import ListingRows
from bridge.imap.commands import Examine, FetchBody, FetchListing, Search, Select
from bridge.imap.responses import Code, Copied, Searched, Status
from bridge.maildrop.errors import MailboxReplaced
from bridge.names import Uid
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.together import together

MESSAGE_ID = "HEADER.FIELDS (MESSAGE-ID)"
_ID = re.compile(rb"<[\x21-\x3d\x3f-\x7e]{1,900}>")


async def confirmed_copies(
    connection: ImapConnection, copied: Status, uids: frozenset[int], mailbox: str, target: str
) -> frozenset[int]:
    """Those of `uids` whose copy in `target` is certain. Leaves `mailbox` selected, and the same one as before."""
    told = _copyuid(copied.code)
    if told is not None:
        return uids & told
    names = {uid: await _name(connection, uid) for uid in sorted(uids)}
    before = connection.mailbox.uidvalidity
    examined = await connection.ask(Examine(target))
    # Refused, the mailbox itself may still be selected, and its originals would pass for copies.
    looked_for = names if examined.ok else {}
    found = [uid for uid, name in looked_for.items() if name is not None and await _is_there(connection, *name)]
    await connection.ask(Select(mailbox))
    if connection.mailbox.uidvalidity != before:
        raise MailboxReplaced("the mailbox was replaced upstream while messages were copied; nothing was deleted")
    return frozenset(found)


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
class _Sizes:
    """RFC822.SIZE by UID."""

    by_uid: dict[int, int] = field(factory=dict)

    def add(self, rows: ListingRows) -> None:
        self.by_uid.update(zip(rows.uids, rows.sizes, strict=True))


async def _name(connection: ImapConnection, uid: int) -> tuple[bytes, int] | None:
    """What the copy must have in common with the message: Message-ID and size."""
    header, sizes = _Held(), _Sizes()
    await together(
        connection.ask(FetchBody(Uid(uid), section=MESSAGE_ID), body=header),
        connection.ask(FetchListing(str(uid)), rows=sizes.add),
    )
    found = _ID.search(header.octets)
    size = sizes.by_uid.get(uid)
    return (found.group(), size) if found is not None and size is not None else None


async def _is_there(connection: ImapConnection, message_id: bytes, size: int) -> bool:
    answer = await connection.ask(Search(("HEADER", "Message-ID", message_id), returning=False))
    uids = [uid for response in answer.responses if isinstance(response, Searched) for uid in response.uids]
    if not uids or len(uids) > 1000:
        return False
    sizes = _Sizes()
    await connection.ask(FetchListing(",".join(map(str, uids))), rows=sizes.add)
    return size in sizes.by_uid.values()
