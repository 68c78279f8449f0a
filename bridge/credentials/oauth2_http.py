"""A form sent to an authorization server, and its answer: over HTTPS, bounded in time and size, following nothing."""

import datetime as dt
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from OpenSSL.SSL import Error as TlsError
from treq.client import HTTPClient
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.error import ConnectionAborted
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse
from zope.interface import implementer

from bridge.config.notation import is_loopback
from bridge.secret import Secret
from bridge.version import __version__

LARGEST = 64 * 1024
"""Octets of an answer; Microsoft's tokens are of some kilobytes."""

HEADERS = 16 * 1024
"""Octets before it."""

CONNECT = 10.0
"""Seconds to reach a server."""

PATIENCE = 30.0
"""Seconds for the whole of it."""

LONGEST_RETRY = 3600.0


_HEADERS: dict[bytes | str, bytes | str] = {"Accept": "application/json", "User-Agent": f"Popbridge/{__version__}"}


class NoAnswer(Exception):
    """There was none that could be read; the text says why, in words that hold nothing of what was sent."""


@frozen
class Answer:
    """`retry_after`: seconds that the server asks to be left alone."""

    status: int
    octets: bytes
    retry_after: float | None


class Posting:
    """Knows the network, by treq's client."""

    def __init__(self, http: HTTPClient, clock: IReactorTime) -> None:
        self._http = http
        self._clock = clock

    async def post(self, address: str, form: Mapping[str, str | Secret]) -> Answer:
        """Raises NoAnswer."""
        host = _checked_host(address)
        asking = Deferred.fromCoroutine(self._asked(address, form))
        asking.addTimeout(PATIENCE, self._clock, onTimeoutCancel=_too_late)
        try:
            return await asking
        except TimedOut:
            raise NoAnswer(f"{host} did not answer within {PATIENCE:g} seconds") from None
        except (CancelledError, NoAnswer):
            raise
        except Exception as error:  # noqa: BLE001  whatever the agent's layers raise
            raise NoAnswer(f"{host} does not answer: {_reason(error)}") from None

    async def _asked(self, address: str, form: Mapping[str, str | Secret]) -> Answer:
        plain = {name: _revealed(value) for name, value in form.items()}
        response = await self._http.post(
            address,
            data=plain,
            headers=_HEADERS,
            allow_redirects=False,  # what is sent is for nobody else
            unbuffered=True,
        )
        octets = await _body(response)
        return Answer(response.code, octets, _retry_after(response, self._clock.seconds()))


def posting(reactor: IReactorTime) -> Posting:
    """Over the network, to servers whose certificates the system's authorities vouch for."""
    pool = _QuietPool(reactor, persistent=False)  # type: ignore[no-untyped-call]
    return Posting(HTTPClient(Agent(reactor, connectTimeout=CONNECT, pool=pool)), reactor)  # type: ignore[no-untyped-call]


class _QuietPool(HTTPConnectionPool):
    """Twisted would log two lines for each connection."""

    def getConnection(self, key: object, endpoint: IStreamClientEndpoint) -> Any:  # noqa: N802
        return super().getConnection(key, _Quietly(endpoint))


@implementer(IStreamClientEndpoint)
@frozen
class _Quietly:
    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> "Deferred[Any]":  # noqa: N803
        protocolFactory.noisy = False
        connected: Deferred[Any] = self.endpoint.connect(_SparingFactory(protocolFactory))  # type: ignore[no-untyped-call]
        return connected.addCallback(lambda sparing: sparing.wrappedProtocol)


class _Sparing(ProtocolWrapper):
    """Ends a connection that brings more than an answer may have: Twisted would take headers without end."""

    received = 0

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if self.received <= LARGEST + HEADERS:
            super().dataReceived(data)  # type: ignore[no-untyped-call]
        else:
            self.abortConnection()


class _SparingFactory(WrappingFactory[_Sparing]):
    protocol = _Sparing
    noisy = False


class _Bounded(Protocol):
    """Collects a body; one too large ends the connection, and so does who waits no longer for it."""

    def __init__(self) -> None:
        self.collected: Deferred[bytes] = Deferred(lambda _: self._hang_up())
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data
        if len(self._octets) > LARGEST:
            self._end(NoAnswer("the answer is too long"))
            self._hang_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if isinstance(reason.value, ResponseDone | PotentialDataLoss):
            self._end(None)
        else:
            self._end(NoAnswer("the answer broke off"))

    def _end(self, error: NoAnswer | None) -> None:
        if self.collected.called:
            return
        if error is None:
            self.collected.callback(bytes(self._octets))
        else:
            self.collected.errback(error)

    def _hang_up(self) -> None:
        if self.transport is not None:
            self.transport.loseConnection()


def _body(response: IResponse) -> "Deferred[bytes]":
    bounded = _Bounded()
    response.deliverBody(bounded)  # type: ignore[no-untyped-call]
    return bounded.collected


def _too_late(_: object, seconds: float) -> None:
    """Whatever the agent makes of being cancelled: it was our clock."""
    raise TimedOut(seconds, "no answer")


def _checked_host(address: str) -> str:
    """The configuration was checked for it; what is sent is worth a second look."""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(host)):
        raise NoAnswer(f"{host} is not asked, for its address is not https://")
    return host


def _revealed(value: str | Secret) -> str:
    return value.reveal().decode("utf-8") if isinstance(value, Secret) else value


def _retry_after(response: IResponse, now: float) -> float | None:
    """RFC 9110, section 10.2.3: seconds, or a date."""
    [text, *_] = response.headers.getRawHeaders("retry-after") or [""]
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return min(float(text), LONGEST_RETRY)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=dt.UTC)
    return min(max(at.timestamp() - now, 0.0), LONGEST_RETRY)


def _reason(error: Exception) -> str:
    """The innermost of what Twisted wraps into one another."""
    for inner in getattr(error, "reasons", ()):
        value = inner.value if isinstance(inner, Failure) else inner
        if isinstance(value, TlsError):
            return "; ".join(str(entry[2]) for entry in (value.args[0] if value.args else ())) or "TLS failed"
        if isinstance(value, ConnectionAborted):
            return "its answer is too long"
        if isinstance(value, Exception):
            return _reason(value)
    return str(error).rstrip(".")[:200] or type(error).__name__
