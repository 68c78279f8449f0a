"""Notices a mail program that fetches one message over and over (S21): its memory is lost, or it cannot digest it."""

from collections import OrderedDict
from collections.abc import Hashable

ALARM = 10
"""Retrievals of one message by one login that are no accident; told once at each power of ten."""

WATCHED = 50_000
"""Messages whose retrievals are counted, the latest ones."""


class Loops:
    """In the memory of this process alone: a loop soon shows itself again."""

    def __init__(self, watched: int = WATCHED) -> None:
        self._watched = watched
        self._times: OrderedDict[int, int] = OrderedDict()

    def retrieved(self, login_and_message: Hashable) -> int | None:
        """How often by now, when that is worth telling."""
        key = hash(login_and_message)
        times = self._times[key] = self._times.get(key, 0) + 1
        self._times.move_to_end(key)
        if len(self._times) > self._watched:
            self._times.popitem(last=False)
        return times if times >= ALARM and str(times).strip("0") == "1" else None
