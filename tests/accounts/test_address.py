"""An owner types a mail address; and which servers are in the same hands as its domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.address import Address, NoAddress, belongs, host_name, parse_address, registrable


def test_a_domain_is_written_as_dns_has_it() -> None:
    assert parse_address(" Ann.Other@Example.ORG ") == Address("Ann.Other", "example.org")
    assert parse_address("ann@bücher.example") == Address("ann", "xn--bcher-kva.example")
    assert str(parse_address("ann@example.org")) == "ann@example.org"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@example.org",
        "ann@",
        "ann@localhost",
        "ann@192.0.2.1",
        "ann@[192.0.2.1]",
        "a b@example.org",
        "ann@exa mple.org",
        "ann@example..org",
        "{user}@example.org",
        "ann\n@example.org",
        "ann@-x.org",
        "a" * 65 + "@x.org",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(NoAddress):
        parse_address(text)


@given(st.text(max_size=300))
def test_nothing_but_a_refusal_comes_of_any_text(text: str) -> None:
    try:
        address = parse_address(text)
    except NoAddress:
        return
    assert host_name(address.domain) == address.domain
    assert str(address).isprintable()


def test_one_registrants_names_belong_together_and_nobody_elses() -> None:
    assert belongs("imap.example.org", "example.org")
    assert belongs("imap.example.co.uk", "mail.example.co.uk")
    assert not belongs("imap.other.co.uk", "example.co.uk")
    assert not belongs("imap.example.org.evil.example.com", "example.org")
    assert not belongs("notexample.org", "example.org")
    assert not belongs("bob.github.io", "ann.github.io")


def test_a_public_suffix_is_nobodys() -> None:
    assert registrable("co.uk") is None
    assert not belongs("imap.co.uk", "co.uk")
    assert belongs("co.uk", "co.uk")


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "localhost", "", ".", "a..b", "a_b.example", "x" * 64 + ".org", "1.2.3.4."]
)
def test_an_address_is_no_host_name(text: str) -> None:
    assert host_name(text) is None


def test_a_host_name_loses_its_last_dot() -> None:
    assert host_name("IMAP.Example.ORG.") == "imap.example.org"
