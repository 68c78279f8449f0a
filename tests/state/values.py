"""A listing of any length, and an entry, for tests of the file."""

import random

from bridge.maildrop.journal import Entry
from bridge.maildrop.listing import Listing
from bridge.maildrop.memory import Memory
from bridge.maildrop.retention import Policy
from bridge.names import AccountName, SourceKey, UidValidity

KEY = SourceKey(AccountName("alice"))


def memory(messages: int, *, version: int = 0) -> Memory:
    """With sizes that do not compress away."""
    chance = random.Random(messages)
    listing = Listing(UidValidity(7), uidnext=messages + 1)
    uids = range(1, messages + 1)
    listing.add(uids, [chance.randrange(2**62) for _ in uids], [uid * 60 for uid in uids], bytes(messages))
    return Memory(version=version, place="p", listing=listing, highest=messages, template="{uidvalidity}.{uid}")


def entry(uid: int) -> Entry:
    return Entry(viewer="", incarnation=1, uid=uid, size=1, date=1, policy=Policy.FLAG)
