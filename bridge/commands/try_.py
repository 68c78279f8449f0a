"""`popbridge try …` as an owner types it: options become values, the password is asked for, the work is elsewhere."""

from pathlib import Path
from typing import Any, cast

import click
from twisted.names.client import Resolver

from bridge.accounts.address import NoAddress, parse_address
from bridge.accounts.autodiscover import Network
from bridge.accounts.guarded import Guarded
from bridge.commands.running import at_the_terminal, password, run
from bridge.commands.trying import Wish, try_address
from bridge.commands.uidl import PASSWORD
from bridge.tls import client_context


@click.command("try")
@click.option("--no-login", is_flag=True, help="Ask who knows the server, and log in nowhere.")
@click.option("--yes", is_flag=True, help="Log in without asking, at servers within the mail domain or that are known.")
@click.option(
    "--trust", multiple=True, metavar="HOST", help="A server outside the mail domain that you know to be right."
)
@click.option("--oauth2", is_flag=True, help="Print what OAuth2 needs, also where an app password would do.")
@click.option("--account", is_flag=True, help="Print an [[account]] of the bridge's own instead of a [[passthrough]].")
@click.option(
    "--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="The authority of your servers."
)
@click.option(
    "--pin",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    metavar="CONFIG",
    help='Write the server down beside that configuration, where upstream = "auto" finds it.',
)
@click.argument("address")
def try_(
    address: str,
    no_login: bool,
    yes: bool,
    trust: tuple[str, ...],
    oauth2: bool,
    account: bool,
    ca: Path | None,
    pin: Path | None,
) -> None:
    """Find the mail server of ADDRESS, see what holds there, and get the lines for the configuration.

    Large providers are known; of others the domain is asked (autoconfig, SRV), then who receives its mail. Nothing is
    guessed, and no password goes anywhere before you have said yes. Scripts set POPBRIDGE_PASSWORD.
    """
    try:
        wanted = parse_address(address)
    except NoAddress as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from None
    wish = Wish(
        yes=yes,
        log_in=not no_login,
        trusted=frozenset(trust),
        own=account,
        oauth2=oauth2,
        ca=ca,
        pin=pin.absolute().parent if pin is not None else None,
    )

    async def work(clock: Any) -> bool:
        terminal = at_the_terminal(yes=False)
        return await try_address(wanted, wish, outside(clock, ca), terminal, lambda what: password(PASSWORD, what))

    run(work)


def outside(clock: Any, ca: Path | None) -> Network:
    """As discovery may use it."""
    resolver = cast("Any", Resolver)(resolv="/etc/resolv.conf", reactor=clock)
    return Network(Guarded(clock), resolver, lambda host: client_context(host, ca=ca))
