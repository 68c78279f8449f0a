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
    return "\n\n".join(texts)


def _lines(outcome: Outcome) -> Iterable[Sequence[str]]:
    shares = [statistics.median(shares) for shares in outcome.busy.values()]
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
    if value >= 100 or value == 0:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.2g}"


def aligned(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, *lines]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    texts = [
        "| "
        + " | ".join(
            _padded(cell, width, left=column < 2) for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        + " |"
        for row in rows
    ]
    rule = (
        "| "
        + " | ".join(
            "-" * width if column < 2 else "-" * (width - 1) + ":" if width else ":"
            for column, width in enumerate(widths)
        )
        + " |"
    )
    return "\n".join([texts[0], rule, *texts[1:]])


def _padded(cell: str, width: int, *, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)
