"""A run's figures take the place of older ones in the page, and nothing else changes."""

import re
from pathlib import Path

import pytest

from bench.docs import PAGE, with_figures
from bench.measures import MEASURES
from bench.results import Outcome, Result, Row, Run, Times

_RUN = Run(
    {"processor": "2 × a good one"},
    5,
    quick=False,
    outcomes=[
        Outcome(
            "r", "No delay", [Result(Row("n", "RETR", "n", "more", Times(2)), {"imapc": [1.0], "popbridge": [3.0]})]
        )
    ],
)


def test_the_page_has_a_place_for_figures() -> None:
    page = with_figures(PAGE.read_text(), _RUN)

    assert "2 × a good one" in page
    assert with_figures(page, _RUN) == page
    assert page.startswith(PAGE.read_text().partition("<!--")[0])


def test_a_page_without_a_place_is_an_error() -> None:
    with pytest.raises(ValueError, match="no place"):
        with_figures("# Performance\n", _RUN)


def test_the_same_run_gives_the_same_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="only the extra `bench` has it")
    from bench.plot import plot  # noqa: PLC0415

    for name in ("one.svg", "two.svg"):
        plot(_RUN, tmp_path / name)
    picture = (tmp_path / "one.svg").read_text()

    assert picture == (tmp_path / "two.svg").read_text()
    assert "RETR" in picture
    assert "3 ×" in picture


def test_every_row_has_a_title_and_a_name_of_its_own() -> None:
    names = [measure.name for measure in MEASURES]
    titles = [(measure.section, row.title) for measure in MEASURES for row in measure.rows]

    assert len(set(names)) == len(names)
    assert len(set(titles)) == len(titles)
    assert not [name for name in names if re.search(r"[^a-z0-9-]", name)]
