"""Discovery connects to public addresses and to the ports of HTTPS and mail, whatever it was told."""

from ipaddress import IPv4Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import ClientFactory
from twisted.internet.testing import MemoryReactorClock

from bridge.accounts.guarded import PORTS, AddressForbidden, Guarded, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",  # metadata at Amazon, Google, Microsoft and others
        "100.100.100.200",  # metadata at Alibaba, a carrier's NAT
        "168.63.129.16",  # Azure's host
        "192.0.0.192",  # metadata at Oracle
        "192.0.2.1",
        "198.18.0.1",
        "203.0.113.9",
        "192.88.99.1",
        "224.0.0.251",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "fec0::1",
        "::ffff:127.0.0.1",
        "::ffff:8.8.8.8",
        "::127.0.0.1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::1",
        "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
    ],
)
def test_an_address_that_is_nobodys_server_is_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "1.1.1.1", "2606:4700::1111", "2a00:1450:4001::6d", "64:ff9b::8.8.8.8"]
)
def test_somebodys_server_is(address: str) -> None:
    assert is_public(ip_address(address))


def dialled(host: str, port: int) -> list[tuple[str, int]]:
    reactor: Any = MemoryReactorClock()  # type: ignore[no-untyped-call]  # Twisted has no types there
    try:
        Guarded(reactor).connectTCP(host, port, ClientFactory())
    except AddressForbidden as error:
        assert str(error).startswith((host, f"port {port}"))
    return [connection[:2] for connection in reactor.tcpClients]


@pytest.mark.parametrize("port", sorted(PORTS))
def test_the_ports_of_https_and_mail_are_open(port: int) -> None:
    assert dialled("93.184.216.34", port) == [("93.184.216.34", port)]
    assert dialled("10.0.0.1", port) == []


@pytest.mark.parametrize("port", [0, 22, 25, 80, 587, 6379, 8443])
def test_no_other_port_is(port: int) -> None:
    assert dialled("93.184.216.34", port) == []


@pytest.mark.parametrize("host", ["localhost", "imap.example.org", "", "2130706433", "127.1", "0x7f.1", "0177.0.0.1"])
def test_what_is_no_address_is_connected_to_by_nobody(host: str) -> None:
    assert dialled(host, 993) == []


@given(st.ip_addresses())
def test_an_address_within_another_is_no_way_in(address: Any) -> None:
    inner = address if isinstance(address, IPv4Address) else IPv4Address(int(address) & 0xFFFFFFFF)
    assert not is_public(ip_address(f"::ffff:{inner}"))
    assert is_public(ip_address(f"64:ff9b::{inner}")) == is_public(inner)
    if address.is_private or address.is_loopback or address.is_link_local or address.is_multicast:
        assert not is_public(address)
    assert (dialled(str(address), 443) != []) == is_public(address)


def test_it_listens_nowhere_and_lets_nobody_change_who_resolves_names() -> None:
    reactor: Any = MemoryReactorClock()  # type: ignore[no-untyped-call]  # as above
    guarded = Guarded(reactor)
    with pytest.raises(NotImplementedError):  # what the interface asks for and discovery must not have
        guarded.listenTCP(1, None)
    with pytest.raises(NotImplementedError):  # the same
        guarded.installNameResolver(None)  # type: ignore[arg-type]  # it is refused
    assert guarded.nameResolver is reactor.nameResolver
    guarded.callLater(1, lambda: None)
    assert guarded.getDelayedCalls() == reactor.getDelayedCalls()
    assert guarded.seconds() == reactor.seconds()
