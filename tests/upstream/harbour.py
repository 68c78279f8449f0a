"""Sessions one after the other behind one pool, on a network in memory: what the tests of parked connections share."""

from typing import Any, cast

from bridge.accounts.account import Account
from bridge.config import PassThrough, Pool, Timeouts
from bridge.credentials.proof import Given
from bridge.imap.quirks import Met, ignore
from bridge.maildrop.listing import Listing
from bridge.maildrop.source import Source
from bridge.names import AccountName
from bridge.sasl import Credentials
from bridge.secret import Secret
from bridge.upstream.connect import Reactor
from bridge.upstream.connection import Trace
from bridge.upstream.open import Opener
from bridge.upstream.pool import ConnectionPool
from tests.upstream.mailserver import DOVECOT, Store
from tests.upstream.network import Answering, Network
from tests.upstream.session import CLEAR, with_many

IDLES = f"{DOVECOT} IDLE CONDSTORE QRESYNC"


class Harbour:
    """`store`: the server; `answering` where something stands before it."""

    def __init__(self, store: Store | None = None, *, answering: Answering | None = None, **limits: Any) -> None:
        self.store = store or with_many(5, capabilities=IDLES)
        self.network = Network(answering or self.store.answering)
        self.pool = ConnectionPool(self.network, Pool(**limits))
        self._opener = Opener(cast("Reactor", self.network), Timeouts(), self.pool)

    def source(
        self,
        password: bytes = b"wonder",
        *,
        login: bytes = b"alice",
        bearer: bool = False,
        trace: Trace | None = None,
        on_quirk: Met = ignore,
        **settings: Any,
    ) -> Source:
        account = Account(login, AccountName(login.decode()), PassThrough(**{"upstream": CLEAR, **settings}))
        mechanism = "XOAUTH2" if bearer else "USER"
        credentials = Credentials(login, Secret(password), mechanism, bearer=bearer)
        return self._opener.source(account, Given(credentials), trace=trace, on_quirk=on_quirk)

    def open(self, known: Listing | None = None, **who: Any) -> tuple[Source, Listing]:
        """A session that has listed; what was asked for it stands in `asked`."""
        self.store.commands.clear()
        source = self.source(**who)
        return source, self.network.run(source.list(known))

    def poll(self, known: Listing | None = None, **who: Any) -> Listing:
        """A whole session that asks for nothing else."""
        source, listing = self.open(known, **who)
        source.close()
        self.network.settle()
        return listing

    @property
    def logins(self) -> int:
        """How often upstream checked a password since the last session began."""
        return sum(text.startswith(("LOGIN", "AUTHENTICATE")) for text in self.store.commands)
