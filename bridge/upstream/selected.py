"""What the server has told about the selected mailbox since SELECT, asked or not."""

from attrs import define

from bridge.imap import responses
from bridge.imap.responses import Code, Response


@define
class Selected:
    """`exists` None: the server has not said how many messages there are. `flags_kept`: PERMANENTFLAGS, lower case."""

    exists: int | None = None
    uidvalidity: int | None = None
    uidnext: int | None = None
    flags_kept: frozenset[str] | None = None
    expunges: int = 0

    def hear(self, response: Response) -> bool:
        """True if it was news about the mailbox."""
        match response:
            case responses.Exists(count):
                self.exists = count
            case responses.Expunged():
                self.exists = max((self.exists or 0) - 1, 0)
                self.expunges += 1
            case responses.Vanished(_, earlier):
                self.expunges += not earlier
            case _:
                return False
        return True

    def hear_code(self, code: Code) -> None:
        """Response codes that come with SELECT."""
        match code:
            case Code("UIDVALIDITY", int(number)):
                self.uidvalidity = number
            case Code("UIDNEXT", int(number)):
                self.uidnext = number
            case Code("PERMANENTFLAGS", frozenset(flags)):
                self.flags_kept = frozenset(str(flag).lower() for flag in flags)
            case _:
                pass
