# ruff: noqa: N802, N803, A002  # names are Twisted's
"""The network as discovery may use it: to public addresses, and to the ports of HTTPS and mail over TLS alone (S29).

What a stranger's DNS or document names must not lead into the owner's own network, nor to a cloud's metadata. The
rule is held where a connection is made, on the very address: no later answer of DNS can get round it.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, NoReturn

from twisted.internet.error import ConnectError
from twisted.internet.interfaces import (
    IConnector,
    IDelayedCall,
    IHostnameResolver,
    IListeningPort,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorTime,
)
from twisted.internet.protocol import ClientFactory
from zope.interface import implementer

HTTPS = 443
PORTS = frozenset({HTTPS, 143, 993, 110, 995})

_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")  # RFC 6052: the address of an IPv4 host, for a machine that has IPv6 alone
_NEVER = tuple(
    map(
        ip_network,
        (
            "100.64.0.0/10",  # RFC 6598, carriers' NAT, and Alibaba's metadata
            "168.63.129.16/32",  # Azure's host
            "192.0.0.0/24",  # RFC 6890, and Oracle's metadata; Python 3.11 has parts of it
            "192.88.99.0/24",  # RFC 7526
            "2001::/23",  # RFC 2928: Teredo and the like
            "2002::/16",  # 6to4: somebody's IPv4 address inside
        ),
    )
)


class AddressForbidden(ConnectError):
    """Nothing was sent; the text says why."""

    text: str

    def __init__(self, text: str) -> None:
        super().__init__(string=text)  # type: ignore[no-untyped-call]  # Twisted has no types there
        self.text = text

    def __str__(self) -> str:
        return self.text


class Reactor(IReactorTCP, IReactorTime, IReactorPluggableNameResolver):
    """What connecting needs of the reactor."""


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """An address that anybody's server may have."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST:  # nor what is mapped, local, multicast, or has a scope
            return False
    if any(address.version == net.version and address in net for net in _NEVER):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


@implementer(IReactorTCP, IReactorTime, IReactorPluggableNameResolver)
class Guarded:
    """A reactor that connects where discovery may go, and listens nowhere."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor

    @property
    def nameResolver(self) -> IHostnameResolver:
        return self._reactor.nameResolver

    def installNameResolver(self, resolver: IHostnameResolver) -> NoReturn:
        raise NotImplementedError  # the interface has it; who resolves names is the reactor's owner's to say

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float = 30,
        bindAddress: tuple[str, int] | None = None,
    ) -> IConnector:
        """`host` is an address: who asks here has resolved the name. Raises AddressForbidden."""
        if port not in PORTS:
            raise AddressForbidden(f"port {port} is none that discovery goes to")
        try:
            public = is_public(ip_address(host))
        except ValueError:
            public = False
        if not public:
            raise AddressForbidden(f"{host} is no public address, and discovery goes to no other")
        return self._reactor.connectTCP(host, port, factory, timeout, bindAddress)

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> IListeningPort:
        raise NotImplementedError  # the interface has it; discovery lets nobody in

    def seconds(self) -> float:
        return self._reactor.seconds()

    def callLater(self, delay: float, callable: Callable[..., Any], *args: Any, **kw: Any) -> IDelayedCall:
        return self._reactor.callLater(delay, callable, *args, **kw)

    def getDelayedCalls(self) -> Any:
        return self._reactor.getDelayedCalls()
