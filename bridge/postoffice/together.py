"""Several things opened side by side: it takes as long as the slowest, and all of them are open in the end, or none."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, FirstError, gatherResults

T = TypeVar("T")


class NotInTime(CancelledError):
    """It was given up while these were not open yet."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(", ".join(names))
        self.names = names


async def together(opening: Mapping[str, "Coroutine[Any, Any, T]"], give_up: Callable[[T], None]) -> list[T]:
    """By name. What each gives, in this order; or the first failure, and what was open then is given up."""
    opened: dict[str, T] = {}

    async def keep(name: str, coming: "Coroutine[Any, Any, T]") -> None:
        opened[name] = await coming

    going = [Deferred.fromCoroutine(keep(name, coming)) for name, coming in opening.items()]
    try:
        await gatherResults(going, consumeErrors=True)
    except FirstError as first:
        late = [name for name in opening if name not in opened]
        for each in going:
            each.cancel()
        for result in opened.values():
            give_up(result)
        error = first.subFailure.value
        if isinstance(error, CancelledError) or not isinstance(error, Exception):
            raise NotInTime(late) from None
        raise error from None
    return [opened[name] for name in opening]
