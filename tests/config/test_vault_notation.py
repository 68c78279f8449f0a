"""[vault] says where sealed secrets and the key to them are, and a mistake in it is told with its remedy."""

from pathlib import Path

import pytest

from bridge.config import ConfigError, KeySource, VaultSettings, load
from bridge.config.problems import WrongValue
from bridge.config.vault_notation import beside, parse_key_source, parse_vault_file

ENOUGH = '[[listener]]\npop3 = "127.0.0.1:1110"\n[[passthrough]]\nupstream = "imaps://imap.example.org"\n'


def vault(directory: Path, text: str) -> VaultSettings:
    file = directory / "popbridge.toml"
    file.write_text(f"{text}\n{ENOUGH}" if text.startswith("state") else f"{ENOUGH}{text}\n")
    return load(file).vault


def test_without_a_word_both_are_beside_the_state(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    for text, place in (
        ("", tmp_path),
        ('state = "sqlite:var/state"', tmp_path / "var"),
        ('state = "memory:"', tmp_path),
    ):
        found = vault(tmp_path, text)
        assert (found.file, found.key) == (place / "popbridge.vault", KeySource("file", str(place / "popbridge.key")))


def test_relative_paths_start_at_the_configuration_file(tmp_path: Path) -> None:
    found = vault(tmp_path, '[vault]\nfile = "secrets"\nkey = "file:the.key"')
    assert (found.file, str(found.key)) == (tmp_path / "secrets", f"file:{tmp_path / 'the.key'}")


@pytest.mark.parametrize("text", ["credential:popbridge.key", "env:POPBRIDGE_KEY", "keyring:vault"])
def test_a_key_that_is_in_no_file_has_a_name(tmp_path: Path, text: str) -> None:
    source = parse_key_source(text, tmp_path)
    assert str(source) == text
    assert beside(tmp_path, VaultSettings(key=source)).key == source


@pytest.mark.parametrize(
    "text", ["c2VjcmV0", "", "file:", "vault:x", "credential:../shadow", "credential:..", "env:A B", "env:"]
)
def test_what_is_no_place_for_a_key_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(WrongValue) as refused:
        parse_key_source(text, tmp_path)
    assert refused.value.write
    assert "c2VjcmV0" not in f"{refused.value.text} {refused.value.write}"


@pytest.mark.parametrize(
    ("text", "what"), [("", "name of a file"), (".", "directory"), ("nowhere/vault", "no directory")]
)
def test_what_is_no_file_for_a_vault_is_refused(tmp_path: Path, text: str, what: str) -> None:
    with pytest.raises(WrongValue) as refused:
        parse_vault_file(text, tmp_path)
    assert what in refused.value.text


def test_a_mistake_is_told_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'line 6: vault\.key: .*write key = "file:popbridge\.key"'):
        vault(tmp_path, '[vault]\nkey = "secret"')
