"""Old and new held against each other: an old server's messages, the mailbox as it is now, and what is remembered.

It asks upstream, and changes nothing there or in the state file.
"""

from collections.abc import Sequence

from attrs import frozen

from bridge.accounts.account import Account
from bridge.commands.matching import Matching, match
from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import Terminal
from bridge.maildrop import advance
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Fingerprint, Memory
from bridge.maildrop.source import Source
from bridge.state.store import Store

AT_ONCE = 2_000
"""Messages whose header fields are asked for in one command, so that the owner sees something move."""


@frozen(kw_only=True)
class Comparison:
    """`before`: what is remembered of this very mailbox, None where nothing is or it was another one.

    `uidls`: what clients get now, or would get, by UID; none where they would come from ids that nobody has asked for.
    """

    before: Memory | None
    listing: Listing
    fingerprints: dict[int, Fingerprint]
    matching: Matching
    uidls: dict[int, str]

    @property
    def listed(self) -> set[int]:
        """UIDs that some program may have seen under the UIDL they have."""
        return set(self.before.listing.uids) if self.before is not None else set()


async def compare(
    account: Account, store: Store, source: Source, old: Sequence[OldMessage], terminal: Terminal
) -> Comparison:
    before = await store.recall(account.key)
    listing = await source.list(before.listing if before is not None and before.place == account.place else None)
    if before is not None and advance.replaced(before, account.place, listing):
        before = None
    known = await store.fingerprints(account.key, before.incarnation) if before is not None else {}
    fingerprints = await _fingerprints(source, listing, known, terminal) if _needed(old) else known
    uidl_format = account.uidl_format(before)
    if before is not None:
        given = before.uidls().uidls(listing.uids)
    elif uidl_format.stable:
        given = iter(())
    else:
        given = uidl_format.uidls(listing.uidvalidity, listing.uids)
    return Comparison(
        before=before,
        listing=listing,
        fingerprints=fingerprints,
        matching=match(old, listing, fingerprints),
        uidls=dict(zip(listing.uids, given, strict=False)),
    )


def _needed(old: Sequence[OldMessage]) -> bool:
    return any(message.uid is None for message in old)


async def _fingerprints(
    source: Source, listing: Listing, known: dict[int, Fingerprint], terminal: Terminal
) -> dict[int, Fingerprint]:
    """Of all messages there are; what a login has learned is not asked for again."""
    present = listing.uids.tolist()
    found = {uid: known[uid] for uid in present if uid in known}
    missing = [uid for uid in present if uid not in found]
    for start in range(0, len(missing), AT_ONCE):
        found |= await source.fingerprints(missing[start : start + AT_ONCE])
        terminal.progress("headers upstream", min(start + AT_ONCE, len(missing)), len(missing))
    return found
