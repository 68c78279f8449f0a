"""Fronts take turns, so that what disturbs the machine disturbs all; a front that fails costs its own rows only."""

from typing import cast

from attrs import evolve

from bench.exercises import BUSY, Exercise, Figures
from bench.measures import Measure
from bench.peers import Kind, Link
from bench.results import Row
from bench.rounds import run, run_all
from bench.stage import Stage
from bench.wire import WrongDataError

_STAGE = cast("Stage", None)


class Recorder:
    """An exercise that only notes who was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def measure(self) -> Measure:
        exercise = Exercise(self._take, lambda _, kind, __: self.asked.append(f"prepare {kind}"))
        return Measure("it", "here", exercise, (Row("ms", "it", "ms", "less"),), Link())

    def _take(self, stage: Stage, kind: Kind, link: Link) -> Figures:
        del stage, link
        self.asked.append(kind)
        return {"ms": float(len(self.asked)), "not shown": 1.0, BUSY: 0.5}


def test_fronts_take_turns() -> None:
    recorder = Recorder()
    outcome = run(_STAGE, recorder.measure(), 2, ("imapc", "popbridge"))

    assert recorder.asked == ["prepare imapc", "prepare popbridge", "imapc", "popbridge", "imapc", "popbridge"]
    assert outcome.results[0].figures == {"imapc": [3.0, 5.0], "popbridge": [4.0, 6.0]}
    assert outcome.besides == {"not shown": {"imapc": [1.0, 1.0], "popbridge": [1.0, 1.0]}}
    assert outcome.busy == {"imapc": [0.5, 0.5], "popbridge": [0.5, 0.5]}


def test_what_takes_minutes_takes_part_once() -> None:
    recorder = Recorder()
    measure = evolve(recorder.measure(), only_once=("imapc",), kinds=("imapc", "popbridge"))
    run(_STAGE, measure, 3, ("native", "imapc", "popbridge"))

    assert recorder.asked[2:] == ["imapc", "popbridge", "popbridge", "popbridge"]


def test_a_measure_may_have_fewer_rounds() -> None:
    recorder = Recorder()
    run(_STAGE, evolve(recorder.measure(), rounds=1), 5, ("popbridge",))

    assert recorder.asked == ["prepare popbridge", "popbridge"]


def test_a_wrong_server_costs_only_its_own_rows() -> None:
    recorder = Recorder()

    def fail(*_: object) -> Figures:
        raise WrongDataError("half a message")

    bad = evolve(recorder.measure(), name="bad", exercise=Exercise(fail))
    outcomes = run_all(_STAGE, [bad, recorder.measure()], 1, ("popbridge",), lambda _: None)

    assert [(outcome.name, outcome.trouble) for outcome in outcomes] == [("bad", "half a message"), ("it", "")]
    assert outcomes[0].results == []
