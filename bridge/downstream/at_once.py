"""A coroutine that may be over at once: a poll to which nothing is new waits for nobody, and needs no Deferred."""

from collections.abc import Coroutine, Generator
from typing import Any, Generic, TypeVar

from attrs import frozen
from twisted.internet.defer import Deferred

T = TypeVar("T")


@frozen
class Over(Generic[T]):
    result: T


def begin(coming: "Coroutine[Any, Any, T]") -> "Over[T] | Deferred[T]":
    """Goes as far as it goes without waiting. What it raises until then is raised here."""
    try:
        waits_for = coming.send(None)
    except StopIteration as over:
        return Over(over.value)
    return Deferred.fromCoroutine(_rest(coming, waits_for))


def _rest(coming: "Coroutine[Any, Any, T]", waits_for: Any) -> "Generator[Deferred[Any], Any, T]":
    """The coroutine from where it waits first."""
    try:
        while True:
            try:
                told = yield waits_for
            except Exception as error:  # noqa: BLE001  # whatever it is goes to who waits
                waits_for = coming.throw(error)
            else:
                waits_for = coming.send(told)
    except StopIteration as over:
        return over.value  # type: ignore[no-any-return]  # a StopIteration's value has no type
    finally:
        coming.close()
