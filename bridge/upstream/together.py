"""Waiting for several answers at once, so that none of them fails unheard."""

from twisted.internet.defer import Deferred, FirstError, gatherResults

from bridge.upstream.imap_connection import Answer


async def together(*asked: "Deferred[Answer]") -> "list[Answer]":
    """All answers in their order, or the Trouble that ended them."""
    try:
        return await gatherResults(asked, consumeErrors=True)
    except FirstError as first:
        raise first.subFailure.value from None  # type: ignore[misc]  # a Failure's value is an exception
