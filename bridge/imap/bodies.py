"""The fast way through many messages: those whose octets are all here are taken at once, without a happening for each.

Only what is spelled as most servers spell it is taken; anything else, and what is not whole yet, is left for `fetch`
at its place.
"""

import re
from collections.abc import Container

from bridge.names import Uid

_HEAD = re.compile(
    rb"\* [1-9][0-9]{0,9} FETCH \(UID ([1-9][0-9]{0,9}) BODY\[\](<0>)? \{([0-9]{1,10})\}\r\n", re.IGNORECASE
)
_END = b")\r\n"

Bodies = list[tuple[Uid, bytes]]


def whole_bodies(octets: bytes, begin: int, wanted: Container[int], *, parts: bool) -> tuple[Bodies, int]:
    """What stands at `begin`, one behind the other, and where it ends. `parts`: these are beginnings, not whole."""
    bodies: Bodies = []
    while head := _HEAD.match(octets, begin):
        start = head.end()
        end = start + int(head[3])
        uid = int(head[1])
        if not octets.startswith(_END, end) or uid not in wanted or (head[2] is not None) is not parts:
            break
        bodies.append((Uid(uid), octets[start:end]))
        begin = end + len(_END)
    return bodies, begin
