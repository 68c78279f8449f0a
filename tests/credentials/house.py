# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""One grant of one authorization server in memory, consented to, and the sources that go by it."""

from attrs import define, field

from bridge.accounts.account import Account
from bridge.config import OAuth2Grant, OwnSource, Reference, Upstream
from bridge.credentials.oauth2 import Grants
from bridge.credentials.oauth2_record import Record, remember
from bridge.events import Event
from bridge.names import AccountName, SourceName
from bridge.sasl import Credentials
from bridge.secret import Secret
from tests.contracts.fake_vault import FakeVault
from tests.credentials.authority import GRANT, Authority, resolver

SOURCE = OwnSource(
    upstream=Upstream("imap", "tls", "imap.work.example", 993),
    name="work",
    login="ann@work.example",
    secret=Reference("oauth2", "work"),
)


def account(login: str = "ann@work.example", name: str = "inbox") -> Account:
    return Account(login.encode(), AccountName("ann"), SOURCE, source=SourceName(name))


@define
class House:
    authority: Authority = field(factory=Authority)
    grant: OAuth2Grant = GRANT
    told: list[Event] = field(factory=list)
    wanted: list[str] = field(factory=list)
    vault: FakeVault = field(factory=FakeVault)
    grants: Grants = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.authority.done(
            remember(self.vault, "work", Record(client_id="popbridge", refresh=Secret(b"r1"), since=1.0))
        )
        self.grants = Grants(
            (self.grant,),
            self.authority.posting(),
            self.vault,
            resolver(),
            self.authority.clock,
            lambda: 0.5,
            self.told.append,
            lambda grant: self.wanted.append(grant.name),
        )

    def credentials(self, of: Account) -> Credentials:
        return self.authority.done(self.grants.proof("work", of).credentials())
