"""`popbridge uidl diff`: what programs would see change, before they see it.

Against an old server: what it gives and the bridge does not, the reverse, and what each calls differently. Without
one: what upstream has now against what programs were last told. It asks both and changes nothing.
"""

from collections.abc import Sequence

from bridge.accounts.account import Account
from bridge.commands.comparison import compare
from bridge.commands.old_message import OldMessage
from bridge.commands.report import report
from bridge.commands.terminal import CommandRefused, Terminal, counted
from bridge.maildrop import advance
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory
from bridge.maildrop.rematch import implausible, rematch
from bridge.maildrop.source import Source
from bridge.state.store import Store


async def diff_old(
    account: Account, store: Store, source: Source, old: Sequence[OldMessage], terminal: Terminal
) -> bool:
    """True when both give the same UIDLs to the same messages, but for those that the old server never had."""
    found = await compare(account, store, source, old, terminal)
    report(found, account, terminal)
    matching = found.matching
    for message in (*matching.lost, *matching.invalid, *matching.repeated):
        terminal.say(f"- {message.uidl}")
    for uid in matching.new:
        terminal.say(f"+ {found.uidls.get(uid, '?')}  (UID {uid})")
    differing = [(uid, uidl) for uid, uidl in sorted(matching.uidls.items()) if found.uidls.get(uid) != uidl]
    for uid, uidl in differing:
        terminal.say(f"! {uidl} -> {found.uidls.get(uid, '?')}  (UID {uid})")
    same = len(matching.uidls) - len(differing)
    terminal.say(
        f"{same:,} the same, {len(differing):,} with another UIDL (!), "
        f"{matching.asked - len(matching.uidls):,} of the old server only (-), {len(matching.new):,} upstream only (+)"
    )
    return same == matching.asked


async def diff_now(account: Account, store: Store, source: Source, terminal: Terminal) -> bool:
    """True when upstream has exactly what was last listed."""
    before = await store.recall(account.key)
    if before is None:
        raise CommandRefused(f"nothing is remembered of {account.label}: no program was told anything yet")
    listing = await source.list(before.listing if before.place == account.place else None)
    why = advance.replaced(before, account.place, listing)
    if why:
        await _say_renumbered(account, store, source, before, listing, why, terminal)
        return False
    stable, uidls = account.uidl_format(before).stable, before.uidls()
    then, now = _flags(before.listing), _flags(listing)
    gone, new = sorted(then.keys() - now), sorted(now.keys() - then)
    hidden = [uid for uid in listing.uids if now[uid] and not then.get(uid, True)]
    back = [uid for uid in listing.uids if not now[uid] and then.get(uid, False)]
    for uid in gone:
        terminal.say(f"- {uidls.uidl(uid)}  (UID {uid}, gone)")
    for uid in new:
        name = "a UIDL from its id" if stable else uidls.uidl(uid)
        terminal.say(f"+ {name}  (UID {uid}, new)")
    for uid in hidden:
        terminal.say(f"- {uidls.uidl(uid)}  (UID {uid}, hidden)")
    for uid in back:
        terminal.say(f"+ {uidls.uidl(uid)}  (UID {uid}, back)")
    terminal.say(
        f"{counted(len(before.listing), 'message')} then, {len(listing):,} now: "
        f"{len(gone):,} gone, {len(new):,} new, {len(hidden):,} hidden, {len(back):,} back"
    )
    return not (gone or new or hidden or back)


def _flags(listing: Listing) -> dict[int, int]:
    return dict(zip(listing.uids, listing.hidden, strict=True))


async def _say_renumbered(
    account: Account,
    store: Store,
    source: Source,
    before: Memory,
    listing: Listing,
    why: str,
    terminal: Terminal,
) -> None:
    old = await store.fingerprints(account.key, before.incarnation)
    moves = rematch(before.listing, old, listing, await source.fingerprints(listing.uids))
    terminal.say(f"renumbered upstream: {why}")
    uidls = before.uidls()
    for uid in before.listing.uids:
        if uid not in moves.uids:
            terminal.say(f"- {uidls.uidl(uid)}  (not recognised)")
    terminal.say(
        f"{counted(len(before.listing), 'message')} then, {len(listing):,} now: {len(moves.uids):,} recognised; "
        "these keep their UIDLs"
    )
    doubt = implausible(before.listing, listing, moves)
    if not doubt:
        terminal.say("the next login goes on with that")
    elif before.accepted or account.settings.renumbered == "accept":
        terminal.say(f"{doubt}; accepted, the next login goes on with that")
    else:
        terminal.say(f"{doubt}; logins are refused until popbridge uidl accept")
