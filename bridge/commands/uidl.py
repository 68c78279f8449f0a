"""`popbridge uidl …` as an owner types it: options become values, passwords are asked for, the work is elsewhere."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen

from bridge.accounts.account import Account
from bridge.commands.old_message import OldMessage
from bridge.commands.old_server import OldServer, parse_old_server, read_old_server
from bridge.commands.opened import find_account, find_sources, mailbox_of, plain_login, settings_of, state_of
from bridge.commands.running import at_the_terminal, password, run
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.commands.uidl_accept import accept
from bridge.commands.uidl_diff import diff_now, diff_old
from bridge.commands.uidl_file import read_uidl_file
from bridge.commands.uidl_import import import_uidls
from bridge.commands.uidl_show import show
from bridge.config import Config, OwnSource
from bridge.events import Event
from bridge.secret import Secret

PASSWORD, OLD_PASSWORD = "POPBRIDGE_PASSWORD", "POPBRIDGE_OLD_PASSWORD"

F = TypeVar("F", bound=Callable[..., Any])

_SETTINGS = (
    click.option("--config", "-c", type=click.Path(path_type=Path), help="The configuration file."),
    click.option("--upstream", metavar="URL", help="Without a file: as for twistd popbridge."),
    click.option("--state", metavar="PLACE", help="Without a file: as for twistd popbridge."),
    click.option("--source", metavar="NAME", help="Of an account with several: the source that is meant."),
)
_OLD = (
    click.option(
        "--from", "url", metavar="URL", help="The old server: pop3s://HOST, pop3+starttls://HOST, pop3://HOST."
    ),
    click.option(
        "--file", type=click.Path(path_type=Path), help="A list instead: lines <uidl> <imap-uid or message-id>."
    ),
    click.option("--old-login", metavar="NAME", help="The login at the old server, where it is another one."),
    click.option("--old-ca", type=click.Path(path_type=Path), help="The authority of the old server's certificate."),
)


def _with(options: Sequence[Callable[[F], F]]) -> Callable[[F], F]:
    """The same options for several commands."""

    def decorate(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@frozen
class Old:
    """Where the old UIDLs come from: a running server, or a list."""

    server: OldServer | None
    file: Path | None
    login: str

    async def read(self, clock: Any, password: Secret | None, terminal: Terminal) -> list[OldMessage]:
        if self.file is not None:
            return read_uidl_file(self.file)
        assert self.server is not None
        assert password is not None
        if self.server.security == "none":
            click.echo(f"the password goes to {self.server} without encryption", err=True)
        return await read_old_server(self.server, self.login, password, clock, terminal)


@click.group()
def uidl() -> None:
    """The names under which mail programs know messages: bring them from an old server, look at them, compare."""


@uidl.command("import")
@_with(_SETTINGS)
@_with(_OLD)
@click.option("--yes", is_flag=True, help="Write without asking.")
@click.option("--force", is_flag=True, help="Also when fewer than 95 % of the old messages are recognised.")
@click.argument("login")
def import_command(login: str, yes: bool, force: bool, **options: Any) -> None:
    """Let the messages of LOGIN keep the UIDLs of an old POP3 server, so that no program downloads them again.

    Messages are recognised by their headers. You see how many before anything is written. The passwords are asked
    for; scripts set POPBRIDGE_PASSWORD (upstream's) and POPBRIDGE_OLD_PASSWORD.
    """
    config, account = _meant(login, options)
    old = _old(login, account, options)
    if old is None:
        raise click.UsageError("--from names the old server, or --file a list")
    old_password, upstream_password = _passwords(account, old)

    async def work(clock: Any) -> bool:
        terminal = at_the_terminal(yes=yes)
        async with (
            state_of(config, clock, missing="make") as store,
            mailbox_of(config, clock, account, upstream_password) as source,
        ):
            messages = await old.read(clock, old_password, terminal)
            await import_uidls(account, store, source, messages, clock, _unheard, terminal, force=force)
        return True

    run(work)


@uidl.command("diff")
@_with(_SETTINGS)
@_with(_OLD)
@click.argument("login")
def diff_command(login: str, **options: Any) -> None:
    """What an old POP3 server gives and the bridge does not (-), the reverse (+), and what both call differently (!).

    Without --from and --file: what upstream has now against what mail programs were last told. Changes nothing. The
    exit status is 1 when there are differences.
    """
    config, account = _meant(login, options)
    old = _old(login, account, options)
    old_password, upstream_password = _passwords(account, old)

    async def work(clock: Any) -> bool:
        terminal = at_the_terminal(yes=False)
        async with (
            state_of(config, clock, missing="refuse" if old is None else "empty") as store,
            mailbox_of(config, clock, account, upstream_password) as source,
        ):
            if old is None:
                return await diff_now(account, store, source, terminal)
            messages = await old.read(clock, old_password, terminal)
            return await diff_old(account, store, source, messages, terminal)

    run(work)


@uidl.command("show")
@_with(_SETTINGS)
@click.argument("login")
def show_command(login: str, **options: Any) -> None:
    """Every message of LOGIN: its number, UIDL, origin and size, whether it is listed, and why not.

    The origin is incarnation.uidvalidity.uid. With a view in the login (ann#newest=500) it is what that view sees.
    From the state file alone; the bridge may run meanwhile.
    """
    config, account = _meant(login, options)

    async def work(clock: Any) -> bool:
        async with state_of(config, clock, missing="refuse") as store:
            beside = find_sources(config, login)
            await show(account, store, at_the_terminal(yes=False), clock.seconds(), beside)
        return True

    run(work)


@uidl.command("accept")
@_with(_SETTINGS)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.argument("login")
def accept_command(login: str, yes: bool, **options: Any) -> None:
    """Take the mailbox of LOGIN as it is, though too few messages were recognised after it was replaced upstream."""
    config, account = _meant(login, options)

    async def work(clock: Any) -> bool:
        async with state_of(config, clock, missing="refuse") as store:
            await accept(account, store, at_the_terminal(yes=yes))
        return True

    run(work)


def _meant(login: str, options: dict[str, Any]) -> tuple[Config, Account]:
    try:
        config = settings_of(options["config"], options["upstream"], options["state"])
        return config, find_account(config, login, options["source"])
    except CommandRefused as refusal:
        raise click.ClickException(str(refusal)) from None


def _old(login: str, account: Account, options: dict[str, Any]) -> Old | None:
    url, file = options["url"], options["file"]
    if url is None and file is None:
        return None
    if url is not None and file is not None:
        raise click.UsageError("--from and --file exclude each other")
    try:
        server = parse_old_server(url, options["old_ca"]) if url is not None else None
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return Old(server, file, options["old_login"] or plain_login(login, account))


def _passwords(account: Account, old: Old | None) -> tuple[Secret | None, Secret | None]:
    """The old server's first, as it stands first on the command line. Upstream's is none where the owner keeps it."""
    before = None
    if old is not None and old.server is not None:
        before = password(OLD_PASSWORD, f"Password of {old.login} at {old.server}")
    if isinstance(account.settings, OwnSource):
        return before, None
    return before, password(
        PASSWORD, f"Password of {account.login.decode('utf-8', 'replace')} at {account.settings.upstream}"
    )


def _unheard(event: Event) -> None:
    """What is worth telling is told in words here."""
