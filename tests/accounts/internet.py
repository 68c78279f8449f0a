# Twisted gives most of its calls no types.
# mypy: disallow-untyped-calls=False
# ruff: noqa: N802, N803, N815  # Twisted's names
"""An internet for a test: names from a real name server, public addresses whose servers really are on loopback.

What is under test sees public addresses alone, so that its rules about addresses hold as they do outside. Where an
address leads is decided below it, as a router would; one that no test server has leads nowhere.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
    IResolutionReceiver,
)
from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.names import dns
from twisted.names.client import Resolver
from twisted.names.common import ResolverBase
from twisted.names.error import DNSNameError
from twisted.names.server import DNSServerFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from bridge.accounts.autodiscover import Network
from bridge.accounts.guarded import Guarded
from bridge.tls import client_context

NAMES = ("example.org", "*.example.org", "*.hoster.net", "hoster.net", "evil.example.com")
WEB, MAIL = "93.184.216.34", "93.184.216.35"
"""Addresses of somebody; nothing is sent there."""

Page = Callable[[Any], Any]
"""From a request to its body, or to NOT_DONE_YET."""


class Zone(ResolverBase):
    """A name server's data: records by name and type; several answers are given one after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.records: dict[tuple[str, int], list[list[Any]]] = {}
        self.asked: list[str] = []
        self.silent = False
        self.failing: Exception | None = None

    def say(self, name: str, *records: Any) -> None:
        for kind in {record.TYPE for record in records}:
            self.records.setdefault((name, kind), []).append([one for one in records if kind == one.TYPE])

    def alias(self, name: str, to: str, kind: int) -> None:
        """As a resolver answers who follows a CNAME for its clients."""
        self.records[name, kind] = [[dns.Record_CNAME(to), *rest] for rest in self.records[to, kind]]

    def _lookup(self, name: bytes, cls: int, type: int, timeout: Any) -> Deferred[Any]:  # noqa: A002  # as in Twisted
        text = name.decode().lower()
        self.asked.append(text)
        if self.silent:
            return Deferred()
        if self.failing is not None and type != dns.A:
            return fail(self.failing)
        answers = self.records.get((text, type))
        if not answers:
            known = any(owner == text for owner, _ in self.records)
            return succeed(([], [], [])) if known else fail(DNSNameError(text))
        records = answers.pop(0) if len(answers) > 1 else answers[0]
        return succeed(([dns.RRHeader(text, one.TYPE, dns.IN, 0, one) for one in records], [], []))


class _Pages(Resource):
    isLeaf = True

    def __init__(self, pages: dict[str, Page], asked: list[str]) -> None:
        super().__init__()
        self._pages = pages
        self._asked = asked

    def render_GET(self, request: Any) -> Any:
        place = f"https://{request.getRequestHostname().decode()}{request.path.decode()}"
        self._asked.append(f"https://{request.getRequestHostname().decode()}{request.uri.decode()}")
        page = self._pages.get(place)
        if page is None:
            request.setResponseCode(404)
            return b"no"
        return page(request)


@implementer(IHostnameResolver)
class _Names:
    """Host names by the test's name server alone."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.tries = (5,)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        resolutionReceiver.resolutionBegan(None)  # type: ignore[arg-type]  # nobody here cancels it

        def told(answers: Any) -> None:
            for header in answers[0]:
                if isinstance(header.payload, dns.Record_A):
                    resolutionReceiver.addressResolved(IPv4Address("TCP", header.payload.dottedQuad(), portNumber))

        asking = self._resolver.lookupAddress(hostName, self.tries)
        asking.addCallbacks(told, lambda _: None)
        asking.addBoth(lambda _: resolutionReceiver.resolutionComplete())
        return None


@implementer(IReactorTCP, IReactorTime, IReactorPluggableNameResolver)
class Routed:
    """The reactor, with routes from public addresses to the test's servers."""

    def __init__(self, reactor: Any, names: IHostnameResolver) -> None:
        self._reactor = reactor
        self.nameResolver = names
        self.routes: dict[tuple[str, int], int] = {}
        self.dialled: list[tuple[str, int]] = []

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> Any:
        self.dialled.append((host, port))
        if (host, port) not in self.routes:
            raise ConnectError(string="no route to host")
        return self._reactor.connectTCP("127.0.0.1", self.routes[host, port], factory, timeout, bindAddress)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> Any:
        raise NotImplementedError  # the interface has it, and discovery never listens

    def installNameResolver(self, resolver: Any) -> Any:
        raise NotImplementedError  # the same: names are resolved by what the test was given

    def seconds(self) -> Any:
        return self._reactor.seconds()

    def callLater(self, delay: float, callable: Any, *args: Any, **kw: Any) -> Any:  # noqa: A002  # as in Twisted
        return self._reactor.callLater(delay, callable, *args, **kw)

    def getDelayedCalls(self) -> Any:
        return self._reactor.getDelayedCalls()


class Internet:
    """Running from its making to `stop`. `certificate` is one for NAMES, and its key; `ca` has issued it."""

    def __init__(self, reactor: Any, ca: Path, certificate: tuple[Path, Path]) -> None:
        self.zone = Zone()
        self.pages: dict[str, Page] = {}
        self.fetched: list[str] = []
        server = DNSServerFactory(clients=[self.zone])
        server.noisy = False
        self._dns = reactor.listenUDP(0, dns.DNSDatagramProtocol(server), interface="127.0.0.1")
        site = Site(_Pages(self.pages, self.fetched))
        site.noisy = False
        chain, key = map(str, certificate)
        context = DefaultOpenSSLContextFactory(key, chain)
        self._web = reactor.listenSSL(0, site, context, interface="127.0.0.1")
        self.resolver = Resolver(servers=[("127.0.0.1", self._dns.getHost().port)], reactor=reactor)
        self.names = _Names(self.resolver)
        self.routed = Routed(reactor, self.names)
        self.routed.routes[WEB, 443] = self._web.getHost().port
        self.network = Network(
            Guarded(self.routed),  # type: ignore[arg-type]  # all that is needed of a reactor
            self.resolver,
            lambda host: client_context(host, ca=ca),
        )

    def host(self, name: str, *addresses: str) -> None:
        """One answer with these addresses; a second call is a second answer."""
        self.zone.say(name, *(dns.Record_A(address) for address in addresses))

    def page(self, url: str, body: bytes) -> None:
        self.pages[url] = lambda _: body

    def redirect(self, url: str, to: str) -> None:
        def page(request: Any) -> bytes:
            request.setResponseCode(302)
            request.setHeader(b"location", to.encode())
            return b"elsewhere"

        self.pages[url] = page

    def srv(self, name: str, *targets: tuple[int, int, int, str]) -> None:
        """(priority, weight, port, target)."""
        self.zone.say(name, *(dns.Record_SRV(one[0], one[1], one[2], _root(one[3])) for one in targets))

    def mx(self, domain: str, *hosts: tuple[int, str]) -> None:
        self.zone.say(domain, *(dns.Record_MX(preference, _root(host)) for preference, host in hosts))

    async def stop(self) -> None:
        await self._dns.stopListening()
        await self._web.stopListening()


def _root(name: str) -> bytes:
    """Twisted encodes "." as two empty labels."""
    return b"" if name == "." else name.encode()


def never(_: Any) -> int:
    """A page that does not come."""
    return NOT_DONE_YET


def document(
    *servers: tuple[str, str, str, str], login: str = "%EMAILADDRESS%", way: str = "password-cleartext"
) -> bytes:
    """An autoconfig document; a server is (imap or pop3, host, port, SSL or STARTTLS)."""
    incoming = "".join(
        f'<incomingServer type="{kind}"><hostname>{host}</hostname><port>{port}</port>'
        f"<socketType>{security}</socketType><username>{login}</username>"
        f"<authentication>{way}</authentication></incomingServer>"
        for kind, host, port, security in servers
    )
    provider = f'<emailProvider id="x">{incoming}</emailProvider>'
    return f'<?xml version="1.0"?><clientConfig version="1.1">{provider}</clientConfig>'.encode()
