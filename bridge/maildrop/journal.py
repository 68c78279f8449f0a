"""What QUIT has promised and upstream has not yet confirmed, as values (S17)."""

from enum import Enum
from typing import NamedTuple

from bridge.maildrop.retention import Policy


class Stage(Enum):
    """`written → sent → done`; a done entry is struck. FLAGGED waits for its purge: the message is deleted already."""

    WRITTEN = "written"
    SENT = "sent"
    FLAGGED = "flagged"


class Entry(NamedTuple):
    """One message to be deleted. `size` and `date` as it was listed, so that no stranger is taken for it.

    `due`: seconds since 1970, not before then (`after`, `purge`). `modseq`: the message's, or the mailbox's highest,
    just before the entry was sent; 0 unknown. `id` 0 until it is written down. A tuple, because a QUIT makes thousands.
    """

    viewer: str
    incarnation: int
    uid: int
    size: int
    date: int
    policy: Policy
    stage: Stage = Stage.WRITTEN
    due: float = 0.0
    modseq: int = 0
    id: int = 0
