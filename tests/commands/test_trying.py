"""An owner tries an address: he sees who says what, is asked before anything is sent, and gets lines to paste."""

import pytest
from attrs import define, field
from twisted.names import dns

from bridge.accounts.address import parse_address
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.commands.trying import Wish, try_address
from bridge.config.discovered import FILE, read_pins
from bridge.secret import Secret
from tests.accounts.internet import MAIL, document
from tests.accounts.online import OnlineTest
from tests.peers.servers.imap_server import Mailbox

EVIL = "imap.evil.example.com"
AUTOCONFIG = "https://autoconfig.example.org/mail/config-v1.1.xml"


@define
class Owner:
    """Answers what he is asked, and remembers it."""

    answers: dict[str, bool] = field(factory=dict)
    password: str = "wrong"
    read: list[str] = field(factory=list)
    questions: list[str] = field(factory=list)
    passwords: list[str] = field(factory=list)

    def agrees(self, question: str) -> bool:
        self.questions.append(question)
        return next((answer for words, answer in self.answers.items() if words in question), False)

    def types(self, prompt: str) -> Secret:
        self.passwords.append(prompt)
        return Secret(self.password.encode())

    @property
    def text(self) -> str:
        return "\n".join(self.read)


class Trial(OnlineTest):
    async def tries(self, owner: Owner, address: str = "ann@example.org", wish: Wish | None = None) -> bool:
        terminal = Terminal(owner.read.append, lambda *_: None, owner.agrees)
        return await try_address(parse_address(address), wish or Wish(), self.internet.network, terminal, owner.types)

    def nobody_was_logged_in(self, owner: Owner) -> None:
        assert owner.passwords == []
        assert MAIL not in {host for host, _ in self.internet.routed.dialled}


class TryingTest(Trial):
    async def test_nothing_is_sent_where_the_owner_says_no(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        self.internet.srv("_pop3s._tcp.example.org", (0, 1, 995, "pop.example.org"))
        owner = Owner()

        assert not await self.tries(owner)
        assert owner.questions == [
            "Log in at imaps://imap.example.org as ann@example.org?",
            "Log in at pop3s://pop.example.org as ann@example.org?",
        ]
        assert "nothing to write down" in owner.read[-1]
        self.nobody_was_logged_in(owner)

    async def test_a_server_elsewhere_is_asked_about_by_its_name(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, EVIL))
        owner = Owner()

        assert not await self.tries(owner)
        assert owner.questions == [
            f"{EVIL} is not part of example.org. Is {EVIL} the server of your mail, and may it have your password?"
        ]
        assert f"needs your word: {EVIL} is not part of example.org" in owner.text

    async def test_yes_beforehand_is_no_word_for_a_server_elsewhere(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, EVIL))
        owner = Owner()

        assert not await self.tries(owner, wish=Wish(yes=True))
        assert f"--trust {EVIL} would be" in owner.text
        assert owner.questions == []
        self.nobody_was_logged_in(owner)

        assert await self.tries(owner, wish=Wish(yes=True, log_in=False, trusted=frozenset({EVIL})))
        assert owner.questions == []

    async def test_without_a_login_the_lines_are_printed_and_nobody_is_asked_for_a_password(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        owner = Owner()

        assert await self.tries(owner, wish=Wish(log_in=False))
        assert 'upstream = "imaps://imap.example.org"' in owner.text
        assert "log-in not tried" in owner.text
        assert owner.questions == []
        self.nobody_was_logged_in(owner)

    async def test_every_answer_is_shown_with_who_gave_it(self) -> None:
        self.internet.page(AUTOCONFIG, document(("imap", "imap.example.org", "993", "SSL"), login="%EMAILLOCALPART%"))
        owner = Owner()
        await self.tries(owner)

        assert f"  {AUTOCONFIG}: 1 server" in owner.read
        assert "  _imaps._tcp.example.org (SRV): no servers" in owner.read
        assert "  1. imaps://imap.example.org, login ann" in owner.read
        assert f"     named by {AUTOCONFIG}" in owner.read

    async def test_a_provider_without_passwords_is_not_logged_in_at(self) -> None:
        owner = Owner()

        assert await self.tries(owner, "ann@outlook.com")
        assert "is reached by OAuth2, not by a password" in owner.text
        assert "popbridge authorise outlook" in owner.text
        assert (owner.questions, owner.passwords) == ([], [])

    async def test_oauth2_may_be_preferred_where_a_password_would_do(self) -> None:
        owner = Owner()

        assert await self.tries(owner, "ann@gmail.com", Wish(oauth2=True))
        assert 'provider = "google"' in owner.text
        assert owner.passwords == []
        with pytest.raises(CommandRefused, match="none of these servers is known to take OAuth2"):
            await self.tries(owner, "ann@gmx.de", Wish(oauth2=True))

    async def test_what_a_known_server_needs_is_said_whoever_named_it(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.fastmail.com"))
        owner = Owner()
        await self.tries(owner)

        assert "Fastmail: The account's own password is refused: make an app password" in owner.text

    async def test_nobody_says_anything(self) -> None:
        with pytest.raises(CommandRefused, match=r"nobody says where .* example\.org is, and it is not guessed"):
            await self.tries(Owner())

    async def test_a_provider_that_lets_no_program_in_is_explained(self) -> None:
        owner = Owner()
        with pytest.raises(CommandRefused, match="Proton Mail has no server"):
            await self.tries(owner, "ann@proton.me")
        assert "Proton Mail Bridge" in owner.text

    async def test_a_pin_is_written_and_the_lines_say_auto(self) -> None:
        self.internet.page(AUTOCONFIG, document(("imap", "imap.example.org", "993", "SSL"), login="%EMAILLOCALPART%"))
        owner = Owner()

        assert await self.tries(owner, wish=Wish(log_in=False, pin=self.folder))
        pin = read_pins(self.folder)["ann@example.org"]
        assert (pin.upstream, pin.login, pin.found) == ("imaps://imap.example.org", "ann", AUTOCONFIG)
        assert 'upstream = "auto"' in owner.text
        assert str(self.folder / FILE) in owner.text

    async def test_a_pin_that_cannot_be_written_is_no_pin(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        (self.folder / FILE).write_text("[[")

        with pytest.raises(CommandRefused, match=r"not pinned: .*discovered\.toml cannot be read"):
            await self.tries(Owner(), wish=Wish(log_in=False, pin=self.folder))

    async def test_a_mail_server_inside_the_owners_network_is_not_logged_in_at(self) -> None:
        self.internet.host("inside.example.org", "10.0.0.5")
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "inside.example.org"))
        owner = Owner({"Log in": True})

        assert not await self.tries(owner)
        assert "10.0.0.5 is no public address" in owner.text
        assert "10.0.0.5" not in {host for host, _ in self.internet.routed.dialled}


@pytest.mark.story
class AtARealServerTest(Trial):
    """Dovecot stands at the address of imap.example.org and pop.example.org."""

    def setUp(self) -> None:
        super().setUp()
        self.server = server = self.real_server()
        ports = (server.tls_port, server.port, server.pop3s_port, server.pop3_port)
        for port, real in zip((993, 143, 995, 110), ports, strict=True):
            assert real is not None
            self.internet.routed.routes[MAIL, port] = real

    async def test_the_right_password_shows_what_holds_there(self) -> None:
        self.server.add_user("ann", "Open.Sesame")
        Mailbox(self.server, "ann", "Open.Sesame").seed([b"Subject: one\r\n\r\nbody\r\n"])
        self.internet.page(AUTOCONFIG, document(("imap", "imap.example.org", "993", "SSL"), login="%EMAILLOCALPART%"))
        owner = Owner({"Log in at imaps://imap.example.org as ann?": True}, password="Open.Sesame")

        assert await self.tries(owner, wish=Wish(ca=self.ca))
        assert owner.passwords == ["Password of ann at imap.example.org"]
        assert "1 messages, 22 octets" in owner.text
        assert 'delete = "trash": holds, to Trash' in owner.text
        assert 'login = "{local}"' in owner.text
        assert "Sesame" not in owner.text

    async def test_each_kind_of_server_can_be_tried(self) -> None:
        for label, port, url in (
            ("_imap", 143, "imap+starttls://imap.example.org"),
            ("_pop3s", 995, "pop3s://imap.example.org"),
            ("_pop3", 110, "pop3+starttls://imap.example.org"),
        ):
            self.internet.zone.records.pop((f"{label}._tcp.example.org", dns.SRV), None)
            self.internet.srv(f"{label}._tcp.example.org", (0, 1, port, "imap.example.org"))
            owner = Owner({f"Log in at {url} as": True}, password="test")

            assert await self.tries(owner, wish=Wish(ca=self.ca)), owner.text
            assert f'upstream = "{url}"' in owner.text

    async def test_a_wrong_password_is_told_and_the_next_server_is_asked_about(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        self.internet.srv("_pop3s._tcp.example.org", (0, 1, 995, "pop.example.org"))
        owner = Owner({"imaps://": True})

        assert not await self.tries(owner, wish=Wish(ca=self.ca))
        assert "user name or password is wrong" in owner.text
        assert owner.questions[-1] == "Log in at pop3s://pop.example.org as ann@example.org?"
        assert "to paste" not in owner.text

    async def test_no_password_reaches_a_server_whose_certificate_is_not_trusted(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "imap.example.org"))
        owner = Owner({"Log in": True}, password="test")

        assert not await self.tries(owner)
        assert "is not trusted" in owner.text
        assert "ann@example.org" not in self.server.log()

    async def test_nor_one_at_an_address_that_changed_to_the_owners_network(self) -> None:
        self.internet.srv("_imaps._tcp.example.org", (0, 1, 993, "rebind.example.org"))
        self.internet.host("rebind.example.org", "127.0.0.1")
        self.internet.routed.routes["127.0.0.1", 993] = self.internet.routed.routes[MAIL, 993]
        owner = Owner({"Log in": True}, password="test")

        assert not await self.tries(owner, wish=Wish(ca=self.ca))
        assert "127.0.0.1 is no public address" in owner.text
        assert "ann@example.org" not in self.server.log()
