"""Rests between tries, each twice as long as the one before; whoever has news cuts a rest short."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

FIRST = 1.0
LONGEST = 600.0


class Backoff:
    """Seconds: 1, 2, 4 … 600."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._next = FIRST
        self._resting: Deferred[None] | None = None
        self._alarm: IDelayedCall | None = None
        self._stopped = False

    async def rest(self) -> None:
        """Raises CancelledError once stopped."""
        if self._stopped:
            raise CancelledError
        self._resting = Deferred()
        self._alarm = self._clock.callLater(self._next, self.hurry)
        self._next = min(self._next * 2, LONGEST)
        await self._resting

    def hurry(self) -> None:
        """Try again now."""
        resting, self._resting = self._resting, None
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        if resting is not None:
            resting.callback(None)

    def stop(self) -> None:
        self._stopped = True
        resting, self._resting = self._resting, None
        if self._alarm is not None and self._alarm.active():
            self._alarm.cancel()
        if resting is not None:
            resting.errback(CancelledError())
