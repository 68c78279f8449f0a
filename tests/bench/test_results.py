"""What a run has found: ratios point one way whatever the unit, medians judge promises, files come back whole."""

from pathlib import Path

import pytest

from bench.results import AtMost, Better, Outcome, Result, Row, Run, Target, Times, read_run


def result(better: Better, target: Target | None, **figures: list[float]) -> Result:
    return Result(Row("it", "something", "its", better, target), figures)


@pytest.mark.parametrize(
    ("better", "ours", "theirs", "ratio"),
    [("more", 30.0, 10.0, 3.0), ("less", 10.0, 30.0, 3.0), ("less", 0.0, 1.0, float("inf"))],
)
def test_a_ratio_above_one_is_better_than_imapc(better: Better, ours: float, theirs: float, ratio: float) -> None:
    assert result(better, None, popbridge=[ours], imapc=[theirs]).ratio == ratio


def test_a_median_decides_not_a_lucky_round() -> None:
    once_lucky = result("more", Times(2), popbridge=[1.0, 1.0, 90.0], imapc=[1.0, 1.0, 1.0])

    assert once_lucky.ratio == 1
    assert once_lucky.kept is False


@pytest.mark.parametrize(
    ("better", "target", "ours", "theirs", "kept"),
    [
        ("more", Times(2), 20.0, 10.0, True),
        ("more", Times(2), 19.9, 10.0, False),
        ("less", Times(1), 10.0, 10.0, True),
        ("less", Times(1), 10.1, 10.0, False),
        ("less", AtMost(5), 5.0, 1.0, True),
        ("less", AtMost(5), 5.1, 100.0, False),
        ("less", None, 1.0, 2.0, None),
    ],
)
def test_a_promise_is_kept_or_missed(
    better: Better, target: Target | None, ours: float, theirs: float, kept: bool | None
) -> None:
    assert result(better, target, popbridge=[ours], imapc=[theirs]).kept is kept


def test_a_ratio_is_not_judged_without_the_other_one() -> None:
    assert result("more", Times(2), popbridge=[20.0]).kept is None
    assert result("less", AtMost(2), popbridge=[1.0]).kept is True
    assert result("less", AtMost(2), imapc=[1.0]).kept is None


@pytest.mark.parametrize(("target", "owed"), [(Times(4), 4.0), (AtMost(5), 10.0), (None, None)])
def test_what_is_owed_can_be_drawn_beside_a_ratio(target: Target | None, owed: float | None) -> None:
    assert result("less", target, popbridge=[1.0], imapc=[50.0]).owed == owed


def test_a_run_comes_back_from_its_file(tmp_path: Path) -> None:
    outcomes = [
        Outcome("one", "No delay", [result("more", Times(2), imapc=[1.0], popbridge=[2.0, 3.0])], {"imapc": [0.1]}),
        Outcome("two", "Far", [result("less", AtMost(2), popbridge=[2.0]), result("less", None)], note="so"),
        Outcome("three", "Far", [], trouble="it said no"),
    ]
    run = Run({"processor": "2 × a good one"}, 5, quick=False, outcomes=outcomes)
    run.write(tmp_path / "deep" / "run.json")

    assert read_run(tmp_path / "deep" / "run.json") == run
