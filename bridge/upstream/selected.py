"""What the server has told about the selected mailbox since SELECT, asked or not."""

from attrs import define

from bridge.imap import responses
from bridge.imap.responses import Code, Response


@define
class Selected:
    """`exists` None: the server has not said how many messages there are. `flags_kept`: PERMANENTFLAGS, lower case.

    `changes`: how often messages were told to have gone, or come, since SELECT; `removals`: to have gone;
    `flags_told`: to have other flags.
    `highestmodseq` (RFC 7162) and `mailbox_id` (RFC 8474) are 0 and "" where there are none.
    """

    exists: int | None = None
    uidvalidity: int | None = None
    uidnext: int | None = None
    flags_kept: frozenset[str] | None = None
    changes: int = 0
    highestmodseq: int = 0
    mailbox_id: str = ""
    removals: int = 0
    flags_told: int = 0

    def hear(self, response: Response) -> bool:
        """True if it was news about the mailbox."""
        match response:
            case responses.Exists(count):
                self.changes += self.exists not in {None, count}
                self.exists = count
            case responses.Expunged():
                self.exists = max((self.exists or 0) - 1, 0)
                self.changes += 1
                self.removals += 1
            case responses.Vanished(uids, earlier=False):  # EARLIER answers SELECT: EXISTS does not count those
                vanished = sum(last - first + 1 for first, last in uids)
                self.exists = max((self.exists or 0) - vanished, 0)
                self.changes += 1
                self.removals += 1
            case _:
                return False
        return True

    @property
    def quiet(self) -> bool:
        """Nothing was told since SELECT, that is: nothing that a listing would have to heed."""
        return not (self.changes or self.flags_told)

    def touch(self) -> None:
        """What is known may hold no longer: we change flags ourselves, of which a server tells others only."""
        self.flags_told += 1

    def hear_code(self, code: Code) -> None:
        """Response codes that come with SELECT."""
        match code:
            case Code("UIDVALIDITY", int(number)):
                self.uidvalidity = number
            case Code("UIDNEXT", int(number)):
                self.uidnext = number
            case Code("HIGHESTMODSEQ", int(number)):
                # SELECT's own: what later commands tell is beyond what a listing has seen.
                self.highestmodseq = self.highestmodseq or number
            case Code("MAILBOXID", bytes(octets)):
                self.mailbox_id = octets.decode("ascii", "replace").strip("() ")
            case Code("PERMANENTFLAGS", frozenset(flags)):
                self.flags_kept = frozenset(str(flag).lower() for flag in flags)
            case _:
                pass
