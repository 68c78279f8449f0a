"""Whose a UIDL is: stored for one message, or computed for the UIDs of some incarnation. It is never another's (S2).

Both stores ask here, so that they can only differ in how they keep what they know.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from attrs import frozen

from bridge.maildrop.uidl import UPSTREAM, parse_format
from bridge.names import UidValidity

S = TypeVar("S")
"""What names a source: a SourceKey, or a row's number."""


@frozen
class Owner(Generic[S]):
    """The message that a UIDL was given to. `present`: it is listed, and this is its UIDL still."""

    source: S
    incarnation: int
    uid: int
    present: bool = True


@frozen
class Computed(Generic[S]):
    """UIDLs computed by `template` for the UIDs up to `highest` of one incarnation, whether each was shown or not."""

    source: S
    incarnation: int
    template: str
    uidvalidity: int
    highest: int

    def uid(self, uidl: str) -> int:
        """Whose computed UIDL this is; 0 of none."""
        origin = parse_format(self.template).origin(uidl)
        if origin is None or origin[0] not in (0, self.uidvalidity):
            return 0
        return origin[1] if origin[1] <= self.highest else 0

    def uidl(self, uid: int) -> str:
        return parse_format(self.template).uidl(UidValidity(self.uidvalidity), uid)


@frozen
class Wish(Generic[S]):
    """What `remember` asks for, for messages of `source` in `incarnation`; `own` computes their UIDLs.

    `before`: the incarnation that `carried` come from, 0 for none.
    """

    source: S
    incarnation: int
    own: Computed[S]
    given: Mapping[int, str]
    carried: Mapping[int, str]
    computed: Iterable[str]
    before: int = 0

    def each(self) -> Iterator[tuple[str, int, bool]]:
        """UIDL, UID, whether it is carried."""
        yield from ((uidl, uid, False) for uid, uidl in self.given.items())
        yield from ((uidl, uid, True) for uid, uidl in self.carried.items())
        yield from ((uidl, 0, False) for uidl in self.computed)


@frozen
class Known(Generic[S]):
    """What an account has given away.

    `stored`: owners of those UIDLs in question that are stored. `ranges`: all that was computed. `exempt`: of a range,
    the UIDs with stored UIDLs: the computed one was never theirs. `listed`: the UIDs last listed in the incarnation
    before.
    """

    stored: Mapping[str, Owner[S]]
    ranges: Iterable[Computed[S]]
    exempt: Callable[[Computed[S]], Container[int]]
    listed: Container[int] = ()


def taken(wish: Wish[S], known: Known[S]) -> frozenset[str]:
    """Those that belong to another message, or are asked for twice."""
    wanted = list(wish.each())
    refused, seen = set[str](), set[str]()
    for uidl, uid, carried in wanted:
        if uidl in seen:
            refused.add(uidl)
        seen.add(uidl)
        owner = known.stored.get(uidl)
        if owner is not None and not _fits(wish, owner, uid or wish.own.uid(uidl), carried=carried):
            refused.add(uidl)
    for span in known.ranges:
        refused |= _computed_for_others(wish, known, span, wanted)
    return frozenset(refused)


def _computed_for_others(
    wish: Wish[S], known: Known[S], span: Computed[S], wanted: list[tuple[str, int, bool]]
) -> set[str]:
    # A message listed for the first time has its own computed UIDL: 100,000 of them are not looked at one by one.
    same = (span.source, span.incarnation, span.template) == (wish.source, wish.incarnation, wish.own.template)
    refused, exempt = set[str](), None
    for uidl, uid, carried in wanted:
        if uidl in known.stored or (same and not uid):
            continue
        whose = span.uid(uidl)
        if not whose:
            continue
        if exempt is None:
            exempt = known.exempt(span)
        if whose in exempt:
            continue
        listed = (span.source, span.incarnation) != (wish.source, wish.before) or whose in known.listed
        owner = Owner(span.source, span.incarnation, whose, listed)
        if not _fits(wish, owner, uid or wish.own.uid(uidl), carried=carried):
            refused.add(uidl)
    return refused


def _fits(wish: Wish[S], owner: Owner[S], uid: int, *, carried: bool) -> bool:
    if owner.source != wish.source:
        return False
    if owner.incarnation == wish.incarnation:
        # A POP3 server that shows a UIDL again shows the same message, which is back (RFC 1939, section 7).
        back = not owner.present and parse_format(wish.own.template).name == UPSTREAM
        return owner.uid == uid or back
    return carried and owner.incarnation == wish.before and owner.present
