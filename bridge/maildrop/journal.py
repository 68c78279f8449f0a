"""What QUIT has promised and upstream has not yet confirmed, as values (S17)."""

from enum import Enum

from attrs import frozen

from bridge.maildrop.retention import Policy


class Stage(Enum):
    """`written → sent → done`; a done entry is struck. FLAGGED waits for its purge: the message is deleted already."""

    WRITTEN = "written"
    SENT = "sent"
    FLAGGED = "flagged"


@frozen(kw_only=True)
class Entry:
    """One message to be deleted. `size` and `date` as it was listed, so that no stranger is taken for it.

    `due`: seconds since 1970, not before then (`after`, `purge`). `modseq`: the message's, or the mailbox's highest,
    just before the entry was sent; 0 unknown. `id` 0 until it is written down.
    """

    id: int = 0
    viewer: str
    incarnation: int
    uid: int
    size: int
    date: int
    policy: Policy
    stage: Stage = Stage.WRITTEN
    due: float = 0.0
    modseq: int = 0

    def noted(
        self,
        *,
        number: int | None = None,
        stage: Stage | None = None,
        due: float | None = None,
        modseq: int | None = None,
    ) -> "Entry":
        """The same with what is known now. A thousand of them are made at a QUIT, and `evolve` takes its time."""
        return Entry(
            id=self.id if number is None else number,
            viewer=self.viewer,
            incarnation=self.incarnation,
            uid=self.uid,
            size=self.size,
            date=self.date,
            policy=self.policy,
            stage=stage or self.stage,
            due=self.due if due is None else due,
            modseq=self.modseq if modseq is None else modseq,
        )
