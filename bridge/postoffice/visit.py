"""One session's hold on a maildrop: what it reads, what it learns on the way, what its QUIT asks for."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from bridge.accounts.account import Account
from bridge.events import Emit, MessageLooping, SeenNotMarked, StateTroubled
from bridge.maildrop.errors import StateUnavailable, Trouble
from bridge.maildrop.journal import Entry
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.memory import Fingerprint, Memory
from bridge.maildrop.readahead import NOTHING, Walk, Way, part_for
from bridge.maildrop.source import Held, Sink, Source
from bridge.names import MessageNumber, Uid
from bridge.postoffice.deletions import Deletions, Outcome
from bridge.postoffice.learning import unlearned
from bridge.postoffice.loops import Loops
from bridge.postoffice.preface import Prefaced, prefaced
from bridge.state.store import Store

LEARNING = 30.0
"""Seconds that this may take behind one session; the rest follows behind the next ones."""

MARKING = 10.0
"""Seconds that QUIT waits until what was read is marked as read."""


_TOPS = Way.TOPS  # by its own name: Python 3.11 takes 0.2 µs to find a member in its class


@define(eq=False)
class Visit:
    """`left_over`: journal entries that could not be applied at the login. `departures`: sessions that are over, and
    learn what is new before they hang up. `preface`: what is sent before each message.
    """

    account: Account
    maildrop: Maildrop
    source: Source
    _memory: Memory
    _store: Store
    _deletions: Deletions
    _loops: Loops
    _clock: IReactorTime
    _emit: Emit
    _departures: "set[Deferred[None]]"
    _left_over: Sequence[Entry] = ()
    _preface: bytes = b""
    _sizes: dict[int, int] = field(factory=dict)
    _read: set[int] = field(factory=set)
    _longest_top: int = 0
    _part: int = part_for(0)
    _next: Mapping[MessageNumber, int] = field(factory=dict)
    _walk: Walk = field(init=False)
    _marks: bool = field(init=False)
    _marks_by_top: bool = field(init=False)
    _login: int = field(init=False)
    _handed_over: bool = False
    _lost: bool = False

    def __attrs_post_init__(self) -> None:
        settings = self.account.settings
        self._walk = Walk(self._cost)
        self._marks = settings.seen == "retrieved"
        self._marks_by_top = self._marks and settings.top_counts
        self._login = hash((self.account.key, self.account.viewer, self._memory.incarnation))

    @property
    def user(self) -> str:
        """Who logged in."""
        return self.account.user

    def upstream(self, number: MessageNumber) -> str:  # noqa: ARG002  all of them are in one place
        """Where this message lies."""
        return str(self.account.settings.upstream)

    def read_ahead(
        self, number: MessageNumber, way: Way, pipelined: Callable[[], Iterable[MessageNumber]]
    ) -> Held | None:
        """This message, which is there and is read now, if it was read ahead; and what comes next is asked for, behind
        it.
        """
        uid, ahead = self.maildrop.uid(number, marked=True), self.source.ahead
        held = ahead.take(uid)
        if self._preface:
            held = prefaced(held, self._preface)
        here = held is not None or ahead.awaits(uid)
        step = self._walk.step(number, way, here=here, room=ahead.room, pipelined=pipelined)
        if step is NOTHING:
            return held
        if step.forget:
            ahead.forget(map(self._uid, step.forget))
        self._next = step.ask
        if held is not None:
            self._ask_ahead(way)
        return held

    async def stream(self, number: MessageNumber, sink: Sink) -> None:
        """RETR: the whole message."""
        coming = self.source.stream(
            self.maildrop.uid(number), self._behind_preface(sink), self.maildrop.listed_size(number)
        )
        await self._before_others(coming, Way.WHOLE)

    async def top(self, number: MessageNumber, sink: Sink) -> None:
        coming = self.source.top(
            self.maildrop.uid(number), self._behind_preface(sink), self.maildrop.listed_size(number)
        )
        await self._before_others(coming, Way.TOPS)

    def _behind_preface(self, sink: Sink) -> Sink:
        return Prefaced(sink, self._preface) if self._preface else sink

    async def _before_others(self, coming: Coroutine[Any, Any, None], way: Way) -> None:
        """What is read now is asked for first, and in the same write what may be read next."""
        asked = Deferred.fromCoroutine(coming)
        self._ask_ahead(way)
        await asked

    def _ask_ahead(self, way: Way) -> None:
        asked, self._next = self._next, {}
        if asked:
            part = self._part if way is Way.TOPS else None
            uid = self.maildrop.uid
            self.source.ahead.ask({uid(number, marked=True): cost for number, cost in asked.items()}, part)

    def _uid(self, number: MessageNumber) -> Uid:
        """Also of a message that was deleted since it was read ahead."""
        return self.maildrop.uid(number, marked=True)

    def _cost(self, number: MessageNumber, way: Way) -> int | None:
        size = self.maildrop.readable(number)
        return self._part if way is _TOPS and size is not None and size > self._part else size

    def topped(self, octets: int) -> None:
        """A top of so many octets went out."""
        if octets > self._longest_top:
            self._longest_top, self._part = octets, part_for(octets)

    def delivered(self, number: MessageNumber, octets: int, *, by_top: bool) -> None:
        """The whole message went out in so many octets, before dot-stuffing."""
        uid, size = self.maildrop.read(number)
        if octets != size:
            self._sizes[uid] = octets - len(self._preface)
        if self._marks_by_top if by_top else self._marks:
            self._read.add(uid)
        times = self._loops.retrieved((self._login, uid))
        if times is not None:
            self._emit(MessageLooping(self.account.label, str(self.maildrop.uidl(number)), times))

    def has_work(self, marked: Sequence[int]) -> bool:
        """True where QUIT has anything to do before it answers."""
        return bool(marked or self._read or self._sizes)

    async def quit(self, marked: Sequence[int]) -> Outcome:
        """Carry out what was marked and read; never raises a Trouble."""
        await self._learn({}, self._memory.learned_to)  # the next login may come at once
        if self.account.settings.seen == "deleted":
            self._read.update(marked)
        if self._read:
            await self._mark_seen()
        if not marked:
            return Outcome(0, 0)
        outcome = await self._deletions.carry_out(
            self.account, self.account.viewer, self.source, self._memory, marked, touched=bool(self._read)
        )
        self._handed_over, self._lost = outcome.goes_on, not outcome.certain
        return outcome

    def leave(self) -> None:
        """The session is over and nothing is under way: learn what is new, then hang up."""
        if self._lost:
            self.abandon()
            return
        if self._handed_over:
            self._keep_sizes()
            return
        if not (self._sizes or unlearned(self._memory) or self._left_over):
            self.source.close()
            return
        leaving = Deferred.fromCoroutine(self._leave())
        self._departures.add(leaving)
        leaving.addTimeout(LEARNING, self._clock)
        leaving.addErrback(self._left_badly)
        leaving.addBoth(lambda _: self._departures.discard(leaving))

    def abandon(self) -> None:
        """The session ended in the middle of something."""
        self.source.abandon()
        self._keep_sizes()

    async def _mark_seen(self) -> None:
        """Of so little weight that no QUIT fails for it; the owner reads why."""
        marking = Deferred.fromCoroutine(self.source.mark_seen(sorted(self._read)))
        marking.addTimeout(MARKING, self._clock)
        try:
            await marking
        except Trouble as trouble:
            self._emit(SeenNotMarked(self.account.label, len(self._read), str(trouble)))
        except TimedOut:
            why = f"no answer within {MARKING:g} seconds"
            self._emit(SeenNotMarked(self.account.label, len(self._read), why))

    async def _leave(self) -> None:
        await self._learn_new()
        if self._left_over:
            self._deletions.adopt(self.account, self.source, self._left_over)
        else:
            self.source.close()

    async def _learn_new(self) -> None:
        """In parts, so that what was learned stays when the time is up."""
        for part in unlearned(self._memory):
            await self._learn(await self.source.fingerprints(part), part[-1])

    def _left_badly(self, failure: Failure) -> None:
        failure.trap(Trouble, TimedOut, CancelledError)  # type: ignore[no-untyped-call]  # Twisted has no types there
        self.abandon()

    def _keep_sizes(self) -> None:
        Deferred.fromCoroutine(self._learn({}, self._memory.learned_to))

    async def _learn(self, fingerprints: Mapping[int, Fingerprint], learned_to: int) -> None:
        if not (self._sizes or fingerprints):
            return
        sizes, self._sizes = self._sizes, {}
        try:
            await self._store.learn(
                self.account.key,
                self._memory.incarnation,
                true_sizes=sizes,
                fingerprints=fingerprints,
                learned_to=learned_to,
            )
        except StateUnavailable as trouble:
            self._emit(StateTroubled(str(trouble)))
