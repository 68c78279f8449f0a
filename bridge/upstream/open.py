"""From an account and credentials nobody has verified yet to a Source: who connects where, trusting whom."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from attrs import evolve

from bridge.accounts.account import Account
from bridge.config import Timeouts
from bridge.credentials.proof import Proof
from bridge.imap.quirks import Quirk, ignore
from bridge.maildrop.errors import CredentialsRefused
from bridge.maildrop.readahead import Budget
from bridge.maildrop.source import Source
from bridge.sasl import Credentials
from bridge.tls import client_context
from bridge.upstream.authenticate import log_in
from bridge.upstream.connect import Reactor, connect
from bridge.upstream.connection import Connection, Trace
from bridge.upstream.imap_connection import ImapConnection
from bridge.upstream.imap_source import ImapSource
from bridge.upstream.mooring import NONE, Mooring
from bridge.upstream.pool import ConnectionPool
from bridge.upstream.pop3_connection import Pop3Connection
from bridge.upstream.pop3_opening import connect as connect_pop3
from bridge.upstream.pop3_opening import log_in as log_in_pop3
from bridge.upstream.pop3_source import Pop3Source
from bridge.upstream.rests import Rests
from bridge.upstream.turns import Turns

_Connection = TypeVar("_Connection", bound=Connection)


class Opener:
    """Makes the source of an account; the only thing here that knows the reactor."""

    def __init__(
        self,
        reactor: Reactor,
        timeouts: Timeouts,
        pool: ConnectionPool | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._reactor = reactor
        self._timeouts = timeouts
        self._pool = pool
        self._budget = budget
        self._turns = Turns(reactor)
        self._rests = Rests(reactor.seconds)

    def source(
        self,
        account: Account,
        proof: Proof,
        *,
        trace: Trace | None = None,
        on_quirk: Callable[[Quirk], None] = ignore,
    ) -> Source:
        """Nothing is connected yet: `list` does that, and later whatever asks after a lost connection."""
        if account.settings.upstream.protocol == "pop3":
            return self._pop3_source(account, proof, trace)
        pool, mooring = self._pool, NONE
        if pool is not None:
            mooring = Mooring(pool, pool.berth(account, proof), trace, on_quirk)

        def make() -> ImapConnection:
            return ImapConnection(
                self._reactor,
                silence=self._timeouts.upstream_silence,
                close_abort=self._timeouts.close_abort,
                trace=trace,
                on_quirk=on_quirk,
                on_rest=lambda seconds: self._rests.begin(account.guessed, seconds),
            )

        def connected() -> Awaitable[ImapConnection]:
            settings = account.settings
            tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)
            return connect(self._reactor, settings.upstream, tls, self._timeouts, make)

        async def reach() -> ImapConnection:
            self._rests.check(account.guessed)
            if pool is None:
                return await _proved(proof, account, connected, log_in)
            guessed = account.guessed
            pool.enter(guessed)
            try:
                connection = await _proved(proof, account, connected, log_in, lambda: pool.refused(guessed))
            except BaseException:
                pool.leave(guessed)
                raise
            connection.on_end = lambda: pool.ended(guessed, connection)
            if mooring.berth is not None:
                pool.admit(mooring.berth, connection)
            return connection

        return ImapSource(reach, account.settings, self._reactor, mooring, self._budget)

    def _pop3_source(self, account: Account, proof: Proof, trace: Trace | None) -> Source:
        settings = account.settings

        def make() -> Pop3Connection:
            return Pop3Connection(
                self._reactor,
                silence=self._timeouts.upstream_silence,
                close_abort=self._timeouts.close_abort,
                trace=trace,
            )

        def connected() -> Awaitable[Pop3Connection]:
            tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)
            return connect_pop3(self._reactor, settings.upstream, tls, self._timeouts, make)

        async def reach() -> Pop3Connection:
            return await _proved(proof, account, connected, log_in_pop3)

        return Pop3Source(lambda: self._turns.take(account.place, proof.identity), reach, self._reactor)


async def _proved(
    proof: Proof,
    account: Account,
    connected: Callable[[], Awaitable[_Connection]],
    log_in: Callable[[_Connection, Credentials], Awaitable[None]],
    on_refused: Callable[[], None] = lambda: None,
) -> _Connection:
    """A connection that is logged in; tried twice where the first credentials were refused and others are at hand."""
    for again in (True, False):
        # What the owner's login = "{local}" makes of the name goes upstream.
        credentials = evolve(await proof.credentials(), login=account.login)
        connection = await connected()
        try:
            await log_in(connection, credentials)
        except BaseException as error:
            connection.abandon()
            if not isinstance(error, CredentialsRefused):
                raise
            on_refused()
            if not (again and proof.renew(credentials)):
                raise proof.refused(error) from None
        else:
            return connection
    raise AssertionError("unreachable")
