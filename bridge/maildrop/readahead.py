"""Which messages to ask for before they are asked for, and within which budget. Nothing here waits.

A client that walks through its maildrop (RETR 1, RETR 2 …, or TOP 1 0, TOP 2 0 …, up or down) is recognised at its
second step: the next messages are asked for in one window, which doubles each time. What a client has pipelined needs
no guessing. One window at a time is on its way; the next is asked for when half of what it may bring lies ahead.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from itertools import count, islice

from attrs import define, frozen

from bridge.names import MessageNumber

FIRST_WINDOW = 128 * 1024
"""Octets of the window behind the second step."""

LARGEST_WINDOW = 16 * 1024 * 1024
"""Where doubling ends; the budget ends it earlier."""

FIRST_PART = 16 * 1024
"""Octets asked for first when only the top of a message is wanted; nearly every header fits."""

MOST_MESSAGES = 1000
"""In one window, however small they are."""


class Way(Enum):
    """How a client reads."""

    WHOLE = auto()
    TOPS = auto()


@frozen
class Step:
    """What a command calls for: messages to `ask` for ahead, and those held that it went past, to be forgotten."""

    ask: Sequence[MessageNumber] = ()
    forget: Sequence[MessageNumber] = ()


class Walk:
    """One session's way through its maildrop.

    `cost`: octets that holding this message takes, None of one that is not to be read ahead: no such number, or
    deleted.
    """

    def __init__(self, cost: Callable[[MessageNumber, Way], int | None]) -> None:
        self._cost = cost
        self._way: Way | None = None
        self._last = 0
        self._direction = 0
        self._window = FIRST_WINDOW
        self._ahead: dict[MessageNumber, int] = {}  # asked for and not read yet, in the order of the walk
        self._octets = 0  # of these
        self._edge = 0  # how far has been asked for

    def step(
        self,
        number: MessageNumber,
        way: Way,
        *,
        here: bool,
        room: int,
        pipelined: Callable[[], Iterable[MessageNumber]],
    ) -> Step:
        """The client reads this message now, and has said already that it will read those `pipelined`.

        `here`: it is held or on its way. `room`: octets that may be asked for now.
        """
        forget = self._arrive(number, way, here=here)
        if self._octets * 2 > min(self._window, self._octets + room) or not room:
            return Step((), tuple(forget))
        ask = self._chosen(pipelined(), room, room)
        if self._direction and self._octets * 2 <= self._window:
            ask += self._guessed(room - sum(map(self._ahead.__getitem__, ask)))
        return Step(tuple(ask), tuple(forget))

    def _arrive(self, number: MessageNumber, way: Way, *, here: bool) -> list[MessageNumber]:
        direction = number - self._last
        expected = way is self._way and (number in self._ahead or direction in {1, -1})
        if not expected or not here:
            forget = self._leave()
            if not expected:
                self._direction, self._window = 0, FIRST_WINDOW
            elif direction in {1, -1}:
                self._direction = direction
            self._edge = number
        else:
            forget = self._pass(number)
            if not self._direction and direction in {1, -1}:
                self._direction = direction
        self._way, self._last = way, number
        return forget

    def _leave(self) -> list[MessageNumber]:
        """The client went elsewhere, or what was held is gone."""
        left = list(self._ahead)
        self._ahead.clear()
        self._octets = 0
        return left

    def _pass(self, number: MessageNumber) -> list[MessageNumber]:
        """Up to this one, which is read now, everything is behind the client."""
        passed = []
        for one in self._ahead:
            passed.append(one)
            if one == number:
                break
        for one in passed:
            self._octets -= self._ahead.pop(one)
        return passed[:-1]

    def _guessed(self, room: int) -> list[MessageNumber]:
        numbers = count(self._edge + self._direction, self._direction)
        asked = self._chosen(map(MessageNumber, numbers), self._window, room)
        if asked:
            self._window = min(2 * self._window, LARGEST_WINDOW)
        return asked

    def _chosen(self, numbers: Iterable[MessageNumber], octets: int, room: int) -> list[MessageNumber]:
        """The first of these, as many as fit in so many octets; one at least, if there is room."""
        assert self._way is not None
        asked: list[MessageNumber] = []
        octets = min(octets, room)
        for number in islice(numbers, MOST_MESSAGES):
            cost = self._cost(number, self._way)
            if cost is None or cost > (octets if asked else room):
                break
            if number in self._ahead or number == self._last:
                continue
            octets -= cost
            asked.append(number)
            self._ahead[number] = cost
            self._octets += cost
            self._edge = number
        return asked


@define
class Budget:
    """Octets that sessions may hold ahead: `each` of them, and `total` all together; the fuller, the smaller shares."""

    each: int
    total: int
    used: int = 0

    def share(self, held: int) -> int:
        """What one more window may take in a session that holds so much already."""
        return max(min(self.each - held, (self.total - self.used) // 4), 0)
