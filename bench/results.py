"""What a run has found: figures by row, front and round, and whether they keep what the project promises."""

import json
import statistics
from pathlib import Path
from typing import Literal, assert_never

import cattrs
from attrs import field, frozen

Better = Literal["more", "less"]


@frozen
class Times:
    """At least so many times as good as imapc in the same run."""

    factor: float


@frozen
class AtMost:
    """In the row's unit, whatever imapc does."""

    value: float


Target = Times | AtMost


@frozen
class Row:
    """One line of the table; `figure` names which of a measure's figures it shows."""

    figure: str
    title: str
    unit: str
    better: Better
    target: Target | None = None


@frozen
class Result:
    """A row with its figures, one a round, by the kind of front."""

    row: Row
    figures: dict[str, list[float]]

    def median(self, kind: str) -> float | None:
        figures = self.figures.get(kind)
        return statistics.median(figures) if figures else None

    @property
    def ratio(self) -> float | None:
        """How many times as good as imapc Popbridge is."""
        ours, theirs = self.median("popbridge"), self.median("imapc")
        return None if ours is None or theirs is None else _times_as_good(self.row.better, ours, theirs)

    @property
    def owed(self) -> float | None:
        """The ratio that would just keep the target."""
        match self.row.target:
            case None:
                return None
            case Times(factor):
                return factor
            case AtMost(value):
                theirs = self.median("imapc")
                return None if theirs is None else _times_as_good(self.row.better, value, theirs)
            case _ as never:
                assert_never(never)

    @property
    def kept(self) -> bool | None:
        """None where nothing is promised, or where what it needs was not measured."""
        match self.row.target:
            case None:
                return None
            case Times(factor):
                return None if self.ratio is None else self.ratio >= factor
            case AtMost(value):
                ours = self.median("popbridge")
                return None if ours is None else ours <= value
            case _ as never:
                assert_never(never)


@frozen
class Outcome:
    """What one measure has found."""

    name: str
    section: str
    results: list[Result]
    busy: dict[str, list[float]] = field(factory=dict)
    """The part of the time, of 1, in which the client had the processor."""
    besides: dict[str, dict[str, list[float]]] = field(factory=dict)
    """Figures that no row shows, by name and front."""
    trouble: str = ""
    """Why there are no results, if so."""
    note: str = ""


@frozen
class Run:
    machine: dict[str, str]
    rounds: int
    quick: bool
    outcomes: list[Outcome]

    def write(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(_converter().unstructure(self), indent=1, ensure_ascii=False) + "\n")


def read_run(path: Path) -> Run:
    return _converter().structure(json.loads(path.read_text()), Run)


def _times_as_good(better: Better, ours: float, theirs: float) -> float:
    good, bad = (ours, theirs) if better == "more" else (theirs, ours)
    return good / bad if bad else float("inf")


def _converter() -> cattrs.Converter:
    return cattrs.Converter(forbid_extra_keys=True)  # Times and AtMost differ in their only field: it tells them apart
