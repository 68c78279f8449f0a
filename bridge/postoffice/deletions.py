"""What QUIT promises and how the promise is kept (S17).

A deletion is in the journal before upstream hears of it, and struck when upstream itself shows that it holds. What is
not done within `quit_wait` goes on behind the client's back, with its session's connection and credentials; after a
restart with those of the account's next login.
"""

from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from itertools import repeat

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred, DeferredLock
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from bridge.accounts.account import Account
from bridge.config import OwnSource
from bridge.events import DeletionsAbandoned, DeletionsCarriedOut, Emit
from bridge.maildrop.errors import Lasting, MailboxReplaced, StateUnavailable, Trouble, UpstreamUnavailable
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.memory import Memory
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Source
from bridge.names import SourceKey
from bridge.postoffice.applying import AT_ONCE, Job, attempt
from bridge.postoffice.backoff import Backoff
from bridge.state.store import Overtaken, Store

PATIENCE = 3.0
"""Seconds that a login waits for another session's deletions, which its listing would still show."""


@frozen
class Outcome:
    """What QUIT answers: of `asked`, so many are `done` and so many more `promised`; why the others are neither."""

    asked: int
    done: int
    promised: int = 0
    why_not: str = ""
    temporary: bool = False
    detail: str = ""
    certain: bool = True
    goes_on: bool = False
    """The source is still at work, and no longer the session's."""

    @property
    def refused(self) -> int:
        return self.asked - self.done - self.promised


@frozen
class Replayed:
    """What a listing is not to show, and the entries that are due and could not be applied."""

    hidden: frozenset[int]
    left_over: Sequence[Entry]


NOTHING_WAITS = Replayed(frozenset(), ())


@define(eq=False)
class _Work:
    """A job on its way. `told`: the client has its answer, and what is refused from now on is told to the owner.

    `refused`: what the client is to hear. `spared`: UIDs that are not deleted after all.
    """

    account: Account
    job: Job
    backoff: Backoff
    told: bool = False
    refused: Outcome | None = None
    spared: set[int] = field(factory=set)
    waiters: "list[Deferred[None]]" = field(factory=list)

    def ended(self, clock: IReactorTime, at_most: float) -> "Deferred[None]":
        """Fires when nothing more is done for it; TimedOut."""
        waiter: Deferred[None] = Deferred(self.waiters.remove)
        self.waiters.append(waiter)
        return waiter.addTimeout(at_most, clock)

    def end(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.callback(None)


class Deletions:
    """Shared by all sessions."""

    def __init__(
        self, store: Store, clock: IReactorTime, emit: Emit, *, quit_wait: float, deletion_wait: float
    ) -> None:
        self._store = store
        self._clock = clock
        self._emit = emit
        self._quit_wait = quit_wait
        self._deletion_wait = deletion_wait
        self._locks: dict[SourceKey, DeferredLock] = {}
        self._works: list[_Work] = []
        self._ours: set[int] = set()
        self._done: dict[SourceKey, set[tuple[int, int]]] = {}

    # QUIT.

    async def carry_out(
        self, account: Account, viewer: str, source: Source, memory: Memory, uids: Sequence[int], *, touched: bool
    ) -> Outcome:
        """Whatever happens, the outcome is the truth; no Trouble is raised.

        `touched`: the session changed other flags of these messages since they were listed.
        """
        settings = account.settings
        policy = Policy(settings.delete)
        why = source.refusal(policy) if policy is not Policy.KEEP else ""
        if why:
            return Outcome(len(uids), 0, why_not=why)
        try:
            if policy is Policy.KEEP:
                await self._store.keep(account.key, viewer, memory.incarnation, uids)
                return Outcome(len(uids), len(uids))
            at_once = settings.after is None and not touched and len(uids) <= AT_ONCE and self._is_free(account, source)
            entries = self._entries(account, viewer, memory, uids, Stage.SENT if at_once else Stage.WRITTEN)
            written = await self._write_down(account, entries)
            if written and at_once and not self._is_free(account, source):
                at_once, written = False, [entry._replace(stage=Stage.WRITTEN) for entry in written]
                await self._store.advance(written)
        except Overtaken:
            why = "the mailbox was replaced upstream while this session was open; log in again"
            return Outcome(len(uids), 0, why_not=why, temporary=True)
        except StateUnavailable as trouble:
            return Outcome(len(uids), 0, why_not=str(trouble), temporary=True)
        if settings.after is not None:
            return Outcome(len(uids), 0, promised=len(uids))
        job = self._job(account, source, written or entries, written=written is not None, unseen=touched)
        if at_once:
            # Nobody has seen them without the flag after it was sent, should the connection be lost before it is.
            job.first = True
            job.ours.update(entry.id for entry in job.entries.values())
        work = _Work(account, job, Backoff(self._clock))
        if written is not None and self._store.durable:
            return await self._promised(work, len(uids))
        return await self._awaited(work, len(uids))

    def _is_free(self, account: Account, source: Source) -> bool:
        """What is asked of upstream now goes out now: written down as sent, it is one write to the disk less."""
        lock = self._locks.get(account.key)
        return self._store.durable and source.unbroken and not (lock and lock.locked)

    def _entries(self, account: Account, viewer: str, memory: Memory, uids: Sequence[int], stage: Stage) -> list[Entry]:
        listing, after = memory.listing, account.settings.after
        due = self._clock.seconds() + after if after is not None else 0.0
        policy, incarnation, modseq = Policy(account.settings.delete), memory.incarnation, listing.highestmodseq
        rows = [bisect_left(listing.uids, uid) for uid in uids]
        sizes, dates = map(listing.sizes.__getitem__, rows), map(listing.dates.__getitem__, rows)
        told = map(repeat, (policy, stage, due, modseq, 0))
        columns = zip(repeat(viewer), repeat(incarnation), uids, sizes, dates, *told, strict=False)
        return list(map(Entry._make, columns))

    async def _write_down(self, account: Account, entries: list[Entry]) -> list[Entry] | None:
        """None where the journal cannot be written: upstream is waited for then, and the truth answered."""
        try:
            return await self._store.write_down(account.key, entries)
        except StateUnavailable:
            if account.settings.after is not None:
                raise
            return None

    async def _promised(self, work: _Work, asked: int) -> Outcome:
        """Done, refused for good, or +OK because the journal holds it."""
        ended = work.ended(self._clock, self._quit_wait)
        self._begin(work)
        with suppress(TimedOut):
            await ended
        work.told = work.job.sets_aside = True
        left = len(work.job.entries)
        refused = work.refused
        if refused is None:
            return Outcome(asked, asked - left, promised=left, goes_on=work in self._works)
        return evolve(
            refused, asked=asked, done=asked - left - refused.asked, promised=left, goes_on=work in self._works
        )

    async def _awaited(self, work: _Work, asked: int) -> Outcome:
        """Without a journal that lasts: one try, and another where the connection was lost; then the truth."""
        trying = Deferred.fromCoroutine(self._try_twice(work))
        trying.addTimeout(self._deletion_wait, self._clock)
        job = work.job
        try:
            answer = await trying
        except TimedOut:
            why = f"no answer within {self._deletion_wait:g} seconds; look again later"
            answer = Deletion(asked, frozenset(job.entries), why, temporary=True, certain=False)
        except Trouble as trouble:
            left = frozenset(job.entries)
            certain = not any(job.entries[uid].id in job.ours for uid in left)
            answer = Deletion(asked, left, str(trouble), trouble.temporary, trouble.detail, certain)
        if job.written and job.entries:
            await self._store.strike(list(job.entries.values()))
        done = asked - len(answer.left)
        return Outcome(asked, done, 0, answer.why_not, answer.temporary, answer.detail, answer.certain)

    async def _try_twice(self, work: _Work) -> Deletion:
        try:
            answer = await self._attempt(work)
        except UpstreamUnavailable:
            return await self._attempt(work)
        return answer if answer.certain else await self._attempt(work)

    # Behind the client's back.

    def _begin(self, work: _Work) -> None:
        self._works.append(work)
        Deferred.fromCoroutine(self._keep_trying(work)).addErrback(_only_stopped)

    async def _keep_trying(self, work: _Work) -> None:
        """Until everything is done or refused, or this connection's credentials are of no more use."""
        job, entered = work.job, len(work.job.entries)
        try:
            while job.entries:
                try:
                    answer = await self._attempt(work)
                    if answer.left and not answer.temporary:
                        await self._refuse(work, answer)
                        return
                except (Lasting, MailboxReplaced):
                    return  # the next login shows what is to be done
                except Trouble:
                    pass
                if job.entries:
                    if work.told:
                        job.source.abandon()  # it may be long, and providers count connections
                    await work.backoff.rest()
            if work.told:
                self._emit(DeletionsCarriedOut(work.account.label, entered))
        finally:
            self._works.remove(work)
            if work.told:
                job.source.close()
            work.end()

    async def _attempt(self, work: _Work) -> Deletion:
        lock = self._locks.setdefault(work.account.key, DeferredLock())
        await lock.acquire()
        try:
            return await attempt(self._store, self._clock.seconds(), work.job)
        finally:
            lock.release()
            work.spared |= work.job.undone
            self._note_done(work)
            strangers, work.job.strangers = work.job.strangers, []
            if strangers:
                await self._give_up(work.account, strangers, "another message stands in the place of the one meant")

    async def _refuse(self, work: _Work, answer: Deletion) -> None:
        """Upstream will not, for good: a client that was told so far nothing is told that; later its owner is (S17)."""
        entries = list(work.job.entries.values())
        if work.told:
            await self._give_up(work.account, entries, answer.why_not)
            work.job.entries.clear()
            return
        # From here on the client hears that: decided before anything is waited for.
        work.refused = Outcome(
            len(entries), 0, why_not=answer.why_not, temporary=answer.temporary, detail=answer.detail
        )
        work.spared.update(work.job.entries)
        work.job.entries.clear()
        await self._store.strike(entries)

    async def _give_up(self, account: Account, entries: list[Entry], why: str) -> None:
        await self._store.give_up(account.key, entries)
        self._emit(DeletionsAbandoned(account.label, len(entries), why))

    # At a login.

    def done_since(self, account: Account, memory: Memory) -> frozenset[int]:
        """UIDs that were deleted behind this listing: where it is served again, they are not shown again."""
        done = self._done.get(account.key, ())
        return frozenset(uid for incarnation, uid in done if incarnation == memory.incarnation)

    def listed(self, account: Account) -> None:
        """What was done by now shows in the listing."""
        self._done.pop(account.key, None)

    def _note_done(self, work: _Work) -> None:
        done, work.job.done = work.job.done, set()
        if work.account.is_remembered:
            self._done.setdefault(work.account.key, set()).update(done)

    async def replay(self, account: Account, source: Source, memory: Memory, before: Sequence[Entry]) -> Replayed:
        """Apply what is due; what waits is not shown, nor what was deleted since it was listed.

        `before`: the journal as it was when the listing was asked for.
        """
        now = self._clock.seconds()
        entries = left = await self._store.journal(account.key, now)
        works = [work for work in self._works if work.account.key == account.key]
        if not (entries or works or before):
            return NOTHING_WAITS
        if works:  # others', of which those give up whose mailbox or password is another now
            await self._wait_for(works)
            left = await self._store.journal(account.key, now)
        owned = {e.id for work in self._works if work.account.key == account.key for e in work.job.entries.values()}
        due = [e for e in left if e.id not in owned and e.due <= now and e.incarnation == memory.incarnation]
        if due:
            work = _Work(account, self._job(account, source, due, sets_aside=True), Backoff(self._clock), told=True)
            await self._apply(work)
            works.append(work)
        waiting = await self._store.journal(account.key, now)
        spared = {uid for work in works for uid in work.spared}
        hidden = frozenset(
            e.uid
            for e in (*waiting, *entries, *before)
            if e.stage is not Stage.FLAGGED and e.incarnation == memory.incarnation and e.uid not in spared
        )
        tried = {e.id for e in due}
        return Replayed(hidden, [e for e in waiting if e.id in tried and e.due <= now])

    async def _apply(self, work: _Work) -> None:
        try:
            answer = await self._attempt(work)
            if answer.left and not answer.temporary:
                await self._refuse(work, answer)
        except StateUnavailable:
            raise
        except Trouble:
            pass  # they wait on, and stay hidden

    async def _wait_for(self, works: Sequence[_Work]) -> None:
        """Others' deletions, which this listing would still show."""
        for work in works:
            if work in self._works:
                ended = work.ended(self._clock, PATIENCE)
                work.backoff.hurry()
                try:
                    await ended
                except TimedOut:
                    return

    def adopt(self, account: Account, source: Source, entries: Sequence[Entry]) -> None:
        """What a login could not apply is tried further with its source once its session is over."""
        job = self._job(account, source, entries, sets_aside=True)
        self._begin(_Work(account, job, Backoff(self._clock), told=True))

    def _job(
        self,
        account: Account,
        source: Source,
        entries: Sequence[Entry],
        *,
        written: bool = True,
        unseen: bool = True,
        sets_aside: bool = False,
    ) -> Job:
        ours = self._ours if written else set()
        by_uid = {entry.uid: entry for entry in entries}
        # Of an account of the bridge's own each device has its own purge, which takes nothing that others have flagged.
        whose = account.viewer if isinstance(account.settings, OwnSource) else None
        return Job(source, by_uid, written, unseen, account.settings.purge, ours, sets_aside, whose)

    def stop(self) -> None:
        """The bridge ends; the journal keeps what is not done."""
        for work in list(self._works):
            work.job.source.abandon()
            work.backoff.stop()


def _only_stopped(failure: Failure) -> None:
    failure.trap(CancelledError)  # type: ignore[no-untyped-call]  # Twisted has no types there
