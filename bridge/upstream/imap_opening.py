"""Opening a mailbox: all that needs no answer of the other goes out in one write, and the listing with it."""

from attrs import evolve, frozen
from twisted.internet.defer import Deferred

from bridge.config import Settings
from bridge.imap import responses
from bridge.imap.client import ClientState
from bridge.imap.commands import AskRights, Enable, Identify, Select
from bridge.imap.responses import Status, StatusKind
from bridge.imap.wordings import known
from bridge.maildrop.errors import Trouble, UpstreamUnavailable, UpstreamUnsuitable
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Mailbox, Policy, unkeepable
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_listing import Roll, selecting
from bridge.upstream.in_words import trouble
from bridge.upstream.targets import ask_for_targets, targets_from
from bridge.upstream.together import together
from bridge.version import __version__

WHO_WE_ARE = (("name", "Popbridge"), ("version", __version__))
"""RFC 2971. NetEase's servers refuse SELECT to clients that do not say who they are."""

EXTENSIONS = ("UTF8=ACCEPT", "QRESYNC")
"""Enabled wherever they are offered, whatever a client asks for, so that octets and sizes never depend on it (S11)."""


@frozen
class Opened:
    """`listing` None where none was asked for."""

    mailbox: Mailbox
    listing: Listing | None = None


async def open_mailbox(
    connection: ImapConnection,
    account: Settings,
    *,
    listing: bool,
    known: Listing | None = None,
    before: Mailbox | None = None,
) -> Opened:
    """Raises a Trouble; UpstreamUnsuitable where this account can never mean in this mailbox what it says.

    `before`: what was seen when it was opened over this connection the last time: rights and targets are not asked
    for again.
    """
    select = selecting(connection, account.upstream.mailbox, known if listing else None)
    roll = Roll(connection, known, again=before is not None) if listing else None
    try:
        return await _open(connection, account, select, roll, before)
    except _NotUnderstood:
        # A server that announces more of RFC 7162 than it knows.
        roll = Roll(connection, known) if listing else None
        return await _open(connection, account, Select(select.mailbox), roll, before)


class _NotUnderstood(Exception):
    """SELECT with a parameter was BAD."""


async def _open(
    connection: ImapConnection, account: Settings, select: Select, roll: Roll | None, seen: Mailbox | None
) -> Opened:
    has = connection.client.capabilities
    policy = Policy(account.delete)
    before = _introduce(connection)
    if not select.mailbox.isascii():
        await together(*before)  # a name is written in UTF-8 once that is enabled
        before = []
    targets = ask_for_targets(connection, account, policy) if seen is None else None
    selecting = connection.ask(select)
    rights = connection.ask(AskRights(select.mailbox)) if "ACL" in has and seen is None else None
    rows = roll.ask() if roll is not None else []
    asked = [deferred for deferred in (*before, targets, selecting, rights, *rows) if deferred is not None]
    answers = dict(zip(map(id, asked), await together(*asked), strict=True))
    for one in (one for answer in answers.values() for one in answer.responses):
        if isinstance(one, responses.Identified):
            connection.server = one.fields.get("name", "")

    selected = answers[id(selecting)]
    if selected.status.kind is StatusKind.BAD and select != Select(select.mailbox):
        raise _NotUnderstood
    if not selected.ok:
        raise _not_opened(select.mailbox, selected.status)
    if not connection.mailbox.uidvalidity:  # 0 is none (RFC 9051, section 2.3.1.1)
        raise UpstreamUnsuitable(f"the mailbox {select.mailbox} has no UIDVALIDITY: its messages have no lasting names")
    mailbox = _seen(connection, account, selected, answers.get(id(targets)), answers.get(id(rights)))
    if seen is not None:
        mailbox = evolve(mailbox, targets=seen.targets, rights=seen.rights)
    why = unkeepable(policy, mailbox)
    if why:
        raise UpstreamUnsuitable(why)
    if roll is None:
        return Opened(mailbox)
    return Opened(mailbox, await roll.called(selected, [answers[id(one)] for one in rows]))


def _introduce(connection: ImapConnection) -> "list[Deferred[Answer]]":
    if connection.client.state is ClientState.SELECTED:  # it is done; and ENABLE has no place there (RFC 5161)
        return []
    has = connection.client.capabilities
    asked: list[Deferred[Answer]] = []
    if "ID" in has:
        asked.append(connection.ask(Identify(WHO_WE_ARE)))
    extensions = tuple(name for name in EXTENSIONS if name in has)
    if "ENABLE" in has and extensions:
        asked.append(connection.ask(Enable(extensions)))
    return asked


def _seen(
    connection: ImapConnection, account: Settings, selected: Answer, targets: Answer | None, rights: Answer | None
) -> Mailbox:
    has = connection.client.capabilities
    granted = [r.rights for r in (rights.responses if rights is not None else ()) if isinstance(r, responses.Rights)]
    code = selected.status.code
    return Mailbox(
        read_only=code is not None and code.name == "READ-ONLY",
        flags_kept=connection.mailbox.flags_kept,
        rights=granted[0] if granted else None,
        can_move="MOVE" in has or "IMAP4REV2" in has,
        can_expunge_by_uid="UIDPLUS" in has or "IMAP4REV2" in has,
        name=account.upstream.mailbox,
        targets=targets_from(account, targets),
        flag_deletes="X-GM-EXT-1" in has and account.gmail_auto_expunge,
    )


def _not_opened(name: str, status: Status) -> Trouble:
    if (wording := known(status.text)) is not None:
        return trouble(wording, status.text)
    code = status.code.name if status.code is not None else ""
    if code in {"NONEXISTENT", "NOPERM", "CANNOT"}:
        return UpstreamUnsuitable(f"the mailbox {name} cannot be opened upstream", detail=status.text)
    return UpstreamUnavailable(f"upstream does not open the mailbox {name} now", detail=status.text)
