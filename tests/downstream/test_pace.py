"""Whoever sends a message is paused with the client, and always let go when the message ends."""

from twisted.internet.task import Clock

from bridge.config import Timeouts
from bridge.downstream.pace import Pace
from bridge.downstream.patience import Patience
from tests.downstream.memory_upstream import MemoryFlow


class Ground:
    def __init__(self) -> None:
        self.clock = Clock()
        self.ended: list[str] = []
        self.went_on = 0
        self.pace = Pace(Patience(self.clock, Timeouts(), lambda: None, self.ended.append, lambda: None), self._went_on)

    def _went_on(self) -> None:
        self.went_on += 1


def test_a_flow_is_paused_and_resumed_with_the_client() -> None:
    ground, flow = Ground(), MemoryFlow()
    ground.pace.follow(flow)
    ground.pace.pauseProducing()
    assert (flow.told, ground.pace.blocked) == (["pause"], True)

    ground.pace.resumeProducing()

    assert (flow.told, ground.pace.blocked, ground.went_on) == (["pause", "resume"], False, 1)
    assert not ground.clock.getDelayedCalls()


def test_a_flow_that_begins_while_the_client_takes_nothing_begins_paused() -> None:
    ground, flow = Ground(), MemoryFlow()
    ground.pace.pauseProducing()
    ground.pace.follow(flow)

    assert flow.told == ["pause"]


def test_a_flow_whose_message_ends_while_paused_is_let_go() -> None:
    """Else the connection upstream hangs at the next message, and only with some timing."""
    ground, flow = Ground(), MemoryFlow()
    ground.pace.follow(flow)
    ground.pace.pauseProducing()
    ground.pace.follow(None)

    assert flow.told == ["pause", "resume"]
    ground.pace.resumeProducing()
    assert flow.told == ["pause", "resume"]


def test_a_flow_that_runs_is_not_told_anything_at_its_end() -> None:
    ground, flow = Ground(), MemoryFlow()
    ground.pace.follow(flow)
    ground.pace.follow(None)

    assert flow.told == []


def test_without_a_message_there_is_nobody_to_tell() -> None:
    ground = Ground()
    ground.pace.pauseProducing()
    ground.pace.stopProducing()
    ground.pace.resumeProducing()

    assert ground.went_on == 1


def test_the_clock_of_a_client_that_takes_nothing_runs() -> None:
    ground = Ground()
    ground.pace.pauseProducing()
    ground.clock.advance(601)

    assert ground.ended == ["the client takes nothing any more"]
