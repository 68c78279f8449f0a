"""`popbridge account …`: an account is added in a file of its own, and what the owner wrote stays as he wrote it."""

import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from bridge.cli import main
from bridge.commands.account import RESTART
from bridge.config import load
from bridge.credentials.passwords import apop_name
from bridge.passwords.scrypt import derive
from bridge.secret import Secret
from tests.peers.command import popbridge

CONFIG = 'accounts = "accounts.d"\n[[listener]]\npop3 = "127.0.0.1:1110"\n# a word of the owner\'s\n'
WHERE = ("--upstream", "imaps://imap.example.org", "--login", "ann@example.org", "--secret", "file:work.password")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "accounts.d").mkdir()
    (tmp_path / "popbridge.toml").write_text(CONFIG)
    return tmp_path / "popbridge.toml"


def run(config: Path, command: str, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["account", command, "--config", str(config), *arguments])


def test_an_account_is_added_with_a_password_that_opens_it(config: Path) -> None:
    result = run(config, "add", *WHERE, "--delete", "trash", "ann")

    assert result.exit_code == 0, result.output
    assert RESTART in result.stdout
    [account] = load(config).accounts
    [password] = re.findall(r"the password: (\S+)", result.stderr)
    assert account.password is not None
    assert account.password.fits(derive(Secret(password.encode()), account.password.salt, account.password.cost))
    [source] = account.source
    assert (account.user, source.name, source.delete, source.login) == ("ann", "mail", "trash", "ann@example.org")
    file = config.parent / "accounts.d" / "ann.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert password not in file.read_text()
    assert config.read_text() == CONFIG


def test_each_device_gets_a_password_of_its_own(config: Path) -> None:
    result = run(config, "add", *WHERE, "--device", "scanner", "--device", "fax", "ann")

    words = dict(re.findall(r"the password of (\S+): (\S+)", result.stderr))
    assert list(words) == ["scanner", "fax"]
    [account] = load(config).accounts
    assert account.password is None
    for device in account.device:
        word = Secret(words[device.name].encode())
        assert device.password.fits(derive(word, device.password.salt, device.password.cost))


@pytest.mark.parametrize(
    "user", ["ann@example.org", ".hidden", "../ann", "a/b", "ann lee", 'quo"te\\', "ä", "con", "%2E"]
)
def test_every_user_has_a_file_of_his_own_in_that_directory(user: str, config: Path) -> None:
    assert run(config, "add", *WHERE, user).exit_code == 0
    assert [account.user for account in load(config).accounts] == [user]
    assert len(list((config.parent / "accounts.d").iterdir())) == 1
    assert run(config, "remove", user).exit_code == 0
    assert not load(config).accounts


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--delete", "never", "ann"), "nothing was added: accounts.d/ann.toml, line"),
        (("--name", "my mail", "ann"), "1 to 64"),
        (("--device", "a b", "ann"), "1 to 32"),
        (("",), "a user name is not empty"),
    ],
)
def test_what_would_be_no_configuration_is_told_and_not_left_there(
    arguments: tuple[str, ...], says: str, config: Path
) -> None:
    result = run(config, "add", *WHERE, *arguments)

    assert result.exit_code != 0
    assert says in result.output
    assert "the password" not in result.output
    assert not list((config.parent / "accounts.d").iterdir())


def test_an_account_that_is_there_is_not_added_again(config: Path) -> None:
    run(config, "add", *WHERE, "ann")
    before = (config.parent / "accounts.d" / "ann.toml").read_text()

    assert "there is" in run(config, "add", *WHERE, "ann").output
    assert (config.parent / "accounts.d" / "ann.toml").read_text() == before


def test_what_the_owner_wrote_is_not_removed(config: Path) -> None:
    run(config, "add", *WHERE, "ann")
    own = (config.parent / "accounts.d" / "ann.toml").read_text()
    (config.parent / "accounts.d" / "ann.toml").unlink()
    config.write_text(CONFIG + own)

    result = run(config, "remove", "ann")
    assert result.exit_code == 1
    assert "take its [[account]] out there" in result.output
    assert config.read_text() == CONFIG + own
    assert "no account bob" in run(config, "remove", "bob").output


def test_without_a_directory_the_owner_is_told_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "popbridge.toml").write_text(
        '[[listener]]\npop3 = ":1110"\n[[passthrough]]\nupstream = "imaps://imap.example.org"\n'
    )
    for command in (("add", *WHERE, "ann"), ("remove", "ann")):
        result = run(tmp_path / "popbridge.toml", *command)
        assert result.exit_code == 1
        assert 'write accounts = "accounts.d" into it' in result.output


def test_with_apop_the_vault_has_each_password_until_the_account_goes(config: Path) -> None:
    folder = config.parent
    added = popbridge(folder, "account", "add", "-c", config, *WHERE, "--device", "fax", "--apop", "ann")
    [password] = re.findall(r"the password of fax: (\S+)", added.stderr)
    [device] = load(config).accounts[0].device
    name = apop_name(device.password)

    assert name in popbridge(folder, "secret", "list", "-c", config).stdout
    assert password.encode() not in (folder / "popbridge.vault").read_bytes()
    assert "is removed" in popbridge(folder, "account", "remove", "-c", config, "ann").stdout
    assert name not in popbridge(folder, "secret", "list", "-c", config).stdout


def test_an_account_whose_passwords_cannot_be_sealed_is_not_added(config: Path) -> None:
    (config.parent / "popbridge.key").write_text("no key")
    (config.parent / "popbridge.key").chmod(0o600)
    added = popbridge(config.parent, "account", "add", "-c", config, *WHERE, "--apop", "ann")

    assert added.returncode == 1
    assert "popbridge.key" in added.stderr
    assert "the password" not in added.stderr
    assert not load(config).accounts


def test_accounts_are_listed_and_shown_without_a_hash(config: Path) -> None:
    assert "no accounts yet" in run(config, "list").stdout
    run(config, "add", *WHERE, "--delete", "trash", "ann")
    run(config, "add", *WHERE, "--device", "scanner", "bob")

    listed, shown = run(config, "list").stdout, run(config, "show", "ann").stdout

    assert listed.splitlines() == [
        "ann: its own password; 1 mailbox",
        "bob: scanner; 1 mailbox",
        "ways to log in that work for all: USER and PASS, SCRAM-SHA-256, PLAIN, LOGIN",
    ]
    assert "mail: imaps://imap.example.org:993/INBOX as ann@example.org, secret in file:" in shown
    assert 'mail: delete = "trash"' in shown
    assert "$" not in listed + shown
    assert "no [[account]] cid; there is ann, bob" in run(config, "show", "cid").output
