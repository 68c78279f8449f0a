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
        """The command that this body answers; None for one that nobody asked for."""
        tag = self._first(
            lambda command: (
                isinstance(command, FetchBody)
                and uid in {None, command.uid}
                and section == command.section.upper()
                and (origin or 0) == (command.start or 0)
            )
        )
        if tag is not None:
            self._answered.add(tag)
        elif section.startswith("HEADER.FIELDS ("):  # in whatever order and quotation marks the server names them
            tag = self._first(lambda command: isinstance(command, FetchHeaders))
        elif not section:
            tag = self._first(
                lambda command: (
                    isinstance(command, FetchBodies)
                    and (uid is None or uid in command.uids)
                    and (origin is None) is (command.count is None)
                )
            )
        return tag

    def of_bodies(self) -> tuple[Tag, FetchBodies] | None:
        """The oldest command that asks for many messages."""
        return next(((tag, one) for tag, one in self.commands.items() if isinstance(one, FetchBodies)), None)

    def _first(self, asks: Callable[[Command], bool]) -> Tag | None:
        waiting = (tag for tag, command in self.commands.items() if tag not in self._answered and asks(command))
        return next(waiting, None)
