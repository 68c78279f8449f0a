"""`popbridge password`: the lines for one password of an account of the bridge's own, to be put into the configuration.

The password itself is shown once, on standard error, and kept nowhere.
"""

import os
from pathlib import Path

import click

from bridge.config import Config, ConfigError, OwnAccount, load
from bridge.credentials.making import Made, Salts, make, new_salts, salts_of
from bridge.secret import Secret

VARIABLE = "POPBRIDGE_NEW_PASSWORD"


@click.command("password")
@click.option("--config", "-c", type=click.Path(path_type=Path), help="The configuration file; for --user.")
@click.option("--user", metavar="NAME", help="One more password for this account: with the salt of those it has.")
@click.option("--typed", is_flag=True, help=f"Ask for the password, or take it from {VARIABLE}, and make none up.")
def password_command(config: Path | None, user: str | None, typed: bool) -> None:
    """Make up a password for a device, and print the lines for it: [[account]] or [[account.device]] takes them.

    The lines go to standard output, the password to standard error. It cannot be read from the lines.
    """
    if user is not None and config is None:
        raise click.UsageError("--user needs --config")
    salts = new_salts() if user is None or config is None else salts_of(account_of(loaded(config), user))
    made = made_by(salts, typed=typed)
    for line in made.lines:
        click.echo(line)
    if not typed:
        click.echo(f"the password: {made.password.reveal().decode()}", err=True)


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
