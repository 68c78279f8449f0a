"""A client is who it is, whichever kind of socket it came through."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from bridge.downstream.address import host_of, is_loopback


def test_an_ipv4_client_of_a_socket_for_both_families_is_an_ipv4_client() -> None:
    assert host_of(IPv6Address("TCP", "::ffff:192.0.2.1", 1)) == "192.0.2.1"
    assert host_of(IPv4Address("TCP", "192.0.2.1", 1)) == "192.0.2.1"
    assert host_of(IPv6Address("TCP", "2001:db8::1", 1)) == "2001:db8::1"


@pytest.mark.parametrize(
    ("address", "here"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("192.0.2.1", False), ("0.0.0.0", False), ("::", False)],
)
def test_only_this_machine_is_this_machine(address: str, here: bool) -> None:
    assert is_loopback(address) is here


def test_what_is_no_address_is_not_this_machine() -> None:
    assert not is_loopback(host_of(UNIXAddress(b"/run/x")))
    assert not is_loopback("localhost")
