"""`popbridge secret …`: secrets go into the vault and are never seen again by whoever looks on."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridge.cli import main
from bridge.commands.secret import VARIABLE, wanted
from bridge.config import Config, OAuth2Grant, Reference, load
from bridge.credentials.vault_file import VaultFile
from bridge.credentials.vault_key import KeyFile
from bridge.secret import Secret
from tests.config.entries import LISTENER, account_text
from tests.credentials.leaks import assert_nothing_leaked
from tests.peers.command import POPBRIDGE, ROOT, popbridge

WONDER = "wonder-4711"
CONFIG = LISTENER + account_text(secret="vault:work")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "popbridge.toml").write_text(CONFIG)
    return tmp_path


def vault(place: Path) -> VaultFile:
    return VaultFile(place / "popbridge.vault", KeyFile(place / "popbridge.key"))


def secret(place: Path, *arguments: str, typed: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command, *rest = arguments
    result = popbridge(place, "secret", command, "-c", "popbridge.toml", *rest, typed=typed, environment=environment)
    assert_nothing_leaked({"the secret": WONDER}, files=place, texts=[result.stdout, result.stderr])
    return result


def test_from_nothing_to_a_secret_that_the_configuration_wants(place: Path) -> None:
    empty = secret(place, "list").stdout
    assert empty == "no secrets yet\nwork: missing, for ann/work; popbridge secret set work\n"

    assert secret(place, "set", "work", typed=f"{WONDER}\n").stdout == "work: set\n"
    assert vault(place).get("work") == Secret(WONDER.encode())
    assert re.fullmatch(r"work: set \d{4}-\d\d-\d\d \d\d:\d\d UTC, for ann/work\n", secret(place, "list").stdout)

    assert secret(place, "set", "work", **{VARIABLE: "another"}).stdout == "work: replaced\n"
    assert vault(place).get("work") == Secret(b"another")

    assert secret(place, "remove", "work").stdout == "work: removed\n"
    assert vault(place).get("work") is None
    again = secret(place, "remove", "work")
    assert (again.returncode, again.stderr) == (1, "popbridge: the vault has no secret work\n")


def test_at_a_terminal_it_is_typed_twice_and_not_shown(place: Path) -> None:
    owner, terminal = pty.openpty()
    arguments = [sys.executable, "-c", POPBRIDGE, "secret", "set", "work", "-c", "popbridge.toml"]
    with subprocess.Popen(
        arguments,
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,  # so that it has no other terminal to ask at
    ) as process:
        os.close(terminal)
        shown = b""
        for prompt in (b"Secret work: ", b"Repeat for confirmation: "):
            while prompt not in shown:
                shown += os.read(owner, 1000)
            os.write(owner, WONDER.encode() + b"\n")
        while b"set" not in shown.rsplit(b"confirmation", 1)[1]:
            shown += os.read(owner, 1000)
    os.close(owner)
    assert process.returncode == 0
    assert vault(place).get("work") == Secret(WONDER.encode())
    assert_nothing_leaked({"the secret": WONDER}, texts=[shown])


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "oauth2/work"), "1 to 64 letters"),
        (("set", "work", WONDER), "unexpected extra argument"),
        (("set", "work", "--state", "memory:x"), "sqlite:FILE"),
        (("list", "-c", "nowhere.toml"), "nowhere.toml cannot be read"),
    ],
)
def test_what_cannot_be_meant_is_answered_before_anything_is_asked(
    arguments: tuple[str, ...], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["secret", *arguments], input="x\n")
    assert result.exit_code in {1, 2}
    assert told in result.output
    assert not list(tmp_path.iterdir())


def test_nothing_is_no_secret(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["secret", "set", "work"], input="\n")
    assert (result.exit_code, "1 to 65,536 octets" in result.output) == (1, True)


def test_a_changed_key_is_told(place: Path) -> None:
    secret(place, "set", "work", typed=WONDER)
    before = (place / "popbridge.key").read_text()
    assert secret(place, "rekey").stdout.startswith("1 secret sealed anew;")
    assert (place / "popbridge.key").read_text() != before
    assert vault(place).get("work") == Secret(WONDER.encode())


def test_a_key_that_the_owner_gives_is_changed_by_him(place: Path) -> None:
    with (place / "popbridge.toml").open("a") as file:
        file.write('[vault]\nkey = "env:VAULT_KEY"\n')
    old, new = (CliRunner().invoke(main, ["secret", "key"]).output.strip() for _ in range(2))
    unset = secret(place, "set", "work", typed=WONDER)
    assert (unset.returncode, "popbridge secret key" in unset.stderr) == (1, True)
    assert secret(place, "set", "work", typed=WONDER, VAULT_KEY=old).returncode == 0
    assert "in front" not in secret(place, "rekey", VAULT_KEY=f"{new} {old}").stderr
    again = secret(place, "rekey", VAULT_KEY=new)
    assert (again.returncode, "popbridge secret key" in again.stderr) == (1, True)
    assert secret(place, "set", "work", typed=WONDER, VAULT_KEY=new).stdout == "work: replaced\n"


def test_a_key_that_others_can_read_is_a_sentence(place: Path) -> None:
    secret(place, "set", "work", typed=WONDER)
    (place / "popbridge.key").chmod(0o644)
    result = secret(place, "set", "work", typed=WONDER)
    assert (result.returncode, "chmod 600" in result.stderr) == (1, True)


def test_who_wants_what(place: Path) -> None:
    assert wanted(load(place / "popbridge.toml")) == {"work": ["ann/work"]}


def test_what_an_oauth2_grant_needs_is_known_too() -> None:
    grant = OAuth2Grant(name="google", client_id="x", client_secret=Reference("vault", "client"))
    own = OAuth2Grant(name="office", private_key=Reference("vault", "key"), service_account=Reference("file", "/x"))

    config = Config(base=Path("/"), listeners=(), oauth2=(grant, own))

    assert wanted(config) == {"client": ["oauth2 google"], "key": ["oauth2 office"]}
