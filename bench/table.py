"""A run as a table that reads well on a terminal and is Markdown too."""

import itertools
import statistics
from collections.abc import Iterable, Sequence
from typing import assert_never

from bench.peers import KINDS
from bench.results import AtMost, Outcome, Result, Row, Run, Times

_HEAD = ("measure", "unit", *KINDS, "ratio", "owed", "", "client busy")


def table(run: Run, heading: str = "") -> str:
    """One for each section. Ratio: how many times as good as imapc Popbridge is, whether more is better or less."""
    texts = []
    for section, outcomes in itertools.groupby(run.outcomes, key=lambda outcome: outcome.section):
        several = list(outcomes)
        texts.append(f"{heading}{section}\n\n" + aligned(_HEAD, [line for one in several for line in _lines(one)]))
        texts.extend(one.note for one in several if one.note)
        texts.extend(f"{one.name}: not measured, {one.trouble}" for one in several if one.trouble)
    return "\n\n".join(texts)


def _lines(outcome: Outcome) -> Iterable[Sequence[str]]:
    # With the native front the client may well be the limit: nothing is owed there.
    shares = [statistics.median(shares) for kind, shares in outcome.busy.items() if kind != "native"]
    for result in outcome.results:
        yield (
            result.row.title,
            result.row.unit,
            *(spread(result.figures.get(kind, [])) for kind in KINDS),
            "" if result.ratio is None else f"{number(result.ratio)} ×",
            owed(result.row),
            _verdict(result),
            f"{max(shares):.0%}" if shares else "",
        )


def _verdict(result: Result) -> str:
    match result.kept:
        case None:
            return ""
        case True:
            return "kept"
        case False:
            return "missed"


def owed(row: Row) -> str:
    match row.target:
        case None:
            return ""
        case Times(factor):
            return f"{number(factor)} ×"
        case AtMost(value):
            return f"≤ {number(value)} {row.unit}"
        case _ as never:
            assert_never(never)


def spread(figures: Sequence[float]) -> str:
    """Median, and in brackets the least and the most."""
    if not figures:
        return ""
    median = number(statistics.median(figures))
    return median if len(figures) == 1 else f"{median} ({number(min(figures))}–{number(max(figures))})"


def number(value: float) -> str:
    """Three digits that count."""
    size = abs(value)
    if size >= 99.5 or not size:
        return f"{value:,.0f}"
    return f"{value:.3g}" if size >= 1 else f"{value:.2g}"


def aligned(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """The first two columns are words, the others figures."""
    rows = [head, *lines]
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(head))]
    words = [column < 2 for column in range(len(head))]
    rule = ["-" * width if word else "-" * (width - 1) + ":" for width, word in zip(widths, words, strict=True)]
    texts = [
        [cell.ljust(width) if word else cell.rjust(width) for cell, width, word in zip(row, widths, words, strict=True)]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (texts[0], rule, *texts[1:]))
