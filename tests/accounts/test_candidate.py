"""What is shown first, what needs the owner's word, and what is never a candidate."""

import pytest
from attrs import evolve

from bridge.accounts.address import Address
from bridge.accounts.candidate import MOST, PORTS, Candidate, NotTaken, by_foreign_word, by_provider, preferred, server
from bridge.accounts.providers import by_domain
from bridge.config import Upstream

ANN = Address("ann", "example.org")
IMAPS = Upstream("imap", "tls", "imap.example.org", 993)
STARTTLS = Upstream("imap", "starttls", "imap.example.org", 143)
POP3S = Upstream("pop3", "tls", "pop.example.org", 995)
POP3 = Upstream("pop3", "starttls", "pop.example.org", 110)


def said(upstream: Upstream, found: str = "SRV", via: str = "") -> Candidate:
    return by_foreign_word(ANN, upstream, found, via=via)


def test_imap_over_tls_comes_first_and_the_rest_in_the_order_given() -> None:
    other = evolve(IMAPS, host="imap2.example.org")
    ordered = preferred(map(said, (POP3, POP3S, STARTTLS, other, IMAPS)))

    assert [one.upstream for one in ordered] == [other, IMAPS, STARTTLS, POP3S, POP3]


def test_a_server_that_two_name_is_shown_once_with_both() -> None:
    [one] = preferred([said(IMAPS, "XML"), said(IMAPS, "SRV"), said(IMAPS, "SRV")])

    assert one.found == ("XML", "SRV")


def test_the_domains_own_word_is_enough_whoever_says_it_too() -> None:
    asked = said(IMAPS, "XML", via="config.hoster.net")

    assert asked.outside == "config.hoster.net, which says so, is not part of example.org"
    assert [one.outside for one in preferred([asked, said(IMAPS)])] == [""]
    assert [one.outside for one in preferred([asked])] == [asked.outside]


def test_a_server_elsewhere_needs_the_owners_word() -> None:
    elsewhere = said(evolve(IMAPS, host="imap.hoster.net"))

    assert elsewhere.outside == "imap.hoster.net is not part of example.org"


def test_a_server_of_the_table_brings_what_the_table_knows() -> None:
    one = said(evolve(IMAPS, host="imap.gmail.com"))

    assert one.outside
    assert one.provider is by_domain("gmail.com")
    assert one.ways == ("app password", "oauth2")


def test_a_login_is_made_as_the_server_wants_it() -> None:
    icloud = by_domain("icloud.com")
    assert icloud is not None
    [one] = by_provider(icloud, "table")

    assert one.login_of(Address("ann", "icloud.com")) == "ann"
    assert said(IMAPS).login_of(ANN) == "ann@example.org"


@pytest.mark.parametrize("port", [0, 25, 80, 143, 22, 994, 99999])
def test_another_port_than_the_usual_one_is_not_taken(port: int) -> None:
    with pytest.raises(NotTaken, match="is not IMAP's port 993"):
        server(("imap", "tls"), "imap.example.org", port)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "", "imap", "::1", "imap.example.org/x", "a@b.org"])
def test_what_is_no_name_is_not_taken(host: str) -> None:
    with pytest.raises(NotTaken, match="is no host name"):
        server(("imap", "tls"), host, 993)


def test_the_four_kinds_have_the_four_ports() -> None:
    assert [server(kind, "imap.example.org.", port).port for kind, port in PORTS.items()] == [993, 143, 995, 110]


def test_nobody_is_shown_hundreds() -> None:
    many = [said(evolve(IMAPS, host=f"imap{n}.example.org")) for n in range(100)]

    assert len(preferred(many)) == MOST
