"""What "deleted" shall mean upstream (S18), and whether this mailbox can keep that promise."""

from enum import Enum

from attrs import frozen


class Policy(Enum):
    """`delete =` of an account."""

    FLAG = "flag"
    EXPUNGE = "expunge"
    TRASH = "trash"
    ARCHIVE = "archive"
    HIDE = "hide"
    KEEP = "keep"
    """Nothing is done upstream; it never reaches a Source."""


@frozen
class Mailbox:
    """What a mailbox allows, as seen when it was opened.

    `flags_kept` (PERMANENTFLAGS, lower case) and `rights` (MYRIGHTS, RFC 4314) are None where the server does not say.
    `trash` is the mailbox that takes deleted mail, None where there is none.
    `flag_deletes`: flagging alone takes the message away (Gmail's auto-expunge).
    """

    read_only: bool
    flags_kept: frozenset[str] | None
    rights: str | None
    can_move: bool
    can_expunge_by_uid: bool
    trash: str | None = None
    trash_is_itself: bool = False
    flag_deletes: bool = False


def unkeepable(policy: Policy, mailbox: Mailbox) -> str:
    """Why this account can never mean what it says, in words for its owner: the login is refused. Empty when it can."""
    if policy is Policy.TRASH and mailbox.trash is None:
        return 'delete = "trash", but no mailbox is marked \\Trash upstream; name one with trash = "…"'
    if policy is Policy.TRASH and mailbox.trash_is_itself:
        return (
            f"what is deleted from {mailbox.trash} cannot go to {mailbox.trash}; name another with trash = or delete ="
        )
    if policy is Policy.FLAG and mailbox.flag_deletes:
        return (
            'delete = "flag", but Gmail archives a message as soon as it is flagged; '
            'set delete = "trash", or gmail_auto_expunge = false if its owner switched that off'
        )
    return ""


def refusal(policy: Policy, mailbox: Mailbox) -> str:
    """Why nothing can be deleted in this mailbox as it was opened; empty when it can."""
    if mailbox.read_only:
        return "the mailbox is read-only upstream"
    flag_needed = policy is not Policy.TRASH or not mailbox.can_move
    if flag_needed and mailbox.flags_kept is not None and "\\deleted" not in mailbox.flags_kept:
        return "the mailbox does not keep the \\Deleted flag"
    if mailbox.rights is not None and not _may(mailbox.rights, _needed(policy, mailbox)):
        return "upstream gives no right to delete in this mailbox"
    return ""


def shortfall(policy: Policy, mailbox: Mailbox) -> str:
    """What stays undone for want of UIDPLUS (S19), for `check` and the log; empty when nothing does."""
    if mailbox.can_expunge_by_uid:
        return ""
    match policy:
        case Policy.EXPUNGE:
            return (
                "without UIDPLUS messages are only flagged \\Deleted, never expunged: another user's could go with them"
            )
        case Policy.TRASH if not mailbox.can_move:
            return "without MOVE and UIDPLUS messages are copied to the trash and flagged \\Deleted, not expunged"
        case _:
            return ""


def _needed(policy: Policy, mailbox: Mailbox) -> str:
    """Of RFC 4314's rights: t sets \\Deleted, e expunges, and moves away."""
    match policy:
        case Policy.FLAG:
            return "t"
        case Policy.TRASH if mailbox.can_move:
            return "e"
        case _:
            return "te" if mailbox.can_expunge_by_uid else "t"


def _may(rights: str, needed: str) -> bool:
    # RFC 4314 splits RFC 2086's "d" into t and e. A server that knows them says d too, for old clients, if it grants
    # any of them: so d counts only where neither is there.
    if "t" not in rights and "e" not in rights:
        return "d" in rights
    return set(needed) <= set(rights)
