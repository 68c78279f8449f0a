# mypy: disallow-untyped-calls=False
"""What needs nobody's answer is over when it is begun; what waits goes on like any coroutine."""

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from bridge.downstream.at_once import Over, begin


async def added(*waited: "Deferred[int] | int") -> int:
    return sum([one if isinstance(one, int) else await one for one in waited])


async def broken() -> None:
    raise ValueError("at once")


def test_what_waits_for_nobody_is_over() -> None:
    assert begin(added(1, 2)) == Over(3)
    ready: Deferred[int] = Deferred()
    ready.callback(4)
    assert begin(added(1, ready)) == Over(5)


def test_what_it_raises_at_once_is_raised() -> None:
    with pytest.raises(ValueError, match="at once"):
        begin(broken())


class WaitingTest(SynchronousTestCase):
    def begun(self, *waited: "Deferred[int] | int") -> "Deferred[int]":
        begun = begin(added(*waited))
        assert not isinstance(begun, Over)
        return begun

    def test_it_goes_on_with_each_answer(self) -> None:
        first: Deferred[int] = Deferred()
        second: Deferred[int] = Deferred()
        begun = self.begun(1, first, second)
        first.callback(2)
        self.assertNoResult(begun)
        second.callback(3)
        self.assertEqual(self.successResultOf(begun), 6)

    def test_what_fails_later_is_its_failure(self) -> None:
        waits: Deferred[int] = Deferred()
        begun = self.begun(waits)
        waits.errback(ValueError("later"))
        self.failureResultOf(begun, ValueError)

    def test_a_failure_may_be_met(self) -> None:
        waits: Deferred[int] = Deferred()

        async def met() -> int:
            try:
                return await waits
            except ValueError:
                return 7

        begun = begin(met())
        assert not isinstance(begun, Over)
        waits.errback(ValueError("later"))
        self.assertEqual(self.successResultOf(begun), 7)

    def test_who_is_no_longer_wanted_stops_waiting(self) -> None:
        given_up: list[object] = []
        waits: Deferred[int] = Deferred(given_up.append)
        begun = self.begun(waits)
        begun.cancel()
        self.failureResultOf(begun, CancelledError)
        self.assertEqual(len(given_up), 1)
