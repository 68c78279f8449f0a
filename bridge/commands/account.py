"""`popbridge account …`: the logins of the bridge's own are listed, shown, added and removed, a file each.

A running bridge has read its accounts when it started, and says so here: what is added or removed holds from its next
start on.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bridge.commands.account_file import NewAccount, directory_of, remove, write
from bridge.commands.account_show import list_accounts, show_account
from bridge.commands.password import VARIABLE, account_of, loaded, made_by, seal, with_vault
from bridge.commands.terminal import CommandRefused
from bridge.config import OwnAccount
from bridge.config.devices import with_password
from bridge.credentials.making import Made, new_salts
from bridge.credentials.passwords import apop_name
from bridge.credentials.vault import Vault
from bridge.maildrop.errors import Trouble

RESTART = "restart the bridge: it reads its accounts when it starts"

F = TypeVar("F", bound=Callable[..., Any])


def _config(command: F) -> F:
    option = click.option("--config", "-c", type=click.Path(path_type=Path), required=True, help="The configuration.")
    return option(command)


@click.group()
def account() -> None:
    """Logins of the bridge's own, whose passwords have nothing to do with those of the mailboxes behind them."""


@account.command("list")
@_config
def list_command(config: Path) -> None:
    """Every account, and whose passwords open it."""
    list_accounts(loaded(config), click.echo)


@account.command("show")
@_config
@click.argument("user")
def show_command(user: str, config: Path) -> None:
    """What is behind the account USER, and what each of its passwords may do there."""
    show_account(account_of(loaded(config), user), click.echo)


@account.command("add")
@_config
@click.option("--upstream", metavar="URL", required=True, help="Where the mail is, such as imaps://imap.example.org.")
@click.option("--login", metavar="NAME", required=True, help="The login there.")
@click.option("--secret", metavar="WHERE", required=True, help="Where the password for it is, such as file:PATH.")
@click.option("--name", metavar="WORD", default="mail", show_default=True, help="What the mailbox is called here.")
@click.option("--delete", metavar="POLICY", help="What DELE does upstream.")
@click.option(
    "--device", "devices", metavar="WORD", multiple=True, help="A password for this device; may be said several times."
)
@click.option("--apop", is_flag=True, help="Seal the passwords in the vault too, so that APOP works with them.")
@click.option("--typed", is_flag=True, help=f"Ask for each password, or take it from {VARIABLE}, and make none up.")
@click.argument("user")
def add_command(
    user: str,
    config: Path,
    upstream: str,
    login: str,
    secret: str,
    name: str,
    delete: str | None,
    devices: tuple[str, ...],
    apop: bool,
    typed: bool,
) -> None:
    """Add the account USER, with a password of its own or one for each device, in a file of its own.

    The file is written into the directory that accounts = names, for its owner alone. The passwords are shown once.
    """
    if not user or not user.isprintable():
        raise click.UsageError("a user name is not empty and holds no control characters")
    source = {"name": name, "upstream": upstream, "login": login, "secret": secret}
    if delete is not None:
        source["delete"] = delete
    settings, salts = loaded(config), new_salts()
    made = {device: made_by(salts, typed=typed, whose=device or user) for device in devices or ("",)}
    try:
        file = write(config, directory_of(settings), NewAccount(user, made, source))
    except CommandRefused as refusal:
        raise click.ClickException(str(refusal)) from None

    def tell() -> None:
        click.echo(f"{user} is in {file}; {RESTART}")
        for device, one in () if typed else made.items():
            click.echo(f"the password{f' of {device}' if device else ''}: {one.password.reveal().decode()}", err=True)

    if apop:
        with_vault(settings, lambda vault: _seal(vault, made, file.unlink, tell))
    tell()


async def _seal(vault: Vault, made: dict[str, Made], undo: Callable[[], None], tell: Callable[[], None]) -> None:
    """An account whose passwords nobody was shown is none."""
    try:
        await seal(vault, made.values())
    except Trouble:
        undo()
        raise
    tell()


@account.command("remove")
@_config
@click.argument("user")
def remove_command(user: str, config: Path) -> None:
    """Remove the file of the account USER; of what you wrote yourself nothing is removed. No mail is touched."""
    settings = loaded(config)
    try:
        file = remove(directory_of(settings), user, [account.user for account in settings.accounts])
    except CommandRefused as refusal:
        raise click.ClickException(str(refusal)) from None
    click.echo(f"{file} is removed; {RESTART}")
    gone = [one for one in settings.accounts if one.user == user]
    if settings.vault.file.exists():
        with_vault(settings, lambda vault: _forget(vault, gone))


async def _forget(vault: Vault, accounts: list[OwnAccount]) -> None:
    """What the vault has of their passwords."""
    for account in accounts:
        for _, password in with_password(account):
            await vault.remove(apop_name(password))
