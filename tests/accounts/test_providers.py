"""The table of providers: each entry is of use, and no two say different things of one domain."""

from collections import Counter

import pytest

from bridge.accounts.address import host_name
from bridge.accounts.candidate import PORTS
from bridge.accounts.providers import PROVIDERS, Provider, by_domain, by_mx, by_server


@pytest.mark.parametrize("provider", PROVIDERS, ids=lambda one: one.name)
def test_each_entry_can_be_found_and_used(provider: Provider) -> None:
    assert provider.domains or provider.mx
    assert all(host_name(name) == name for name in (*provider.domains, *provider.mx))
    assert provider.ways
    assert provider.oauth2 is not None or "oauth2" not in provider.ways
    assert all(one.security == "tls" and PORTS[one.protocol, "tls"] == one.port for one in provider.servers)
    assert [one.protocol for one in provider.servers] in ([], ["imap"], ["imap", "pop3"])
    assert provider.servers or provider.note


def test_no_domain_and_no_exchanger_stands_twice() -> None:
    for names in ([d for one in PROVIDERS for d in one.domains], [m for one in PROVIDERS for m in one.mx]):
        assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.mark.parametrize(
    ("domain", "server", "login"),
    [
        ("gmail.com", "imap.gmail.com", "{user}"),
        ("hotmail.co.uk", "outlook.office365.com", "{user}"),
        ("icloud.com", "imap.mail.me.com", "{local}"),
        ("web.de", "imap.web.de", "{local}"),
        ("126.com", "imap.126.com", "{user}"),
        ("zoho.eu", "imap.zoho.eu", "{user}"),
    ],
)
def test_a_mail_domain_is_known(domain: str, server: str, login: str) -> None:
    provider = by_domain(domain)
    assert provider is not None
    assert (provider.servers[0].host, provider.login) == (server, login)


def test_what_is_deleted_at_gmail_goes_to_the_trash() -> None:
    for provider in (by_domain("gmail.com"), by_mx("aspmx.l.google.com")):
        assert provider is not None
        assert provider.delete == "trash"


def test_proton_has_no_server_but_an_explanation() -> None:
    provider = by_domain("proton.me")
    assert provider is not None
    assert provider.servers == ()
    assert "Proton Mail Bridge" in provider.note


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("alt1.aspmx.l.google.com", "Google Workspace"),
        ("example-org.mail.protection.outlook.com", "Microsoft 365"),
        ("hotmail-com.olc.protection.outlook.com", "Outlook.com"),
        ("in1-smtp.messagingengine.com", "Fastmail"),
        ("mx00.ionos.de", "IONOS (de)"),
        ("smtpin.rzone.de", "Strato"),
        ("mx.zoho.eu", "Zoho (Europe)"),
        ("mail.protonmail.ch", "Proton Mail"),
    ],
)
def test_a_hosted_domain_is_known_by_where_its_mail_goes(host: str, name: str) -> None:
    provider = by_mx(host)
    assert provider is not None
    assert provider.name == name


def test_a_name_that_only_looks_like_it_is_not_known() -> None:
    assert by_mx("aspmx.notgoogle.com") is None
    assert by_mx("google.com.example.org") is None
    assert by_domain("mail.gmail.com") is None
    assert by_server("imap.example.org") is None


def test_a_server_tells_whose_it_is() -> None:
    provider = by_server("imap.gmail.com")
    assert provider is not None
    assert provider.name == "Gmail"
