"""`popbridge setup …` as a new user types it: options become a plan; at the end stands what a mail program needs."""

from pathlib import Path
from typing import Any, Literal

import click
from twisted.internet.defer import CancelledError

from bridge.accounts.address import NoAddress, parse_address
from bridge.commands.authorise import open_browser
from bridge.commands.consent import Person
from bridge.commands.running import asked, at_the_terminal, password, run
from bridge.commands.serving import serve
from bridge.commands.setting_up import Owner, Plan, set_up
from bridge.commands.setup_file import FILE, NewBridge
from bridge.commands.terminal import CommandRefused
from bridge.commands.try_ import outside
from bridge.commands.trying import Wish
from bridge.commands.uidl import PASSWORD
from bridge.config import Config, Endpoint, Upstream
from bridge.config.notation import is_loopback, parse_endpoint, parse_upstream
from bridge.config.problems import WrongValue
from bridge.service import Cannot

CLIENT_SECRET = "POPBRIDGE_CLIENT_SECRET"  # noqa: S105  # the variable's name
_GRANT_KEYS = ("client_id", "tenant", "authorize", "token", "device", "redirect", "mechanism")


def _endpoint(_: click.Context, __: click.Parameter, text: str) -> Endpoint:
    try:
        endpoint = parse_endpoint(text)
    except WrongValue as wrong:
        raise _bad(wrong) from None
    if endpoint.port == 0:
        raise click.BadParameter("mail programs need a port that stays; write 127.0.0.1:1110")
    return endpoint


def _upstream(_: click.Context, __: click.Parameter, text: str | None) -> Upstream | None:
    try:
        return parse_upstream(text) if text is not None else None
    except WrongValue as wrong:
        raise _bad(wrong) from None


def _bad(wrong: WrongValue) -> click.BadParameter:
    return click.BadParameter(f"{wrong.text}; {wrong.remedy or f'write {wrong.write}'}")


@click.command("setup")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=".",
    help="Where popbridge.toml and what belongs to it are to be; the one you are in if not said.",
)
@click.option("--pop3", callback=_endpoint, default="127.0.0.1:1110", show_default=True, metavar="ADDRESS")
@click.option(
    "--upstream", callback=_upstream, metavar="URL", help="Where the mail is, if it is not to be searched for."
)
@click.option("--login", metavar="NAME", help="The login there, if it is not the address.")
@click.option("--user", metavar="NAME", help="What your mail program logs in as, if not the part before the @.")
@click.option("--yes", is_flag=True, help="Log in without asking, at servers within the mail domain or that are known.")
@click.option("--trust", multiple=True, metavar="HOST", help="A server outside the mail domain that you know.")
@click.option("--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="Authority of your servers.")
@click.option("--oauth2", is_flag=True, help="Your consent in a browser, also where an app password would do.")
@click.option("--client-id", metavar="ID", help="Of your application at the provider (docs/oauth2.md).")
@click.option("--no-client-secret", is_flag=True, help="The application has none: do not ask.")
@click.option("--tenant", metavar="WORD", help="Microsoft's word for whose directory is asked.")
@click.option("--authorize-url", "authorize", metavar="URL", help="Of a provider that the bridge does not know.")
@click.option("--token-url", "token", metavar="URL", help="The same.")
@click.option("--device-url", "device_url", metavar="URL", help="The same, for --device.")
@click.option("--scope", "scopes", multiple=True, metavar="WORD", help="The same.")
@click.option("--redirect", metavar="URL", help="Where the browser goes at the end, if not to a page of the bridge.")
@click.option("--mechanism", type=click.Choice(["XOAUTH2", "OAUTHBEARER"]), help="How tokens are shown upstream.")
@click.option("--paste", is_flag=True, help="The browser is on another machine: paste the address where it ends.")
@click.option("--device", is_flag=True, help="Type a short code into a browser elsewhere, where the provider can that.")
@click.option("--serve", "serving", is_flag=True, help="Serve mail at once, until Ctrl-C.")
@click.argument("address")
def setup_command(address: str, serving: bool, **options: Any) -> None:
    """From nothing to a bridge in front of the mailbox of ADDRESS.

    Finds the server, asks for the password or for your consent in a browser, logs in, and shows what holds there. Then
    it makes up a password for your mail program, and writes popbridge.toml. Nothing is written before everything
    worked, and nothing that is there is changed. Scripts set POPBRIDGE_PASSWORD and POPBRIDGE_CLIENT_SECRET.
    """
    try:
        wanted = parse_address(address)
    except NoAddress as error:
        raise click.BadParameter(str(error), param_hint="ADDRESS") from None
    plan = _plan(options)

    async def work(clock: Any) -> bool:
        owner = Owner(
            terminal=at_the_terminal(yes=False),
            person=Person(click.echo, asked, open_browser),
            password=lambda prompt: password(PASSWORD, prompt),
            client_secret=lambda prompt: password(CLIENT_SECRET, prompt, optional=True),
        )
        try:
            new, config = await set_up(wanted, plan, owner, outside(clock, plan.wish.ca), clock)
        except BaseException as error:
            after_ctrl_c = "\n" if isinstance(error, CancelledError) else ""
            click.echo(f"{after_ctrl_c}Nothing was written.", err=True)
            raise
        _tell(new, plan.directory / FILE, serving=serving)
        return await _served(config, clock) if serving else True

    run(work)


def _plan(options: dict[str, Any]) -> Plan:
    if options["paste"] and options["device"]:
        raise click.UsageError("--paste and --device are two ways; take one")
    way: Literal["browser", "paste", "device"] = "browser"
    if options["paste"] or options["device"]:
        way = "paste" if options["paste"] else "device"
    given = {**options, "device": options["device_url"]}
    grant: dict[str, Any] = {key: given[key] for key in _GRANT_KEYS if given[key] is not None}
    if options["scopes"]:
        grant["scopes"] = list(options["scopes"])
    return Plan(
        directory=options["directory"],
        listen=options["pop3"],
        upstream=options["upstream"],
        login=options["login"],
        user=options["user"],
        wish=Wish(
            yes=options["yes"],
            trusted=frozenset(options["trust"]),
            own=True,
            oauth2=options["oauth2"] or way != "browser" or options["no_client_secret"],
            ca=options["ca"],
        ),
        grant=grant,
        public=options["no_client_secret"],
        way=way,
    )


def _tell(new: NewBridge, file: Path, *, serving: bool) -> None:
    host = new.listen.host or "this machine's name"
    encryption = "none, for it is on the same machine" if is_loopback(new.listen.host) else "STARTTLS"
    click.echo(f"""
All of this worked, and stands in {file} now.

In your mail program, make a POP3 account:
    server      {host}
    port        {new.listen.port}
    encryption  {encryption}
    user name   {new.user}""")
    # A result that is kept in some file has no password in it.
    click.echo(f"    password    {new.made.password.reveal().decode()}", err=True)
    click.echo(f"The password is shown this once. For another: popbridge password --config {file} --user {new.user}\n")
    click.echo("It serves now; Ctrl-C ends it. Later, and for good:" if serving else "To serve mail:")
    click.echo(f"    twistd -n popbridge --config {file}")


async def _served(config: Config, clock: Any) -> bool:
    try:
        await serve(config, clock, lambda _: None)
    except Cannot as error:
        raise CommandRefused(f"it is set up, but does not serve: {error}") from None
    return True
