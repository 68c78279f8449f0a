"""`popbridge uidl import`: the messages keep the names that the old POP3 server gave them (S5).

Programs that leave mail on the server then go on without downloading it again. Nothing is written before the owner
has seen how many messages were recognised and said yes; then all of it in one transaction, or nothing.
"""

from collections.abc import Mapping, Sequence

from attrs import evolve
from twisted.internet.interfaces import IReactorTime

from bridge.accounts.account import Account
from bridge.commands.comparison import Comparison, compare
from bridge.commands.old_message import OldMessage
from bridge.commands.report import report
from bridge.commands.terminal import CommandRefused, Terminal, counted, some
from bridge.events import Emit
from bridge.maildrop import advance
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory, News
from bridge.maildrop.source import Source
from bridge.postoffice.listings import Listings
from bridge.state.store import Overtaken, Store, UidlTaken

ENOUGH = 0.95
"""Of the old messages. Below that it is most likely the wrong mailbox, and every program would download the rest."""

MEANWHILE = "the mailbox changed while you were asked; nothing was written, run the command once more"


async def import_uidls(
    account: Account,
    store: Store,
    source: Source,
    old: Sequence[OldMessage],
    clock: IReactorTime,
    emit: Emit,
    terminal: Terminal,
    *,
    force: bool,
) -> None:
    """Raises CommandRefused, or a Trouble; nothing was written then."""
    if not old:
        raise CommandRefused("the old server has no messages: there is nothing to import")
    found = await compare(account, store, source, old, terminal)
    report(found, account, terminal)
    if not found.matching.uidls:
        raise CommandRefused("none of the old messages was recognised: there is nothing to import")
    if found.matching.rate < ENOUGH and not force:
        raise CommandRefused(
            f"fewer than {ENOUGH:.0%} of the old messages were recognised; is it the same mailbox? "
            "With --force those that were recognised are imported, and programs download the others again"
        )
    news = {uid: uidl for uid, uidl in found.matching.uidls.items() if found.uidls.get(uid) != uidl}
    if not news:
        terminal.say("all of them have these UIDLs already; nothing to write")
        return
    _warn(found, news, terminal)
    if not terminal.agrees(f"Write {counted(len(news), 'UIDL')}?"):
        raise CommandRefused("nothing was written")
    try:
        memory, written = await _as_many(account, store, source, found, news, clock, emit, terminal, force=force)
    except Overtaken:
        raise CommandRefused(MEANWHILE) from None
    except UidlTaken as taken:
        raise CommandRefused(f"{_told(taken)}; nothing was written. With --force the others are imported") from None
    await _learn(account, store, memory, found)
    terminal.say(f"{counted(written, 'UIDL')} written")


async def _as_many(
    account: Account,
    store: Store,
    source: Source,
    found: Comparison,
    news: Mapping[int, str],
    clock: IReactorTime,
    emit: Emit,
    terminal: Terminal,
    *,
    force: bool,
) -> tuple[Memory, int]:
    try:
        return await _written(account, store, source, found, news, clock, emit), len(news)
    except UidlTaken as taken:
        if not force:
            raise
        terminal.say(_told(taken))
        free = {uid: uidl for uid, uidl in news.items() if uidl not in taken.uidls}
    if not free:
        raise CommandRefused("that is all of them: nothing was written")
    return await _written(account, store, source, found, free, clock, emit), len(free)


def _told(taken: UidlTaken) -> str:
    what = f"{counted(len(taken.uidls), 'UIDL')} once named other messages of this account"
    return f"{what} and cannot name these: {some(sorted(taken.uidls))}"


async def _learn(account: Account, store: Store, memory: Memory, found: Comparison) -> None:
    """What was asked for anyway spares the next login the same question."""
    all_known = all(uid in found.fingerprints for uid in found.listing.uids)
    await store.learn(
        account.key,
        memory.incarnation,
        true_sizes={},
        fingerprints=found.fingerprints,
        learned_to=found.listing.uids[-1] if all_known else memory.learned_to,
    )


def _warn(found: Comparison, news: Mapping[int, str], terminal: Terminal) -> None:
    known = sorted(found.listed & set(news))
    if known:
        terminal.say(
            f"{counted(len(known), 'message')} of these were listed by the bridge before, under another UIDL: "
            "programs that have fetched them from the bridge will fetch them once more, "
            f"such as {some([found.uidls[uid] for uid in known], 3)}"
        )


async def _written(
    account: Account,
    store: Store,
    source: Source,
    found: Comparison,
    news: Mapping[int, str],
    clock: IReactorTime,
    emit: Emit,
) -> Memory:
    if await store.recall(account.key) is None:
        return await _begun(account, store, source, found.listing, news)
    memory = await Listings(store, clock, emit).synchronised(account, source)
    if memory.listing.uidvalidity != found.listing.uidvalidity or not set(news) <= set(memory.listing.uids):
        raise Overtaken
    await store.import_uidls(account.key, memory.incarnation, news)
    return memory


async def _begun(
    account: Account, store: Store, source: Source, listing: Listing, imported: Mapping[int, str]
) -> Memory:
    """The first memory of a source, with these UIDLs from the beginning.

    Imported afterwards, they could not take a UIDL that was computed for another message a moment before: with
    formats without UIDVALIDITY old and new numbers overlap.
    """
    uidl_format = account.uidl_format(None)
    ids = await source.stable_ids(listing.uids) if uidl_format.stable else None
    memory, news = advance.first(account.place, listing, uidl_format, ids)
    memory, news = advance.suffixed(memory, news, frozenset(imported.values()))
    given = {**news.given, **imported}
    memory = evolve(memory, exceptions=memory.exceptions.changed((), imported))
    computed = memory.uidls().uidls([uid for uid in listing.uids if uid not in given])
    return await store.remember(account.key, memory, News(given=given, computed=list(computed)))
