"""`popbridge password`: lines for the configuration on one side, the password itself on the other."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.commands.password import VARIABLE
from bridge.config import load
from bridge.credentials.passwords import apop_name
from bridge.passwords.scram import make_keys, parse_keys
from bridge.passwords.scrypt import derive, parse_hash
from bridge.secret import Secret
from tests.peers.command import popbridge

CONFIG = """[[listener]]
pop3 = "127.0.0.1:1110"
[[account]]
user = "ann"
%s
  [[account.source]]
  name = "work"
  upstream = "imaps://imap.example.org"
  login = "ann@example.org"
  secret = "env:WORK"
"""


def run(*arguments: str | Path, typed: str = "", **environment: str) -> Result:
    return CliRunner().invoke(main, ["password", *map(str, arguments)], input=typed, env=environment)


def fits(lines: str, password: str) -> bool:
    hash_line, scram_line = lines.splitlines()
    made = parse_hash(hash_line.removeprefix('password = "').removesuffix('"'))
    keys = parse_keys(scram_line.removeprefix('scram = "').removesuffix('"'))
    word = Secret(password.encode())
    return made.fits(derive(word, made.salt, made.cost)) and make_keys(word, keys.salt, keys.iterations) == keys


def test_a_password_is_made_up_and_its_lines_are_printed_apart() -> None:
    result = run()

    assert result.exit_code == 0
    [password] = re.findall(r"the password: (\S+)\n", result.stderr)
    assert re.fullmatch(r"[a-z2-9]{4}(-[a-z2-9]{4}){3}", password)
    assert fits(result.stdout, password)
    assert password not in result.stdout


def test_a_password_may_be_typed_twice_or_given_by_a_script() -> None:
    result = run("--typed", typed="of the scanner\nof the scanner\n")

    assert fits(result.stdout, "of the scanner")
    assert "of the scanner" not in result.output
    assert fits(run("--typed", **{VARIABLE: "of the scanner"}).stdout, "of the scanner")
    assert run("--typed", typed="of the scanner\nof the scanned\n").exit_code == 1


def test_a_bad_one_is_refused_with_the_reason() -> None:
    result = run("--typed", **{VARIABLE: "short"})

    assert result.exit_code == 1
    assert "at least 8 characters" in result.output


def test_one_more_for_an_account_fits_beside_its_first(tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    first = run().stdout
    file.write_text(CONFIG % first)
    second = run("--config", file, "--user", "ann").stdout
    file.write_text(CONFIG % f'{first}\n[[account.device]]\nname = "scanner"\n{second}')

    [account] = load(file).accounts
    assert account.password is not None
    assert account.device[0].password.salt == account.password.salt
    assert "one salt" in CliRunner().invoke(main, ["account", "list", "-c", str(broken(file, first))]).output


def broken(file: Path, first: str) -> Path:
    file.write_text(CONFIG % f'{first}\n[[account.device]]\nname = "scanner"\n{run().stdout}')
    return file


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--user", "ann"], "--user and --apop need --config"),
        (["--user", "bob", "-c", "FILE"], "no [[account]] bob; there is ann"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: list[str], says: str, tmp_path: Path) -> None:
    file = tmp_path / "popbridge.toml"
    file.write_text(CONFIG % run().stdout)

    result = run(*[str(file) if word == "FILE" else word for word in arguments])

    assert result.exit_code != 0
    assert says in result.output


def test_with_apop_the_password_is_sealed_in_the_vault_too(tmp_path: Path) -> None:
    (tmp_path / "popbridge.toml").write_text(CONFIG % run().stdout)
    result = popbridge(tmp_path, "password", "-c", "popbridge.toml", "--user", "ann", "--apop")

    [password] = re.findall(r"the password: (\S+)\n", result.stderr)
    assert fits(result.stdout, password)
    made = parse_hash(result.stdout.splitlines()[0].removeprefix('password = "').removesuffix('"'))
    assert apop_name(made) in popbridge(tmp_path, "secret", "list", "-c", "popbridge.toml").stdout
    assert "--user and --apop need --config" in run("--apop").output


def test_a_bad_configuration_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "popbridge.toml").write_text("colour = 1\n")

    assert "line 1" in run("--user", "ann", "-c", tmp_path / "popbridge.toml").output
