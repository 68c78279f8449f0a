"""The fast way through many messages: those whose octets are all here are taken at once, without a happening for each.

Only what is spelled as most servers spell it is taken; anything else, and what is not whole yet, is left for `fetch`
at its place.
"""

import re
from collections.abc import Container
from enum import Enum

from bridge.names import Uid

_HEAD = (
    rb"\* [1-9][0-9]{0,9} FETCH \(UID ([1-9][0-9]{0,9}) BODY\[%b \{([0-9]{1,10})\}\r\n"  # the section and its bracket
)
_END = b")\r\n"

Bodies = list[tuple[Uid, bytes]]


class Kind(Enum):
    """What was asked for of each message; the value is how an answer to it begins."""

    WHOLE = re.compile(_HEAD % rb"\]", re.IGNORECASE)
    BEGINNING = re.compile(_HEAD % rb"\]<0>", re.IGNORECASE)
    HEADER_FIELDS = re.compile(_HEAD % rb"HEADER\.FIELDS \([^\]\r\n]{0,1000}\)\]", re.IGNORECASE)


def whole_bodies(octets: bytes, begin: int, wanted: Container[int] | None, kind: Kind) -> tuple[Bodies, int]:
    """What stands at `begin`, one behind the other, and where it ends. `wanted` None: whichever comes."""
    bodies: Bodies = []
    match = kind.value.match
    while head := match(octets, begin):
        start = head.end()
        end = start + int(head[2])
        uid = int(head[1])
        if not octets.startswith(_END, end) or (wanted is not None and uid not in wanted):
            break
        bodies.append((Uid(uid), octets[start:end]))
        begin = end + len(_END)
    return bodies, begin
