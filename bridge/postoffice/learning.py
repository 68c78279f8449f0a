"""What a message is recognised by is fetched once, a thousand messages at a time: behind a session, as a rule."""

from bisect import bisect_right

from bridge.accounts.account import Account
from bridge.maildrop.memory import Memory
from bridge.maildrop.source import Source
from bridge.state.store import Store

AT_ONCE = 1_000
"""Messages whose fingerprints are fetched, and stored, together."""


def unlearned(memory: Memory) -> list[list[int]]:
    """UIDs of which nothing is learned yet, in parts."""
    uids, learned_to = memory.listing.uids, memory.learned_to
    first = bisect_right(uids, learned_to) if uids and uids[-1] > learned_to else len(uids)
    return [uids[start : start + AT_ONCE].tolist() for start in range(first, len(uids), AT_ONCE)]


async def learn_before_listing(store: Store, account: Account, memory: Memory, source: Source) -> int:
    """Up to which UID everything is known then. A login that is given up has not learned in vain."""
    learned_to = memory.learned_to
    for part in unlearned(memory):
        found = await source.fingerprints(part)
        learned_to = part[-1]
        await store.learn(account.key, memory.incarnation, true_sizes={}, fingerprints=found, learned_to=learned_to)
    return learned_to
