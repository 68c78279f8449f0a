"""A source's listing, brought up to date and remembered before anybody is shown it (S1–S6).

What was listed last time is asked for no more; what is stored is never older than what a client was told.
"""

from array import array
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, NoReturn

from attrs import define, evolve, field, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from bridge.accounts.account import Account
from bridge.events import DeletionsAbandoned, Emit, MailboxRenumbered, StateTroubled
from bridge.maildrop import advance
from bridge.maildrop.errors import ListingIncomplete, Renumbered, StateUnavailable
from bridge.maildrop.journal import Entry
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Memory, Moves, News, Viewing
from bridge.maildrop.rematch import implausible, rematch
from bridge.maildrop.source import Source
from bridge.maildrop.uidl import UidlFormat
from bridge.names import SourceKey
from bridge.state.store import Overtaken, Showing, Store, UidlTaken


class GoesOn(CancelledError):
    """The login was given up; its source is still at work, and closed when that is done."""


ROUNDS = 5
"""How often others may store a newer listing of the same source while this one is made."""

CHEAP = 1_000
"""Messages whose headers may be fetched at every poll while the owner's answer is waited for.

Of a larger mailbox that has changed since it was looked at they are fetched once in a second for each thousand.
"""

TAKEN = 5
"""How often new UIDLs may turn out to be taken; each time they get another suffix."""


@frozen
class _Judged:
    """A mailbox that was not recognised, as it was then; and when it is worth another look though it has changed."""

    place: str
    uidvalidity: int
    uidnext: int
    messages: int
    again_at: float


@define(eq=False)
class _Work:
    """A mailbox that is listed for the first time, or was replaced, and whose messages are being recognised.

    Logins of the account that come meanwhile wait for it.
    """

    source: Source
    fingerprints: Mapping[int, Fingerprint] = field(factory=dict)
    waiters: "list[Deferred[None]]" = field(factory=list)

    def over(self) -> "Deferred[None]":
        waiter: Deferred[None] = Deferred(self.waiters.remove)
        self.waiters.append(waiter)
        return waiter

    def end(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter.callback(None)


class Listings:
    """Shared by all logins."""

    def __init__(self, store: Store, clock: IReactorTime, emit: Emit) -> None:
        self._store = store
        self._clock = clock
        self._emit = emit
        self._working: dict[SourceKey, _Work] = {}
        self._judged: dict[SourceKey, _Judged] = {}

    def stop(self) -> None:
        """What is being recognised is given up; nothing of it was stored."""
        for work in list(self._working.values()):
            work.source.abandon()

    async def synchronised(self, account: Account, source: Source) -> Memory:
        """The source as it is now, stored. Raises a Trouble, and changes nothing then."""
        memory = await self._store.recall(account.key)
        for _ in range(ROUNDS):
            known = memory.listing if memory is not None and memory.place == account.place else None
            try:
                if known is None:
                    await source.enter()  # nobody is shown what others list before his own password was checked
                    if account.key not in self._working:
                        return await self._carried_through(account.key, self._listed(account, source, memory), source)
                    await self._working[account.key].over()
                    memory = await self._store.recall(account.key)
                    continue
            except Overtaken:
                memory = await self._store.recall(account.key)
                continue
            listing = await source.list(known)
            if memory is not None and listing is memory.listing and not self._asks_more(account, memory):
                return memory  # nothing came, went or changed
            if account.key in self._working:
                await self._working[account.key].over()
                memory = await self._store.recall(account.key)
                continue
            why = advance.replaced(memory, account.place, listing) if memory is not None else ""
            storing = self._stored(account, source, memory, listing, why)
            try:
                return await (self._carried_through(account.key, storing, source) if why else storing)
            except Overtaken:
                memory = await self._store.recall(account.key)
                if memory is not None and memory.place == account.place and _same(memory.listing, listing):
                    return memory
        raise ListingIncomplete("the mailbox changes faster than it can be listed; try again later")

    async def _listed(self, account: Account, source: Source, memory: Memory | None) -> Memory:
        """Everything, where nothing is known that would spare it."""
        listing = await source.list()
        why = advance.replaced(memory, account.place, listing) if memory is not None else ""
        return await self._stored(account, source, memory, listing, why)

    def _asks_more(self, account: Account, memory: Memory) -> bool:
        """The owner has said something since: there is more to do than to compare two listings."""
        other = account.uidl_format(memory).template != memory.template
        return other or bool(memory.question) or memory.accepted or account.key in self._working

    async def _carried_through(self, key: SourceKey, storing: Coroutine[Any, Any, Memory], source: Source) -> Memory:
        """Listing and recognising thousands may take longer than a client waits; the next login finds it done (S31)."""
        work = self._working[key] = _Work(source)
        waiting: Deferred[Memory] = Deferred()

        def tell(result: Memory | Failure) -> None:
            del self._working[key]
            if waiting.called and isinstance(result, Failure):
                source.abandon()
            elif waiting.called:
                source.close()  # whoever waited is gone; the next login may take its connection over
            elif isinstance(result, Failure):
                waiting.errback(result)
            else:
                waiting.callback(result)
            work.end()

        Deferred.fromCoroutine(storing).addBoth(tell)
        try:
            return await waiting
        except CancelledError:
            raise GoesOn from None

    async def _stored(
        self, account: Account, source: Source, before: Memory | None, listing: Listing, why: str
    ) -> Memory:
        """`why` it is another incarnation, or "" where it goes on."""
        uidl_format = account.uidl_format(before)
        memory, news = await self._thought(account, source, before, listing, uidl_format, why)
        if before is not None and not _is_news(before, memory, news):
            return memory
        waiting = await self._store.journal(account.key, self._clock.seconds()) if news.moves is not None else []
        for _ in range(TAKEN):
            try:
                stored = await self._store.remember(account.key, memory, news)
            except UidlTaken as taken:
                memory, news = advance.suffixed(memory, news, taken.uidls)
            except StateUnavailable as trouble:
                # Computed UIDLs are the same tomorrow; what had to be stored would not be.
                # A format without UIDVALIDITY relies on the store for what it has computed, too.
                unproven = news.computed and not uidl_format.has_uidvalidity
                if before is None or news.moves is not None or news.given or news.carried or unproven:
                    raise
                self._emit(StateTroubled(str(trouble)))
                return memory
            else:
                if before is not None and news.moves is not None:
                    self._report(account, waiting, news.moves)
                    await self._moved(account, before, stored, news.moves)
                return stored
        raise StateUnavailable("no free UIDL was found for new messages; please report this")

    async def _thought(
        self,
        account: Account,
        source: Source,
        before: Memory | None,
        listing: Listing,
        uidl_format: UidlFormat,
        why: str,
    ) -> tuple[Memory, News]:
        if before is None:
            ids = await source.stable_ids(listing.uids) if uidl_format.stable else None
            return advance.first(account.place, listing, uidl_format, ids)
        if why:
            return await self._renumbered(account, source, before, listing, uidl_format, why)
        trouble = advance.doubtful(before, listing)
        if trouble:
            raise ListingIncomplete(trouble)
        new = advance.unlisted(before, listing) if uidl_format.stable else ()
        ids = await source.stable_ids(new) if new else None
        return advance.grown(before, listing, uidl_format, ids)

    async def _renumbered(
        self,
        account: Account,
        source: Source,
        before: Memory,
        listing: Listing,
        uidl_format: UidlFormat,
        why: str,
    ) -> tuple[Memory, News]:
        if not (before.accepted or account.settings.renumbered == "accept"):
            self._refuse_again(account, before, listing)
        old = await self._store.fingerprints(account.key, before.incarnation)
        new = self._working[account.key].fingerprints = await source.fingerprints(listing.uids)
        moves = rematch(before.listing, old, listing, new)
        doubt = implausible(before.listing, listing, moves)
        question = f"{why}; {doubt}"
        # The owner's word is for what he was asked, and not for what became of the mailbox since.
        answered = before.accepted and question == before.question
        if doubt and not (answered or account.settings.renumbered == "accept"):
            await self._ask(account, before, listing, question, len(moves.uids))
        self._judged.pop(account.key, None)
        self._emit(MailboxRenumbered(account.label, why, len(moves.uids), len(before.listing), asks=False))
        ids = await source.stable_ids(listing.uids) if uidl_format.stable else None
        return advance.renumbered(before, account.place, listing, moves, uidl_format, ids)

    async def _ask(
        self, account: Account, before: Memory, listing: Listing, question: str, recognised: int
    ) -> NoReturn:
        """The owner is told once, every login until he has answered."""
        again_at = self._clock.seconds() + len(listing) / CHEAP
        self._judged[account.key] = _Judged(account.place, listing.uidvalidity, listing.uidnext, len(listing), again_at)
        if question != before.question:
            await self._store.remember(
                account.key, evolve(before, question=question, accepted=False), News(columns=False)
            )
            self._emit(MailboxRenumbered(account.label, question, recognised, len(before.listing), asks=True))
        raise _asks(question)

    def _refuse_again(self, account: Account, before: Memory, listing: Listing) -> None:
        """Polls while the question waits are not to fetch all headers each time."""
        judged = self._judged.get(account.key)
        if judged is None or not before.question or judged.place != account.place or len(listing) <= CHEAP:
            return
        same = (judged.uidnext, judged.messages) == (listing.uidnext, len(listing))
        if judged.uidvalidity == listing.uidvalidity and (same or self._clock.seconds() < judged.again_at):
            raise _asks(before.question)

    def _report(self, account: Account, waiting: Sequence[Entry], moves: Moves) -> None:
        """Promised deletions that nothing proves which message is meant by (S17)."""
        lost = sum(entry.uid not in moves.certain for entry in waiting)
        if lost:
            why = "the mailbox was replaced, and nothing proves which messages were meant"
            self._emit(DeletionsAbandoned(account.label, lost, why))

    async def _moved(self, account: Account, before: Memory, memory: Memory, moves: Moves) -> None:
        """What was fetched is learned; and numbers stay in the order that the plain view knew, should UIDs not (S8)."""
        known = self._working[account.key].fingerprints
        await self._store.learn(
            account.key, memory.incarnation, true_sizes={}, fingerprints=known, learned_to=memory.highest
        )
        order = array("I", [moves.uids[uid] for uid in before.listing.uids if uid in moves.uids])
        if order == memory.listing.uids[: len(order)]:
            return
        viewing = await self._store.viewing(account.key, "")  # also of what is kept, then without ranks
        if viewing is None or not viewing.ranks:
            ranked = evolve(viewing or Viewing(incarnation=memory.incarnation), ranks=order)
            await self._store.show("", [Showing(account.key, ranked, viewing)], {})


def _asks(question: str) -> Renumbered:
    return Renumbered(
        f"the mailbox was replaced upstream: {question}; its owner must look at `popbridge uidl diff` "
        "and then run `popbridge uidl accept`"
    )


def _same(one: Listing, other: Listing) -> bool:
    return (
        one.uidvalidity == other.uidvalidity
        and one.uids == other.uids
        and one.sizes == other.sizes
        and one.dates == other.dates
        and one.hidden == other.hidden
        and one.names == other.names
    )


def _is_news(before: Memory, memory: Memory, news: News) -> bool:
    """What a poll without news would store is not worth a write to the disk."""
    if news.columns or news.given or news.carried or news.moves is not None or news.gone:
        return True
    heads = [(m.listing.uidnext, m.listing.highestmodseq, m.listing.mailbox_id) for m in (before, memory)]
    return heads[0] != heads[1] or before.question != memory.question or before.accepted != memory.accepted
