# Twisted gives its assertions and most of its calls no types.
# mypy: disallow-untyped-calls=False
"""Each way to ask for tokens says what its RFC asks for, and no refusal repeats a secret that was sent."""

import json
import shutil
import tempfile
from pathlib import Path

import jwt
import pytest
from attrs import evolve
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from bridge.config import OAuth2Grant, Reference
from bridge.credentials.oauth2_answers import DeviceCodes, Tokens
from bridge.credentials.oauth2_client import NoTokens, Refused
from bridge.secret import Secret
from tests.credentials.authority import GRANT, Authority, Said, refusal, tokens
from tests.peers.certificates import make_certificates

SECRET = evolve(GRANT, client_secret=Reference("env", "CLIENT"))
CODES = DeviceCodes(Secret(b"device"), "WXYZ", "https://x.example", None, 600.0, 5.0)


def test_a_public_client_says_its_name_and_a_confidential_one_proves_it() -> None:
    authority = Authority([tokens(refresh_token="r2"), tokens()])

    got = authority.done(authority.client().refreshed(Secret(b"r1")))
    authority.done(authority.client(SECRET, CLIENT="hush").refreshed(Secret(b"r1")))

    assert got == Tokens(Secret(b"access-1"), 1000.0, Secret(b"r2"))
    form = {"grant_type": "refresh_token", "refresh_token": "r1", "client_id": "popbridge"}
    assert authority.asked == [form, {**form, "client_secret": "hush"}]
    assert authority.paths == ["/token", "/token"]


def test_a_code_is_exchanged_with_its_verifier() -> None:
    authority = Authority([tokens()])

    authority.done(authority.client().exchanged(Secret(b"code"), "http://127.0.0.1:5/", Secret(b"v")))

    assert authority.asked == [
        {
            "grant_type": "authorization_code",
            "code": "code",
            "redirect_uri": "http://127.0.0.1:5/",
            "code_verifier": "v",
            "client_id": "popbridge",
        }
    ]


def test_an_application_asks_for_itself() -> None:
    authority = Authority([tokens()])

    authority.done(authority.client(SECRET, CLIENT="hush").own())

    assert authority.asked[0]["grant_type"] == "client_credentials"
    assert authority.asked[0]["scope"] == "mail offline_access"


def test_a_device_asks_for_a_code_and_then_for_tokens() -> None:
    codes = {"device_code": "device", "user_code": "WXYZ", "verification_uri": "https://x.example", "expires_in": 600}
    authority = Authority([Said(codes), tokens()])
    client = authority.client()

    assert authority.done(client.device_codes()) == CODES
    authority.done(client.polled(CODES))

    assert authority.paths == ["/device", "/token"]
    assert authority.asked[0] == {"client_id": "popbridge", "scope": "mail offline_access"}
    assert authority.asked[1]["device_code"] == "device"


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (refusal("invalid_grant", "Token revoked"), r"^invalid_grant \(Token revoked\)$"),
        (refusal("invalid_client", "", 401), "^invalid_client$"),
        # A refusal under a status of success is one all the same; GitHub does that.
        (refusal("bad_verification_code", "", 200), "^bad_verification_code$"),
        (Said(b"<html>down</html>", 502), "127.0.0.1 answered 502, but it is not JSON"),
        (Said({"access_token": "a"}, 302), "answered 302"),
    ],
)
def test_a_refusal_is_told_apart_from_a_server_in_trouble(said: Said, text: str) -> None:
    authority = Authority([said])

    with pytest.raises(NoTokens, match=text) as caught:
        authority.done(authority.client().refreshed(Secret(b"r1")))
    assert isinstance(caught.value, Refused) == (isinstance(said.body, dict) and "error" in said.body)


def test_a_server_that_quotes_what_it_refuses_gives_nothing_away() -> None:
    """Where the text is cut too, no half of a secret is left."""
    secret = "refresh-" + "0123456789" * 20
    for before in ("", "x" * 200):
        authority = Authority([refusal("invalid_grant", f"{before} token {secret} is unknown, client hush")])

        with pytest.raises(Refused) as caught:
            authority.done(authority.client(SECRET, CLIENT="hush").refreshed(Secret(secret.encode())))
        assert "hush" not in str(caught.value)
        assert "0123456789" not in str(caught.value)
        assert "is unknown" in str(caught.value)


def test_nor_does_one_that_quotes_the_form_as_it_was_sent() -> None:
    form = "refresh_token=1%2F%2F0a+b&client_secret=hush"
    authority = Authority([refusal("server_error", f"no: {form}")])

    with pytest.raises(Refused, match="no: refresh_token=…&client_secret=…"):
        authority.done(authority.client(SECRET, CLIENT="hush").refreshed(Secret(b"1//0a b")))


def test_a_server_that_wants_rest_says_how_long() -> None:
    authority = Authority(
        [refusal("temporarily_unavailable", "", 503, retry_after="7"), Said(b"", 429, {"retry-after": "9"})]
    )
    for seconds in (7.0, 9.0):
        with pytest.raises(NoTokens) as caught:
            authority.done(authority.client().refreshed(Secret(b"r1")))
        assert caught.value.retry_after == seconds


class Signing(TestCase):
    """Keys are read and used in threads."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        key = rsa.generate_private_key(65537, 2048)
        self.public = key.public_key()
        plain = serialization.NoEncryption()
        self.pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
        self.authority = Authority([tokens()])

    async def asked(self, grant: OAuth2Grant, way: str, **secrets: str) -> dict[str, str]:
        client = self.authority.client(grant, **secrets)
        asking = Deferred.fromCoroutine(client.own() if way == "own" else client.as_service("ann@x.example"))
        from twisted.internet import reactor  # noqa: PLC0415, TID251
        from twisted.internet.task import deferLater  # noqa: PLC0415

        while not asking.called:
            await deferLater(reactor, 0.01)
            self.authority.http.flush()
        await asking
        [form] = self.authority.asked
        return form

    async def test_a_certificate_stands_instead_of_a_secret(self) -> None:
        grant = evolve(
            GRANT,
            certificate=make_certificates(self.folder).server.certificate,
            private_key=Reference("env", "KEY"),
        )

        form = await self.asked(grant, "own", KEY=self.pem)

        assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        unchecked = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
        claims = jwt.decode(
            form["client_assertion"],
            self.public,
            ["PS256"],
            audience="http://127.0.0.1/token",
            options=unchecked,  # type: ignore[arg-type]
        )
        assert claims["sub"] == "popbridge"

    async def test_a_service_account_asks_for_one_login(self) -> None:
        grant = OAuth2Grant(
            name="work", token="http://127.0.0.1/token", grant="service", service_account=Reference("env", "JSON")
        )
        account = {"client_email": "s@x.example", "private_key": self.pem, "private_key_id": "k1"}

        form = await self.asked(grant, "service", JSON=json.dumps(account))

        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        assert set(form) == {"grant_type", "assertion"}

    async def test_what_cannot_be_signed_is_said(self) -> None:
        grant = evolve(GRANT, certificate=self.folder / "gone.pem", private_key=Reference("env", "KEY"))

        with pytest.raises(NoTokens, match=r"gone\.pem cannot be read"):
            await self.asked(grant, "own", KEY=self.pem)
        grant = evolve(grant, certificate=make_certificates(self.folder).server.certificate)
        with pytest.raises(NoTokens, match="no unlocked RSA key"):
            await self.asked(grant, "own", KEY="locked")
