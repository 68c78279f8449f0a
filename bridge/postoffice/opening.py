"""From an account to its open maildrop. Used by a login, and by the command line."""

from bridge.accounts.account import Account
from bridge.maildrop.maildrop import Maildrop
from bridge.maildrop.source import Source
from bridge.maildrop.uidl import parse_format


async def open_maildrop(account: Account, source: Source) -> Maildrop:
    """A complete snapshot, or a Trouble and the source given up. A cancelled login leaves nothing connected."""
    try:
        listing = await source.list()
    except BaseException:
        source.abandon()
        raise
    settings = account.passthrough
    return Maildrop(listing, parse_format(settings.uidl), max_deletions=settings.max_deletions)
