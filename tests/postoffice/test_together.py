"""What is opened side by side is all open in the end, or none of it is."""

from collections.abc import Coroutine
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from bridge.postoffice.together import NotInTime, together
from tests.postoffice.kit import result


class Doors:
    def __init__(self, *names: str) -> None:
        self.waiting: dict[str, Deferred[str]] = {name: Deferred() for name in names}
        self.cancelled: list[str] = []
        self.given_up: list[str] = []
        self.opening: Deferred[list[str]] = Deferred.fromCoroutine(
            together({name: self.open(name) for name in names}, self.given_up.append)
        )

    def open(self, name: str) -> "Coroutine[Any, Any, str]":
        async def opening() -> str:
            try:
                return await self.waiting[name]
            except BaseException:
                self.cancelled.append(name)
                raise

        return opening()


def test_all_are_begun_at_once_and_come_in_their_order() -> None:
    doors = Doors("a", "b")
    doors.waiting["b"].callback("b is open")
    doors.waiting["a"].callback("a is open")

    assert result(doors.opening) == ["a is open", "b is open"]
    assert doors.given_up == doors.cancelled == []


def test_the_first_failure_is_told_and_nothing_stays_open() -> None:
    doors = Doors("a", "b", "c")
    doors.waiting["c"].callback("c is open")
    doors.waiting["b"].errback(ZeroDivisionError("b"))

    with pytest.raises(ZeroDivisionError, match="b"):
        result(doors.opening)
    assert doors.given_up == ["c is open"]
    assert doors.cancelled == ["b", "a"]


def test_who_gives_up_hears_what_was_not_open() -> None:
    doors = Doors("a", "b", "c")
    doors.waiting["b"].callback("b is open")
    doors.opening.cancel()

    with pytest.raises(NotInTime, match="a, c"):
        result(doors.opening)
    assert doors.given_up == ["b is open"]
    assert doors.cancelled == ["a", "c"]
