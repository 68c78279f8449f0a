"""Where a client comes from: what limits count and logs show, and whether it is this machine itself."""

from ipaddress import ip_address

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress


def host_of(peer: IAddress) -> str:
    """The address alone; an IPv4 one that came through a socket for both families as the IPv4 address it is."""
    return peer.host.removeprefix("::ffff:") if isinstance(peer, IPv4Address | IPv6Address) else str(peer)


def is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False
