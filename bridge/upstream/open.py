"""From an account and credentials nobody has verified yet to a Source: who connects where, trusting whom."""

from collections.abc import Callable

from attrs import evolve

from bridge.accounts.account import Account
from bridge.config import Timeouts
from bridge.imap.quirks import Quirk, ignore
from bridge.maildrop.errors import CredentialsRefused
from bridge.maildrop.readahead import Budget
from bridge.maildrop.source import Source
from bridge.sasl import Credentials
from bridge.tls import client_context
from bridge.upstream.authenticate import log_in
from bridge.upstream.connect import Reactor, connect
from bridge.upstream.imap_connection import ImapConnection, Trace
from bridge.upstream.imap_source import ImapSource
from bridge.upstream.mooring import NONE, Mooring
from bridge.upstream.pool import ConnectionPool
from bridge.upstream.pop3_connection import Pop3Connection
from bridge.upstream.pop3_opening import connect as connect_pop3
from bridge.upstream.pop3_opening import log_in as log_in_pop3
from bridge.upstream.pop3_source import Pop3Source
from bridge.upstream.turns import Turns


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

    def source(
        self,
        account: Account,
        credentials: Credentials,
        *,
        trace: Trace | None = None,
        on_quirk: Callable[[Quirk], None] = ignore,
    ) -> Source:
        """Nothing is connected yet: `list` does that, and later whatever asks after a lost connection."""
        if account.passthrough.upstream.protocol == "pop3":
            return self._pop3_source(account, credentials, trace)
        pool, mooring = self._pool, NONE
        if pool is not None:
            mooring = Mooring(pool, pool.berth(account, credentials), trace, on_quirk)

        def make() -> ImapConnection:
            return ImapConnection(
                self._reactor,
                silence=self._timeouts.upstream_silence,
                close_abort=self._timeouts.close_abort,
                trace=trace,
                on_quirk=on_quirk,
            )

        async def reach() -> ImapConnection:
            if pool is None:
                return await self._logged_in(account, credentials, make)
            guessed = account.guessed
            pool.enter(guessed)
            try:
                connection = await self._logged_in(account, credentials, make)
            except BaseException as error:
                pool.leave(guessed)
                if isinstance(error, CredentialsRefused):
                    pool.refused(guessed)
                raise
            connection.on_end = lambda: pool.ended(guessed, connection)
            if mooring.berth is not None:
                pool.admit(mooring.berth, connection)
            return connection

        return ImapSource(reach, account.passthrough, self._reactor, mooring, self._budget)

    async def _logged_in(
        self, account: Account, credentials: Credentials, make: Callable[[], ImapConnection]
    ) -> ImapConnection:
        settings = account.passthrough
        sent = evolve(credentials, login=account.login)  # what the owner's login = "{local}" makes of it
        tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)
        connection = await connect(self._reactor, settings.upstream, tls, self._timeouts, make)
        try:
            await log_in(connection, sent)
        except BaseException:
            connection.abandon()
            raise
        return connection

    def _pop3_source(self, account: Account, credentials: Credentials, trace: Trace | None) -> Source:
        settings = account.passthrough
        sent = evolve(credentials, login=account.login)
        tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)

        def make() -> Pop3Connection:
            return Pop3Connection(
                self._reactor,
                silence=self._timeouts.upstream_silence,
                close_abort=self._timeouts.close_abort,
                trace=trace,
            )

        async def reach() -> Pop3Connection:
            connection = await connect_pop3(self._reactor, settings.upstream, tls, self._timeouts, make)
            try:
                await log_in_pop3(connection, sent)
            except BaseException:
                connection.abandon()
                raise
            return connection

        return Pop3Source(lambda: self._turns.take(account.place, sent.secret), reach, self._reactor)
