"""What one session sees of the pool: whether a connection waits for it, and where its own goes when it is over."""

from collections.abc import Callable

from attrs import frozen

from bridge.imap.quirks import Quirk, ignore
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Mailbox
from bridge.upstream.connection import Trace
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.pool import Berth, ConnectionPool, Parked


@frozen
class Mooring:
    """Without pool and berth nothing is ever kept."""

    pool: ConnectionPool | None = None
    berth: Berth | None = None
    trace: Trace | None = None
    on_quirk: Callable[[Quirk], None] = ignore

    def take(self) -> Parked | None:
        if self.pool is None or self.berth is None:
            return None
        parked = self.pool.take(self.berth)
        if parked is not None:
            parked.connection.trace, parked.connection.on_quirk = self.trace, self.on_quirk
        return parked

    def quiet(self, parked: Parked, known: Listing) -> bool:
        return self.pool is not None and self.pool.quiet(parked, known)

    def park(self, connection: ImapConnection, mailbox: Mailbox, listed: Listing | None) -> bool:
        return self.pool is not None and self.pool.park(connection, mailbox, listed)


NONE = Mooring()
