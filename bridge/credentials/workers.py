"""Threads for what takes a tenth of a second and 32 MiB: checking a password. Few at once, and a bounded queue.

A thousand devices that all log in after a restart wait for their turn; a crowd beyond that is told to come back, and
the reactor's thread goes on serving who is in.
"""

import os
from collections.abc import Callable
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.python.threadpool import ThreadPool

from bridge.maildrop.errors import UpstreamUnavailable

T = TypeVar("T")

WAITING = 500
"""About what is checked within `login_wait`."""


class TooManyAtOnce(UpstreamUnavailable):
    """So many passwords are being checked that this one did not get its turn: later it may."""


def threads_for(cores: int) -> int:
    """One core stays the reactor's; each takes the memory of one check."""
    return max(1, min(4, cores - 1))


class Workers:
    """Nothing runs before the first question; `stop` is the last."""

    def __init__(self, reactor: IReactorFromThreads, *, threads: int | None = None, waiting: int = WAITING) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(0, threads or threads_for(os.cpu_count() or 1), name="passwords")
        self._waiting = waiting
        self._asked: set[Deferred[object]] = set()
        self._started = False
        self._stopped = False

    def __call__(self, job: Callable[[], T]) -> "Deferred[T]":
        """What the job returns or raises, on the reactor's thread; TooManyAtOnce where the queue is full."""
        if self._stopped or len(self._asked) >= self._waiting:
            raise TooManyAtOnce("too many passwords are being checked at this moment; try again in a minute")
        if not self._started:
            self._started = True
            self._pool.start()
        answer: Deferred[T] = Deferred()
        self._asked.add(answer)  # type: ignore[arg-type]

        def carry_out() -> T | None:
            """Nothing for who has gone meanwhile."""
            return None if answer.called or self._stopped else job()

        def done(success: bool, outcome: object) -> None:
            self._reactor.callFromThread(self._tell, answer, success, outcome)

        self._pool.callInThreadWithCallback(done, carry_out)
        return answer

    def _tell(self, answer: "Deferred[object]", success: bool, outcome: object) -> None:
        self._asked.discard(answer)
        if answer.called:
            return
        if success:
            answer.callback(outcome)
        else:
            answer.errback(outcome)  # type: ignore[arg-type]  # a Failure then

    def stop(self) -> None:
        """Waits for those checks that are being made, not for those that wait."""
        running, self._stopped = self._started and not self._stopped, True
        if running:
            self._pool.stop()
