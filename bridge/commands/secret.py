"""`popbridge secret …`: the secrets that the bridge needs by itself are put into its vault, named, and taken out.

No command shows a secret, and none takes one from the command line, which everybody on the machine can read.
"""

import datetime as dt
import os
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge.commands.opened import settings_of
from bridge.commands.running import run
from bridge.commands.terminal import CommandRefused, counted
from bridge.config import Config
from bridge.credentials.references import named
from bridge.credentials.sealing import Key, Keys, write_keys
from bridge.credentials.vault import LONGEST, OWNERS_NAME, Vault, check
from bridge.credentials.vault_file import FileVault
from bridge.secret import Secret

VARIABLE = "POPBRIDGE_SECRET"

F = TypeVar("F", bound=Callable[..., Any])
Say = Callable[[str], None]


def _place(command: F) -> F:
    with_config = click.option("--config", "-c", type=click.Path(path_type=Path), help="The configuration file.")
    with_state = click.option("--state", metavar="PLACE", help="Without a file: as for twistd popbridge.")
    return with_config(with_state(command))


@click.group()
def secret() -> None:
    """Passwords and tokens that the bridge itself needs for upstream, sealed in a file beside the state."""


@secret.command("set")
@_place
@click.argument("name")
def set_command(name: str, config: Path | None, state: str | None) -> None:
    """Ask for a secret and keep it; a source says secret = "vault:NAME".

    It is typed twice without being shown, or read from standard input where that is no terminal, or from
    POPBRIDGE_SECRET. A secret of that name is replaced, in a running bridge too.
    """
    if not OWNERS_NAME.fullmatch(name):
        raise click.UsageError("a secret's name has 1 to 64 letters, digits, dots, _ and -")
    settings = _settings(config, state)
    value = _asked_for(name)
    try:
        check(name, value)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    _with_vault(settings, lambda vault: put(vault, name, value, click.echo))


@secret.command("list")
@_place
def list_command(config: Path | None, state: str | None) -> None:
    """The name of each secret and when it was set, and which the configuration wants and the vault has not."""
    settings = _settings(config, state)
    _with_vault(settings, lambda vault: show(vault, wanted(settings), click.echo))


@secret.command("remove")
@_place
@click.argument("name")
def remove_command(name: str, config: Path | None, state: str | None) -> None:
    """Take a secret out of the vault, for good."""
    _with_vault(_settings(config, state), lambda vault: remove(vault, name, click.echo))


@secret.command("rekey")
@_place
def rekey_command(config: Path | None, state: str | None) -> None:
    """Seal every secret anew under a new key; the bridge may run meanwhile.

    A key in a file or in the keyring is made and replaced. Where systemd or the environment gives the key, put what
    `popbridge secret key` prints in front of the old one first, and take the old one away afterwards.
    """
    _with_vault(_settings(config, state), lambda vault: rekey(vault, click.echo))


@secret.command("key")
def key_command() -> None:
    """Print a new key for [vault] key = "credential:…" or "env:…". A key file needs none: it is made by itself."""
    click.echo(write_keys(Keys((Key.fresh(),))).reveal().decode(), nl=False)


async def put(vault: Vault, name: str, value: Secret, say: Say) -> None:
    known = name in await vault.names()
    await vault.put(name, value)
    say(f"{name}: {'replaced' if known else 'set'}")


async def show(vault: Vault, wants: dict[str, list[str]], say: Say) -> None:
    """`wants`: who needs which secret."""
    dates = await vault.dates()
    for name in sorted(dates):
        by = f", for {', '.join(wants[name])}" if name in wants else ""
        say(f"{name}: set {dt.datetime.fromtimestamp(dates[name], dt.UTC):%Y-%m-%d %H:%M} UTC{by}")
    if not dates:
        say("no secrets yet")
    for name in sorted(wants.keys() - dates.keys()):
        say(f"{name}: missing, for {', '.join(wants[name])}; popbridge secret set {name}")


async def remove(vault: Vault, name: str, say: Say) -> None:
    if not await vault.remove(name):
        raise CommandRefused(f"the vault has no secret {name}")
    say(f"{name}: removed")


async def rekey(vault: FileVault, say: Say) -> None:
    anew, kept = await vault.rekey(), len(await vault.names())
    if kept and not anew:
        raise CommandRefused(
            "everything is sealed by the first of the keys already; put what `popbridge secret key` prints before it"
        )
    say(f"{counted(anew, 'secret')} sealed anew; only copies of the vault made before need the old key")


def wanted(config: Config) -> dict[str, list[str]]:
    """Who needs which secret of the vault."""
    wants: dict[str, list[str]] = {}
    for who, reference in named(config):
        if reference.kind == "vault":
            wants.setdefault(reference.name, []).append(who)
    return wants


def _settings(config: Path | None, state: str | None) -> Config:
    try:
        # Which server it is makes no difference to the vault.
        return settings_of(config, None if config else "imaps://localhost", state)
    except CommandRefused as refusal:
        raise click.ClickException(str(refusal)) from None


def _with_vault(config: Config, work: Callable[[FileVault], Coroutine[Any, Any, None]]) -> None:
    async def done(clock: Any) -> bool:
        await work(FileVault.at(config.vault, clock.seconds))
        return True

    run(done)


def _asked_for(name: str) -> Secret:
    given = os.environb.get(VARIABLE.encode())
    if given is not None:
        return Secret(given)
    if sys.stdin.isatty():
        return Secret(click.prompt(f"Secret {name}", hide_input=True, confirmation_prompt=True, err=True).encode())
    return Secret(sys.stdin.buffer.read(LONGEST + 2).rstrip(b"\r\n"))
