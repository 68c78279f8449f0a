"""What the wizard writes is a configuration that says what was shown, and it comes whole or not at all."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.accounts.address import Address
from bridge.accounts.candidate import Candidate, by_foreign_word, by_provider
from bridge.accounts.providers import PROVIDERS
from bridge.commands import setup_file
from bridge.commands.setup_file import NewBridge, refuse_taken, write
from bridge.commands.terminal import CommandRefused
from bridge.config import Config, Endpoint, SelfSigned, Upstream, load, load_text
from bridge.config.offers import offered
from bridge.config.presets import PRESETS
from bridge.credentials.making import make, new_salts
from bridge.credentials.vault_file import VaultFile
from bridge.credentials.vault_key import key_place
from bridge.secret import Secret
from tests.credentials.leaks import assert_nothing_leaked

ANN = Address("ann", "example.org")
IMAPS = Upstream("imap", "tls", "imap.example.org", 993)
FOUND = by_foreign_word(ANN, IMAPS, "SRV")
MADE = make(new_salts())
ALL = [one for provider in PROVIDERS for one in by_provider(provider, "table")]
SECRETS = {"example": Secret(b"of upstream alone"), "oauth2/example": Secret(b"a refresh token")}


def new(**changes: Any) -> NewBridge:
    return NewBridge(
        **{
            "user": "ann",
            "address": ANN,
            "candidate": FOUND,
            "listen": Endpoint("127.0.0.1", 1110),
            "made": MADE,
            **changes,
        }
    )


def read(bridge: NewBridge) -> Config:
    return load_text(bridge.text(), Path("popbridge.toml"))


@pytest.mark.parametrize("candidate", ALL, ids=lambda one: one.upstream.host)
def test_for_every_provider_it_is_a_configuration(candidate: Candidate) -> None:
    config = read(new(candidate=candidate))
    [account], [listener] = config.accounts, config.listeners
    [source], [device] = account.source, account.device

    assert (account.user, account.password) == ("ann", None)
    assert (device.name, device.password, device.scram) == ("mail-program", MADE.hash, MADE.keys)
    assert (source.upstream, source.login) == (candidate.upstream, candidate.login_of(ANN))
    assert str(source.secret) == "vault:example"
    assert "SCRAM-SHA-256" in offered(listener, (), config.accounts)
    assert config.oauth2 == ()


@pytest.mark.parametrize("provider", PRESETS)
def test_where_tokens_are_wanted_it_has_a_grant(provider: str) -> None:
    grant = {"provider": provider, "client_id": "my-id", "client_secret": "vault:example-client"}
    config = read(new(grant=grant))
    [one] = config.oauth2

    assert (one.name, one.provider, one.client_id, str(one.client_secret)) == (
        "example",
        provider,
        "my-id",
        "vault:example-client",
    )
    assert str(config.accounts[0].source[0].secret) == "oauth2:example"


def test_a_provider_that_nobody_knows_stands_there_by_its_addresses() -> None:
    addresses = {"authorize": "https://a.example/a", "token": "https://a.example/t", "scopes": ["mail", "offline"]}
    [one] = read(new(grant={"client_id": "my-id", **addresses})).oauth2

    assert (one.authorize, one.token, one.scopes) == (addresses["authorize"], addresses["token"], ("mail", "offline"))


def test_other_machines_get_encryption() -> None:
    assert read(new()).listeners[0].tls is None
    for host in ("", "192.0.2.1", "::"):
        assert read(new(listen=Endpoint(host, 110))).listeners[0].tls == SelfSigned()


def test_its_owner_finds_every_command_that_he_may_need() -> None:
    text = new(grant={"provider": "google", "client_id": "my-id"}, ca=Path("ca.pem")).text()

    assert text.startswith("# Popbridge's configuration, written by `popbridge setup ann@example.org`.\n")
    for command in ("check --config", "password --config", "authorise example --config"):
        assert f"popbridge {command} popbridge.toml" in text
    assert "popbridge secret set example --config popbridge.toml" in new().text()
    assert f'ca = "{Path("ca.pem").absolute()}"' in text


@given(st.from_regex(r"\A[a-z0-9-]{1,63}\.org\Z"), st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1))
def test_any_address_makes_a_configuration_that_says_so(domain: str, local: str) -> None:
    [account] = read(new(address=Address(local, domain))).accounts

    assert account.source[0].login == f"{local}@{domain}"


def test_it_is_written_whole_with_its_secrets_sealed_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "of" / "ann" / "popbridge.toml"
    config = load_text(new().text(), file)
    write(file, new().text(), config, SECRETS, 5.0)

    assert load(file) == config
    vault = VaultFile(config.vault.file, key_place(config.vault.key))
    assert {name: vault.get(name) for name in vault.dates()} == SECRETS
    assert {one.name for one in file.parent.iterdir()} == {"popbridge.toml", "popbridge.vault", "popbridge.key"}
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert_nothing_leaked({name: secret.reveal() for name, secret in SECRETS.items()}, files=tmp_path)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_half_of_it_is_taken_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    (tmp_path / "notes").touch()
    for file in (tmp_path / "popbridge.toml", tmp_path / "of" / "ann" / "popbridge.toml"):
        config = load_text(new().text(), file)

        def full(_file: Path, _octets: bytes, written: Config = config) -> None:
            assert written.vault.file.exists()
            raise error

        monkeypatch.setattr(setup_file, "write_new", full)
        with pytest.raises((CommandRefused, KeyboardInterrupt)):
            write(file, new().text(), config, SECRETS, 5.0)
        assert [one.name for one in tmp_path.rglob("*")] == ["notes"]


@pytest.mark.parametrize("name", ["popbridge.toml", "popbridge.vault", "popbridge.key", "popbridge.sqlite"])
def test_what_another_bridge_has_is_left_alone_whenever_it_came(tmp_path: Path, name: str) -> None:
    file = tmp_path / "popbridge.toml"
    config = load_text(new().text(), file)
    (tmp_path / name).write_bytes(b"another's")
    for work in (refuse_taken, lambda _: write(file, new().text(), config, SECRETS, 5.0)):
        with pytest.raises(CommandRefused, match=rf"has a {name} already, .* with --directory"):
            work(tmp_path)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [(name, b"another's")]


def test_a_place_where_nothing_can_be_written_is_told_beforehand(tmp_path: Path) -> None:
    refuse_taken(tmp_path / "new" / "one")
    (tmp_path / "file").touch()
    with pytest.raises(CommandRefused, match=r"nothing can be written into .*/file; name another directory"):
        refuse_taken(tmp_path / "file" / "below")
