"""Tries that fail are repeated less and less often, and at once when somebody has news."""

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock

from bridge.postoffice.backoff import Backoff


def resting(backoff: Backoff) -> "tuple[list[str], Deferred[None]]":
    ends: list[str] = []
    rest = Deferred.fromCoroutine(backoff.rest())
    rest.addCallbacks(lambda _: ends.append("rested"), lambda failure: ends.append(failure.type.__name__))
    return ends, rest


def test_each_rest_is_twice_as_long_up_to_ten_minutes() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    for seconds in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600):
        ends, _ = resting(backoff)
        clock.advance(seconds - 0.1)
        assert ends == []
        clock.advance(0.1)
        assert ends == ["rested"]


def test_news_cut_a_rest_short_and_disturb_nobody_who_does_not_rest() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    backoff.hurry()
    ends, _ = resting(backoff)
    backoff.hurry()
    assert ends == ["rested"]
    assert not clock.getDelayedCalls()


def test_once_stopped_there_is_no_next_try() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    ends, _ = resting(backoff)
    backoff.stop()
    backoff.stop()
    assert ends == [CancelledError.__name__]
    assert resting(backoff)[0] == [CancelledError.__name__]
    assert not clock.getDelayedCalls()
