"""Which of the commands in flight an answer belongs to.

Not simply the oldest: Dovecot 2.3.19 gives the data of all that was sent in one write, and only then their tagged
replies, in order. So an answer goes to the oldest command that asks for its kind and has not had it yet.
"""

from collections.abc import Callable

from attrs import define, field

from bridge.imap.commands import (
    AskNamespace,
    AskRights,
    AskStatus,
    Capability,
    Command,
    Enable,
    FetchBodies,
    FetchBody,
    FetchFlags,
    FetchHeaders,
    FetchIds,
    FetchListing,
    FetchStates,
    Identify,
    ListMailboxes,
    Search,
    Select,
    Store,
    Tag,
)
from bridge.imap.responses import (
    Capabilities,
    Enabled,
    Fetched,
    Identified,
    Listed,
    MailboxStatus,
    Namespaces,
    Response,
    Rights,
    Searched,
    Vanished,
)
from bridge.names import Uid

_ASKED_BY: dict[type, tuple[type, ...]] = {
    Capabilities: (Capability,),
    Enabled: (Enable,),
    Fetched: (FetchFlags, FetchHeaders, FetchIds, FetchListing, FetchStates, Store),
    Identified: (Identify,),
    Listed: (ListMailboxes,),
    MailboxStatus: (AskStatus,),
    Namespaces: (AskNamespace,),
    Rights: (AskRights,),
    Searched: (Search,),
    Vanished: (Select,),
}


@define
class InFlight:
    """The commands that were sent and are not completed, oldest first."""

    commands: dict[Tag, Command] = field(factory=dict)
    _answered: set[Tag] = field(factory=set)  # those that get one answer, and have had it

    @property
    def oldest(self) -> Command | None:
        return next(iter(self.commands.values()), None)

    def complete(self, tag: Tag) -> Command | None:
        self._answered.discard(tag)
        return self.commands.pop(tag, None)

    def asker(self, response: Response) -> Tag | None:
        """The command that asks for such data, else the oldest."""
        kinds = _ASKED_BY.get(type(response), ())
        tag = self._first(lambda command: isinstance(command, kinds))
        if tag is not None and isinstance(response, Searched):
            self._answered.add(tag)
        return tag or next(iter(self.commands), None)

    def body_asker(self, uid: Uid | None, section: str, origin: int | None) -> Tag | None:
        """The command that this body answers; None for one that nobody asked for.

        One that asks for this message alone goes before one that asks for many: it waits for nothing else. Where the
        UID comes behind the body (hoodiecrow), the order of the commands is all there is.
        """

        def alone(command: Command) -> bool:
            return isinstance(command, FetchBody) and _is_asked(command, uid, section, origin)

        def among_many(command: Command) -> bool:
            return isinstance(command, FetchHeaders | FetchBodies) and _is_among(command, uid, section, origin)

        if uid is None:
            tag = self._first(lambda command: alone(command) or among_many(command))
        else:
            tag = self._first(alone) or self._first(among_many)
        if tag is not None and isinstance(self.commands[tag], FetchBody):
            self._answered.add(tag)
        return tag

    def of_bodies(self) -> tuple[Tag, FetchBodies | FetchHeaders] | None:
        """The oldest command that asks for many messages."""
        many = ((tag, one) for tag, one in self.commands.items() if isinstance(one, FetchBodies | FetchHeaders))
        return next(many, None)

    def of_one(self) -> set[int]:
        """The UIDs of messages that are asked for alone."""
        return {one.uid for one in self.commands.values() if isinstance(one, FetchBody)}

    def _first(self, asks: Callable[[Command], bool]) -> Tag | None:
        waiting = (tag for tag, command in self.commands.items() if tag not in self._answered and asks(command))
        return next(waiting, None)


def _is_asked(command: FetchBody, uid: Uid | None, section: str, origin: int | None) -> bool:
    if uid not in {None, command.uid} or section != command.section.upper():
        return False
    if command.start is None and command.count is None:
        return origin is None  # a part, asked for by another command, would pass for the whole message
    return (origin or 0) == (command.start or 0)  # servers that know no parts give the whole


def _is_among(command: FetchHeaders | FetchBodies, uid: Uid | None, section: str, origin: int | None) -> bool:
    if isinstance(command, FetchHeaders):
        return section.startswith("HEADER.FIELDS (")  # in whatever order and quotation marks the server names them
    return not section and (uid is None or uid in command.uids) and (origin is None) is (command.count is None)
