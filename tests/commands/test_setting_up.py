"""A new user is asked for what is needed and nothing else, and whatever stops the way leaves nothing behind."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import patch

import pytest
from attrs import define, field
from twisted.internet.protocol import Factory

from bridge.accounts.address import parse_address
from bridge.commands import setting_up
from bridge.commands.consent import Person
from bridge.commands.setting_up import Owner, Plan, set_up
from bridge.commands.setup_file import NewBridge
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.commands.trying import Wish
from bridge.config import Config, Endpoint, OAuth2Grant, Reference, load
from bridge.config.notation import parse_upstream
from bridge.credentials.oauth2_client import Client
from bridge.credentials.vault import Vault
from bridge.secret import Secret
from tests.accounts.internet import MAIL
from tests.accounts.online import OnlineTest
from tests.peers.child import free_port
from tests.peers.servers.imap_server import Mailbox

ELSEWHERE = {"token": "https://a.example/token", "authorize": "https://a.example/authorize"}


@define
class Someone:
    """At the terminal. `lines` are typed where something is asked for in the open."""

    agrees: bool = True
    password: bytes = b"test"
    client_secret: bytes = b""
    lines: list[str] = field(factory=list)
    said: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)

    def owner(self) -> Owner:
        return Owner(
            terminal=Terminal(self.said.append, lambda *_: None, lambda what: self._answer(what, self.agrees)),
            person=Person(self.said.append, lambda what: self._answer(what, self.lines.pop(0)), lambda _: False),
            password=lambda what: self._answer(what, Secret(self.password)),
            client_secret=lambda what: self._answer(what, Secret(self.client_secret)),
        )

    @property
    def text(self) -> str:
        return "\n".join(self.said)

    def _answer(self, question: str, answer: Any) -> Any:
        self.asked.append(question)
        return answer


class StoppedAtTheConsent(Exception):
    """The rest of it is another test's."""


class Trial(OnlineTest):
    async def sets_up(
        self, someone: Someone, address: str = "ann@example.org", *, wish: Wish | None = None, **plan: Any
    ) -> tuple[NewBridge, Config]:
        whole = Plan(
            **{"directory": self.folder / "new", "listen": Endpoint("127.0.0.1", free_port()), **plan},
            wish=wish or Wish(ca=self.ca),
        )
        network, reactor = self.internet.network, self.reactor
        try:
            return await set_up(parse_address(address), whole, someone.owner(), network, reactor)
        except BaseException:
            assert not (self.folder / "new").exists()
            raise

    async def consents(self, someone: Someone, address: str, **plan: Any) -> tuple[OAuth2Grant, Mapping[str, Any]]:
        """The grant that a browser would be opened for, what its client secret is, and how the consent is asked for."""
        came: dict[str, Any] = {}

        async def consented(
            client: Client, vault: Vault, person: Person, reactor: Any, logins: list[str], **way: bool
        ) -> None:
            secret = client.grant.client_secret
            came.update(grant=client.grant, logins=logins, **way)
            came["secret"] = (await client.resolve(secret)).reveal() if secret is not None else None
            raise StoppedAtTheConsent

        with patch.object(setting_up, "consented", consented), pytest.raises(StoppedAtTheConsent):
            await self.sets_up(someone, address, **plan)
        return came.pop("grant"), came


class AskingTest(Trial):
    async def test_a_server_that_nobody_agrees_to_gets_nothing(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        someone = Someone(agrees=False)

        with pytest.raises(CommandRefused, match="no server was agreed to; with --upstream"):
            await self.sets_up(someone)
        assert someone.asked == ["Log in at imaps://imap.example.org as ann@example.org?"]
        assert MAIL not in {host for host, _ in self.internet.routed.dialled}

    async def test_a_server_inside_the_owners_network_is_not_logged_in_at(self) -> None:
        self.internet.host("inside.example.org", "10.0.0.5")
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "inside.example.org"))
        someone = Someone()

        with pytest.raises(CommandRefused, match="did not work"):
            await self.sets_up(someone)
        assert "10.0.0.5 is no public address" in someone.text
        assert "10.0.0.5" not in {host for host, _ in self.internet.routed.dialled}

    async def test_a_provider_that_takes_tokens_only_asks_for_the_application(self) -> None:
        someone = Someone(lines=[" my-id "], client_secret=b"of the application")
        grant, came = await self.consents(someone, "ann@outlook.com")

        assert grant == OAuth2Grant(
            name="outlook",
            provider="microsoft",
            client_id="my-id",
            client_secret=Reference("vault", "outlook-client"),
        )
        assert came == {
            "secret": b"of the application",
            "logins": ["ann@outlook.com"],
            "paste": False,
            "device": False,
        }
        assert someone.asked == ["Its client id", "Its client secret (Enter alone where it has none)"]
        assert "docs/oauth2.md" in someone.text

    async def test_what_was_said_beforehand_is_not_asked(self) -> None:
        someone = Someone()
        grant, came = await self.consents(
            someone, "ann@gmail.com", grant={"client_id": "my-id"}, public=True, way="paste"
        )

        assert (grant.provider, grant.client_id, grant.client_secret) == ("google", "my-id", None)
        assert (came["secret"], came["paste"]) == (None, True)
        assert someone.asked == []

    async def test_an_application_without_a_secret_is_answered_by_enter(self) -> None:
        someone = Someone(lines=["my-id"])
        grant, _ = await self.consents(someone, "ann@gmail.com", wish=Wish(oauth2=True))

        assert grant.client_secret is None
        assert len(someone.asked) == 2

    async def test_a_server_of_ones_own_is_named_by_its_addresses(self) -> None:
        upstream = parse_upstream("imaps://imap.example.org")
        plan = {"upstream": upstream, "login": "ann", "public": True}
        grant, came = await self.consents(
            Someone(), "ann@example.org", grant={"client_id": "my-id", "scopes": ["mail"], **ELSEWHERE}, **plan
        )
        assert (grant.provider, grant.token, grant.scopes) == (None, ELSEWHERE["token"], ("mail",))
        assert came["logins"] == ["ann"]
        codes = {"token": ELSEWHERE["token"], "device": "https://a.example/device"}
        grant, came = await self.consents(
            Someone(), "ann@example.org", grant={"client_id": "my-id", **codes}, way="device", **plan
        )
        assert (grant.grant, came["device"]) == ("device", True)

    async def test_a_server_whose_tokens_nobody_knows_of_is_told(self) -> None:
        upstream = parse_upstream("imaps://imap.example.org")
        with pytest.raises(CommandRefused, match=r"tokens for imap\.example\.org is not known here; name it by --auth"):
            await self.sets_up(Someone(), upstream=upstream, wish=Wish(oauth2=True))
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        with pytest.raises(CommandRefused, match="none of these servers is known to take OAuth2"):
            await self.sets_up(Someone(), wish=Wish(oauth2=True))
        await self.consents(Someone(), "ann@example.org", grant={"client_id": "my-id", **ELSEWHERE}, public=True)

    async def test_what_would_be_no_configuration_is_told_before_any_secret_is_typed(self) -> None:
        someone = Someone()
        with pytest.raises(CommandRefused, match=r"this would be no configuration: .*in clear; write imaps://"):
            await self.sets_up(someone, upstream=parse_upstream("imap://imap.example.org"), wish=Wish())
        assert someone.asked == []

    async def test_a_name_that_no_mail_program_can_send_is_told_and_another_one_is_taken(self) -> None:
        plan: dict[str, Any] = {"upstream": parse_upstream("imaps://imap.example.org"), "wish": Wish()}
        with pytest.raises(CommandRefused, match=r"account\.user: mail programs send this name in another form"):
            await self.sets_up(Someone(), "\u00b2@example.org", **plan)
        someone = Someone(password=b"")
        with pytest.raises(CommandRefused, match="cannot be kept"):
            await self.sets_up(someone, "\u00b2@example.org", user="two", **plan)
        assert someone.asked == ["Password of \u00b2@example.org at imap.example.org"]

    async def test_no_password_is_none(self) -> None:
        with pytest.raises(CommandRefused, match="this cannot be kept: a secret has 1 to"):
            await self.sets_up(Someone(password=b""), upstream=parse_upstream("imaps://imap.example.org"))

    async def test_where_there_is_a_choice_it_is_named(self) -> None:
        someone = Someone(password=b"")
        with pytest.raises(CommandRefused, match="cannot be kept"):
            await self.sets_up(someone, "ann@gmail.com")
        assert "imap.gmail.com takes your consent in a browser too, by --oauth2" in someone.said
        assert someone.asked[-1] == "App password of ann@gmail.com at imap.gmail.com"

    async def test_what_would_stop_it_at_the_end_stops_it_at_the_beginning(self) -> None:
        someone = Someone()
        taken = self.reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        self.addCleanup(taken.stopListening)
        with pytest.raises(CommandRefused, match=r"in use .*; for another port: --pop3 127\.0\.0\.1:2110"):
            await self.sets_up(someone, listen=Endpoint("127.0.0.1", taken.getHost().port))
        (self.folder / "popbridge.vault").touch()
        with pytest.raises(CommandRefused, match=r"has a popbridge\.vault already"):
            await self.sets_up(someone, directory=self.folder)
        assert someone.said == []

    async def test_a_configuration_that_is_there_stays_and_is_told_what_to_add(self) -> None:
        (self.folder / "popbridge.toml").write_text("# mine\n")
        someone = Someone()
        with pytest.raises(CommandRefused, match=r"popbridge\.toml already, which stays as it is; paste these lines"):
            await self.sets_up(someone, "ann@outlook.com", directory=self.folder)
        assert '[[oauth2]]\nname = "outlook"' in someone.text
        with pytest.raises(CommandRefused, match="paste these lines"):
            await self.sets_up(someone, "ann@gmx.de", directory=self.folder)
        assert 'upstream = "imaps://imap.gmx.net"' in someone.text
        assert someone.asked == []
        assert (self.folder / "popbridge.toml").read_text() == "# mine\n"


@pytest.mark.story
class AtARealServerTest(Trial):
    """Dovecot stands at the address of imap.example.org."""

    def setUp(self) -> None:
        super().setUp()
        server = self.real_server()
        Mailbox(server, "ann@example.org").seed([b"Subject: one\r\n\r\nbody\r\n"])
        assert server.tls_port is not None
        self.internet.routed.routes[MAIL, 993] = server.tls_port
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))

    async def test_from_an_address_to_a_configuration_that_holds_what_was_shown(self) -> None:
        someone = Someone()
        new, config = await self.sets_up(someone)

        assert someone.asked == [
            "Log in at imaps://imap.example.org as ann@example.org?",
            "Password of ann@example.org at imap.example.org",
        ]
        assert "login ann/example: 1 messages, 22 octets" in someone.text
        assert 'delete = "flag" (this account\'s): holds' in someone.text
        assert load(self.folder / "new" / "popbridge.toml") == config
        [source] = config.accounts[0].source
        assert (source.upstream.host, source.ca) == ("imap.example.org", self.ca)
        assert new.made.password.reveal().decode() not in someone.text

    async def test_a_wrong_password_ends_it(self) -> None:
        someone = Someone(password=b"wrong")
        with pytest.raises(CommandRefused, match="did not work, as said above; mend it, and run the command again"):
            await self.sets_up(someone)
        assert "imap.example.org refuses the password" in someone.text
