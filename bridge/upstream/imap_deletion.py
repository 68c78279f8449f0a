"""Carrying out DELE upstream, by UID only, and looking that it came true (S16-S20).

The rule: no message is removed that this session did not mark. Bare EXPUNGE is sent only where the owner
accepted its race in so many words, and even then only while nobody else's message is flagged.
"""

from collections.abc import Sequence

from attrs import define, frozen

from bridge.config import Settings
from bridge.imap.commands import Copy, Expunge, ExpungeAll, FetchFlags, Move, Noop, Search, Store
from bridge.imap.listing import DELETED, HIDDEN
from bridge.imap.wordings import known
from bridge.maildrop.errors import Trouble
from bridge.maildrop.retention import Mailbox, Policy
from bridge.maildrop.source import Deletion
from bridge.names import uid_set
from bridge.upstream.imap_batches import MOST_AT_ONCE, batches, fetched
from bridge.upstream.imap_connection import Answer, ImapConnection
from bridge.upstream.imap_copy import confirmed_copies, earlier_copies

LASTING = {"NOPERM", "CANNOT", "READ-ONLY", "NONEXISTENT", "TRYCREATE", "OVERQUOTA"}
"""Codes of refusals that stay until a person changes something (RFC 5530, RFC 3501)."""


async def carry_out(
    connection: ImapConnection,
    policy: Policy | None,
    mailbox: Mailbox,
    account: Settings,
    uids: Sequence[int],
    *,
    again: bool = False,
) -> Deletion:
    """Nothing counts as done before upstream itself says that it is gone, or carries the flag.

    `policy` None: a purge; what carries \\Deleted is expunged, and what does not is left alone and counts as done.
    `again`: it may have been tried before, and nobody saw how it ended; a copy made then is not made twice.
    Where upstream is lost on the way, what was seen to be done until then still counts.
    """
    task = _Task(connection, policy, mailbox, account, again, set(uids))
    try:
        await task.carry_out()
    except Trouble as trouble:
        left = frozenset(task.left)
        return Deletion(len(uids), left, str(trouble), trouble.temporary, trouble.detail, certain=False)
    if not task.left:
        return Deletion(len(uids))
    reason = task.reason or _Reason("upstream said OK and still has them", temporary=True)
    return Deletion(len(uids), frozenset(task.left), reason.text, reason.temporary, reason.detail)


def _most(connection: ImapConnection) -> int:
    """How many messages this server deals with in one command (RFC 9738; SAVELIMIT is for COPY alone)."""
    named = (name.partition("=") for name in connection.client.capabilities)
    limits = (limit for what, _, limit in named if what in {"MESSAGELIMIT", "SAVELIMIT"} and limit.isdecimal())
    return min((int(limit) or MOST_AT_ONCE for limit in limits if len(limit) < 10), default=MOST_AT_ONCE)


@frozen
class _Reason:
    """Why something was not done."""

    text: str
    temporary: bool
    detail: str = ""


@define
class _Task:
    """`left`: not seen to be done. `reason`: the first one. `limited`: a server did only a part, as it said itself."""

    connection: ImapConnection
    policy: Policy | None
    mailbox: Mailbox
    account: Settings
    again: bool
    left: set[int]
    reason: _Reason | None = None
    limited: bool = False

    async def carry_out(self) -> None:
        """Part after part; what a server with a limit has left of one comes again, while that gets any further."""
        most = _most(self.connection)
        waiting = list(batches(self.left, most=most))
        while waiting:
            uids, self.limited = waiting.pop(0), False
            remaining = await self._carry_out(uids)
            self.left -= uids - remaining
            if self.limited and len(remaining) < len(uids):
                waiting[:0] = batches(remaining, most=most)

    async def _carry_out(self, uids: frozenset[int]) -> frozenset[int]:
        """Which of these are left."""
        match self.policy:
            case None:
                return await self._purge(uids)
            case Policy.FLAG:
                return await self._mark(uids, DELETED, "flag them")
            case Policy.HIDE:
                return await self._mark(uids, HIDDEN, "hide them")
            case Policy.EXPUNGE:
                return await self._expunge(uids)
            case Policy.TRASH | Policy.ARCHIVE as policy:
                target = self.mailbox.targets[policy]
                away = self._move if self.mailbox.can_move else self._copy_away
                return await away(uids, target)
            case Policy.KEEP:
                raise AssertionError("nothing is asked of upstream under keep")

    async def _mark(self, uids: frozenset[int], flag: str, what: str) -> frozenset[int]:
        self._hear(await self.connection.ask(Store(uid_set(uids), (flag,))), what)
        there = await self._look(uids, flag)
        return frozenset(uid for uid, flags in there.items() if flag.lower() not in flags)

    async def _expunge(self, uids: frozenset[int]) -> frozenset[int]:
        if not self.mailbox.can_expunge_by_uid:
            left = await self._mark(uids, DELETED, "flag them")
            if self.account.expunge_without_uidplus and not left:
                await self._expunge_if_alone(uids)
            return left  # flagged is what this server can do (S19)
        self._hear(await self.connection.ask(Store(uid_set(uids), (DELETED,))), "flag them")
        return frozenset(await self._expunge_flagged(uids))

    async def _purge(self, uids: frozenset[int]) -> frozenset[int]:
        """Sets nothing: who takes a flag back in this instant keeps the message."""
        if not self.mailbox.can_expunge_by_uid:
            if self.account.expunge_without_uidplus:
                await self._expunge_if_alone(uids)
            return frozenset()  # they are flagged already, which is what this server can do (S19)
        there = await self._expunge_flagged(uids)
        return frozenset(uid for uid, flags in there.items() if DELETED.lower() in flags)

    async def _expunge_flagged(self, uids: frozenset[int]) -> dict[int, frozenset[str]]:
        """Those that are there after all, with their flags.

        In steps, and twice: with several sessions at one mailbox Dovecot 2.3's UID EXPUNGE says OK and leaves some
        messages behind, more often in one write with STORE. The next listing would hide them, and nobody try again.
        """
        there: dict[int, frozenset[str]] = {}
        for _ in range(2):
            expunged = self._hear(await self.connection.ask(Expunge(uid_set(uids))), "expunge them")
            there = await self._look(uids)
            if not expunged or not any(DELETED.lower() in flags for flags in there.values()):
                break
        return there

    async def _expunge_if_alone(self, uids: frozenset[int]) -> None:
        """The race that the owner accepted: somebody may flag a message between these two commands."""
        flagged = (await self.connection.ask(Search(("DELETED",), returning=False))).found
        if flagged and flagged <= uids:  # a search that was refused finds nothing
            await self.connection.ask(ExpungeAll())

    async def _move(self, uids: frozenset[int], target: str) -> frozenset[int]:
        """Whatever the answer says: what is still there remains (RFC 6851, section 3.3)."""
        self._hear(await self.connection.ask(Move(uid_set(uids), target)), f"move them to {target}")
        return frozenset(await self._look(uids))

    async def _copy_away(self, uids: frozenset[int], target: str) -> frozenset[int]:
        """COPY, see the copies, only then flag (and expunge) the originals: a duplicate is better than a loss."""
        present = frozenset(await _flags(self.connection, uids))
        safe = await earlier_copies(self.connection, present, self.mailbox.name, target) if self.again else frozenset()
        for part in batches(present - safe):
            safe |= await self._copy(part, target)
        if present - safe and self.reason is None:
            self.reason = _Reason(f"their copies in {target} could not be found", temporary=True)
        left = present - safe
        for part in batches(safe):
            left |= await self._expunge(part)
        return left

    async def _copy(self, uids: frozenset[int], target: str) -> frozenset[int]:
        """Those whose copy is certain."""
        copied = await self.connection.ask(Copy(uid_set(uids), target))
        if not self._hear(copied, f"copy them to {target}"):
            return frozenset()
        return await confirmed_copies(self.connection, copied.status, uids, self.mailbox.name, target)

    async def _look(self, uids: frozenset[int], flag: str = "") -> dict[int, frozenset[str]]:
        """Which of them upstream has after all, with their flags; asked in steps. Without those that it says carry
        `flag`.

        Dovecot 2.3 answers a FETCH in the same write from its memory, before it tries to change the mailbox; where
        that then fails (a read-only disk) it says OK all the same, and takes it back with the next NOOP.
        """
        await self.connection.ask(Noop())
        if flag and "ESEARCH" in self.connection.client.capabilities:
            uids -= await self._carrying(flag, uids)
        return await _flags(self.connection, uids)

    async def _carrying(self, flag: str, uids: frozenset[int]) -> set[int]:
        """Those that a search finds: one line, where FETCH has one for each. What it leaves out proves nothing."""
        key = "DELETED" if flag == DELETED else f"KEYWORD {flag}"
        answer = await self.connection.ask(Search(("UID", uid_set(uids), key), returning=True))
        return answer.found if answer.ok else set()

    def _hear(self, answer: Answer, what: str) -> bool:
        """Whether it was done, as upstream says."""
        self.limited = self.limited or answer.limited
        if not answer.ok and self.reason is None:
            code = answer.status.code.name if answer.status.code is not None else ""
            wording = known(answer.status.text)
            passing = wording.temporary if wording is not None else code not in LASTING
            self.reason = _Reason(f"upstream refused to {what}", passing, answer.status.text)
        return answer.ok


async def _flags(connection: ImapConnection, uids: frozenset[int]) -> dict[int, frozenset[str]]:
    """The flags, in lower case, of those of `uids` that upstream still has."""
    there: dict[int, frozenset[str]] = {}
    lowered: dict[frozenset[str], frozenset[str]] = {}  # messages have few different ones
    for row in await fetched(connection, uids, FetchFlags, "what became of them"):
        if row.uid is not None:
            told = there.get(row.uid, frozenset()) if row.flags is None else row.flags
            if told not in lowered:
                lowered[told] = frozenset(map(str.lower, told))
            there[row.uid] = lowered[told]
    return there
