"""One try at the journal's entries of one source: look where needed, say what is coming, delete, strike what is done.

An entry is applied only to the message that was listed when it was written: same incarnation, same size, same date.
"""

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter

from attrs import define, evolve, field

from bridge.maildrop.errors import MailboxReplaced
from bridge.maildrop.journal import Entry, Stage
from bridge.maildrop.retention import Policy
from bridge.maildrop.source import Deletion, Look, Source
from bridge.state.store import Store

AT_ONCE = 1000
"""Entries that are noted as sent together: what the journal calls sent and was not, a restart takes for undone."""

_BY_FLAG = frozenset({Policy.FLAG, Policy.EXPUNGE, Policy.HIDE})
"""These set a flag that somebody may take away again; a message that was moved away and back is another message."""


@define(eq=False)
class Job:
    """Entries by UID, until they are done, and the source that applies them.

    `written`: the journal holds them. `first`: as sent, though nothing was sent yet. `unseen`: this process
    has not yet seen the messages as they are now. `ours`: ids
    of entries that this process has sent, so that nobody can have undone what was never seen to hold. `undone`: UIDs
    whose deletion somebody took back; `done`: incarnation and UID of
    those whose deletion holds. `sets_aside`: a message that is another one now goes to `strangers`, and does
    not hold up the others.
    """

    source: Source
    entries: dict[int, Entry]
    written: bool
    unseen: bool
    purge: float | None
    ours: set[int] = field(factory=set)
    sets_aside: bool = False
    purges_of: str | None = None
    undone: set[int] = field(factory=set)
    done: set[tuple[int, int]] = field(factory=set)
    strangers: list[Entry] = field(factory=list)
    first: bool = False


async def attempt(store: Store, now: float, job: Job) -> Deletion:
    """What is left then is in `job.entries`; the answer says why. Raises a Trouble when nothing more could be done."""
    if job.unseen or not job.source.unbroken:
        await _look(store, now, job)
        job.unseen = False
    asked, answer = len(job.entries), Deletion(0)
    first, job.first = job.first, False
    for policy, again, entries in list(_alike(job.entries.values())):
        sent = entries
        if not first:
            sent = [entry._replace(stage=Stage.SENT) if entry.stage is Stage.WRITTEN else entry for entry in entries]
            await _advance(store, job, sent)
        job.ours.update(entry.id for entry in sent)
        uids = [entry.uid for entry in sent]
        done = await (job.source.delete(uids, policy, again=again and not first) if policy else job.source.purge(uids))
        await _finish(store, now, job, [entry for entry in sent if entry.uid not in done.left])
        if done.left:
            job.unseen = True  # until the next try others may change what is left
        if done.left and done.certain and done.temporary:
            await _not_sent(store, job, [job.entries[uid] for uid in sorted(done.left)])
        if done.left and not answer.left:
            answer = done
    return evolve(answer, asked=asked, left=frozenset(job.entries))


async def _not_sent(store: Store, job: Job, refused: list[Entry]) -> None:
    """Upstream has said no: what does not carry the flag now never got it, and what does can be taken back."""
    looks = await job.source.look([entry.uid for entry in refused])
    if job.written:  # what is not written down has no ids to tell it apart
        job.ours.difference_update(entry.id for entry in refused)
    back = [
        entry._replace(stage=Stage.WRITTEN, modseq=looks[entry.uid].modseq)
        for entry in refused
        if entry.stage is Stage.SENT and entry.uid in looks and not _carries(entry.policy, looks[entry.uid])
    ]
    await _advance(store, job, back)


def _alike(entries: Iterable[Entry]) -> Iterator[tuple[Policy | None, bool, list[Entry]]]:
    """By policy, None for a purge, and whether it was sent before."""
    groups: dict[tuple[Policy | None, bool], list[Entry]] = {}
    for (policy, stage), neighbours in groupby(entries, attrgetter("policy", "stage")):
        key = (None if stage is Stage.FLAGGED else policy, stage is Stage.SENT)
        groups.setdefault(key, []).extend(neighbours)
    for (policy, again), alike in groups.items():
        for start in range(0, len(alike), AT_ONCE):
            yield policy, again, alike[start : start + AT_ONCE]


async def _look(store: Store, now: float, job: Job) -> None:
    looks = await job.source.look(sorted(job.entries))
    strangers = [entry for uid, entry in job.entries.items() if uid in looks and not _is_the_same(entry, looks[uid])]
    if strangers and not job.sets_aside:
        raise MailboxReplaced("a message to be deleted is another one now; nothing was deleted")
    for entry in strangers:
        job.strangers.append(job.entries.pop(entry.uid))
    done, undone = [], []
    for uid, entry in job.entries.items():
        look = looks.get(uid)
        if look is None or (entry.stage is not Stage.FLAGGED and _holds(entry.policy, look)):
            done.append(entry)
        elif _was_undone(entry, look, ours=entry.id in job.ours):
            undone.append(entry)
        else:
            job.entries[uid] = entry._replace(modseq=look.modseq)
    job.undone.update(entry.uid for entry in undone)
    await _finish(store, now, job, done)
    await _strike(store, job, undone)


def _is_the_same(entry: Entry, look: Look) -> bool:
    return entry.size == look.size and (entry.date == look.date or min(entry.date, look.date) < 0)


def _holds(policy: Policy, look: Look) -> bool:
    """The flag alone is what was asked for."""
    return policy in {Policy.FLAG, Policy.HIDE} and _carries(policy, look)


def _carries(policy: Policy, look: Look) -> bool:
    return look.hidden if policy is Policy.HIDE else look.deleted


def _was_undone(entry: Entry, look: Look, *, ours: bool) -> bool:
    """The message stands there without the flag that was sent: never arrived, or taken away by somebody (S17).

    Where MODSEQ shows that nothing has touched it since, it never arrived.
    """
    if entry.stage is Stage.FLAGGED:
        return not look.deleted
    if entry.stage is not Stage.SENT or ours or entry.policy not in _BY_FLAG or _carries(entry.policy, look):
        return False
    return not 0 < look.modseq <= entry.modseq


async def _finish(store: Store, now: float, job: Job, done: list[Entry]) -> None:
    """Struck, but for those that wait for their purge."""
    job.done.update((entry.incarnation, entry.uid) for entry in done)
    if job.purge is None:
        await _strike(store, job, done)
        return
    flagged = [entry for entry in done if entry.policy is Policy.FLAG and entry.stage is not Stage.FLAGGED]
    waits = [entry for entry in flagged if job.purges_of in (None, entry.viewer)]
    await _advance(store, job, [entry._replace(stage=Stage.FLAGGED, due=now + job.purge) for entry in waits])
    for entry in waits:
        job.entries.pop(entry.uid)
    waiting = {entry.uid for entry in waits}
    await _strike(store, job, [entry for entry in done if entry.uid not in waiting])


async def _strike(store: Store, job: Job, entries: list[Entry]) -> None:
    if entries and job.written:
        await store.strike(entries)
        job.ours.difference_update(entry.id for entry in entries)
    for entry in entries:
        job.entries.pop(entry.uid)


async def _advance(store: Store, job: Job, entries: list[Entry]) -> None:
    if job.written and entries:
        await store.advance(entries)
    for entry in entries:
        job.entries[entry.uid] = entry
