"""What `popbridge try` prints can be pasted, and means the server that was shown."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.address import Address
from bridge.accounts.candidate import Candidate, by_foreign_word, by_provider
from bridge.accounts.providers import PROVIDERS
from bridge.commands.snippet import account, name_of, passthrough, url
from bridge.config import Upstream, load
from bridge.config.discovered import Pin, write_pin
from bridge.config.notation import check_name, parse_upstream

ANN = Address("ann", "example.org")
IMAPS = Upstream("imap", "tls", "imap.example.org", 993)
LISTENER = '[[listener]]\npop3 = "127.0.0.1:0"\n\n'
HASH = "$scrypt$ln=14,r=8,p=1$" + "A" * 22 + "$" + "A" * 43
ALL = [one for provider in PROVIDERS for one in by_provider(provider, "table")]


def read(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


def loaded(folder: Path, text: str) -> Any:
    path = folder / "popbridge.toml"
    path.write_text(LISTENER + text)
    return load(path)


@pytest.mark.parametrize("candidate", ALL, ids=lambda one: one.upstream.host)
def test_the_lines_of_every_provider_are_a_configuration(tmp_path: Path, candidate: Candidate) -> None:
    [entry] = loaded(tmp_path, passthrough(candidate, ANN)).passthrough

    assert entry.upstream == candidate.upstream
    assert (entry.users, entry.login) == ("ann@example.org", candidate.login)


def test_the_plain_case_has_three_lines() -> None:
    assert passthrough(by_foreign_word(ANN, IMAPS, "SRV"), ANN).splitlines() == [
        "[[passthrough]]",
        'users = "ann@example.org"  # or "*@example.org" for everybody there',
        'upstream = "imaps://imap.example.org"',
    ]


def test_an_authority_of_the_owners_own_stands_in_it(tmp_path: Path) -> None:
    text = passthrough(by_foreign_word(ANN, IMAPS, "SRV"), ANN, tmp_path / "ca.pem")

    assert read(text)["passthrough"][0]["ca"] == str(tmp_path / "ca.pem")


def test_an_account_of_the_bridges_own_has_its_source_and_says_where_the_secret_goes() -> None:
    text = account(by_foreign_word(ANN, IMAPS, "SRV", login="{local}"), ANN)
    [one] = read(text)["account"]

    assert one["user"] == "ann"
    assert one["source"] == [
        {"name": "example", "upstream": "imaps://imap.example.org", "login": "ann", "secret": "vault:example"}
    ]
    assert "popbridge secret set example" in text


def test_an_account_is_a_configuration_once_it_has_its_password(tmp_path: Path) -> None:
    write_pin(tmp_path, Pin(str(ANN), "imaps://imap.example.org", "ann"))
    candidate = by_foreign_word(ANN, IMAPS, "SRV", login="{local}")
    for pinned in (False, True):
        text = account(candidate, ANN, pinned=pinned).replace("$scrypt$…", HASH)
        [one] = loaded(tmp_path, text).accounts

        assert (one.source[0].upstream, one.source[0].login) == (IMAPS, "ann")


def test_a_pinned_one_says_auto_and_its_address() -> None:
    [one] = read(account(by_foreign_word(ANN, IMAPS, "SRV", login="{local}"), ANN, pinned=True))["account"]

    assert (one["source"][0]["upstream"], one["source"][0]["login"]) == ("auto", "ann@example.org")


def test_a_provider_that_takes_tokens_only_gets_a_grant() -> None:
    [outlook, *_] = [one for one in ALL if one.upstream.host == "outlook.office365.com"]
    text = account(outlook, Address("ann", "outlook.com"))

    assert read(text)["oauth2"] == [{"name": "outlook", "provider": "microsoft", "client_id": "…"}]
    assert read(text)["account"][0]["source"][0]["secret"] == "oauth2:outlook"
    assert "popbridge authorise outlook" in text


def test_a_server_with_tokens_that_nobody_knows_asks_for_the_endpoints() -> None:
    text = account(by_foreign_word(ANN, IMAPS, "XML", ways=("oauth2",)), ANN)

    assert read(text)["oauth2"] == [{"name": "example", "client_id": "…"}]
    assert "authorize, token and scopes" in text


def test_gmails_lines_move_to_the_trash() -> None:
    [gmail, *_] = [one for one in ALL if one.upstream.host == "imap.gmail.com"]

    assert read(passthrough(gmail, ANN))["passthrough"][0]["delete"] == "trash"


@pytest.mark.parametrize(
    "text",
    [
        "pop3+starttls://pop.example.org",
        "imaps://imap.example.org:1993",
        "imaps://imap.example.org:993/Sent%20Mail",
        "imaps://[::1]",
        "imap://[::1]:1143",
    ],
)
def test_a_url_is_written_as_a_person_would(text: str) -> None:
    assert url(parse_upstream(text)) == text


@given(st.from_regex(r"\A[a-z0-9-]{1,63}\.org\Z"), st.text(st.characters(exclude_categories=["C"]), min_size=1))
def test_any_address_makes_toml_that_says_so(domain: str, local: str) -> None:
    address = Address(local, domain)
    candidate = by_foreign_word(address, IMAPS, "SRV")

    assert check_name(name_of(address))
    assert read(passthrough(candidate, address))["passthrough"][0]["users"] == str(address)
    assert read(account(candidate, address))["account"][0]["user"] == local
