"""The table reads well on a terminal and is Markdown, and hides neither a miss nor a row that was not measured."""

import pytest

from bench.results import AtMost, Outcome, Result, Row, Run, Times
from bench.table import aligned, number, spread, table

_RETR = Row("messages/s", "RETR", "messages/s", "more", Times(1.5))
_MEMORY = Row("MB", "memory", "MB", "less", AtMost(150))
_OUTCOMES = [
    Outcome(
        "retr",
        "No delay",
        [Result(_RETR, {"native": [10.0], "imapc": [1.0, 2.0, 3.0], "popbridge": [4.0, 5.0, 6.0]})],
        {"native": [0.9], "imapc": [0.01, 0.02], "popbridge": [0.2, 0.3]},
    ),
    Outcome("memory", "No delay", [Result(_MEMORY, {"popbridge": [151.0]})], note="Dovecot is not asked."),
    Outcome("poll", "Far", [], trouble="closed"),
]


def _cells(text: str, title: str) -> list[str]:
    [line] = [line for line in text.splitlines() if line.startswith(f"| {title} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_a_row_has_every_figure_and_the_verdict() -> None:
    text = table(Run({}, 3, quick=False, outcomes=_OUTCOMES))

    assert _cells(text, "RETR") == [
        "RETR", "messages/s", "10", "2 (1–3)", "5 (4–6)", "2.5 ×", "1.5 ×", "kept", "25%",
    ]  # fmt: skip
    assert _cells(text, "memory") == ["memory", "MB", "", "", "151", "", "≤ 150 MB", "missed", ""]


def test_sections_have_headings_and_notes_stand_below() -> None:
    text = table(Run({}, 3, quick=False, outcomes=_OUTCOMES), heading="### ")

    assert text.startswith("### No delay\n\n| measure")
    assert "\n\nDovecot is not asked.\n\n### Far" in text


def test_what_was_not_measured_is_named() -> None:
    assert "poll: not measured, closed" in table(Run({}, 3, quick=False, outcomes=_OUTCOMES))


def test_columns_stand_below_each_other() -> None:
    lines = aligned(("a", "unit", "b", ""), [("long title", "s", "1", ""), ("x", "", "22,000", "")]).splitlines()

    assert len({len(line) for line in lines}) == 1
    assert lines[1].replace(" ", "").startswith("|--")
    assert lines[1].count("|") == 5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.0123, "0.012"),
        (0.5, "0.5"),
        (1.234, "1.23"),
        (25, "25"),
        (99.96, "100"),
        (123.4, "123"),
        (12345.6, "12,346"),
        (-0.5, "-0.5"),
    ],
)
def test_numbers_have_the_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_one_figure_has_no_spread() -> None:
    assert spread([3.0]) == "3"
    assert spread([]) == ""
