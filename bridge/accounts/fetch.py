"""One document over HTTPS, from a stranger: few redirects, few octets, only where discovery may go (S29)."""

from collections.abc import Callable
from http import HTTPStatus
from typing import cast
from urllib.parse import SplitResult, urljoin, urlsplit

from attrs import frozen
from OpenSSL.SSL import Error as TlsError
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.error import ConnectError, ConnectionAborted, DNSLookupError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import URI, Agent, PartialDownloadError, ResponseFailed, readBody
from twisted.web.error import SchemeNotSupported
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
    """Raises NotFetched, and whatever cancels it. The caller bounds the time."""
    agent = Agent.usingEndpointFactory(reactor, _Endpoints(reactor, trust))  # type: ignore[no-untyped-call]  # Twisted has no types there
    headers = Headers({"User-Agent": [f"Popbridge/{__version__}"], "Accept": ["text/xml, application/xml"]})
    for _ in range(REDIRECTS + 1):
        host = _host(url)
        try:
            response: IResponse = await agent.request(b"GET", url.encode("ascii"), headers)
            if response.code == HTTPStatus.OK:
                return Fetched(await _body(response), host)
        except (ResponseFailed, ConnectError, DNSLookupError, SchemeNotSupported, ValueError) as error:
            raise NotFetched(_why(error)) from error
        _leave(response)
        if response.code not in _REDIRECTS:
            raise NotFetched(f"not there (HTTP {response.code})")
        url = _next(url, response)
    raise NotFetched(f"more than {REDIRECTS} redirects")


async def _body(response: IResponse) -> bytes:
    try:
        document: bytes = await readBody(response)
    except PartialDownloadError as error:  # it said no length; the document's end says whether it is whole
        document = error.response or b""
    if len(document) > LARGEST:
        raise NotFetched(_TOO_LARGE)
    return document


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


def _leave(response: IResponse) -> None:
    """Its body is not of interest, and the connection is closed."""
    reading = readBody(response)
    reading.addErrback(lambda _: None)
    reading.cancel()


def _why(error: Exception) -> str:
    cause: BaseException = error
    while isinstance(cause, ResponseFailed) and cause.reasons:
        cause = cause.reasons[-1].value
    match cause:
        case DNSLookupError():
            return "there is no such host"
        case AddressForbidden():
            return str(cause)
        case CertificateRejected():
            return str(cause)
        case TlsError():
            return "TLS failed"
        case ConnectionAborted():  # by ourselves
            return _TOO_LARGE
        case ConnectError():
            return f"it does not answer: {str(cause).rstrip('.')}"
        case _:
            return f"its answer cannot be read ({cause.__class__.__name__})"


class _Bounded(ProtocolWrapper):
    """Ends a connection that brings more than a document and its headers may have."""

    received = 0

    def dataReceived(self, data: bytes) -> None:
        self.received += len(data)
        if self.received <= LARGEST + HEADERS:
            super().dataReceived(data)  # type: ignore[no-untyped-call]  # Twisted has no types there
        else:
            self.abortConnection()


class _BoundedFactory(WrappingFactory[_Bounded]):
    protocol = _Bounded
    noisy = False


@implementer(IStreamClientEndpoint)
@frozen
class _BoundedEndpoint:
    inner: IStreamClientEndpoint

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803  # as in Twisted
        factory = _BoundedFactory(protocolFactory)  # type: ignore[no-untyped-call]  # as above
        connected = cast("Deferred[_Bounded]", self.inner.connect(factory))
        return connected.addCallback(lambda bounded: bounded.wrappedProtocol)


@implementer(IAgentEndpointFactory)
@frozen
class _Endpoints:
    """The host is resolved, and the guard sees the address that comes of it; TLS verifies the name."""

    reactor: Guarded
    trust: Trust

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802  # as in Twisted
        host = uri.host.decode("ascii")
        plain = HostnameEndpoint(self.reactor, host, uri.port, timeout=CONNECT)
        return _BoundedEndpoint(wrapClientTLS(self.trust(host), plain))
