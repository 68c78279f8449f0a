"""A run as a picture: how many times as good as imapc Popbridge is, row by row, and what is owed."""

import itertools
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.results import Result, Run
from bench.table import number

_KEPT, _MISSED, _OWED = "#2a7f62", "#c0504d", "#222222"
_INCHES_A_ROW = 0.23
_LEAST, _MOST = 0.05, 20_000.0


def plot(run: Run, path: Path) -> None:
    """As SVG. The same run gives the same octets."""
    sections = {
        section: [result for outcome in outcomes for result in outcome.results if drawn(result)]
        for section, outcomes in itertools.groupby(run.outcomes, key=lambda outcome: outcome.section)
    }
    sections = {section: results for section, results in sections.items() if results}
    heights = [len(results) + 2.0 for results in sections.values()]
    with mpl.rc_context({"svg.hashsalt": "popbridge", "svg.fonttype": "none", "font.size": 8}):
        figure = Figure(figsize=(9, sum(heights) * _INCHES_A_ROW + 0.6), layout="constrained")
        places = figure.subplots(len(sections), 1, squeeze=False, height_ratios=heights, sharex=True)[:, 0]
        for place, (section, results) in zip(places, sections.items(), strict=True):
            _bars(place, section, results)
        places[-1].set_xlabel(
            "times as good as Dovecot's POP3 in front of IMAP; the stroke is what is owed, and green is kept"
        )
        figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None})


def drawn(result: Result) -> bool:
    """Only what is owed, and compared."""
    return result.row.target is not None and result.ratio is not None


def _bars(place: Axes, section: str, results: list[Result]) -> None:
    place.set_title(section, loc="left", fontweight="bold")
    place.set_xscale("log")
    place.set_xlim(_LEAST, _MOST)
    for at, result in enumerate(results):
        ratio, owed = result.ratio, result.owed
        assert ratio is not None
        shown = min(max(ratio, _LEAST), _MOST)
        place.barh(at, shown - 1, left=1, height=0.7, color=_KEPT if result.kept else _MISSED)
        place.annotate(
            f"{number(ratio)} ×",
            (max(shown, 1, owed or 1), at),
            xytext=(4, 0),
            textcoords="offset points",
            verticalalignment="center",
        )
        if owed is not None:
            place.plot([owed, owed], [at - 0.42, at + 0.42], color=_OWED, linewidth=2)
    place.axvline(1, color=_OWED, linewidth=0.8)
    place.set_yticks(range(len(results)), [result.row.title for result in results])
    place.set_ylim(len(results) - 0.4, -0.6)
    place.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    for edge in ("top", "right"):
        place.spines[edge].set_visible(False)
