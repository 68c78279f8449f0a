"""What an autoconfig document names becomes a candidate only where a password would be safe."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.address import Address
from bridge.accounts.autoconfig import candidate, places
from bridge.accounts.autoconfig_xml import Incoming
from bridge.accounts.candidate import PORTS, Candidate, NotTaken
from bridge.config.notation import check_login_template

ANN = Address("ann", "example.org")
GOOD = Incoming("imap", "imap.example.org", "993", "SSL", "%EMAILADDRESS%", ("password-cleartext",))


def made(incoming: Incoming) -> Candidate:
    return candidate(ANN, incoming, "the document", "autoconfig.example.org")


def test_a_good_one() -> None:
    one = made(GOOD)

    assert str(one.upstream) == "imaps://imap.example.org:993/INBOX"
    assert (one.login, one.ways, one.outside, one.found) == ("{user}", ("password",), "", ("the document",))


@pytest.mark.parametrize(
    ("written", "login"),
    [
        ("%EMAILADDRESS%", "{user}"),
        ("%EMAILLOCALPART%", "{local}"),
        ("%EMAILLOCALPART%@%EMAILDOMAIN%", "{local}@example.org"),
        ("%EMAILDOMAIN%\\%EMAILLOCALPART%", "example.org\\{local}"),
        ("", "{user}"),
    ],
)
def test_a_login_is_written_as_the_configuration_has_it(written: str, login: str) -> None:
    one = made(evolve(GOOD, username=written))

    assert one.login == check_login_template(login)


@pytest.mark.parametrize(
    "written", ["root", "%EMAILADDRESS%\r\nA2 LOGOUT", "{user}", "%EMAILADDRESS%{x}", "%EMAILADDRESS%" + "x" * 300]
)
def test_a_login_that_is_nobodys_or_no_text_is_not_taken(written: str) -> None:
    with pytest.raises(NotTaken, match="is no login"):
        made(evolve(GOOD, username=written))


@pytest.mark.parametrize(
    "changed",
    [
        {"socket_type": "plain"},
        {"socket_type": ""},
        {"socket_type": "ssl"},
        {"kind": "smtp"},
        {"kind": "exchange"},
        {"port": "143"},
        {"port": "22"},
        {"port": "993 "},
        {"port": "٩٩٣"},
        {"port": "9" * 5000},
        {"port": ""},
        {"hostname": "127.0.0.1"},
        {"hostname": "localhost"},
        {"hostname": ""},
        {"hostname": "metadata"},
        {"authentication": ("GSSAPI", "NTLM")},
    ],
)
def test_what_is_not_encrypted_or_not_mail_is_not_taken(changed: dict[str, Any]) -> None:
    with pytest.raises(NotTaken):
        made(evolve(GOOD, **changed))


def test_the_ways_are_those_that_the_bridge_knows() -> None:
    assert made(evolve(GOOD, authentication=("NTLM", "OAuth2", "password-cleartext", "plain"))).ways == (
        "oauth2",
        "password",
    )
    assert made(evolve(GOOD, authentication=())).ways == ()


def test_the_domain_may_stand_for_itself_in_a_host() -> None:
    assert made(evolve(GOOD, hostname="imap.%EMAILDOMAIN%")).upstream.host == "imap.example.org"


def test_a_document_from_elsewhere_needs_the_owners_word() -> None:
    assert candidate(ANN, GOOD, "x", "config.hoster.net").outside


def test_both_places_are_https() -> None:
    assert places("example.org") == (
        "https://autoconfig.example.org/mail/config-v1.1.xml",
        "https://example.org/.well-known/autoconfig/mail/config-v1.1.xml",
    )


_TEXT = st.text(max_size=40) | st.sampled_from(["imap", "SSL", "993", "imap.example.org", "%EMAILADDRESS%", "plain"])


@given(st.builds(Incoming, _TEXT, _TEXT, _TEXT, _TEXT, _TEXT, st.lists(_TEXT, max_size=3).map(tuple)))
def test_whatever_is_written_is_a_safe_candidate_or_not_taken(incoming: Incoming) -> None:
    try:
        one = made(incoming)
    except NotTaken as why:
        assert str(why).isprintable()
        return
    assert one.upstream.security != "none"
    assert PORTS[one.upstream.protocol, one.upstream.security] == one.upstream.port
    assert one.login_of(ANN).isprintable()
