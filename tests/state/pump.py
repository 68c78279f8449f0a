"""Stands for the reactor where a test has to wait: what threads send to it is done by `wait`, and only there."""

import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

from twisted.internet.defer import Deferred

T = TypeVar("T")

PATIENCE = 30.0


class Pump:
    def __init__(self) -> None:
        self._calls: SimpleQueue[tuple[Callable[..., Any], tuple[object, ...]]] = SimpleQueue()
        self.now = 1_700_000_000.5

    def callFromThread(self, callable: Callable[..., Any], /, *args: object) -> None:  # noqa: N802, A002  # Twisted's
        self._calls.put((callable, args))

    def seconds(self) -> float:
        return self.now

    def wait(self, answer: "Deferred[T]") -> T:
        """What it is answered; its failure is raised."""
        results: list[T] = []
        errors: list[BaseException] = []
        answer.addCallbacks(results.append, lambda failure: errors.append(failure.value))
        until = time.monotonic() + PATIENCE
        while not results and not errors:
            call, args = self._calls.get(timeout=max(0.0, until - time.monotonic()))
            call(*args)
        if errors:
            raise errors[0]
        return results[0]
