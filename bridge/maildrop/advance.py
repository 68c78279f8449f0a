"""From what is remembered of a source and what it lists now to what will be remembered: nothing here waits or stores.

A message keeps its UIDL as long as it is there, also into a new incarnation where it is recognised; no UIDL is ever
given to two messages (S1–S6).
"""

from array import array
from collections.abc import Mapping, Sequence

from attrs import evolve

from bridge.maildrop.changes import altered, compare
from bridge.maildrop.issuing import EverComputed, free, issue
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Issued, Memory, Moves, News
from bridge.maildrop.uidl import UidlFormat, parse_format


def first(place: str, listing: Listing, form: UidlFormat, ids: Mapping[int, str] | None = None) -> tuple[Memory, News]:
    """Of a source that nothing is known of. `ids`: the server's own of every message, for a stable format."""
    memory = Memory(place=place, listing=listing, highest=_highest(listing), template=form.template)
    fresh = issue(listing.uids, form, _issued(memory), (), ids or {}, set())
    return evolve(memory, exceptions=memory.exceptions.changed((), fresh.given)), News(
        given=fresh.given, computed=fresh.computed
    )


def replaced(memory: Memory, place: str, listing: Listing) -> str:
    """Why this is another incarnation of the mailbox (S1); "" when it goes on."""
    old = memory.listing
    if place != memory.place:
        return "the account points to another server, login or mailbox"
    if listing.uidvalidity != old.uidvalidity:
        return f"UIDVALIDITY changed from {old.uidvalidity} to {listing.uidvalidity}"
    if old.mailbox_id and listing.mailbox_id and listing.mailbox_id != old.mailbox_id:
        return "MAILBOXID changed"
    if 0 < listing.uidnext <= memory.highest:
        return f"UIDNEXT fell to {listing.uidnext}, though a message with UID {memory.highest} was listed"
    # What upstream calls by the name it had is the same message: POP3 servers may guess at sizes until somebody reads.
    changed = 0 if listing.names else altered(old, listing)
    return f"the message with UID {changed} has another size or date than before" if changed else ""


def doubtful(memory: Memory, listing: Listing) -> str:
    """Why a mailbox that goes on, and lists nothing where messages were, is not believed (S6); "" when it is."""
    before = memory.listing
    if len(listing) or not len(before) or listing.uidnext >= before.uidnext:
        return ""
    return (
        f"upstream lists no message where there were {len(before)}, and does not say by UIDNEXT "
        "that it is the same mailbox; try again later"
    )


def unlisted(memory: Memory, listing: Listing) -> Sequence[int]:
    """The UIDs that were not listed the last time, ascending."""
    return compare(memory.listing, listing).new


def grown(
    memory: Memory, listing: Listing, form: UidlFormat, ids: Mapping[int, str] | None = None
) -> tuple[Memory, News]:
    """The mailbox goes on. `ids`: the server's own of what was unlisted, for a stable format."""
    changes = compare(memory.listing, listing)
    new, gone = changes.new, changes.gone
    before = (*memory.issued, _issued(memory))
    other = form.template != memory.template
    # What is there keeps the UIDL it had, though the account has another format now.
    kept = dict(zip(memory.listing.uids, memory.uidls().uidls(memory.listing.uids), strict=True)) if other else {}
    for uid in (*gone, *memory.exceptions.uids) if other else ():
        kept.pop(uid, None)
    after = evolve(
        memory,
        listing=listing,
        highest=max(memory.highest, _highest(listing)),
        issued=before if other else memory.issued,
        template=form.template,
        true_sizes=_without(memory.true_sizes, gone),
        question="",
        accepted=False,
    )
    used = {*kept.values(), *(uidl for _, uidl in memory.exceptions.items())} if new else set()
    fresh = issue(new, form, _issued(after), before, ids or {}, used, memory.version)
    given = {**kept, **fresh.given}
    return evolve(after, exceptions=memory.exceptions.changed(gone, given)), News(
        columns=_columns(memory.listing) != _columns(listing), given=given, computed=fresh.computed, gone=gone
    )


def renumbered(
    memory: Memory, place: str, listing: Listing, moves: Moves, form: UidlFormat, ids: Mapping[int, str] | None = None
) -> tuple[Memory, News]:
    """The mailbox was replaced. `ids`: the server's own at least of what was not recognised, for a stable format."""
    issued = (*memory.issued, _issued(memory)) if memory.highest else memory.issued
    after = Memory(
        version=memory.version,
        place=place,
        incarnation=memory.incarnation + 1,
        listing=listing,
        highest=_highest(listing),
        issued=issued,
        template=form.template,
        true_sizes=_moved(memory, listing, moves),
    )
    recognised = {new: old for old, new in moves.uids.items()}
    carried = dict(zip(recognised, memory.uidls().uidls(recognised.values()), strict=True))
    new = [uid for uid in listing.uids if uid not in recognised]
    fresh = issue(new, form, _issued(after), issued, ids or {}, set(carried.values()))
    return evolve(after, exceptions=after.exceptions.changed((), {**carried, **fresh.given})), News(
        given=fresh.given, carried=carried, computed=fresh.computed, moves=moves
    )


def suffixed(memory: Memory, news: News, taken: frozenset[str]) -> tuple[Memory, News]:
    """The same with longer UIDLs in place of these, which the store says are taken."""
    form = parse_format(memory.template)
    again = {uid: uidl for uid, uidl in (*news.given.items(), *news.carried.items()) if uidl in taken}
    for uidl in news.computed:
        if uidl in taken:
            origin = form.origin(uidl)
            assert origin is not None
            again[origin[1]] = uidl
    computed = EverComputed((*memory.issued, _issued(memory)))
    used = {*taken, *news.given.values(), *news.carried.values()}
    given = {uid: free(uidl, memory.incarnation, uid, computed, used) for uid, uidl in sorted(again.items())}
    return evolve(memory, exceptions=memory.exceptions.changed((), given)), evolve(
        news,
        given={**news.given, **given},
        carried={uid: uidl for uid, uidl in news.carried.items() if uid not in given},
        computed=[uidl for uidl in news.computed if uidl not in taken],
    )


def _highest(listing: Listing) -> int:
    return listing.uids[-1] if listing.uids else 0


def _issued(memory: Memory) -> Issued:
    """What was computed until now in this incarnation."""
    return Issued(memory.incarnation, memory.listing.uidvalidity, memory.highest, memory.template)


def _columns(listing: Listing) -> tuple["array[int]", "array[int]", "array[int]", bytearray]:
    return listing.uids, listing.sizes, listing.dates, listing.hidden


def _without(sizes: Mapping[int, int], gone: Sequence[int]) -> Mapping[int, int]:
    lost = frozenset(gone)
    return {uid: size for uid, size in sizes.items() if uid not in lost} if lost else sizes


def _moved(memory: Memory, listing: Listing, moves: Moves) -> dict[int, int]:
    """True sizes of what was recognised and is as large as before, by RFC822.SIZE: others have to be learned anew."""
    before = dict(zip(memory.listing.uids, memory.listing.sizes, strict=True))
    now = dict(zip(listing.uids, listing.sizes, strict=True))
    return {
        new: memory.true_sizes[old]
        for old, new in moves.uids.items()
        if old in memory.true_sizes and before[old] == now[new]
    }
