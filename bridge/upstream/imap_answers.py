"""What a server answers to one command, kept as long as somebody waits for it, and no more of it than is bearable."""

from collections import Counter

from attrs import define, field, frozen

from bridge.imap import commands, responses
from bridge.imap.commands import Command
from bridge.imap.listing import FetchedRows
from bridge.imap.responses import Response, Status, StatusKind
from bridge.violation import ProtocolViolation

KEPT_AT_MOST = 16 * 1024 * 1024
"""Octets kept of the answers to one command, about: four million UIDs, or the flags of a hundred thousand messages."""

# Which untagged data a command is asked for; anything else is news about the mailbox or of no interest.
_WANTED: dict[type[Command], tuple[type[Response], ...]] = {
    commands.ListMailboxes: (responses.Listed,),
    commands.Search: (responses.Searched,),
    commands.Select: (responses.Vanished,),
    commands.FetchFlags: (responses.Fetched,),
    commands.FetchStates: (responses.Fetched,),
    commands.FetchIds: (responses.Fetched,),
    commands.FetchHeaders: (responses.Fetched,),
    commands.AskRights: (responses.Rights,),
    commands.AskStatus: (responses.MailboxStatus,),
    commands.Identify: (responses.Identified,),
}


@frozen
class Answer:
    """A tagged reply and the data that came for it."""

    status: Status
    responses: list[Response]

    @property
    def ok(self) -> bool:
        return self.status.kind is StatusKind.OK

    @property
    def limited(self) -> bool:
        """The server dealt with a part of the messages, the highest UIDs first (RFC 9738)."""
        return self.status.code is not None and self.status.code.name == "MESSAGELIMIT"

    @property
    def found(self) -> set[int]:
        """The UIDs that a search found."""
        return {uid for told in self.responses if isinstance(told, responses.Searched) for uid in told.uids}


@define
class Kept:
    """The data that came for one command."""

    data: list[Response] = field(factory=list)
    octets: int = 0

    def keep(self, command: Command, told: Response | FetchedRows) -> bool:
        """False for what the command was not asked for."""
        kind = responses.Fetched if isinstance(told, FetchedRows) else type(told)
        if kind not in _WANTED.get(type(command), ()):
            return False
        self.octets += _weight(told)
        if self.octets > KEPT_AT_MOST:
            raise ProtocolViolation(f"more than {KEPT_AT_MOST} octets of answers to one command")
        self.data.extend(told if isinstance(told, FetchedRows) else (told,))
        return True


def _weight(told: Response | FetchedRows) -> int:
    """About how many octets of memory it takes."""
    match told:
        case FetchedRows():
            return 200 * len(told) + sum(times * _weight_of(flags) for flags, times in Counter(told.flags).items())
        case responses.Searched(uids, _):
            return 100 + 4 * len(uids)
        case responses.Vanished(uids, _):
            return 100 + 150 * len(uids)
        case responses.Identified(fields):
            return sum(200 + len(name) + len(value or "") for name, value in fields.items())
        case responses.Fetched(flags=flags, emailid=emailid):
            return 200 + _weight_of(flags or frozenset()) + len(emailid or "")
        case _:
            return 100 + len(repr(told))


def _weight_of(flags: frozenset[str]) -> int:
    return sum(60 + len(flag) for flag in flags)
