"""UID SEARCH, whose answer is complete or a Trouble: what a search leaves out would pass for gone."""

import re

from bridge.imap.commands import Search
from bridge.imap.responses import Code, StatusKind
from bridge.maildrop.errors import ListingIncomplete, UpstreamUnsuitable
from bridge.upstream.imap_connection import Answer, ImapConnection

LONGEST = 2000
"""Characters of search keys that an owner may configure; servers take lines of 8,000."""

_BEYOND = 2**32
_WORD = re.compile(r' *(?:"((?:[^"\\]|\\["\\])*+)"(?= |\)|$)|([^ "]+)(?= |$))')


def criteria(text: str) -> tuple[str | bytes, ...]:
    """An owner's search keys in parts to be sent; what stands in quotation marks becomes a string of IMAP.

    Raises UpstreamUnsuitable for what cannot be sent.
    """
    parts: list[str | bytes] = []
    at, end = 0, len(text.rstrip(" "))
    while at < end <= LONGEST:
        found = _WORD.match(text, at)
        if found is None:
            break
        parts.append(found[2] or re.sub(r"\\(.)", r"\1", found[1]).encode("utf-8"))
        at = found.end()
    if not parts or at < end:
        raise UpstreamUnsuitable(f"search = {text[:60]!r} cannot be sent to an IMAP server")
    return tuple(parts)


def search(connection: ImapConnection, keys: tuple[str | bytes, ...]) -> Search:
    """In the short form where the server knows it."""
    return Search(keys, returning="ESEARCH" in connection.client.capabilities)


async def found(connection: ImapConnection, keys: tuple[str | bytes, ...]) -> set[int]:
    """The UIDs that match."""
    return await completed(connection, keys, await connection.ask(search(connection, keys)))


async def found_by_owner(connection: ImapConnection, text: str) -> frozenset[int]:
    """The same for configured search keys; what the server cannot understand, its owner has to change."""
    keys = criteria(text)
    try:
        asked = connection.ask(search(connection, keys))
    except ValueError as unwritable:
        raise UpstreamUnsuitable(f"search = {text[:60]!r} cannot be sent to an IMAP server") from unwritable
    answer = await asked
    if answer.status.kind is StatusKind.BAD:
        raise UpstreamUnsuitable(f"upstream does not understand search = {text[:60]!r}", detail=answer.status.text)
    return frozenset(await completed(connection, keys, answer))


async def completed(connection: ImapConnection, keys: tuple[str | bytes, ...], answer: Answer) -> set[int]:
    """All that a search finds whose first answer this is.

    A server with MESSAGELIMIT (RFC 9738) goes through the highest UIDs first, a part each time, and says where it
    stopped, or leaves that to be seen from what it found.
    """
    matching: set[int] = set()
    lowest = _BEYOND
    while True:
        if not answer.ok:
            raise ListingIncomplete("upstream does not search the mailbox; try again later", detail=answer.status.text)
        matching |= answer.found
        reached = _reached(answer)
        if reached <= 1:
            return matching
        if reached >= lowest:
            raise ListingIncomplete("upstream searches only a part of the mailbox; try again later")
        lowest = reached
        answer = await connection.ask(search(connection, ("UID", f"1:{lowest - 1}", *keys)))


def _reached(answer: Answer) -> int:
    """The lowest UID that was looked at; 1 for a search that was not cut short."""
    match answer.status.code:
        case Code("MESSAGELIMIT", (_, int(lowest))):
            return lowest
        case Code("MESSAGELIMIT"):
            return min(answer.found, default=_BEYOND)
        case _:
            return 1
