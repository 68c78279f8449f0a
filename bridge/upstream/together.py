"""Waiting for several answers at once, so that none of them fails unheard."""

from typing import TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

T = TypeVar("T")


async def together(*asked: "Deferred[T]") -> "list[T]":
    """All answers in their order, or the Trouble that ended them."""
    try:
        return await gatherResults(asked, consumeErrors=True)
    except FirstError as first:
        raise first.subFailure.value from None  # type: ignore[misc]  # a Failure's value is an exception
