"""`popbridge uidl accept`: the owner's word that a mailbox which was replaced upstream is to be taken as it is (S4)."""

from bridge.accounts.account import Account
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.state.store import Store


async def accept(account: Account, store: Store, terminal: Terminal) -> None:
    """Asks first, for it holds for the next change only and cannot be taken back once a login came."""
    memory = await store.recall(account.key)
    if memory is None:
        raise CommandRefused(f"nothing is remembered of {account.label}: there is nothing to accept")
    if memory.accepted:
        terminal.say("accepted already; the next login takes the mailbox as it is")
        return
    if not memory.question:
        raise CommandRefused("no change of this mailbox waits for an answer")
    terminal.say(f"renumbered upstream: {memory.question}")
    if not terminal.agrees(
        "Take the mailbox as it is now? What was not recognised gets new UIDLs, and programs download it again."
    ):
        raise CommandRefused("nothing was accepted")
    await store.accept(account.key)
    terminal.say("accepted; the next login takes the mailbox as it is")
