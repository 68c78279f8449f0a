"""`popbridge authorise NAME`: what an owner types to let the bridge into a mailbox of a provider that wants OAuth2."""

import os
import sys
import webbrowser
from pathlib import Path
from threading import Thread
from typing import Any

import click

from bridge.commands.consent import Person, authorise, grant_named
from bridge.commands.first_look import logins_of, look
from bridge.commands.running import asked, run
from bridge.commands.terminal import CommandRefused
from bridge.config import ConfigError, Reference, load
from bridge.credentials.oauth2 import grants_of
from bridge.credentials.oauth2_client import Client
from bridge.credentials.oauth2_http import posting
from bridge.credentials.references import resolve
from bridge.credentials.vault_file import FileVault
from bridge.secret import Secret


@click.command("authorise")
@click.argument("name")
@click.option("--config", "-c", type=click.Path(path_type=Path), required=True, help="The configuration file.")
@click.option("--paste", is_flag=True, help="The browser is on another machine: paste the address where it ends.")
@click.option("--device", is_flag=True, help="Type a short code into a browser elsewhere, where the provider can that.")
def authorise_command(name: str, config: Path, paste: bool, device: bool) -> None:
    """Give the bridge access to the mail behind the [[oauth2]] entry NAME, in your browser.

    A bridge that runs needs no restart. Do it again when the log or `popbridge status` says so.
    """
    if paste and device:
        raise click.UsageError("--paste and --device are two ways; take one")
    try:
        settings = load(config)
        grant = grant_named(settings, name)
    except (ConfigError, CommandRefused) as error:
        raise click.ClickException(str(error)) from None

    async def work(reactor: Any) -> bool:
        vault = FileVault.at(settings.vault, reactor.seconds)

        async def found(reference: Reference) -> Secret:
            return await resolve(reference, vault)

        client = Client.of(grant, posting(reactor), found, reactor)
        person = Person(click.echo, asked, open_browser)
        logins = logins_of(settings, name)
        await authorise(client, vault, person, reactor, logins, paste=paste, device=device)
        return await look(settings, name, grants_of(settings, reactor, vault), reactor, click.echo)

    run(work)


def open_browser(address: str) -> bool:
    """False where none can show itself. It may run as long as it likes: nobody waits for it."""
    if not (sys.platform in {"darwin", "win32"} or {"BROWSER", "DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys()):
        return False
    Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    return True
