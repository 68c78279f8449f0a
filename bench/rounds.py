"""Measures in their order, and within each the fronts in turn, round by round: what disturbs the machine hits all."""

import time
import traceback
from collections.abc import Callable, Iterable, Sequence

from bench.exercises import BUSY
from bench.measures import Measure
from bench.peers import Kind
from bench.results import Outcome, Result
from bench.stage import Stage
from bench.wire import WrongDataError


def run_all(
    stage: Stage,
    measures: Iterable[Measure],
    rounds: int,
    kinds: Sequence[Kind],
    tell: Callable[[str], None],
) -> list[Outcome]:
    outcomes = []
    for measure in measures:
        began = time.monotonic()
        try:
            outcomes.append(run(stage, measure, rounds, kinds))
        except (WrongDataError, OSError) as trouble:
            traceback.print_exc()
            outcomes.append(Outcome(measure.name, measure.section, [], trouble=" ".join(str(trouble).split())))
        tell(f"{measure.name}: {time.monotonic() - began:.0f} s")
    return outcomes


def run(stage: Stage, measure: Measure, rounds: int, kinds: Sequence[Kind]) -> Outcome:
    taking_part = [kind for kind in measure.kinds if kind in kinds]
    figures: dict[str, dict[str, list[float]]] = {}
    for kind in taking_part:
        measure.exercise.prepare(stage, kind, measure.link)
    for turn in range(min(rounds, measure.rounds or rounds)):
        for kind in taking_part:
            if turn and kind in measure.only_once:
                continue
            for figure, value in measure.exercise.take(stage, kind, measure.link).items():
                figures.setdefault(figure, {}).setdefault(kind, []).append(value)
    return Outcome(
        measure.name,
        measure.section,
        [Result(row, figures.pop(row.figure)) for row in measure.rows],
        figures.pop(BUSY, {}),
        figures,
        note=measure.note,
    )
