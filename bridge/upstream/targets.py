"""Which mailboxes take what `trash` and `archive` move away: those that the owner names, else those upstream marks.

The marks are SPECIAL-USE (RFC 6154); of several mailboxes with the same one the first counts.
"""

from collections.abc import Mapping

from twisted.internet.defer import Deferred

from bridge.config import Settings
from bridge.imap.commands import ListMailboxes
from bridge.imap.responses import Listed
from bridge.maildrop.retention import Policy
from bridge.upstream.imap_connection import Answer, ImapConnection

_MARKS = {Policy.TRASH: "\\trash", Policy.ARCHIVE: "\\archive"}


def ask_for_targets(connection: ImapConnection, account: Settings, policy: Policy) -> "Deferred[Answer] | None":
    """None where this policy needs no answer."""
    if not policy.moves or policy in _named(account):
        return None
    return connection.ask(ListMailboxes(special_use=True))


def targets_from(account: Settings, answer: Answer | None) -> Mapping[Policy, str]:
    listed = [one for one in (answer.responses if answer is not None else ()) if isinstance(one, Listed)]
    marked = {
        policy: one.mailbox
        for policy, mark in _MARKS.items()
        for one in reversed(listed)
        if mark in {attribute.lower() for attribute in one.attributes}
    }
    return marked | _named(account)


async def find_targets(connection: ImapConnection, account: Settings, policy: Policy) -> Mapping[Policy, str]:
    """For a policy that nobody had in mind when the mailbox was opened."""
    asked = ask_for_targets(connection, account, policy)
    return targets_from(account, await asked if asked is not None else None)


def _named(account: Settings) -> dict[Policy, str]:
    names = {Policy.TRASH: account.trash, Policy.ARCHIVE: account.archive}
    return {policy: name for policy, name in names.items() if name is not None}
