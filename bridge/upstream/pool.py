"""Upstream connections between two sessions of an account: parked with their mailbox selected, for its next login.

The rules are S22's: a parked connection goes to whoever shows the same account and the same password, at most ten
minutes after upstream has checked it; whatever may be wrong with it ends it. Nothing here waits.
"""

import hmac
from collections import OrderedDict
from secrets import token_bytes
from weakref import ReferenceType, ref

from attrs import define, field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from bridge.accounts.account import Account
from bridge.config import Pool, Settings
from bridge.credentials.proof import Proof
from bridge.imap.quirks import FLAGS_IN_IDLE, ignore
from bridge.maildrop.errors import UpstreamUnavailable
from bridge.maildrop.listing import Listing
from bridge.maildrop.retention import Mailbox
from bridge.upstream.imap_connection import ImapConnection

CHECKED_WITHIN = 600.0
"""Seconds for which upstream's word about a password counts (S22)."""

HEARD_WITHIN = 300.0
"""Seconds within which a connection must have said something to be believed unasked (S22)."""

SPEAK_AFTER = 240.0
"""Seconds of silence after which a parked connection is asked: under the 5 minutes of strict servers and NATs."""

SWEEP = 15.0
"""Seconds between two looks at what is parked."""

STOPPING = 2.0
"""Seconds in which parked connections may end in good order when the bridge stops."""


@frozen
class Berth:
    """Whose connection it is: what has to be the same for a login to take it over."""

    settings: Settings
    login: bytes
    guessed: str
    proof: bytes = field(repr=False)

    @property
    def host(self) -> str:
        return self.settings.upstream.host


@define(eq=False)
class Parked:
    """A connection of ours, in use or at rest. `listed`: what was listed over it last, if anybody still holds that."""

    connection: ImapConnection
    berth: Berth
    checked: float
    mailbox: Mailbox | None = None
    listed: "ReferenceType[Listing] | None" = None
    since: float = 0.0


class ConnectionPool:
    """One for the whole bridge."""

    def __init__(self, clock: IReactorTime, limits: Pool) -> None:
        self._clock = clock
        self._limits = limits
        self._key = token_bytes(32)
        self._open: dict[str, int] = {}  # connections by account, those that are being opened too
        self._known: dict[ImapConnection, Parked] = {}
        self._parked: OrderedDict[ImapConnection, Parked] = OrderedDict()  # the longest parked first
        self._by_account: dict[str, list[Parked]] = {}
        self._by_host: dict[str, int] = {}
        self._sweeping: IDelayedCall | None = None
        self._stopped = False
        self._all_ended: Deferred[None] | None = None

    def __len__(self) -> int:
        """How many are parked."""
        return len(self._parked)

    def berth(self, account: Account, proof: Proof) -> Berth | None:
        """None for a bearer token of the client's, which is never taken on trust, and for another mailbox than INBOX.

        INBOX alone is never deleted (RFC 9051, section 6.3.5). Of another one that was deleted and made anew Dovecot
        2.3.19 may show the old state to a process that had it open, even to a new SELECT, when the file system gave the
        new folder the old one's inode.
        """
        if not (proof.parks and self._limits.park) or account.settings.upstream.mailbox != "INBOX":
            return None
        proved = hmac.digest(self._key, proof.identity.reveal(), "sha256")
        return Berth(account.settings, account.login, account.guessed, proved)

    # A login.

    def take(self, berth: Berth) -> Parked | None:
        """The last parked one of the same account and password; it is the caller's now."""
        now = self._clock.seconds()
        for parked in reversed(self._by_account.get(berth.guessed, ())):
            same = parked.berth.settings == berth.settings and parked.berth.login == berth.login
            if not (same and hmac.compare_digest(parked.berth.proof, berth.proof)):
                continue
            if now - parked.checked >= CHECKED_WITHIN or not parked.connection.reusable:
                self._end(parked)
                return None
            self._remove(parked)
            return parked
        return None

    def refused(self, account: str) -> None:
        """Upstream has refused a login: whoever that was, the password may be another one now."""
        for parked in list(self._by_account.get(account, ())):
            self._end(parked)

    def enter(self, account: str) -> None:
        """One more connection of this account is to be opened. Raises UpstreamUnavailable."""
        if self._open.get(account, 0) >= self._limits.connections_per_account:
            spare = self._by_account.get(account)
            if not spare:
                raise UpstreamUnavailable(
                    f"{self._limits.connections_per_account} sessions of this account are open; try again later"
                )
            self._end(spare[0])
        self._open[account] = self._open.get(account, 0) + 1

    def leave(self, account: str) -> None:
        """It was not opened, or has ended."""
        self._open[account] -= 1
        if not self._open[account]:
            del self._open[account]

    def admit(self, berth: Berth, connection: ImapConnection) -> None:
        """Upstream has checked the password of this one just now."""
        self._known[connection] = Parked(connection, berth, self._clock.seconds())

    def ended(self, account: str, connection: ImapConnection) -> None:
        self._known.pop(connection, None)
        parked = self._parked.get(connection)
        if parked is not None:
            self._remove(parked)
        self.leave(account)
        if self._stopped and not self._open and self._all_ended is not None and not self._all_ended.called:
            self._all_ended.callback(None)

    # The end of a session.

    def park(self, connection: ImapConnection, mailbox: Mailbox, listed: Listing | None) -> bool:
        """False where it is the caller's to close."""
        kept = self._known.get(connection)
        if kept is None or self._stopped or not connection.reusable:
            return False
        now = self._clock.seconds()
        if now - kept.checked >= CHECKED_WITHIN:
            return False
        kept.mailbox, kept.listed, kept.since = mailbox, ref(listed) if listed is not None else None, now
        connection.trace, connection.on_quirk = None, ignore  # they were the session's
        self._make_room(kept.berth)
        self._parked[connection] = kept
        self._by_account.setdefault(kept.berth.guessed, []).append(kept)
        self._by_host[kept.berth.host] = self._by_host.get(kept.berth.host, 0) + 1
        connection.rest()
        if self._sweeping is None:
            self._sweeping = self._clock.callLater(SWEEP, self._sweep)
        return True

    def quiet(self, parked: Parked, known: Listing) -> bool:
        """What was listed over it holds still, and nobody need ask: the server tells of all that happens (S7)."""
        return (
            self._limits.believe_idle
            and parked.listed is not None
            and parked.listed() is known
            and parked.connection.server in FLAGS_IN_IDLE
            and parked.connection.quiet_since(self._clock.seconds() - HEARD_WITHIN)
        )

    def stop(self) -> "Deferred[None]":
        """Fires when all have ended, those of sessions too, or had their time to."""
        self._stopped = True
        ended: Deferred[None] = Deferred()
        for parked in list(self._parked.values()):
            self._end(parked)
        if self._open:
            self._all_ended = ended
            ended.addTimeout(STOPPING, self._clock, onTimeoutCancel=lambda *_: None)
        else:
            ended.callback(None)
        return ended

    def _make_room(self, berth: Berth) -> None:
        limits = self._limits
        mine = self._by_account.get(berth.guessed, [])
        if len(mine) >= limits.parked_per_account:
            self._end(mine[0])
        if self._by_host.get(berth.host, 0) >= limits.parked_per_host:
            self._end(next(one for one in self._parked.values() if one.berth.host == berth.host))
        if len(self._parked) >= limits.parked:
            self._end(next(iter(self._parked.values())))

    def _end(self, parked: Parked) -> None:
        self._remove(parked)
        parked.connection.close()

    def _remove(self, parked: Parked) -> None:
        berth = parked.berth
        del self._parked[parked.connection]
        mine = self._by_account[berth.guessed]
        mine.remove(parked)
        if not mine:
            del self._by_account[berth.guessed]
        self._by_host[berth.host] -= 1
        if not self._by_host[berth.host]:
            del self._by_host[berth.host]
        if not self._parked and self._sweeping is not None:
            self._sweeping.cancel()
            self._sweeping = None

    def _sweep(self) -> None:
        self._sweeping = None
        now = self._clock.seconds()
        for parked in list(self._parked.values()):
            if now - parked.since >= self._limits.park or now - parked.checked >= CHECKED_WITHIN:
                self._end(parked)
            elif now - parked.connection.heard_at >= SPEAK_AFTER:
                parked.connection.probe()
        if self._parked:
            self._sweeping = self._clock.callLater(SWEEP, self._sweep)
