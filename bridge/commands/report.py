"""How many old messages were recognised upstream, and which were not: what the owner reads before he says yes."""

from bridge.accounts.account import Account
from bridge.commands.comparison import Comparison
from bridge.commands.old_message import OldMessage
from bridge.commands.terminal import Terminal, counted, some


def report(found: Comparison, account: Account, terminal: Terminal) -> None:
    matching, say = found.matching, terminal.say
    hidden = sum(found.listing.hidden)
    say(f"old server: {counted(matching.asked, 'message')}")
    say(
        f"upstream {account.settings.upstream}: {counted(len(found.listing), 'message')}"
        + (f", {hidden:,} of them hidden from POP3" if hidden else "")
    )
    say(f"recognised: {len(matching.uidls):,} of {matching.asked:,} ({_percent(matching.rate)})")
    for messages, what in (
        (matching.lost, "not found upstream"),
        (matching.invalid, "with a UIDL that POP3 does not allow, left out"),
        (matching.repeated, "with a UIDL that the old server gives to several, left out"),
    ):
        if messages:
            say(f"{what}: {len(messages):,}: {some([_shown(message) for message in messages])}")
    if matching.new:
        say(f"upstream only: {len(matching.new):,}; they have the UIDLs that the bridge gives them")


def _shown(message: OldMessage) -> str:
    text = "".join(c if 0x21 <= ord(c) <= 0x7E else "?" for c in message.uidl[:80])
    return text + (f" ({message.size:,} octets)" if message.size is not None else "")


def _percent(rate: float) -> str:
    """Never rounded up to all of them."""
    return f"{int(rate * 1000) / 10:.1f} %"
