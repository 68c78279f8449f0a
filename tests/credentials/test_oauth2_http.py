# Twisted gives its test doubles no types.
# mypy: disallow-untyped-calls=False
"""What is sent to an authorization server goes nowhere else, and whatever it answers ends in time and within bounds."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.internet import reactor  # noqa: TID251
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.interfaces import IReactorTCP, IReactorTime
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseNeverReceived
from twisted.web.server import Site

from bridge.credentials import oauth2_http
from bridge.credentials.oauth2_http import LARGEST, LONGEST_RETRY, PATIENCE, NoAnswer, Posting, posting
from bridge.secret import Secret
from tests.credentials.authority import TOKEN, Authority, Said
from tests.peers.certificates import Certificate, make_certificates
from tests.peers.child import free_port


def test_a_form_is_posted_and_the_answer_comes_back() -> None:
    authority = Authority([Said(b"octets", 418)])

    answer = authority.done(authority.posting().post(TOKEN, {"a": "1&2", "secret": Secret("gehéim".encode())}))

    assert authority.asked == [{"a": "1&2", "secret": "gehéim"}]
    assert (answer.status, answer.octets, answer.retry_after) == (418, b"octets", None)


@pytest.mark.parametrize("address", ["http://login.example.org/token", "ftp://127.0.0.1/", "//127.0.0.1/"])
def test_nothing_goes_where_others_could_read_it(address: str) -> None:
    authority = Authority([Said(b"")])

    with pytest.raises(NoAnswer, match="not https"):
        authority.done(authority.posting().post(address, {}))
    assert authority.asked == []


def test_a_redirection_is_not_followed() -> None:
    authority = Authority([Said(b"", 307, {"location": "http://127.0.0.1/elsewhere"}), Said(b"")])

    assert authority.done(authority.posting().post(TOKEN, {"code": "1"})).status == 307
    assert authority.paths == ["/token"]


def test_an_endless_answer_is_cut() -> None:
    authority = Authority([Said(b"x" * (LARGEST + 1))])

    with pytest.raises(NoAnswer, match="too long"):
        authority.done(authority.posting().post(TOKEN, {}))


def test_a_silent_server_is_waited_for_half_a_minute() -> None:
    authority = Authority()
    outcome = authority.started(authority.posting().post(TOKEN, {}))

    authority.clock.advance(PATIENCE - 1)
    assert not outcome.over
    authority.clock.advance(1)
    assert isinstance(outcome.error, NoAnswer)
    assert "127.0.0.1 did not answer within 30 seconds" in str(outcome.error)


class _Halting(Protocol):
    """A server that stops in the middle of its answer."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        assert isinstance(self.factory, _Halts)
        self.factory.hung_up.callback(None)


class _Talking(_Halting):
    """A server whose headers have no end."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(b"HTTP/1.1 200 OK\r\n" + (b"X: " + b"x" * 1000 + b"\r\n") * 1000)


class _Halts(Factory):
    noisy = False

    def __init__(self, protocol: type[Protocol]) -> None:
        self.protocol = protocol
        self.hung_up: Deferred[None] = Deferred()


class Halting(TestCase):
    async def _asked(self, server: _Halts, why: str) -> None:
        port = cast("IReactorTCP", reactor).listenTCP(0, server, interface="127.0.0.1")  # type: ignore[arg-type]  # Twisted types it for ServerFactory only
        self.addCleanup(port.stopListening)
        at = cast("IPv4Address", port.getHost()).port

        with pytest.raises(NoAnswer, match=why):
            await posting(reactor).post(f"http://127.0.0.1:{at}/token", {})
        await server.hung_up.addTimeout(5, cast("IReactorTime", reactor))

    async def test_a_server_whose_headers_have_no_end_is_hung_up_on(self) -> None:
        await self._asked(_Halts(_Talking), r"127\.0\.0\.1 does not answer: its answer is too long")

    async def test_a_server_that_halts_in_its_answer_is_hung_up_on(self) -> None:
        self.patch(oauth2_http, "PATIENCE", 0.2)
        await self._asked(_Halts(_Halting), "did not answer within")


class _Failing:
    def __init__(self, error: Exception) -> None:
        self._error = error

    def post(self, *_: object, **__: object) -> "Deferred[None]":
        return fail(self._error)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Refused("no"), "refused"),
        (ResponseNeverReceived([Failure(Refused("no"))]), "refused"),
        (ValueError(), "ValueError"),
    ],
)
def test_why_nobody_answers_is_said(error: Exception, said: str) -> None:
    with pytest.raises(NoAnswer, match=f"127.0.0.1 does not answer: .*{said}"):
        Authority().done(Posting(_Failing(error), Clock()).post(TOKEN, {"refresh_token": Secret(b"secret")}))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        ("999999", LONGEST_RETRY),
        ("Thu, 01 Jan 1970 00:02:00 GMT", 100.0),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Thu, 01 Jan 1970 00:02:00 -0000", 100.0),
        ("soon", None),
        ("", None),
    ],
)
def test_a_server_that_asks_for_a_rest_is_understood(header: str, seconds: float | None) -> None:
    authority = Authority([Said(b"", 503, {"retry-after": header})])
    authority.clock.advance(20)

    assert authority.done(authority.posting().post(TOKEN, {})).retry_after == seconds


class OverTls(TestCase):
    """With Twisted's own agent, and a server on this machine."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.folder)
        self.certificates = make_certificates(self.folder)
        self.authority = Authority([Said(b"octets")])

    def serve(self, certificate: Certificate) -> str:
        context = DefaultOpenSSLContextFactory(str(certificate.key), str(certificate.certificate))
        port: Any = reactor.listenSSL(0, Site(self.authority), context, interface="127.0.0.1")  # type: ignore[attr-defined]
        self.addCleanup(port.stopListening)
        return f"https://localhost:{port.getHost().port}/token"

    async def test_a_server_that_the_system_s_authorities_vouch_for_is_asked(self) -> None:
        os.putenv("SSL_CERT_FILE", str(self.certificates.authority))
        self.addCleanup(os.unsetenv, "SSL_CERT_FILE")
        address = self.serve(self.certificates.server)

        answer = await posting(reactor).post(address, {"code": "1"})

        assert (answer.octets, self.authority.asked) == (b"octets", [{"code": "1"}])

    async def test_any_other_gets_nothing(self) -> None:
        for certificate in (self.certificates.self_signed, self.certificates.server):
            with pytest.raises(NoAnswer, match=r"localhost does not answer: .*certificate verify failed"):
                await posting(reactor).post(self.serve(certificate), {"code": "1"})
        assert self.authority.asked == []

    async def test_nobody_there_is_said(self) -> None:
        with pytest.raises(NoAnswer, match=r"localhost does not answer: .*refused"):
            await posting(reactor).post(f"https://localhost:{free_port()}/", {})
