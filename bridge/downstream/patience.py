"""How long a client is waited for: to speak, to take what it asked for, to shake hands, to hang up (S28, S31)."""

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bridge.config import Timeouts

LOOKS = 10
"""How often it is looked, within the time a client may take nothing, whether it took something."""


class Patience:
    """The clocks of one session. `idled`: it says nothing; `ended`: it does not do what is due, in the words given.

    `mark` is asked while it has to read: where another one comes than before, the client has taken something.
    """

    def __init__(
        self,
        clock: IReactorTime,
        timeouts: Timeouts,
        idled: Callable[[], None],
        ended: Callable[[str], None],
        mark: Callable[[], object],
    ) -> None:
        self._clock = clock
        self._timeouts = timeouts
        self._idled = idled
        self._ended = ended
        self._mark = mark
        self._idle: IDelayedCall | None = None
        self._due: IDelayedCall | None = None

    def expect_words(self, *, logged_in: bool, anew: bool) -> None:
        """It is the client's turn to speak. Its time begins `anew` with each command, not with a piece of one:

        else an octet now and then, and no line's end, would hold a connection for weeks.
        """
        seconds = self._timeouts.idle if logged_in else self._timeouts.login_idle
        if self._idle is not None and self._idle.active():
            if anew:
                self._idle.reset(seconds)
        else:
            self._idle = self._clock.callLater(seconds, self._idled)

    def expect_no_words(self) -> None:
        """It is our turn: the client's clock stands still."""
        _stop(self._idle)

    def expect_handshake(self) -> None:
        self._expect(self._timeouts.client_handshake, "no TLS handshake in time")

    def expect_reading(self) -> None:
        self._look(self._mark(), self._clock.seconds())

    def expect_farewell(self) -> None:
        self._expect(self._timeouts.close_abort, "the client does not hang up")

    def met(self) -> None:
        """It did what was due."""
        _stop(self._due)

    def end(self) -> None:
        _stop(self._idle)
        _stop(self._due)

    def _look(self, mark: object, since: float) -> None:
        """Several times before the time is over: a figure that is the same by chance ends nobody."""
        now, stall = self._clock.seconds(), self._timeouts.client_stall
        if (seen := self._mark()) != mark:
            mark, since = seen, now
        left = since + stall - now
        if left <= 0:
            self._ended("the client takes nothing any more")
            return
        _stop(self._due)
        self._due = self._clock.callLater(min(left, stall / LOOKS), self._look, mark, since)

    def _expect(self, seconds: float, otherwise: str) -> None:
        _stop(self._due)
        self._due = self._clock.callLater(seconds, self._ended, otherwise)


def _stop(timer: IDelayedCall | None) -> None:
    if timer is not None and timer.active():
        timer.cancel()
