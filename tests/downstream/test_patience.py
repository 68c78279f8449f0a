"""How long a client is waited for, to the second."""

import pytest
from twisted.internet.task import Clock

from bridge.config import Timeouts
from bridge.downstream.patience import Patience


class Ground:
    def __init__(self, timeouts: Timeouts | None = None) -> None:
        self.clock = Clock()
        self.ended: list[str] = []
        self.taken = 0
        self.patience = Patience(
            self.clock,
            timeouts or Timeouts(),
            lambda: self.ended.append("idle"),
            self.ended.append,
            lambda: self.taken,
        )


@pytest.mark.parametrize(("logged_in", "seconds"), [(True, 600), (False, 60)])
def test_a_silent_client_has_ten_minutes_and_before_its_login_one(logged_in: bool, seconds: int) -> None:
    ground = Ground()
    ground.patience.expect_words(logged_in=logged_in, anew=True)
    ground.clock.advance(seconds - 1)
    assert ground.ended == []
    ground.clock.advance(1)

    assert ground.ended == ["idle"]


def test_the_time_begins_anew_only_where_it_is_said_so() -> None:
    ground = Ground()
    ground.patience.expect_words(logged_in=False, anew=True)
    ground.clock.advance(50)
    ground.patience.expect_words(logged_in=False, anew=True)
    ground.clock.advance(50)
    assert ground.ended == []
    ground.patience.expect_words(logged_in=False, anew=False)
    ground.clock.advance(10)

    assert ground.ended == ["idle"]


def test_it_stands_still_while_it_is_our_turn() -> None:
    ground = Ground()
    ground.patience.expect_words(logged_in=True, anew=True)
    ground.patience.expect_no_words()
    ground.clock.advance(10_000)
    assert ground.ended == []
    ground.patience.expect_words(logged_in=True, anew=False)
    ground.clock.advance(600)

    assert ground.ended == ["idle"]


@pytest.mark.parametrize(
    ("what", "seconds", "how"),
    [
        (Patience.expect_handshake, 15, "no TLS handshake in time"),
        (Patience.expect_reading, 600, "the client takes nothing any more"),
        (Patience.expect_farewell, 10, "the client does not hang up"),
    ],
)
def test_what_is_due_is_waited_for_so_long(what: object, seconds: int, how: str) -> None:
    ground = Ground()
    what(ground.patience)  # type: ignore[operator]  # three methods of one shape
    ground.clock.advance(seconds - 1)
    assert ground.ended == []
    ground.clock.advance(1)
    assert ground.ended == [how]

    ground = Ground()
    what(ground.patience)  # type: ignore[operator]  # the same
    ground.patience.met()
    ground.clock.advance(10_000)
    assert ground.ended == []


def test_nothing_runs_when_it_has_ended() -> None:
    ground = Ground()
    ground.patience.expect_words(logged_in=True, anew=True)
    ground.patience.expect_reading()
    ground.patience.end()

    assert not ground.clock.getDelayedCalls()


def test_a_slow_but_steady_reader_is_waited_for_and_one_that_stops_is_not() -> None:
    ground = Ground()
    ground.patience.expect_reading()
    for _ in range(50):
        ground.clock.advance(100)
        ground.taken += 1
    assert ground.ended == []
    ground.clock.pump([60] * 10)  # it took something just now, which the next look sees
    assert ground.ended == []
    ground.clock.pump([60])

    assert ground.ended == ["the client takes nothing any more"]
    assert not ground.clock.getDelayedCalls()
