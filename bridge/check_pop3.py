"""`popbridge check` of a POP3 upstream: what it says of itself, and what this login would find there.

It lists, and ends with QUIT; it deletes and remembers nothing.
"""

from collections.abc import Callable

from bridge.accounts.account import Account
from bridge.config import Config, Settings
from bridge.credentials.proof import Proof
from bridge.maildrop.retention import Policy
from bridge.maildrop.view import select
from bridge.tls import client_context
from bridge.upstream.connect import Reactor
from bridge.upstream.open import Opener
from bridge.upstream.pop3_connection import Pop3Connection
from bridge.upstream.pop3_opening import connect

Say = Callable[[str], None]


async def capabilities(config: Config, reactor: Reactor, settings: Settings) -> tuple[list[str], list[str]]:
    """Ways to log in, and what else there is, before any login. Raises a Trouble."""

    def make() -> Pop3Connection:
        times = config.timeouts
        return Pop3Connection(reactor, silence=times.upstream_silence, close_abort=times.close_abort, trace=None)

    tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)
    connection = await connect(reactor, settings.upstream, tls, config.timeouts, make)
    has = connection.client.capabilities
    connection.close()
    ways = [*(["USER"] if "USER" in has or not has else []), *has.get("SASL", ())]
    return ways, [name for name in ("UIDL", "TOP", "PIPELINING", "UTF8") if name in has]


async def look(account: Account, config: Config, reactor: Reactor, say: Say, proof: Proof) -> bool:
    """Raises a Trouble."""
    source = Opener(reactor, config.timeouts).source(account, proof)
    try:
        listing = await source.list()
    except BaseException:
        source.abandon()
        raise
    say(f"login {account.label}: {len(listing)} messages, {sum(listing.sizes)} octets")
    if not account.view.hides_nothing:
        seen = select(listing, account.view, None, now=reactor.seconds()).uids
        say(f"  its view shows {len(seen)} of them to a program that comes for the first time")
    for policy in Policy:
        chosen = " (this account's)" if policy.value == account.settings.delete else ""
        say(f'  delete = "{policy.value}"{chosen}: {source.refusal(policy) or "holds"}')
    source.close()
    return True
