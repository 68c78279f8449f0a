"""State that lasts as long as the process: `state = "memory:"`, and in tests the stand-in for the one in SQLite.

It keeps every promise of the Store but durability. Nothing here waits: each Deferred has fired when it is returned.
"""

import time
from array import array
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import wraps
from itertools import compress
from typing import Concatenate, ParamSpec, TypeVar, cast

from attrs import define, evolve, field
from twisted.internet.defer import Deferred, execute

from bridge.maildrop.errors import StateUnavailable
from bridge.maildrop.exceptions import exceptions
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.memory import Fingerprint, Issued, Memory, Moves, News, Viewing
from bridge.names import AccountName, SourceKey, SourceName, UidValidity
from bridge.state.computed import Computed, Known, Owner, Wish, taken
from bridge.state.store import VIEWERS_AT_MOST, Glance, Overtaken, Pending, Showing, Troubled, UidlTaken

P = ParamSpec("P")
T = TypeVar("T")


_NEVER = Viewing(incarnation=0)


@define
class _Viewer:
    ranks: "array[int] | None" = None
    numbers: "array[int]" = field(factory=lambda: array("I"))
    floor: int = 0
    kept: set[int] = field(factory=set)

    def is_as(self, before: Viewing | None) -> bool:
        """All but `kept` is what it was."""
        then = before or _NEVER
        return (self.ranks or array("I"), self.numbers, self.floor) == (then.ranks, then.numbers, then.floor)


@define
class _Source:
    """`memory`, and what is kept beside it: `uidls` are stored ones of present messages, `ranges` all computed ones."""

    memory: Memory
    uidls: dict[int, str] = field(factory=dict)
    ranges: "list[Computed[SourceKey]]" = field(factory=list)
    true_sizes: dict[int, int] = field(factory=dict)
    fingerprints: dict[int, Fingerprint] = field(factory=dict)
    viewers: dict[str, _Viewer] = field(factory=dict)

    def listed(self, uids: Iterable[int]) -> list[int]:
        """Those of them that are listed."""
        present = set(self.memory.listing.uids)
        return [uid for uid in uids if uid in present]


@define
class _Waiting:
    key: SourceKey
    entry: Entry
    written: float


def _answer(
    ask: Callable[Concatenate["MemoryStore", P], T],
) -> "Callable[Concatenate[MemoryStore, P], Deferred[T]]":
    @wraps(ask)
    def answered(self: "MemoryStore", *args: P.args, **kwargs: P.kwargs) -> "Deferred[T]":
        return execute(ask, self, *args, **kwargs)

    return cast("Callable[Concatenate[MemoryStore, P], Deferred[T]]", answered)  # wraps() hides how it is called


class MemoryStore:
    """`seconds`: the time since 1970."""

    durable = False

    def __init__(self, seconds: Callable[[], float] = time.time) -> None:
        self._seconds = seconds
        self._sources: dict[SourceKey, _Source] = {}
        self._owners: dict[AccountName, dict[str, Owner[SourceKey]]] = {}
        self._journal: dict[int, _Waiting] = {}
        self._troubles: dict[SourceKey, Troubled] = {}
        self._copies: dict[tuple[AccountName, str], dict[bytes, SourceName]] = {}
        self._last_id = 0
        self._closed = False

    # Listings and UIDLs.

    @_answer
    def recall(self, key: SourceKey) -> Memory | None:
        source = self._find(key)
        if source is None:
            return None
        memory = source.memory
        return evolve(
            memory,
            listing=memory.listing.copy(),
            issued=_issued(source),
            exceptions=exceptions(source.uidls),
            true_sizes=dict(source.true_sizes),
        )

    def glance(self, key: SourceKey, now: float) -> Glance | None:
        source = self._sources.get(key)
        waiting = any(
            one.key == key and (one.entry.stage is not Stage.FLAGGED or one.entry.due <= now)
            for one in self._journal.values()
        )
        return Glance(source.memory.version if source is not None else 0, waiting) if not self._closed else None

    @_answer
    def remember(self, key: SourceKey, memory: Memory, news: News) -> Memory:
        source = self._find(key)
        if memory.version != (source.memory.version if source else 0):
            raise Overtaken
        self._claim(key, source, memory, news)
        stored = evolve(memory, version=memory.version + 1, accepted=False)
        if source is None:
            source = self._sources[key] = _Source(evolve(stored, listing=memory.listing.copy()))
            source.true_sizes = dict(memory.true_sizes)
        elif source.memory.incarnation != memory.incarnation:
            self._renew(key, source, stored, news)
        else:
            self._update(key, source, stored, news)
        self._assign(key, source, {**news.given, **news.carried})
        _compute(key, source, memory)
        return stored

    def _claim(self, key: SourceKey, source: _Source | None, memory: Memory, news: News) -> None:
        old = source.memory if source else None
        before = old.incarnation if old and old.incarnation != memory.incarnation else 0
        own = Computed(key, memory.incarnation, memory.template, memory.listing.uidvalidity, memory.highest)
        wish = Wish(key, memory.incarnation, own, news.given, news.carried, tuple(news.computed), before)
        known = Known(
            stored=self._owners.get(key.account, {}),
            ranges=[span for other in self._of_account(key.account) for span in other.ranges],
            exempt=lambda span: self._stored_uids(span.source, span.incarnation),
            listed=frozenset(old.listing.uids if old and before else ()),
        )
        refused = taken(wish, known)
        if refused:
            raise UidlTaken(refused)

    def _update(self, key: SourceKey, source: _Source, memory: Memory, news: News) -> None:
        old = source.memory
        self._forget(key, source, news.gone)
        listing = memory.listing
        kept = listing if news.columns else old.listing
        source.memory = evolve(
            memory,
            listing=evolve(
                kept.copy(),
                uidnext=listing.uidnext,
                highestmodseq=listing.highestmodseq,
                mailbox_id=listing.mailbox_id,
            ),
            learned_to=old.learned_to,
        )

    def _renew(self, key: SourceKey, source: _Source, memory: Memory, news: News) -> None:
        moves = news.moves or Moves({})
        owners = self._owners.setdefault(key.account, {})
        for uidl in source.uidls.values():
            owners[uidl] = evolve(owners[uidl], present=False)
        source.uidls = {}
        source.true_sizes = dict(memory.true_sizes)
        source.fingerprints = {}
        source.memory = evolve(memory, listing=memory.listing.copy())
        for viewer in source.viewers.values():
            if viewer.ranks is not None:
                viewer.numbers = array("I", compress(viewer.numbers, map(moves.uids.__contains__, viewer.ranks)))
                viewer.ranks = array("I", [moves.uids[uid] for uid in viewer.ranks if uid in moves.uids])
            below = (new for old, new in moves.uids.items() if old < viewer.floor)
            viewer.floor = max(below, default=0) + 1 if viewer.floor else 0
            viewer.kept = {moves.uids[uid] for uid in viewer.kept if uid in moves.uids}
        self._move_journal(key, source, moves)

    def _move_journal(self, key: SourceKey, source: _Source, moves: Moves) -> None:
        listing = source.memory.listing
        rows = {uid: row for row, uid in enumerate(listing.uids)}
        for waiting in [waiting for waiting in self._journal.values() if waiting.key == key]:
            entry, uid = waiting.entry, moves.uids.get(waiting.entry.uid)
            if uid in rows and entry.uid in moves.certain:
                size, date = listing.sizes[rows[uid]], listing.dates[rows[uid]]
                waiting.entry = entry._replace(
                    incarnation=source.memory.incarnation, uid=uid, size=size, date=date, modseq=0
                )
            else:
                del self._journal[entry.id]
                if uid in rows:
                    source.viewers.setdefault(entry.viewer, _Viewer()).kept.add(uid)

    def _forget(self, key: SourceKey, source: _Source, gone: Sequence[int]) -> None:
        lost = set(gone)
        owners = self._owners.setdefault(key.account, {})
        for uid in lost:
            uidl = source.uidls.pop(uid, None)
            if uidl is not None:
                owners[uidl] = evolve(owners[uidl], present=False)
            source.true_sizes.pop(uid, None)
            source.fingerprints.pop(uid, None)
        for viewer in source.viewers.values():
            viewer.kept -= lost

    def _assign(self, key: SourceKey, source: _Source, uidls: Mapping[int, str]) -> None:
        """What these messages had until now stays taken."""
        owners, incarnation = self._owners.setdefault(key.account, {}), source.memory.incarnation
        stored = self._stored_uids(key, incarnation) if uidls else frozenset()
        for uid, uidl in uidls.items():
            before = source.uidls.get(uid)
            if before is not None:
                owners[before] = evolve(owners[before], present=False)
            for span in source.ranges:
                if span.incarnation == incarnation and uid <= span.highest and uid not in stored:
                    owners.setdefault(span.uidl(uid), Owner(key, incarnation, uid, present=False))
            owners[uidl] = Owner(key, incarnation, uid)
            source.uidls[uid] = uidl

    @_answer
    def import_uidls(self, key: SourceKey, incarnation: int, uidls: Mapping[int, str]) -> None:
        source = self._at(key, incarnation)
        memory = source.memory
        uidls = {uid: uidls[uid] for uid in source.listed(uidls)}
        self._claim(key, source, memory, News(given=uidls))
        self._assign(key, source, uidls)
        source.memory = evolve(memory, version=memory.version + 1)

    @_answer
    def accept(self, key: SourceKey) -> bool:
        source = self._find(key)
        if source is None:
            return False
        source.memory = evolve(source.memory, accepted=True, version=source.memory.version + 1)
        return True

    @_answer
    def known(self) -> list[SourceKey]:
        self._look()
        return sorted(self._sources, key=_alphabetical)

    # What is learned on the way.

    @_answer
    def fingerprints(self, key: SourceKey, incarnation: int) -> dict[int, Fingerprint]:
        source = self._find(key)
        if source is None or source.memory.incarnation != incarnation:
            return {}
        return dict(source.fingerprints)

    @_answer
    def learn(
        self,
        key: SourceKey,
        incarnation: int,
        *,
        true_sizes: Mapping[int, int],
        fingerprints: Mapping[int, Fingerprint],
        learned_to: int,
    ) -> None:
        source = self._find(key)
        if source is None or source.memory.incarnation != incarnation:
            return
        source.true_sizes.update((uid, true_sizes[uid]) for uid in source.listed(true_sizes))
        source.fingerprints.update((uid, fingerprints[uid]) for uid in source.listed(fingerprints))
        source.memory = evolve(source.memory, learned_to=max(source.memory.learned_to, learned_to))

    # Viewers.

    @_answer
    def viewing(self, key: SourceKey, viewer: str) -> Viewing | None:
        source = self._find(key)
        seen = source.viewers.get(viewer) if source else None
        if source is None or seen is None or (seen.ranks is None and not seen.kept):
            return None
        return Viewing(
            incarnation=source.memory.incarnation,
            ranks=array("I") if seen.ranks is None else seen.ranks[:],
            numbers=seen.numbers[:],
            kept=frozenset(seen.kept),
            floor=seen.floor,
        )

    @_answer
    def note_trouble(self, key: SourceKey, text: str) -> None:
        before = self._troubles.pop(key, None)
        if text:
            self._troubles[key] = Troubled(key, before.since if before else self._seconds(), text)

    @_answer
    def troubles(self) -> list[Troubled]:
        return sorted(self._troubles.values(), key=lambda one: (one.key.account, one.key.source))

    @_answer
    def keepers(self, key: SourceKey) -> int:
        source = self._find(key)
        return sum(bool(seen.kept) for seen in source.viewers.values()) if source else 0

    @_answer
    def show(self, viewer: str, showings: Sequence[Showing], copies: Mapping[bytes, SourceName]) -> None:
        of_each = [self._at(showing.key, showing.viewing.incarnation).viewers for showing in showings]
        for viewers, showing in zip(of_each, showings, strict=True):
            if not viewers.get(viewer, _Viewer()).is_as(showing.before):
                raise Overtaken
        for viewers, showing in zip(of_each, showings, strict=True):
            seen, viewing = viewers.get(viewer, _Viewer()), showing.viewing
            if seen.ranks is None:
                _make_room(viewers)
            elif seen.is_as(viewing):
                continue
            viewers.pop(viewer, None)  # who stores ranks comes last
            viewers[viewer] = evolve(seen, ranks=viewing.ranks[:], numbers=viewing.numbers[:], floor=viewing.floor)
        for showing in showings[:1]:
            self._copies.setdefault((showing.key.account, viewer), {}).update(
                (copy, source)
                for copy, source in copies.items()
                if copy not in self._shown(showing.key.account, viewer)
            )

    @_answer
    def highest_number(self, account: AccountName, viewer: str) -> int:
        self._look()
        seen = [source.viewers.get(viewer, _Viewer()) for source in self._of_account(account)]
        return max((number for one in seen for number in one.numbers), default=0)

    @_answer
    def shown_first(self, account: AccountName, viewer: str, copies: Collection[bytes]) -> dict[bytes, SourceName]:
        self._look()
        shown = self._shown(account, viewer)
        return {copy: shown[copy] for copy in copies if copy in shown}

    def _shown(self, account: AccountName, viewer: str) -> Mapping[bytes, SourceName]:
        return self._copies.get((account, viewer), {})

    @_answer
    def keep(self, key: SourceKey, viewer: str, incarnation: int, uids: Sequence[int]) -> None:
        self._keep(self._at(key, incarnation), viewer, uids)

    def _keep(self, source: _Source, viewer: str, uids: Sequence[int]) -> None:
        source.viewers.setdefault(viewer, _Viewer()).kept.update(source.listed(uids))

    # The journal.

    @_answer
    def write_down(self, key: SourceKey, entries: Sequence[Entry]) -> list[Entry]:
        source = self._find(key)
        if source is None or any(entry.incarnation != source.memory.incarnation for entry in entries):
            raise Overtaken
        written = []
        ids = {waiting.entry.uid: waiting.entry.id for waiting in self._journal.values() if waiting.key == key}
        for entry in entries:
            self._journal.pop(ids.get(entry.uid, 0), None)
            self._last_id += 1
            ids[entry.uid] = self._last_id
            written.append(entry._replace(id=self._last_id))
            self._journal[self._last_id] = _Waiting(key, written[-1], self._seconds())
        return written

    @_answer
    def journal(self, key: SourceKey, now: float) -> list[Entry]:
        self._look()
        entries = [waiting.entry for waiting in self._journal.values() if waiting.key == key]
        return [entry for entry in entries if entry.stage is not Stage.FLAGGED or entry.due <= now]

    @_answer
    def advance(self, entries: Sequence[Entry]) -> None:
        for waiting, entry in self._waiting(entries):
            waiting.entry = waiting.entry._replace(stage=entry.stage, due=entry.due, modseq=entry.modseq)

    @_answer
    def strike(self, entries: Sequence[Entry]) -> None:
        for _, entry in self._waiting(entries):
            del self._journal[entry.id]

    @_answer
    def give_up(self, key: SourceKey, entries: Sequence[Entry]) -> None:
        for waiting, _ in self._waiting(entries):
            if waiting.key == key:
                del self._journal[waiting.entry.id]
                self._keep(self._sources[key], waiting.entry.viewer, [waiting.entry.uid])

    @_answer
    def pending(self) -> list[Pending]:
        self._look()
        held: dict[SourceKey, list[_Waiting]] = {}
        for waiting in self._journal.values():
            held.setdefault(waiting.key, []).append(waiting)
        return [_pending(key, held[key]) for key in sorted(held, key=_alphabetical)]

    @_answer
    def close(self) -> None:
        self._closed = True

    # Finding.

    def _look(self) -> None:
        if self._closed:
            raise StateUnavailable("the bridge is stopping")

    def _find(self, key: SourceKey) -> _Source | None:
        self._look()
        return self._sources.get(key)

    def _at(self, key: SourceKey, incarnation: int) -> _Source:
        source = self._find(key)
        if source is None or source.memory.incarnation != incarnation:
            raise Overtaken
        return source

    def _of_account(self, account: AccountName) -> list[_Source]:
        return [source for key, source in self._sources.items() if key.account == account]

    def _stored_uids(self, key: SourceKey, incarnation: int) -> frozenset[int]:
        owners = self._owners.get(key.account, {}).values()
        return frozenset(o.uid for o in owners if (o.source, o.incarnation) == (key, incarnation))

    def _waiting(self, entries: Sequence[Entry]) -> list[tuple[_Waiting, Entry]]:
        """Those that still wait in the incarnation that is meant."""
        self._look()
        found = [(self._journal.get(entry.id), entry) for entry in entries]
        return [(w, entry) for w, entry in found if w is not None and w.entry.incarnation == entry.incarnation]


def _alphabetical(key: SourceKey) -> tuple[str, str]:
    return key.account, key.source


def _make_room(viewers: dict[str, _Viewer]) -> None:
    ranked = [viewer for viewer, seen in viewers.items() if seen.ranks is not None]
    if len(ranked) >= VIEWERS_AT_MOST:
        oldest = next((viewer for viewer in ranked if viewer and not viewers[viewer].kept), None)
        if oldest is not None:
            del viewers[oldest]


def _pending(key: SourceKey, held: list[_Waiting]) -> Pending:
    times = [waiting.written for waiting in held if waiting.entry.stage is not Stage.FLAGGED]
    return Pending(key, len(times), min(times, default=0.0), len(held) - len(times))


def _issued(source: _Source) -> tuple[Issued, ...]:
    """All but what is computed now."""
    now = (source.memory.incarnation, source.memory.template)
    spans = sorted(source.ranges, key=lambda span: (span.incarnation, span.template))
    return tuple(
        Issued(span.incarnation, UidValidity(span.uidvalidity), span.highest, span.template)
        for span in spans
        if (span.incarnation, span.template) != now
    )


def _compute(key: SourceKey, source: _Source, memory: Memory) -> None:
    """Take down which UIDLs have been computed by now."""
    now = Issued(memory.incarnation, memory.listing.uidvalidity, memory.highest, memory.template)
    for span in (*memory.issued, now):
        same = [s for s in source.ranges if (s.incarnation, s.template) == (span.incarnation, span.template)]
        highest = max([span.highest, *(s.highest for s in same)])
        for other in same:
            source.ranges.remove(other)
        source.ranges.append(Computed(key, span.incarnation, span.template, span.uidvalidity, highest))
