"""One login, and behind it three accounts that are entered in three ways.

"work" is IMAP on a Dovecot that takes only tokens of a real authorization server, "home" IMAP on Cyrus by a password in
the vault, "pop-old" POP3 on Courier.
"""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from attrs import define

from tests.credentials.leaks import assert_nothing_leaked
from tests.peers import person
from tests.peers.servers.courier import Courier
from tests.peers.servers.cyrus import Cyrus
from tests.peers.servers.dovecot import Dovecot, dovecot
from tests.peers.servers.oidc import AuthorizationServer, authorization_server
from tests.stories.gate import Gate, gate
from tests.stories.sources import PASSWORD, Behind, House

SOURCES = ["work", "home", "pop-old"]
OF_DOVECOT, OF_CYRUS, OF_COURIER = "of-dovecot-alone/2718", "of-cyrus-alone~3141", "of-courier-alone?1414"
_ELSEWHERE = "127.0.0.2"

_HEAD = """
trace = true
[[oauth2]]
name = "consent"
client_id = "popbridge"
{endpoints}
"""


@define
class Providers:
    """Those that run for several houses; `tokens` is the way from Dovecot to the authorization server."""

    authority: AuthorizationServer
    dovecot: Dovecot
    cyrus: Cyrus
    courier: Courier
    tokens: Gate

    def secrets(self) -> dict[str, str]:
        tokens = self.authority.tokens()
        assert tokens
        given = {f"token {number}": token for number, token in enumerate(tokens, 1)}
        own = {"Dovecot's": OF_DOVECOT, "Cyrus's": OF_CYRUS, "Courier's": OF_COURIER, "the login's": PASSWORD}
        return {**given, **own, "the client's": self.authority.secret}


@define(eq=False)
class Tenants(House):
    """A house whose sources are those three."""

    providers: Providers | None = None
    before: int = 0

    def authorise(self) -> str:
        browser = f"{sys.executable} {person.__file__} {self.behind['work'].mailbox.user} %s"
        said = self.command("authorise", "consent", environment={"BROWSER": browser})
        assert self.providers is not None
        self.before = len(self.providers.authority.requests("refresh_token"))
        return said

    def refreshes(self) -> int:
        """Since the last consent."""
        assert self.providers is not None
        return len(self.providers.authority.requests("refresh_token")) - self.before


@contextlib.contextmanager
def providers(
    folder: Path, cyrus: Cyrus, courier: Courier, *, lifetimes: Sequence[int] = (3600,)
) -> Iterator[Providers]:
    """`lifetimes`: as of `authorization_server`; the command for the consent takes the first two."""
    with contextlib.ExitStack() as stack:
        authority = stack.enter_context(authorization_server(folder, lifetimes))
        tokens = stack.enter_context(gate(authority.port))
        server = stack.enter_context(dovecot(oauth2=authority.introspection(tokens.port), passwords_from="127.0.0.1"))
        yield Providers(authority, server, cyrus, courier, tokens)


@contextlib.contextmanager
def tenants(
    of: Providers, *, more: str = "", timeouts: str = "", order: Sequence[str] = SOURCES, consent: bool = True
) -> Iterator[Tenants]:
    """In the end all that the bridge and its commands wrote is searched for every secret and token."""
    with TemporaryDirectory() as name, contextlib.ExitStack() as doors:
        folder = Path(name)
        behind = {}
        for source, server, password, port, secret in (
            ("work", of.dovecot, OF_DOVECOT, of.dovecot.port, "oauth2:consent"),
            ("home", of.cyrus, OF_CYRUS, of.cyrus.port, "vault:cyrus"),
            ("pop-old", of.courier, OF_COURIER, of.courier.pop3_port, "vault:courier"),
        ):
            door = doors.enter_context(gate(port, _ELSEWHERE))
            protocol = "pop3" if source == "pop-old" else "imap"
            behind[source] = Behind(server.new_mailbox(password), door, protocol, secret=secret)
        head = _HEAD.format(endpoints=of.authority.endpoints())
        house = Tenants(folder, behind, list(order), more, timeouts=timeouts, head=head, providers=of)
        try:
            house.command("secret", "set", "cyrus", typed=f"{OF_CYRUS}\n")
            house.command("secret", "set", "courier", typed=f"{OF_COURIER}\n")
            if consent:
                assert "consent: authorised" in house.authorise(), house.said
            house.start()
            yield house
        finally:
            house.stop()
        assert_nothing_leaked(of.secrets(), files=folder, texts=house.said)
