"""The command `popbridge`: what an owner types. Serving mail is twistd's: `twistd -n popbridge`."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from bridge.check import check
from bridge.commands.account import account
from bridge.commands.authorise import authorise_command
from bridge.commands.consents import consents
from bridge.commands.first_look import logins_of
from bridge.commands.opened import settings_of, state_of
from bridge.commands.password import password_command
from bridge.commands.running import password, run
from bridge.commands.secret import secret
from bridge.commands.serving import serve
from bridge.commands.setup import setup_command
from bridge.commands.status import status
from bridge.commands.terminal import CommandRefused
from bridge.commands.try_ import try_
from bridge.commands.uidl import PASSWORD, uidl
from bridge.config import Config, ConfigError, from_flags, load
from bridge.credentials.vault_file import FileVault
from bridge.demo.process import PASSWORD as DEMO_PASSWORD
from bridge.demo.process import USER, DemoServer, DemoUnavailable
from bridge.service import Cannot
from bridge.version import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="popbridge", message="%(prog)s %(version)s")
def main() -> None:
    """A POP3 server for mail that lives in IMAP accounts elsewhere.

    \b
    To begin:       popbridge setup you@example.org --serve
    To serve mail:  twistd -n popbridge --pop3 127.0.0.1:1110 --upstream imaps://imap.example.org
                    twistd -n popbridge --config popbridge.toml
    """


@main.command("check")
@click.option("--config", "-c", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--pop3", multiple=True, metavar="ADDRESS", help="As for twistd popbridge.")
@click.option("--pop3s", multiple=True, metavar="ADDRESS", help="As for twistd popbridge.")
@click.option("--upstream", multiple=True, metavar="URL", help="As for twistd popbridge.")
@click.option("--state", metavar="PLACE", help="As for twistd popbridge.")
@click.option("--delete", metavar="POLICY", help="As for twistd popbridge.")
@click.option("--login", metavar="NAME", help="Open this login's mailbox too; the password is asked for.")
def check_command(
    config: Path | None,
    pop3: tuple[str, ...],
    pop3s: tuple[str, ...],
    upstream: tuple[str, ...],
    state: str | None,
    delete: str | None,
    login: str | None,
) -> None:
    """Is the configuration valid, can we listen, do the upstreams answer, and what holds there?"""
    try:
        settings = _settings(config, pop3, pop3s, upstream, delete, state)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    if config is not None:
        click.echo(f"{config}: valid")
    own = {account.user for account in settings.accounts}
    given = password(PASSWORD, "Password") if login is not None and login not in own else None
    name = login.encode() if login is not None else None
    run(lambda clock: check(settings, clock, click.echo, name, given))


main.add_command(setup_command)
main.add_command(try_)
main.add_command(uidl)
main.add_command(secret)
main.add_command(account)
main.add_command(password_command)
main.add_command(authorise_command)


@main.command("status")
@click.option("--config", "-c", type=click.Path(path_type=Path), help="The configuration file.")
@click.option("--state", metavar="PLACE", help="Without a file: as for twistd popbridge.")
def status_command(config: Path | None, state: str | None) -> None:
    """What is remembered, which deletions wait for upstream, and whether a question or a consent waits for you.

    From the state file and the vault alone; the bridge may run meanwhile.
    """
    try:
        # Which server it was says the state file itself.
        settings = settings_of(config, None if config else "imaps://localhost", state)
    except CommandRefused as refusal:
        raise click.ClickException(str(refusal)) from None

    async def work(clock: Any) -> bool:
        async with state_of(settings, clock, missing="refuse") as store:
            await status(store, click.echo, clock.seconds())
        vault = FileVault.at(settings.vault, clock.seconds)
        await consents(settings.oauth2, partial(logins_of, settings), vault, click.echo, clock.seconds())
        return True

    run(work)


@main.command()
@click.option("--pop3", default="127.0.0.1:1110", show_default=True, metavar="ADDRESS", help="Where to listen.")
def demo(pop3: str) -> None:
    """A bridge with an IMAP server and sample mail of its own; nothing leaves this machine."""
    run(lambda clock: _show(clock, pop3))


async def _show(clock: Any, pop3: str) -> bool:
    """Serves until a signal comes."""
    server = DemoServer()
    clock.addSystemEventTrigger("before", "shutdown", server.stop)
    try:
        port = await server.start(clock)
        settings = _settings(None, (pop3,), (), (f"imap://127.0.0.1:{port}",), None, state="memory:")
        await serve(settings, clock, lambda at: click.echo(_welcome(at)))
    except (DemoUnavailable, ConfigError, Cannot) as error:
        click.echo(f"popbridge: {error}; for another port: popbridge demo --pop3 127.0.0.1:2110", err=True)
        return False
    return True


def _welcome(at: Any) -> str:
    place = f"[{at.host}]:{at.port}" if ":" in at.host else f"{at.host}:{at.port}"
    who = f"-u {USER}:{DEMO_PASSWORD}"
    return f"""\
Popbridge {__version__} serves POP3 on {place}, from an IMAP server of its own with sample mail.

In another terminal, read the first message:
    curl {who} pop3://{place}/1
See the list of all:
    curl {who} pop3://{place}/
Or set up a mail program: server {at.host}, port {at.port}, no encryption, user {USER}, password {DEMO_PASSWORD}.

Ctrl-C ends it."""


def _settings(
    config: Path | None,
    pop3: tuple[str, ...],
    pop3s: tuple[str, ...],
    upstream: tuple[str, ...],
    delete: str | None,
    state: str | None = None,
) -> Config:
    if config is not None:
        return load(config)
    flags = {"pop3": pop3, "pop3s": pop3s, "upstream": upstream}
    return from_flags(**flags, state=state, delete=delete, seen=None, certificate=None, key=None)
