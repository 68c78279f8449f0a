"""Which messages to ask for before they are asked for, and within which budget. Nothing here waits.

A client that walks through its maildrop (RETR 1, RETR 2 …, or TOP 1 0, TOP 2 0 …, up or down) is recognised at its
second step: the next messages are asked for in one window, which doubles each time. What a client has pipelined needs
no guessing. One window at a time is on its way; the next is asked for when half of what it may bring lies ahead.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum, auto
from itertools import count, islice, takewhile

from attrs import define, field, frozen

from bridge.names import MessageNumber

FIRST_WINDOW = 128 * 1024
"""Octets of the window behind the second step."""

LARGEST_WINDOW = 16 * 1024 * 1024
"""Where doubling ends; the budget ends it earlier."""

LARGEST_AHEAD = 512 * 1024
"""Octets of a message; a larger one is streamed when it is asked for. What it saves is little beside what it takes."""

FIRST_PART = 16 * 1024
"""Octets asked for first when only the top of a message is wanted; nearly every header fits."""

SMALLEST_PART = 1024


def part_for(seen: int) -> int:
    """How much of each message to ask for where the longest top so far took so many octets; 0: none was read yet."""
    return min(max(2 * seen, SMALLEST_PART), FIRST_PART) if seen else FIRST_PART


MOST_MESSAGES = 1000
"""In one window, however small they are."""


class Way(Enum):
    """How a client reads."""

    WHOLE = auto()
    TOPS = auto()


@frozen
class Step:
    """What a command calls for: messages to `ask` for ahead, each with what it takes in octets, and those held that it
    went past, to be forgotten.
    """

    ask: Mapping[MessageNumber, int] = field(factory=dict)
    forget: Sequence[MessageNumber] = ()


NOTHING = Step()


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
        self._low = 0  # the octets ahead at which more is asked for
        self._edge = 0  # how far has been asked for

    def step(
        self,
        number: MessageNumber,
        way: Way,
        *,
        here: bool,
        room: Callable[[], int],
        pipelined: Callable[[], Iterable[MessageNumber]],
    ) -> Step:
        """The client reads this message now, and has said already that it will read those `pipelined`.

        `here`: it is held or on its way. `room`: octets that may be asked for now.
        """
        forget: Sequence[MessageNumber] = ()
        if here and self._direction and way is self._way and number == next(iter(self._ahead), None):
            self._octets -= self._ahead.pop(number)  # as it goes nearly always
            self._last = number
        else:
            forget = self._arrive(number, way, here=here)
        ask = self._asked(room(), pipelined) if self._octets <= self._low else None
        return Step(ask or {}, forget) if ask or forget else NOTHING

    def _asked(self, room: int, pipelined: Callable[[], Iterable[MessageNumber]]) -> Mapping[MessageNumber, int]:
        ask: dict[MessageNumber, int] = {}
        if room and self._octets <= room:
            said = self._choose(ask, pipelined(), room, room)
            if self._direction and said < self._window:
                self._guess(ask, self._window - said, room - said)
            # Not at each step, where the messages are small or there are no more: whoever pipelines thousands of
            # commands would have them looked at each time.
            self._low = min(self._window, self._octets) // 2
        return ask

    def _arrive(self, number: MessageNumber, way: Way, *, here: bool) -> Sequence[MessageNumber]:
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

    def _leave(self) -> Sequence[MessageNumber]:
        """The client went elsewhere, or what was held is gone."""
        left = tuple(self._ahead)
        self._ahead.clear()
        self._octets = 0
        return left

    def _pass(self, number: MessageNumber) -> Sequence[MessageNumber]:
        """Up to this one, which is read now, everything is behind the client."""
        passed = tuple(takewhile(lambda one: one != number, self._ahead))
        for one in (*passed, number):
            self._octets -= self._ahead.pop(one, 0)
        return passed

    def _guess(self, ask: dict[MessageNumber, int], octets: int, room: int) -> None:
        numbers = count(self._edge + self._direction, self._direction)
        if self._choose(ask, map(MessageNumber, numbers), octets, room):
            self._window = min(2 * self._window, LARGEST_WINDOW)

    def _choose(self, ask: dict[MessageNumber, int], numbers: Iterable[MessageNumber], octets: int, room: int) -> int:
        """Add the first of these, as many as fit in so many octets; one at least, if there is room. Octets added."""
        assert self._way is not None
        added, octets, skipped = 0, min(octets, room), 0
        for number in islice(numbers, MOST_MESSAGES - len(ask)):
            cost = self._cost(number, self._way)
            if cost is None or cost > LARGEST_AHEAD or added + cost > (octets if added else room):
                break
            if number in self._ahead or number == self._last:
                skipped += 1
                if skipped > len(self._ahead) + 1:  # the same few over and over
                    break
                continue
            added += cost
            ask[number] = self._ahead[number] = cost
            self._edge = number
        self._octets += added
        return added


@define
class Budget:
    """Octets that sessions may hold ahead: `each` of them, and `total` all together; the fuller, the smaller shares."""

    each: int
    total: int
    used: int = 0

    def share(self, held: int) -> int:
        """What one more window may take in a session that holds so much already."""
        return max(min(self.each - held, (self.total - self.used) // 4), 0)
