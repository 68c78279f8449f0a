"""`popbridge uidl show`: every message that is remembered of a mailbox, and what one login sees of it, and why not.

From the state file alone: nobody is asked for a password, and the bridge may run meanwhile.
"""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from math import inf

from bridge.accounts.account import Account
from bridge.commands.status import age, renumbering
from bridge.commands.terminal import CommandRefused, Terminal, counted
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory, Viewing
from bridge.maildrop.merge import Part, merge
from bridge.maildrop.view import copies_of, select
from bridge.postoffice.numbering import Sight, part_of
from bridge.state.store import Store

HEADS = ("number", "UIDL", "origin", "size", "")


async def show(account: Account, store: Store, terminal: Terminal, now: float, beside: Sequence[Account] = ()) -> None:
    """`now`: seconds since 1970. `beside`: all sources of the login, among whose messages these have their numbers."""
    memory = await store.recall(account.key)
    if memory is None:
        raise CommandRefused(f"nothing is remembered of {account.label}: it has not logged in yet")
    viewing = await store.viewing(account.key, account.viewer)
    journal = {entry.uid: entry for entry in await store.journal(account.key, inf)}
    terminal.say(f"{account.label}{f', seen as {account.viewer}' if account.viewer else ''}")
    for line in _remarks(account, memory):
        terminal.say(line)
    rows = list(_rows(account, memory, viewing, journal, now, await _numbers(account, store, beside, now)))
    terminal.say("\n".join(_table([HEADS, *rows])))
    listed = sum(1 for row in rows if row[0])
    terminal.say(f"{counted(len(rows), 'message')}, {listed:,} of them listed")


def _remarks(account: Account, memory: Memory) -> Iterator[str]:
    if memory.question:
        yield f"{renumbering(memory)}; this is how it was before"
    elif memory.place != account.place:
        yield f"last seen at {memory.place}; what becomes of these messages shows at the next login"
    if account.view.search is not None:
        yield "the search of this view is asked upstream at each login; listed here is what it has ever found"


def _rows(
    account: Account,
    memory: Memory,
    viewing: Viewing | None,
    journal: Mapping[int, Entry],
    now: float,
    among: Mapping[int, int] | None,
) -> Iterator[tuple[str, ...]]:
    """What is listed in the order of its numbers, then what is not."""
    listing = memory.listing
    seen: Iterable[int] = among if among is not None else _seen(account, memory, viewing, journal.values(), now)
    rows = {uid: row for row, uid in enumerate(listing.uids)}
    uidls = memory.uidls()
    kept = viewing.kept if viewing is not None else frozenset[int]()

    def told(uid: int, number: str, why: str) -> tuple[str, ...]:
        origin = f"{memory.incarnation}.{listing.uidvalidity}.{uid}"
        size = memory.true_sizes.get(uid, listing.sizes[rows[uid]])
        return number, uidls.uidl(uid), origin, str(size), why

    numbers = among.values() if among is not None else count(1)
    for number, uid in zip(numbers, seen, strict=False):
        yield told(uid, str(number), _listed(journal.get(uid), listing, now))
    shown = set(seen)
    copies = copies_of(viewing)
    for uid in listing.uids:
        if uid not in shown:
            yield told(uid, "", _hidden(uid, bool(listing.hidden[rows[uid]]), kept, copies, journal.get(uid), now))


def _seen(
    account: Account, memory: Memory, viewing: Viewing | None, journal: Iterable[Entry], now: float
) -> "array[int]":
    found, hidden = _sight(account, viewing, journal)
    return select(memory.listing, account.view, viewing, now=now, found=found, hidden=hidden).uids


def _sight(
    account: Account, viewing: Viewing | None, journal: Iterable[Entry]
) -> tuple[frozenset[int] | None, frozenset[int]]:
    """What the view's search has ever found, and what waits for its deletion."""
    waiting = frozenset(entry.uid for entry in journal if entry.stage is not Stage.FLAGGED)
    if account.view.search is None:
        return None, waiting
    return frozenset(viewing.ranks if viewing is not None else ()), waiting


async def _numbers(account: Account, store: Store, beside: Sequence[Account], now: float) -> Mapping[int, int] | None:
    """In the maildrop of the whole login, in their order there; None where this source is alone."""
    if len(beside) < 2:
        return None
    parts: list[Part] = []
    place = 0
    for one in beside:
        memory = await store.recall(one.key)
        if memory is None:
            continue
        if one.key == account.key:
            place = len(parts)
        viewing = await store.viewing(one.key, one.viewer)
        found, hidden = _sight(one, viewing, await store.journal(one.key, inf))
        parts.append(part_of(Sight(one, memory, found, hidden), viewing, now))
    merged = merge(parts, await store.highest_number(account.name, account.viewer))
    uids, order = merged.parts[place].uids, merged.order
    numbers = [number for number, source in enumerate(order.sources, 1) if source == place]
    return dict(zip(uids, numbers, strict=True))


def _listed(entry: Entry | None, listing: Listing, now: float) -> str:
    """Whether a flag was taken away, or set since the listing, is told by mod-sequences alone (RFC 7162)."""
    if entry is None:
        return ""
    if entry.stage is not Stage.FLAGGED:
        return f"listed; {_promise(entry, now)}"
    if 0 < entry.modseq < listing.highestmodseq:
        return "listed again; not expunged unless it is flagged again"
    return f"listed when last looked at; to be expunged in {age(entry.due - now)} if it is flagged then"


def _hidden(
    uid: int, flagged: bool, kept: frozenset[int], copies: frozenset[int], entry: Entry | None, now: float
) -> str:
    if entry is not None and (flagged or entry.stage is not Stage.FLAGGED):
        return f"hidden: {_promise(entry, now)}"
    if uid in kept:
        return "hidden: deleted by this login (keep)"
    if uid in copies:
        return "hidden: a copy of another source's message"
    if flagged:
        return "hidden: somebody has set \\Deleted or $POP3Deleted upstream"
    return "hidden: outside the view"


def _promise(entry: Entry, now: float) -> str:
    by = f" by {entry.viewer}" if entry.viewer else ""
    if entry.stage is Stage.FLAGGED:
        return f"deleted{by}, to be expunged in {age(entry.due - now)}"
    if entry.due > now:
        return f"deleted{by}, to be carried out ({entry.policy.value}) in {age(entry.due - now)}"
    return f"deleted{by}, waits for upstream ({entry.policy.value})"


def _table(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Numbers and sizes to the right; no blanks at a line's end."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for number, uidl, origin, size, why in lines:
        yield (
            f"{number:>{widths[0]}}  {uidl:<{widths[1]}}  {origin:<{widths[2]}}  {size:>{widths[3]}}  {why}"
        ).rstrip()
