"""`popbridge password`: the lines for one password of an account of the bridge's own, to be put into the configuration.

The password itself is shown once, on standard error, and kept nowhere; only with --apop it goes into the vault.
"""

import os
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any, NoReturn

import click

from bridge.commands.running import run
from bridge.config import Config, ConfigError, OwnAccount, load
from bridge.credentials.making import Made, Salts, make, new_salts, salts_of
from bridge.credentials.passwords import apop_name
from bridge.credentials.vault import Vault
from bridge.credentials.vault_file import FileVault
from bridge.secret import Secret

VARIABLE = "POPBRIDGE_NEW_PASSWORD"


@click.command("password")
@click.option("--config", "-c", type=click.Path(path_type=Path), help="The configuration file; for --user and --apop.")
@click.option("--user", metavar="NAME", help="One more password for this account: with the salt of those it has.")
@click.option("--typed", is_flag=True, help=f"Ask for the password, or take it from {VARIABLE}, and make none up.")
@click.option("--apop", is_flag=True, help="Seal the password in the vault too, so that APOP works with it.")
def password_command(config: Path | None, user: str | None, typed: bool, apop: bool) -> None:
    """Make up a password for a device, and print the lines for it: [[account]] or [[account.device]] takes them.

    The lines go to standard output, the password to standard error. It cannot be read from the lines.
    """
    if config is None and (user is not None or apop):
        raise click.UsageError("--user and --apop need --config")
    settings = loaded(config) if config is not None else None
    made = made_by(
        new_salts() if settings is None or user is None else salts_of(account_of(settings, user)), typed=typed
    )

    def tell() -> None:
        for line in made.lines:
            click.echo(line)
        if not typed:
            click.echo(f"the password: {made.password.reveal().decode()}", err=True)

    if apop and settings is not None:
        with_vault(settings, lambda vault: _seal(vault, made, tell))
    tell()


async def _seal(vault: Vault, made: Made, tell: Callable[[], None]) -> None:
    await seal(vault, [made])
    tell()


async def seal(vault: Vault, passwords: Iterable[Made]) -> None:
    for made in passwords:
        await vault.put(apop_name(made.hash), made.password)


def with_vault(settings: Config, work: Callable[[Vault], Coroutine[Any, Any, None]]) -> NoReturn:
    """The work is the command's last."""

    async def done(clock: Any) -> bool:
        await work(FileVault.at(settings.vault, clock.seconds))
        return True

    run(done)
    raise SystemExit(0)


def loaded(config: Path) -> Config:
    try:
        return load(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None


def account_of(settings: Config, user: str) -> OwnAccount:
    for account in settings.accounts:
        if account.user == user:
            return account
    names = ", ".join(account.user for account in settings.accounts) or "none"
    raise click.ClickException(f"there is no [[account]] {user}; there is {names}")


def made_by(salts: Salts, *, typed: bool, whose: str = "") -> Made:
    try:
        return make(salts, _asked(whose) if typed else None)
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _asked(whose: str) -> Secret:
    given = os.environ.get(VARIABLE)
    if given is None:
        prompt = f"Password{f' of {whose}' if whose else ''}"
        given = click.prompt(prompt, hide_input=True, confirmation_prompt=True, err=True)
    return Secret(given.encode())
