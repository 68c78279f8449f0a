# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Whoever is walked to the consent is told each step, and whatever goes wrong is a sentence that says what to do."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from attrs import define, evolve, field
from twisted.internet import reactor  # noqa: TID251
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from bridge.commands import consent
from bridge.commands.consent import Person, authorise, grant_named
from bridge.commands.terminal import CommandRefused
from bridge.config import Config, OAuth2Grant, Reference
from bridge.credentials.oauth2_answers import Tokens
from bridge.credentials.oauth2_client import Client, Refused
from bridge.credentials.oauth2_record import Record, recall, record_name, remember
from bridge.credentials.vault import VaultLocked
from bridge.secret import Secret
from tests.commands.test_loopback import Page, get
from tests.contracts.fake_vault import FakeVault
from tests.credentials.authority import GRANT, Authority, Said, refusal, tokens

GIVEN = tokens("a1", refresh_token="r1")
CODES = {"device_code": "d", "user_code": "WXYZ", "verification_uri": "https://x.example/d", "expires_in": 600}


@define
class Walk:
    """`browser`: what a browser does with the address; `typed`: what is pasted, made from the address."""

    authority: Authority
    grant: OAuth2Grant = GRANT
    browser: Callable[[str], bool] = lambda _: False
    typed: list[Callable[[dict[str, str]], str]] = field(factory=list)
    said: list[str] = field(factory=list)
    vault: FakeVault = field(factory=FakeVault)
    logins: tuple[str, ...] = ("ann@work.example",)

    def begin(self, *, paste: bool = False, device: bool = False) -> "Deferred[None]":
        client = self.authority.client(self.grant, CLIENT="hush")
        person = Person(self.said.append, self._paste, self.browser)
        work = authorise(client, self.vault, person, reactor, list(self.logins), paste=paste, device=device)  # type: ignore[arg-type]
        return Deferred.fromCoroutine(work)

    def asked(self) -> dict[str, str]:
        """The parameters of the question that was shown."""
        [address] = [line.strip() for line in self.said if "/authorize?" in line]
        return dict(parse_qsl(urlsplit(address).query))

    def record(self) -> Record:
        return self.authority.done(recall(self.vault, "work"))

    def _paste(self, _: str) -> str:
        return self.typed.pop(0)(self.asked())


class LockedVault(FakeVault):
    def get(self, name: str) -> "Deferred[Secret | None]":
        return fail(VaultLocked("there is no key"))


def right(asked: dict[str, str]) -> str:
    return f"{asked['redirect_uri']}/?{urlencode({'state': asked['state'], 'code': 'c1'})}"


def refused(asked: dict[str, str]) -> str:
    return f"{asked['redirect_uri']}/?{urlencode({'state': asked['state'], 'error': 'access_denied'})}"


def wrong(_: dict[str, str]) -> str:
    return "http://127.0.0.1/?code=c1&state=other"


class Pasting(TestCase):
    """For a machine without a browser."""

    async def pasted(self, walk: Walk) -> None:
        pasting = walk.begin(paste=True)
        for _ in range(5):
            walk.authority.http.flush()
        await pasting

    async def test_the_pasted_address_is_taken_and_the_refresh_token_kept(self) -> None:
        walk = Walk(Authority([GIVEN]), typed=[wrong, right])
        walk.authority.clock.advance(5)

        await self.pasted(walk)

        asked, [form] = walk.asked(), walk.authority.asked
        assert asked["login_hint"] == "ann@work.example"
        assert (form["code"], form["redirect_uri"]) == ("c1", asked["redirect_uri"])
        assert walk.record() == Record(client_id="popbridge", refresh=Secret(b"r1"), since=5.0)
        text = "\n".join(walk.said)
        assert "That is not it: it does not belong to the question" in text
        assert f"cannot reach {urlsplit(asked['redirect_uri']).netloc}. That is right so" in text
        assert walk.said[-1].startswith("work: authorised;")
        assert "r1" not in text
        assert "a1" not in text

    async def test_a_page_that_shows_the_code_itself_will_do_where_the_provider_has_one(self) -> None:
        grant = evolve(GRANT, redirect="https://x.example/code")
        walk = Walk(Authority([GIVEN]), grant, typed=[lambda _: "4/711-x"], logins=("ann", "bob"))

        await self.pasted(walk)

        assert walk.authority.asked[0]["code"] == "4/711-x"
        assert "login_hint" not in walk.asked()
        # Where nobody shows one, it is no answer.
        walk = Walk(Authority(), typed=[lambda _: "4711"] * 5)
        with pytest.raises(CommandRefused, match="the right address was not pasted; run the command again"):
            await self.pasted(walk)

    async def test_a_vault_that_cannot_be_used_is_told_before_anybody_has_gone_anywhere(self) -> None:
        walk = Walk(Authority())
        walk.vault = LockedVault()
        with pytest.raises(VaultLocked):
            await self.pasted(walk)
        assert walk.said == []

    async def test_a_no_is_told(self) -> None:
        with pytest.raises(CommandRefused, match="the provider says no: access_denied; run the command again"):
            await self.pasted(Walk(Authority(), typed=[refused]))

    async def test_without_a_refresh_token_nothing_is_kept(self) -> None:
        walk = Walk(Authority([tokens("a1")]), typed=[right])
        with pytest.raises(CommandRefused, match=r'no refresh token, .*"offline_access"'):
            await self.pasted(walk)
        assert walk.record() == Record()

    async def test_what_the_server_refuses_says_where_to_look(self) -> None:
        for said, remedy in (
            (
                refusal("invalid_client", "", 401),
                "work: no tokens: invalid_client; look at client_id and client_secret",
            ),
            (refusal("invalid_grant"), "run the command again; what it was shown is used up"),
            (refusal("invalid_target"), r"look at the \[\[oauth2\]\] entry"),
            (Said(b"", 502), "127.0.0.1 answered 502.*; try again later"),
        ):
            with pytest.raises(CommandRefused, match=remedy):
                await self.pasted(Walk(Authority([said]), typed=[right]))


class Browsing(TestCase):
    """A browser on this machine."""

    def setUp(self) -> None:
        self.pages: list[Page] = []
        self.browsing: Deferred[None] | None = None

    def goes(self, *ends: Callable[[dict[str, str]], str]) -> Callable[[str], bool]:
        """Through the consent, and to these addresses one after the other."""

        async def browse(asked: dict[str, str]) -> None:
            for end in ends:
                self.pages.append(await get(end(asked)))

        def browser(address: str) -> bool:
            self.browsing = Deferred.fromCoroutine(browse(dict(parse_qsl(urlsplit(address).query))))
            return True

        return browser

    async def ended(self, walk: Walk) -> None:
        walking = walk.begin()
        while not walking.called:
            await deferLater(reactor, 0.01)
            walk.authority.http.flush()
        if self.browsing is not None:
            await self.browsing
        await walking

    async def test_the_answer_is_heard_and_the_page_says_so_once_all_is_kept(self) -> None:
        walk = Walk(Authority([GIVEN]), browser=self.goes(wrong_here, right))

        await self.ended(walk)

        first, last = self.pages
        assert first.status == 400
        assert "does not belong to the question" in first.text
        assert "<h1>Authorised</h1>" in last.text
        assert walk.record().refresh == Secret(b"r1")
        assert any("The browser brought something else" in line for line in walk.said)

    async def test_the_page_tells_too_what_went_wrong(self) -> None:
        for authority, end, heading in (
            (Authority(), refused, "Not authorised"),
            (Authority([refusal("invalid_grant")]), right, "Not authorised"),
        ):
            self.pages = []
            with pytest.raises(CommandRefused):
                await self.ended(Walk(authority, browser=self.goes(end)))
            [page] = self.pages
            assert f"<h1>{heading}</h1>" in page.text

    async def test_nobody_is_waited_for_for_ever(self) -> None:
        self.patch(consent, "PATIENCE", 0.05)
        walk = Walk(Authority())
        with pytest.raises(CommandRefused, match="no answer came within 0 minutes; run the command again"):
            await self.ended(walk)
        assert not any("was asked to open it" in line for line in walk.said)

    async def test_an_answer_that_goes_elsewhere_cannot_be_heard(self) -> None:
        walk = Walk(Authority(), evolve(GRANT, redirect="https://x.example/code"))
        with pytest.raises(CommandRefused, match=r"comes to https://x\.example/code, .*use --paste"):
            await self.ended(walk)


def wrong_here(asked: dict[str, str]) -> str:
    return f"{asked['redirect_uri']}/?code=c1&state=other"


class Devices(TestCase):
    async def test_a_code_is_shown_and_waited_for(self) -> None:
        for grant, device in ((GRANT, True), (evolve(GRANT, grant="device"), False)):
            walk = Walk(Authority([Said({**CODES, "interval": 1}), GIVEN]), grant)
            walking = Deferred.fromCoroutine(self.ended(walk, device=device))
            await walking
            assert "Open https://x.example/d in any browser, and type this code there: WXYZ" in walk.said
            assert walk.record().refresh == Secret(b"r1")

    async def test_one_that_nobody_typed_is_told(self) -> None:
        walk = Walk(Authority([Said({**CODES, "expires_in": 1, "interval": 1})]))
        with pytest.raises(CommandRefused, match="nobody typed the code in its time"):
            await self.ended(walk, device=True)

    async def test_a_provider_without_it_is_told(self) -> None:
        walk = Walk(Authority(), evolve(GRANT, device=None))
        with pytest.raises(CommandRefused, match="no codes for devices; use --paste"):
            await self.ended(walk, device=True)

    async def ended(self, walk: Walk, *, device: bool) -> None:
        walking = walk.begin(device=device)
        while not walking.called:
            await deferLater(reactor, 0.01)
            walk.authority.http.flush()
        await walking


class OwnRight(TestCase):
    """Where nobody's consent is needed."""

    CLIENT = evolve(GRANT, grant="client", client_secret=Reference("env", "CLIENT"))

    async def tried(self, walk: Walk) -> None:
        trying = walk.begin()
        for _ in range(5):
            walk.authority.http.flush()
        await trying

    async def test_it_is_tried_and_what_stopped_the_bridge_is_forgotten(self) -> None:
        walk = Walk(Authority([tokens()]), self.CLIENT)
        walk.authority.done(remember(walk.vault, "work", Record(refused="invalid_grant")))

        await self.tried(walk)

        assert walk.said == ["work: needs nobody's consent, and the server gives tokens"]
        assert walk.record() == Record()

    async def test_where_it_fails_it_stays_stopped(self) -> None:
        walk = Walk(Authority([refusal("invalid_client")]), self.CLIENT)
        walk.authority.done(remember(walk.vault, "work", Record(refused="invalid_grant")))

        with pytest.raises(CommandRefused, match="look at client_id"):
            await self.tried(walk)
        assert walk.record().refused == "invalid_grant"

    async def test_each_login_of_a_service_account_is_tried_whatever_came_of_the_others(self) -> None:
        async def as_service(_: Client, login: str) -> Tokens:
            if login == "bbo":
                raise Refused("invalid_grant", "Invalid email or User ID")
            return Tokens(Secret(b"a1"), 3600.0)

        self.patch(Client, "as_service", as_service)
        walk = Walk(Authority(), evolve(GRANT, grant="service"), logins=("ann", "bbo", "eve"))
        for login in walk.logins:
            stopped = Record(refused="invalid_grant")
            walk.authority.done(remember(walk.vault, record_name(walk.grant, login), stopped))

        with pytest.raises(CommandRefused, match=r"^work: no tokens: invalid_grant \(Invalid email.*\(bbo\)$"):
            await self.tried(walk)
        refused = [
            walk.authority.done(recall(walk.vault, record_name(walk.grant, login))).refused for login in walk.logins
        ]
        assert refused == ["", "invalid_grant", ""]


def test_a_grant_is_found_by_its_name_or_the_names_are_told() -> None:
    config = Config(base=Path("/"), listeners=(), oauth2=(GRANT,))
    assert grant_named(config, "work") is GRANT
    with pytest.raises(CommandRefused, match=r'no \[\[oauth2\]\] entry has name = "play"; the names are work'):
        grant_named(config, "play")
    with pytest.raises(CommandRefused, match=r"there are none; docs/oauth2\.md"):
        grant_named(evolve(config, oauth2=()), "work")
