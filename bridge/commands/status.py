"""`popbridge status`: what the state file remembers, which deletions wait, and what waits for the owner's answer."""

from collections.abc import Callable

from bridge.commands.terminal import counted
from bridge.maildrop.memory import Memory
from bridge.state.store import Store

Say = Callable[[str], None]

_UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"), (1, "second"))


async def status(store: Store, say: Say, now: float) -> None:
    """`now`: seconds since 1970. Reads, and changes nothing."""
    keys = await store.known()
    say(f"{counted(len(keys), 'mailbox', 'mailboxes')} remembered")
    for key in sorted(keys, key=lambda key: key.label):
        memory = await store.recall(key)
        if memory is None:  # forgotten between the two questions
            continue
        hidden = sum(memory.listing.hidden)
        say(
            f"  {key.label}: {counted(len(memory.listing), 'message')}"
            + (f", {hidden:,} hidden" if hidden else "")
            + (f", last seen at {memory.place}" if memory.place != key.account else "")
        )
        if memory.question:
            say(f"    {renumbering(memory)}")
    for trouble in await store.troubles():
        say(f"{trouble.key.label} could not be opened since {age(now - trouble.since)}: {trouble.text}")
    journal = await store.pending()
    waiting = [pending for pending in journal if pending.entries]
    if not waiting:
        say("no deletions wait")
    for pending in sorted(waiting, key=lambda pending: pending.oldest):
        say(
            f"{counted(pending.entries, 'deletion')} of {pending.key.label} "
            f"{'waits' if pending.entries == 1 else 'wait'}, the oldest for {age(now - pending.oldest)}"
        )
    for pending in journal:
        if pending.flagged:
            say(f"{counted(pending.flagged, 'flagged message')} of {pending.key.label} to be expunged later")


def renumbering(memory: Memory) -> str:
    """The question that waits for the owner's answer, and what becomes of it (S4)."""
    then = (
        "accepted, and taken at the next login" if memory.accepted else "logins are refused until popbridge uidl accept"
    )
    return f"renumbered upstream: {memory.question}; {then}"


def age(seconds: float) -> str:
    """In its largest unit: "3 days"."""
    for length, unit in _UNITS:
        if seconds >= length:
            return counted(int(seconds // length), unit)
    return "less than a second"
