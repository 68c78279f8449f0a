"""A web server of one page on this machine, where the browser brings a provider's answer (RFC 8252, section 7.3).

It is open while one question waits for its answer, and heeds nothing but that.
"""

from html import escape
from typing import Any, cast
from urllib.parse import urlsplit

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IReactorTCP, IReactorTime
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from bridge.commands.terminal import CommandRefused

ADDRESS = "127.0.0.1"

LINGER = 5.0
"""Seconds for the browser to fetch the last page."""

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Popbridge</title></head>
<body><h1>{heading}</h1><p>{text}</p></body></html>
"""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",  # the address holds the code
    "Cache-Control": "no-store",
}


class Reactor(IReactorTCP, IReactorTime):
    """To listen for the browser, and to know the time."""


class Loopback:
    """`redirect`: the address to be asked for, with the port it listens on."""

    def __init__(self, reactor: Reactor, redirect: str) -> None:
        """Raises CommandRefused where the port is taken."""
        parts = urlsplit(redirect)
        self._clock = reactor
        self._came: list[str] = []
        self._asked: list[Deferred[str]] = []
        self._resource = _Answers(parts.path or "/", self._arrived)
        self._connections = _Connections(Site(self._resource))  # type: ignore[no-untyped-call]
        factory: Any = self._connections  # Twisted types listenTCP for ServerFactory only
        try:
            self._port: IListeningPort = reactor.listenTCP(parts.port or 0, factory, 5, ADDRESS)
        except CannotListenError as error:
            why = getattr(error.socketError, "strerror", None) or error.socketError
            raise CommandRefused(
                f"cannot listen on {ADDRESS}:{parts.port} for the browser's answer ({why}); "
                "free the port, or use --paste"
            ) from None
        at = cast("IPv4Address", self._port.getHost())
        self.redirect = f"{parts.scheme}://{parts.hostname}:{at.port}{parts.path}"

    def next(self) -> "Deferred[str]":
        """The query of what the browser asks for next."""
        answer: Deferred[str] = Deferred()
        if self._came:
            answer.callback(self._came.pop(0))
        else:
            self._asked.append(answer)
        return answer

    def show(self, heading: str, text: str, *, status: int = 200) -> None:
        """To the browser whose answer came last."""
        self._resource.show(heading, text, status)

    async def close(self) -> None:
        """Returns when the browser has got what is shown to it, or had the time."""
        await maybeDeferred(self._port.stopListening)
        ended = self._connections.end()
        ended.addTimeout(LINGER, self._clock, onTimeoutCancel=lambda *_: None)
        await ended

    def _arrived(self, query: str) -> None:
        if self._asked:
            self._asked.pop(0).callback(query)
        else:
            self._came.append(query)


class _Connections(WrappingFactory):
    """All that browsers have opened; they like to open some in store."""

    noisy = False

    def __init__(self, site: Site) -> None:
        super().__init__(site)  # type: ignore[no-untyped-call]
        site.noisy = False
        self._ended: Deferred[None] | None = None

    def end(self) -> "Deferred[None]":
        """What was written goes out before."""
        self._ended = Deferred()
        for connection in list(self.protocols):
            connection.loseConnection()
        self._tell()
        return self._ended

    def unregisterProtocol(self, protocol: ProtocolWrapper) -> None:  # noqa: N802
        super().unregisterProtocol(protocol)  # type: ignore[no-untyped-call]
        self._tell()

    def _tell(self) -> None:
        if self._ended is not None and not self.protocols and not self._ended.called:
            self._ended.callback(None)


class _Answers(Resource):
    isLeaf = True  # noqa: N815  Twisted's word

    def __init__(self, path: str, arrived: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._path = path
        self._arrived = arrived
        self._waiting: Request | None = None

    def render_GET(self, request: Request) -> bytes | int:  # noqa: N802
        path, _, query = request.uri.decode("ascii", "replace").partition("?")
        if path != self._path or not query:
            return _page(request, "Nothing here", "This page waits for a provider's answer.", 404)
        if self._waiting is not None:
            return _page(request, "Busy", "Another answer is looked at just now.", 503)
        self._waiting = request
        request.notifyFinish().addErrback(self._gone)
        self._arrived(query)
        return NOT_DONE_YET

    def show(self, heading: str, text: str, status: int) -> None:
        request, self._waiting = self._waiting, None
        if request is not None:
            request.write(_page(request, heading, text, status))  # type: ignore[no-untyped-call]
            request.finish()  # type: ignore[no-untyped-call]

    def _gone(self, _: object) -> None:
        self._waiting = None


def _page(request: Request, heading: str, text: str, status: int) -> bytes:
    request.setResponseCode(status)
    for name, value in _HEADERS.items():
        request.setHeader(name, value)  # type: ignore[no-untyped-call]
    return _PAGE.format(heading=escape(heading), text=escape(text)).encode()
