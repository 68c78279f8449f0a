"""Messages of a server that has names for them and no UIDs, such as POP3: each name gets a UID and keeps it.

The UIDs are ours: they ascend in the order in which messages were first seen, so that numbers are append-only (S8)
whatever order the server lists them in. What the server calls by a known name is the known message.
"""

from array import array
from collections import Counter
from collections.abc import Sequence

from bridge.maildrop.listing import Listing
from bridge.names import UidValidity

UIDVALIDITY = UidValidity(int.from_bytes(b"POP3", "big"))
"""Stands where a server has none: the incarnation changes only with the place."""


def distinct(names: Sequence[str]) -> list[str]:
    """The second message with a name is called .2, and so on: RFC 1939 lets copies share one."""
    if len(set(names)) == len(names):
        return list(names)
    taken, times = set(names), Counter[str]()
    told = []
    for name in names:
        times[name] += 1
        own = name
        while times[name] > 1 and own in taken:
            own = f"{name}.{times[name]}"
            times[name] += own in taken
        taken.add(own)
        told.append(own)
    return told


def listing_of(names: Sequence[str], sizes: Sequence[int], known: Listing | None) -> Listing:
    """From what the server lists now, in its order; the names are distinct. `known`: what was listed last time."""
    uids = dict(zip(known.names, known.uids, strict=True)) if known is not None else {}
    uidnext = known.uidnext if known is not None else 1
    rows = []
    for name, size in zip(names, sizes, strict=True):
        uid = uids.get(name)
        if uid is None:
            uid, uidnext = uidnext, uidnext + 1
        rows.append((uid, size, name))
    rows.sort()
    return Listing(
        UIDVALIDITY,
        uids=array("I", [uid for uid, _, _ in rows]),
        sizes=array("Q", [size for _, size, _ in rows]),
        dates=array("q", [-1]) * len(rows),
        hidden=bytearray(len(rows)),
        uidnext=uidnext,
        names=[name for _, _, name in rows],
    )
