"""From an account and credentials nobody has verified yet to a Source: who connects where, trusting whom."""

from collections.abc import Callable

from attrs import evolve

from bridge.accounts.account import Account
from bridge.config import Timeouts
from bridge.imap.quirks import Quirk, ignore
from bridge.maildrop.readahead import Budget
from bridge.sasl import Credentials
from bridge.tls import client_context
from bridge.upstream.authenticate import log_in
from bridge.upstream.connect import Reactor, connect
from bridge.upstream.imap_connection import ImapConnection, Trace
from bridge.upstream.imap_source import ImapSource


class Opener:
    """Makes the source of an account; the only thing here that knows the reactor."""

    def __init__(self, reactor: Reactor, timeouts: Timeouts, budget: Budget | None = None) -> None:
        self._reactor = reactor
        self._timeouts = timeouts
        self._budget = budget

    def source(
        self,
        account: Account,
        credentials: Credentials,
        *,
        trace: Trace | None = None,
        on_quirk: Callable[[Quirk], None] = ignore,
    ) -> ImapSource:
        """Nothing is connected yet: `list` does that, and later whatever asks after a lost connection."""
        settings = account.passthrough
        sent = evolve(credentials, login=account.login)  # what the owner's login = "{local}" makes of it
        tls = client_context(settings.upstream.host, ca=settings.ca, pin=settings.pin)

        def make() -> ImapConnection:
            return ImapConnection(
                self._reactor,
                silence=self._timeouts.upstream_silence,
                close_abort=self._timeouts.close_abort,
                trace=trace,
                on_quirk=on_quirk,
            )

        async def reach() -> ImapConnection:
            connection = await connect(self._reactor, settings.upstream, tls, self._timeouts, make)
            try:
                await log_in(connection, sent)
            except BaseException:
                connection.abandon()
                raise
            return connection

        return ImapSource(reach, settings, self._reactor, self._budget)
