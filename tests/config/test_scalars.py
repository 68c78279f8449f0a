"""Nothing that is written is taken for another kind than its own: TOML tells 1, true and "1" apart."""

from typing import Any

import pytest

from bridge.config.problems import WrongValue
from bridge.config.scalars import text, texts, truth, whole_number
from bridge.config.values import Positive


def remedy(of: Any, *arguments: Any) -> str:
    with pytest.raises(WrongValue) as caught:
        of(*arguments)
    return caught.value.remedy


def test_what_is_of_its_kind_is_taken_as_it_is() -> None:
    assert (text(""), text("a"), truth(False), truth(True)) == ("", "a", False, True)
    assert (whole_number(0, int), whole_number(1, Positive)) == (0, 1)
    assert (texts([]), texts(["a", "b"])) == ((), ("a", "b"))


@pytest.mark.parametrize("value", [None, 0, 1.5, True, b"x", [], {}])
def test_text_is_nothing_else(value: object) -> None:
    assert remedy(text, value) == "write text in quotes"


@pytest.mark.parametrize("value", [None, 0, 1, "true", "yes", [], {}])
def test_truth_is_nothing_else(value: object) -> None:
    assert remedy(truth, value) == "write true or false"


@pytest.mark.parametrize("value", [None, -1, 1.0, True, "1", [], {}])
def test_a_whole_number_is_nothing_else(value: object) -> None:
    assert remedy(whole_number, value, int) == "write a whole number, not below 0"


@pytest.mark.parametrize("value", [0, True, 1.5])
def test_nor_is_one_that_begins_at_1(value: object) -> None:
    assert remedy(whole_number, value, Positive) == "write a whole number from 1"


@pytest.mark.parametrize("value", ["a", {"a": 1}, [""], ["a", 1], [["a"]]])
def test_texts_are_a_list_none_of_them_empty(value: object) -> None:
    assert remedy(texts, value) == 'write ["…", "…"]'


def test_a_long_value_is_not_repeated_whole() -> None:
    with pytest.raises(WrongValue) as caught:
        truth("x" * 1000)

    assert len(caught.value.text) < 100
