"""One document over HTTPS, from a stranger: few redirects, few octets, only where discovery may go (S29)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import SplitResult, urljoin, urlsplit

from attrs import field, frozen
from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectingCancelledError, DNSLookupError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgentEndpointFactory, IResponse
from zope.interface import implementer

from bridge.accounts.address import host_name
from bridge.accounts.autoconfig_xml import LARGEST
from bridge.accounts.guarded import HTTPS, AddressForbidden, Guarded
from bridge.tls import CertificateRejected
from bridge.version import __version__
from bridge.violation import excerpt

REDIRECTS = 3
HEADERS = 16 * 1024
CONNECT = 10.0
"""Seconds for one address."""

Trust = Callable[[str], IOpenSSLClientConnectionCreator]
"""From a host's name to the TLS that verifies it."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class NotFetched(Exception):
    """The text says why."""


@frozen
class Fetched:
    """`host` is where it came from in the end."""

    document: bytes
    host: str


async def fetch(reactor: Guarded, trust: Trust, url: str) -> Fetched:
    """Raises NotFetched, and whatever cancels it. The caller bounds the time; no connection outlives the call."""
    endpoints = _Endpoints(reactor, trust)
    agent = Agent.usingEndpointFactory(reactor, endpoints)  # type: ignore[no-untyped-call]  # Twisted has no types there
    headers = Headers({"User-Agent": [f"Popbridge/{__version__}"], "Accept": ["text/xml, application/xml"]})
    try:
        for _ in range(REDIRECTS + 1):
            host = _host(url)
            response: IResponse = await agent.request(b"GET", url.encode("ascii"), headers)
            if response.code == HTTPStatus.OK:
                return Fetched(await _body(response), host)
            if response.code not in _REDIRECTS:
                raise NotFetched(f"not there (HTTP {response.code})")
            url = _next(url, response)
    except ConnectingCancelledError as error:
        raise CancelledError from error
    except (ResponseFailed, ConnectError, DNSLookupError, ValueError) as error:
        cause = _cause(error)
        if isinstance(cause, CancelledError):
            raise cause from error
        raise NotFetched(_TOO_LARGE if endpoints.exceeded else _why(cause)) from error
    finally:
        endpoints.close()
    raise NotFetched(f"more than {REDIRECTS} redirects")


def _body(response: IResponse) -> Deferred[bytes]:
    whole: Deferred[bytes] = Deferred()
    response.deliverBody(_Body(whole))  # type: ignore[no-untyped-call]  # Twisted has no types there
    return whole


class _Body(Protocol):
    """Twisted's readBody would take all that comes."""

    def __init__(self, whole: Deferred[bytes]) -> None:
        self._whole = whole
        self._octets = bytearray()

    def dataReceived(self, data: bytes) -> None:
        self._octets += data[: LARGEST + 1 - len(self._octets)]
        if len(self._octets) > LARGEST and not self._whole.called:
            self._whole.errback(NotFetched(_TOO_LARGE))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._whole.called:
            return
        # Without a length the end of the connection is that of the document, and XML knows whether it is whole.
        if reason.check(ResponseDone, PotentialDataLoss):  # type: ignore[no-untyped-call]  # as above
            self._whole.callback(bytes(self._octets))
        else:
            self._whole.errback(reason)


_TOO_LARGE = f"more than {LARGEST // 1024} KiB"


def _host(url: str) -> str:
    """Where it leads, if that is a place that is gone to."""
    try:
        parts: SplitResult = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotFetched("redirected to what is no URL") from None
    if parts.scheme != "https":
        raise NotFetched("redirected to where there is no HTTPS")
    host = host_name(parts.hostname or "")
    if host is None or port not in {None, HTTPS} or "@" in parts.netloc or not url.isascii():
        raise NotFetched(
            f"redirected to {excerpt(url.encode('utf-8', 'replace'))}, which is no plain address of a web server"
        )
    return host


def _next(url: str, response: IResponse) -> str:
    to: list[bytes] = response.headers.getRawHeaders(b"location") or [b""]
    try:
        return urljoin(url, to[0].decode("ascii"))
    except ValueError:  # UnicodeError is one
        raise NotFetched("redirected to what is no URL") from None


def _cause(error: BaseException) -> BaseException:
    """Of what Twisted collects on the way the last is the first that went wrong."""
    while isinstance(error, ResponseFailed) and error.reasons:
        error = error.reasons[-1].value
    return error


def _why(cause: BaseException) -> str:
    match cause:
        case DNSLookupError():
            return "there is no such host"
        case AddressForbidden():
            return str(cause)
        case CertificateRejected():
            return str(cause)
        case TlsError():
            return "TLS failed"
        case ConnectError():
            return f"it does not answer: {str(cause).rstrip('.')}"
        case _:
            return f"its answer cannot be read ({cause.__class__.__name__})"


class _Bounded(ProtocolWrapper):
    """Ends a connection that brings more than a document and its headers may have."""

    factory: "_BoundedFactory"
    received = 0

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if self.received <= LARGEST + HEADERS:
            super().dataReceived(data)  # type: ignore[no-untyped-call]  # Twisted has no types there
        else:
            self.factory.exceeded = True
            self.abortConnection()


class _BoundedFactory(WrappingFactory[_Bounded]):
    """Its `protocols` are the connections that are open."""

    protocol = _Bounded
    noisy = False
    exceeded = False


@implementer(IStreamClientEndpoint)
@frozen
class _BoundedEndpoint:
    inner: IStreamClientEndpoint
    opened: list[_BoundedFactory]

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803  # as in Twisted
        factory = _BoundedFactory(protocolFactory)  # type: ignore[no-untyped-call]  # as above
        self.opened.append(factory)
        connected = cast("Deferred[_Bounded]", self.inner.connect(factory))
        return connected.addCallback(lambda bounded: bounded.wrappedProtocol)


@implementer(IAgentEndpointFactory)
@frozen
class _Endpoints:
    """The host is resolved, and the guard sees the address that comes of it; TLS verifies the name."""

    reactor: Guarded
    trust: Trust
    opened: list[_BoundedFactory] = field(factory=list)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802  # as in Twisted
        host = uri.host.decode("ascii")
        plain = HostnameEndpoint(self.reactor, host, uri.port, timeout=CONNECT)
        return _BoundedEndpoint(wrapClientTLS(self.trust(host), plain), self.opened)

    @property
    def exceeded(self) -> bool:
        return any(factory.exceeded for factory in self.opened)

    def close(self) -> None:
        for factory in self.opened:
            for connection in list(factory.protocols):
                connection.abortConnection()
