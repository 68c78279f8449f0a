"""What "deleted" shall mean upstream (S18), and whether this mailbox can keep that promise."""

from collections.abc import Mapping
from enum import Enum

from attrs import field, frozen


class Policy(Enum):
    """`delete =` of an account."""

    FLAG = "flag"
    EXPUNGE = "expunge"
    TRASH = "trash"
    ARCHIVE = "archive"
    HIDE = "hide"
    KEEP = "keep"
    """Nothing is done upstream; it never reaches a Source."""

    @property
    def moves(self) -> bool:
        """The message goes to another mailbox."""
        return self in {Policy.TRASH, Policy.ARCHIVE}


@frozen
class Mailbox:
    """What a mailbox allows, as seen when it was opened.

    `flags_kept` (PERMANENTFLAGS, lower case) and `rights` (MYRIGHTS, RFC 4314) are None where the server does not say.
    `targets`: the mailboxes that take what TRASH and ARCHIVE move away, as far as there are any.
    `flag_deletes`: flagging alone takes the message away (Gmail's auto-expunge).
    """

    read_only: bool
    flags_kept: frozenset[str] | None
    rights: str | None
    can_move: bool
    can_expunge_by_uid: bool
    name: str = "INBOX"
    targets: Mapping[Policy, str] = field(factory=dict)
    flag_deletes: bool = False

    @property
    def keeps_hiding(self) -> bool:
        """$POP3Deleted stays set. A server that does not say what it keeps is not taken at its silence."""
        return self.flags_kept is not None and not self.flags_kept.isdisjoint({"\\*", "$pop3deleted"})


def unkeepable(policy: Policy, mailbox: Mailbox) -> str:
    """Why this account can never mean what it says, in words for its owner: the login is refused. Empty when it can."""
    if policy.moves:
        return _nowhere(policy, mailbox)
    if policy is Policy.FLAG and mailbox.flag_deletes:
        return (
            'delete = "flag", but Gmail archives a message as soon as it is flagged; '
            'set delete = "trash", or gmail_auto_expunge = false if its owner switched that off'
        )
    if policy is Policy.HIDE and not mailbox.read_only and not mailbox.keeps_hiding:
        return (
            'delete = "hide", but the mailbox keeps no keywords upstream, so that nothing would stay hidden; '
            "set another delete ="
        )
    return ""


def refusal(policy: Policy, mailbox: Mailbox) -> str:
    """Why nothing can be deleted in this mailbox as it was opened; empty when it can.

    The policy may be another than the account's: QUIT promised it when the account had that one.
    """
    if policy is Policy.KEEP:
        return ""
    if mailbox.read_only:
        return "the mailbox is read-only upstream"
    never = unkeepable(policy, mailbox)
    if never:
        return never
    if _flags(policy, mailbox) and mailbox.flags_kept is not None and "\\deleted" not in mailbox.flags_kept:
        return "the mailbox does not keep the \\Deleted flag"
    if mailbox.rights is not None and not _may(mailbox.rights, _needed(policy, mailbox)):
        what = "set keywords" if policy is Policy.HIDE else "delete"
        return f"upstream gives no right to {what} in this mailbox"
    return ""


def shortfall(policy: Policy, mailbox: Mailbox) -> str:
    """What stays undone for want of UIDPLUS (S19), for `check` and the log; empty when nothing does."""
    if mailbox.can_expunge_by_uid:
        return ""
    if policy is Policy.EXPUNGE:
        return "without UIDPLUS messages are only flagged \\Deleted, never expunged: another user's could go with them"
    if policy.moves and not mailbox.can_move:
        return f"without MOVE and UIDPLUS messages are copied to the {policy.value} and flagged \\Deleted, not expunged"
    return ""


def same_mailbox(one: str, other: str) -> bool:
    """INBOX is the only name that is the same in any case (RFC 9051, section 5.1)."""
    return one == other or one.upper() == other.upper() == "INBOX"


def _nowhere(policy: Policy, mailbox: Mailbox) -> str:
    word, target = policy.value, mailbox.targets.get(policy)
    if target is None:
        return f'delete = "{word}", but no mailbox is marked \\{word.capitalize()} upstream; name one with {word} = "…"'
    if same_mailbox(target, mailbox.name):
        return (
            f"what is deleted from {target} cannot go to {target}; name another with {word} = or set another delete ="
        )
    return ""


def _flags(policy: Policy, mailbox: Mailbox) -> bool:
    """Whether \\Deleted is set on the way."""
    return policy is not Policy.HIDE and not (policy.moves and mailbox.can_move)


def _needed(policy: Policy, mailbox: Mailbox) -> str:
    """Of RFC 4314's rights: t sets \\Deleted, e expunges, and moves away; w sets keywords.

    The i that the target asks for is seen when it refuses: MYRIGHTS was asked for this mailbox only.
    """
    if policy is Policy.HIDE:
        return "w"
    if policy.moves and mailbox.can_move:
        return "e"
    return "te" if policy is not Policy.FLAG and mailbox.can_expunge_by_uid else "t"


def _may(rights: str, needed: str) -> bool:
    # RFC 4314 splits RFC 2086's "d" into t and e. A server that knows them says d too, for old clients, if it grants
    # any of them: so d counts only where neither is there.
    if "t" not in rights and "e" not in rights and "d" in rights:
        rights += "te"
    return set(needed) <= set(rights)
