"""INTERNALDATE as seconds since 1970: `"17-Jul-1996 02:44:25 -0700"` (RFC 9051, date-time).

Split into three words that repeat from message to message, so that each is worked out once.
"""

import re
from collections.abc import Callable
from datetime import date
from typing import TypeVar

# Group 1 the day, 2 the hour and minute, 3 the second and zone. A one-digit day has a blank before it; some send it
# bare, or with a nought.
PATTERN = rb'"([ 0-3]?[0-9]-[A-Za-z]{3}-[0-9]{4}) ([0-9]{2}:[0-9]{2}):([0-9]{2} [-+][0-9]{4})"'
_DATE = re.compile(PATTERN)
_MONTHS = {name: number for number, name in enumerate(b"jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_EPOCH = date(1970, 1, 1).toordinal()


_Value = TypeVar("_Value")


class NoDateError(ValueError):
    """The octets are shaped like a date, but are none."""


class Memo(dict[bytes, _Value]):
    """Values worked out once per word; a dict's look-up takes half the time of an lru_cache's. Bounded."""

    def __init__(self, work_out: Callable[[bytes], _Value], bound: int = 2048) -> None:
        super().__init__()
        self._work_out = work_out
        self._bound = bound

    def __missing__(self, word: bytes) -> _Value:
        value = self._work_out(word)
        if len(self) >= self._bound:
            self.clear()
        self[word] = value
        return value


def _day(octets: bytes) -> int:
    number, month, year = octets.split(b"-")
    try:
        return (date(int(year), _MONTHS[month.lower()], int(number)).toordinal() - _EPOCH) * 86400
    except (KeyError, ValueError) as none:
        raise NoDateError from none


def _minute(octets: bytes) -> int:
    hours, minutes = int(octets[:2]), int(octets[3:])
    if hours > 23 or minutes > 59:
        raise NoDateError
    return hours * 3600 + minutes * 60


def _second(octets: bytes) -> int:
    """Second and zone; the zone is what local time is ahead."""
    seconds, sign, hours, minutes = int(octets[:2]), octets[3:4], int(octets[4:6]), int(octets[6:])
    if seconds > 60 or minutes > 59:
        raise NoDateError
    ahead = hours * 3600 + minutes * 60
    return seconds + ahead if sign == b"-" else seconds - ahead


DAYS = Memo(_day)
MINUTES = Memo(_minute)
SECONDS = Memo(_second)


def read_date(quoted: bytes) -> int | None:
    """With its quotation marks; None where it is no date."""
    found = _DATE.fullmatch(quoted)
    if found is None:
        return None
    try:
        return DAYS[found[1]] + MINUTES[found[2]] + SECONDS[found[3]]
    except NoDateError:
        return None
