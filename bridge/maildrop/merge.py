"""One order for the messages of several mailboxes, in which a mail program finds each where it was the last time.

Every message gets a number when it is first listed to a viewer, above all that are in use, and keeps it for good; the
order of the numbers is that of the maildrop. So new mail comes last whatever mailbox it came to, a mailbox that is
added comes behind those that were there, and one that is taken away and added again finds its old places (S8).
"""

from array import array
from collections.abc import Callable, Sequence
from itertools import chain, compress, repeat

from attrs import frozen

from bridge.maildrop.view import Ranked

COPY = 0
"""The number of a copy of another source's message, which stays hidden."""


IsCopy = Callable[[int, int], bool]
"""Of the message of this source, by its place among the sources, with this UID; asked in the order of the numbers."""


@frozen
class Part:
    """One source: what its viewer sees of it, and when each new message of it arrived (-1: unknown)."""

    ranked: Ranked
    dates: "array[int]"


@frozen
class Placed:
    """One source's messages `uids` as they are listed; `ranks` and `numbers` are to be stored, where they `changed`."""

    uids: "array[int]"
    ranks: "array[int]"
    numbers: "array[int]"
    changed: bool


@frozen
class Order:
    """Message by message, which source it is of, and which of its messages, counted from 1."""

    sources: "array[int]"
    numbers: "array[int]"

    def __len__(self) -> int:
        return len(self.sources)


@frozen
class Merged:
    parts: Sequence[Placed]
    order: Order


def _never(_source: int, _uid: int, /) -> bool:
    return False


def merge(parts: Sequence[Part], used: int, is_copy: IsCopy = _never) -> Merged:
    """`used`: the highest number that this viewer's messages of the account have had, in whichever source.

    First what was listed while its source was the only one, in the order of the sources: of those that had been one of
    several before, whose mail was listed behind the others' already, and then of those that had not. Then what is new,
    by date of arrival, then by source, then by UID.
    """
    numbers = [part.ranked.numbers[:] for part in parts]
    for part, had in sorted(zip(parts, numbers, strict=True), key=lambda each: not each[1]):
        alone = len(part.ranked.ranks) - len(part.ranked.new) - len(had)
        had.extend(range(used + 1, used + 1 + alone))
        used += alone
    new: list[array[int]] = [array("I") for _ in parts]
    for _, source, uid in sorted(chain.from_iterable(map(_arrivals, range(len(parts)), parts))):
        new[source].append(uid)
        if is_copy(source, uid):
            numbers[source].append(COPY)
        else:
            used += 1
            numbers[source].append(used)
    placed = [_placed(*each) for each in zip(parts, numbers, new, strict=True)]
    return Merged(placed, _order(placed))


def _arrivals(source: int, part: Part) -> "zip[tuple[int, int, int]]":
    return zip(part.dates, repeat(source), part.ranked.new)


def _placed(part: Part, numbers: "array[int]", new: "array[int]") -> Placed:
    """New messages stand at the end in the order in which they were numbered."""
    ranked, before = part.ranked, len(part.ranked.ranks) - len(new)
    listed = array("I", compress(new, numbers[before:]))
    uids = ranked.uids[: len(ranked.uids) - len(new)] + listed
    return Placed(uids, ranked.ranks[:before] + new, numbers, ranked.changed or len(numbers) > len(ranked.numbers))


def _order(placed: Sequence[Placed]) -> Order:
    """By number; messages of one source keep their order, since their numbers ascend."""
    columns = [_numbers(part) for part in placed]
    keys = list(chain.from_iterable(columns))
    sources = array("H", chain.from_iterable(repeat(source, len(column)) for source, column in enumerate(columns)))
    places = array("I", chain.from_iterable(range(1, len(column) + 1) for column in columns))
    rows = sorted(range(len(keys)), key=keys.__getitem__)
    return Order(array("H", map(sources.__getitem__, rows)), array("I", map(places.__getitem__, rows)))


def _numbers(part: Placed) -> Sequence[int]:
    """Of the messages that are listed."""
    if len(part.uids) == len(part.ranks):
        return part.numbers
    of = dict(zip(part.ranks, part.numbers, strict=True))
    return list(map(of.__getitem__, part.uids))
