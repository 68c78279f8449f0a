"""A source's listing, brought up to date and remembered before anybody is shown it (S1–S6).

What was listed last time is asked for no more; what is stored is never older than what a client was told.
"""

from collections.abc import Coroutine
from typing import Any

from attrs import evolve, frozen
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from bridge.accounts.account import Account
from bridge.events import Emit, MailboxRenumbered, StateTroubled
from bridge.maildrop import advance
from bridge.maildrop.errors import ListingIncomplete, Renumbered, StateUnavailable
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory, News
from bridge.maildrop.rematch import implausible, rematch
from bridge.maildrop.source import Source
from bridge.maildrop.uidl import UidlFormat, parse_format
from bridge.state.store import Overtaken, Store, UidlTaken


class GoesOn(CancelledError):
    """The login was given up; its source is still at work, and closed when that is done."""


ROUNDS = 5
"""How often others may store a newer listing of the same source while this one is made."""

TAKEN = 5
"""How often new UIDLs may turn out to be taken; each time they get another suffix."""


@frozen
class Listings:
    """Shared by all logins."""

    store: Store
    emit: Emit

    async def synchronised(self, account: Account, source: Source) -> Memory:
        """The source as it is now, stored. Raises a Trouble, and changes nothing then."""
        memory = await self.store.recall(account.key)
        for _ in range(ROUNDS):
            known = memory.listing if memory is not None and memory.place == account.place else None
            listing = await source.list(known)
            storing = self._stored(account, source, memory, listing)
            try:
                return await _carried_through(storing, source)
            except Overtaken:
                memory = await self.store.recall(account.key)
                if memory is not None and memory.place == account.place and _same(memory.listing, listing):
                    return memory
        raise ListingIncomplete("the mailbox changes faster than it can be listed; try again later")

    async def _stored(self, account: Account, source: Source, before: Memory | None, listing: Listing) -> Memory:
        uidl_format = parse_format(account.passthrough.uidl)
        memory, news = await self._thought(account, source, before, listing, uidl_format)
        if before is not None and not _is_news(before, memory, news):
            return memory
        for _ in range(TAKEN):
            try:
                return await self.store.remember(account.key, memory, news)
            except UidlTaken as taken:
                memory, news = advance.suffixed(memory, news, taken.uidls)
            except StateUnavailable as trouble:
                # Computed UIDLs are the same tomorrow; what had to be stored would not be.
                if before is None or news.moves is not None or news.given or news.carried:
                    raise
                self.emit(StateTroubled(str(trouble)))
                return memory
        raise StateUnavailable("no free UIDL was found for new messages; please report this")

    async def _thought(
        self, account: Account, source: Source, before: Memory | None, listing: Listing, uidl_format: UidlFormat
    ) -> tuple[Memory, News]:
        if before is None:
            ids = await source.stable_ids(listing.uids) if uidl_format.stable else None
            return advance.first(account.place, listing, uidl_format, ids)
        why = advance.replaced(before, account.place, listing)
        if not why:
            trouble = advance.doubtful(before, listing)
            if trouble:
                raise ListingIncomplete(trouble)
            new = advance.unlisted(before, listing)
            ids = await source.stable_ids(new) if uidl_format.stable and new else None
            return advance.grown(before, listing, uidl_format, ids)
        return await self._renumbered(account, source, before, listing, uidl_format, why)

    async def _renumbered(
        self,
        account: Account,
        source: Source,
        before: Memory,
        listing: Listing,
        uidl_format: UidlFormat,
        why: str,
    ) -> tuple[Memory, News]:
        old = await self.store.fingerprints(account.key, before.incarnation)
        new = await source.fingerprints(listing.uids)
        moves = rematch(before.listing, old, listing, new)
        doubt = implausible(before.listing, listing, moves)
        if doubt and not (before.accepted or account.passthrough.renumbered == "accept"):
            question = f"{why}; {doubt}"
            if question != before.question:
                await self.store.remember(account.key, evolve(before, question=question), News(columns=False))
                self.emit(MailboxRenumbered(str(account.name), why, len(moves.uids), len(before.listing), asks=True))
            raise Renumbered(
                f"the mailbox was replaced upstream: {question}; its owner must look at `popbridge uidl show` "
                "and then run `popbridge uidl accept`"
            )
        self.emit(MailboxRenumbered(str(account.name), why, len(moves.uids), len(before.listing), asks=False))
        ids = await source.stable_ids(listing.uids) if uidl_format.stable else None
        return advance.renumbered(before, account.place, listing, moves, uidl_format, ids)


async def _carried_through(storing: Coroutine[Any, Any, Memory], source: Source) -> Memory:
    """Recognising thousands of messages may take longer than a client waits; the next login finds it done (S31)."""
    inner = Deferred.fromCoroutine(storing)
    waiting: Deferred[Memory] = Deferred()

    def tell(result: Memory | Failure) -> None:
        if waiting.called:
            source.abandon()  # whoever waited is gone, and nothing else needs it
        elif isinstance(result, Failure):
            waiting.errback(result)
        else:
            waiting.callback(result)

    inner.addBoth(tell)
    try:
        return await waiting
    except CancelledError:
        raise GoesOn from None


def _same(one: Listing, other: Listing) -> bool:
    return (
        one.uidvalidity == other.uidvalidity
        and one.uids == other.uids
        and one.sizes == other.sizes
        and one.dates == other.dates
        and one.hidden == other.hidden
    )


def _is_news(before: Memory, memory: Memory, news: News) -> bool:
    """What a poll without news would store is not worth a write to the disk."""
    if news.columns or news.given or news.carried or news.moves is not None or news.gone:
        return True
    heads = [(m.listing.uidnext, m.listing.highestmodseq, m.listing.mailbox_id) for m in (before, memory)]
    return heads[0] != heads[1] or before.question != memory.question or before.accepted != memory.accepted
