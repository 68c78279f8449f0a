"""A server that asked to be left alone is, for that login and for that long."""

import pytest
from twisted.internet.task import Clock

from bridge.maildrop.errors import UpstreamUnavailable
from bridge.upstream import rests
from bridge.upstream.rests import Rests


def test_until_it_is_over_and_for_nobody_else() -> None:
    clock = Clock()
    resting = Rests(clock.seconds)
    resting.begin("ann", 89.1)
    clock.advance(30)
    with pytest.raises(UpstreamUnavailable, match="left alone for 59 seconds more"):
        resting.check("ann")
    resting.check("ben")
    clock.advance(60)
    resting.check("ann")
    resting.check("ann")


def test_a_shorter_rest_does_not_end_a_longer_one() -> None:
    clock = Clock()
    resting = Rests(clock.seconds)
    resting.begin("ann", 100)
    resting.begin("ann", 1)
    clock.advance(50)
    with pytest.raises(UpstreamUnavailable):
        resting.check("ann")


def test_no_number_of_logins_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rests, "MOST", 10)
    clock = Clock()
    resting = Rests(clock.seconds)
    for n in range(100):
        resting.begin(str(n), 10)
    assert len(resting._until) == 10
    clock.advance(11)
    resting.begin("ann", 10)
    assert list(resting._until) == ["ann"]
