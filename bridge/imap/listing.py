"""The fast way through a listing: 100,000 `* n FETCH (UID u RFC822.SIZE s …)` lines into a few arrays.

One regular expression takes every row of the shape this server writes; any other line is left for `parser`, at its
place. So nothing is skipped, and nothing is made up. News of flags that comes along, a row for each message that
changed since the last time (QRESYNC, RFC 7162), has such a shape too; and so has what became of a thousand messages
that were deleted.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from operator import add
from typing import Any

from attrs import define, field, frozen

from bridge.imap.internaldate import DAYS, MINUTES, SECONDS, Memo, NoDateError
from bridge.imap.internaldate import PATTERN as DATE
from bridge.imap.lexer import spelled
from bridge.imap.responses import Fetched

DELETED = "\\Deleted"
HIDDEN = "$POP3Deleted"


@frozen
class ListingRows:
    """Columns of equal length, in the server's order: sequence number, UID, RFC822.SIZE, seconds since 1970.

    `sizes` is empty where the rows say none. `dates` has -1 where unknown. `deleted` and `hidden` have 1 where the
    message carries \\Deleted or $POP3Deleted.
    """

    numbers: "array[int]"  # I
    uids: "array[int]"  # I
    sizes: "array[int]"  # Q
    dates: "array[int]"  # q
    deleted: bytes
    hidden: bytes


@frozen
class FetchedRows:
    """Rows that are no listing's, by columns: each is made when it is asked for, and most are not asked for at all."""

    numbers: Sequence[int]
    _said: Mapping[str, Sequence[Any]]

    def __len__(self) -> int:
        return len(self.numbers)

    def __iter__(self) -> Iterator[Fetched]:
        none = repeat(None)
        columns = (self._said.get(name, none) for name in Fetched._fields[1:])
        return map(Fetched._make, zip(self.numbers, *columns, strict=False))

    @property
    def flags(self) -> Sequence[frozenset[str]]:
        """Of each row; nothing where they say none."""
        return self._said.get("flags", ())


# How each item looks in a row; sizes up to 18 digits fit a signed 64-bit number whatever they are. A parenthesis that
# is not escaped makes a column.
_ITEMS = {
    b"UID": rb"([1-9][0-9]{0,9})",
    b"RFC822.SIZE": rb"([0-9]{1,18})",
    b"FLAGS": rb"\(([^\(\)\x00-\x1f\x7f]{0,400}+)\)",
    b"INTERNALDATE": DATE,
    b"MODSEQ": rb"\(([0-9]{1,19})\)",
}
_GROUPS = re.compile(rb"(?<!\\)\((?!\?)")


@frozen
class Shape:
    """One order and spelling of the items: `run` matches as many rows as there are, `row` gives one row's columns."""

    names: tuple[bytes, ...]
    run: re.Pattern[bytes]
    row: re.Pattern[bytes]

    @property
    def lists(self) -> bool:
        """Not mere news of messages."""
        return b"RFC822.SIZE" in self.names


def shape(names: Sequence[bytes]) -> Shape | None:
    """None where a row is not a plain one."""
    plain = [name.upper() for name in names]
    if len(set(plain)) < len(plain) or not set(plain) <= _ITEMS.keys() or b"UID" not in plain:
        return None
    items = b" ".join(re.escape(name) + b" " + _ITEMS[known] for name, known in zip(names, plain, strict=True))
    row = rb"\* ([1-9][0-9]{0,9}) FETCH \(" + items + rb"\)\r\n"
    return Shape(tuple(plain), re.compile(b"(?:" + _GROUPS.sub(b"(?:", row) + b")*+"), re.compile(row))


@define
class Shapes:
    """The shapes that this connection's server was seen to use; a server has one or two."""

    current: Shape | None = None
    _known: dict[tuple[bytes, ...], Shape | None] = field(factory=dict)

    def learn(self, names: Sequence[bytes]) -> None:
        """A row of these items had to be read the slow way."""
        key = tuple(names)
        if key not in self._known:
            if len(self._known) == 16:
                return
            self._known[key] = shape(key)
        self.current = self._known[key] or self.current


def _carrying(flag: str) -> Memo[int]:
    """1 where a list of flags has this one, else 0."""
    return Memo(lambda flags: int(any(spelled(one) == flag for one in flags.split())))


_DELETED = _carrying(DELETED)
_HIDDEN = _carrying(HIDDEN)


class NotPlain(Exception):
    """Flags that are to be looked at closely."""


def _plain_flags(octets: bytes) -> frozenset[str]:
    if not _PLAIN_FLAGS.fullmatch(octets):
        raise NotPlain
    return frozenset(map(spelled, octets.split()))


_PLAIN_FLAGS = re.compile(rb"(?:\\?[$A-Za-z0-9_.:+-]+(?: \\?[$A-Za-z0-9_.:+-]+)*)?")
_FLAGS = Memo(_plain_flags)
_FIELDS = {b"UID": "uid", b"RFC822.SIZE": "size", b"MODSEQ": "modseq"}
_MOST = 2**32 - 1  # numbers of messages, and UIDs (RFC 9051, section 9)


def read_rows(rows: Shape, octets: bytes, begin: int, end: int) -> ListingRows | None:
    """The rows that `rows.run` found there; None where a number or a date is out of bounds after all."""
    numbers, *rest = zip(*rows.row.findall(octets, begin, end), strict=True)
    columns = iter(rest)
    uids = sizes = array("I")
    dates, deleted, hidden = array("q", [-1]) * len(numbers), bytes(len(numbers)), bytes(len(numbers))
    try:
        for name in rows.names:
            match name:
                case b"UID":
                    uids = array("I", map(int, next(columns)))
                case b"RFC822.SIZE":
                    sizes = array("Q", map(int, next(columns)))
                case b"FLAGS":
                    flags = next(columns)
                    deleted, hidden = bytes(map(_DELETED.__getitem__, flags)), bytes(map(_HIDDEN.__getitem__, flags))
                case b"INTERNALDATE":
                    dates = array("q", _dates(columns))
                case _:
                    next(columns)
        return ListingRows(array("I", map(int, numbers)), uids, sizes, dates, deleted, hidden)
    except (OverflowError, NoDateError):
        return None


def read_fetched(rows: Shape, octets: bytes, begin: int, end: int) -> FetchedRows | None:
    """The same rows as `parser` would read each; None where that might see more in one than is here."""
    numbers, *rest = zip(*rows.row.findall(octets, begin, end), strict=True)
    columns = iter(rest)
    said: dict[str, Sequence[Any]] = {}
    try:
        for name in rows.names:
            match name:
                case b"FLAGS":
                    said["flags"] = list(map(_FLAGS.__getitem__, next(columns)))
                case b"INTERNALDATE":
                    said["internaldate"] = list(_dates(columns))
                case _:
                    said[_FIELDS[name]] = list(map(int, next(columns)))
    except (NotPlain, NoDateError):
        return None
    told = FetchedRows(list(map(int, numbers)), said)
    return told if max(*told.numbers, *said["uid"]) <= _MOST else None


def _dates(columns: Iterator[Sequence[bytes]]) -> Iterator[int]:
    days, minutes, seconds = next(columns), next(columns), next(columns)
    times = map(add, map(MINUTES.__getitem__, minutes), map(SECONDS.__getitem__, seconds))
    return map(add, map(DAYS.__getitem__, days), times)


def one_row(fetched: Fetched) -> ListingRows | None:
    """A row that was read the slow way; None if it says no UID or no size."""
    if fetched.uid is None or fetched.size is None:
        return None
    flags = fetched.flags or frozenset()
    return ListingRows(
        array("I", [fetched.number]),
        array("I", [fetched.uid]),
        array("Q", [fetched.size]),
        array("q", [-1 if fetched.internaldate is None else fetched.internaldate]),
        bytes([DELETED in flags]),
        bytes([HIDDEN in flags]),
    )
