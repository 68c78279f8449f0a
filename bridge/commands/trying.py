"""`popbridge try you@example.org`: where this mail is, by whose word, whether one gets in, and what to write down.

Nothing is sent to a server before the owner has said yes to it, and no password before that.
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

from attrs import evolve, frozen

from bridge.accounts.address import Address
from bridge.accounts.autodiscover import Discovery, Network, discover
from bridge.accounts.candidate import Candidate
from bridge.check_mailbox import check_mailbox
from bridge.commands.snippet import account, delete_of, needs_token, passthrough, url
from bridge.commands.terminal import CommandRefused, Terminal
from bridge.config import Config, PassThrough
from bridge.config.discovered import Pin, PinsUnreadable, write_pin
from bridge.maildrop.uidl import UPSTREAM
from bridge.secret import Secret
from bridge.upstream.connect import Reactor

AskPassword = Callable[[str], Secret]


@frozen(kw_only=True)
class Wish:
    """What the owner asked for. `trusted`: hosts outside the mail domain that have his word already.

    `own`: print an account of the bridge's own. `oauth2`: no password where there is another way. `pin`: the directory
    where the server is to be pinned.
    """

    yes: bool = False
    log_in: bool = True
    trusted: frozenset[str] = frozenset()
    own: bool = False
    oauth2: bool = False
    ca: Path | None = None
    pin: Path | None = None


async def try_address(
    address: Address, wish: Wish, network: Network, terminal: Terminal, ask_password: AskPassword
) -> bool:
    """True when there is a server that holds what the owner needs, as far as he let it be tried."""
    candidates = await servers(address, network, terminal)
    for candidate in by_token(candidates) if wish.oauth2 else candidates:
        if await _holds(candidate, address, wish, network, terminal, ask_password):
            _write_down(candidate, address, wish, terminal)
            return True
    terminal.say("no server was found to hold; nothing to write down")
    return False


async def servers(address: Address, network: Network, terminal: Terminal) -> tuple[Candidate, ...]:
    """At least one; all that was found out is shown. Raises CommandRefused."""
    found = await discover(address, network)
    _show(found, terminal)
    if not found.candidates:
        raise CommandRefused(_nothing(found))
    return found.candidates


def _show(found: Discovery, terminal: Terminal) -> None:
    terminal.say(f"asked about {found.address}:")
    for answer in found.answers:
        terminal.say(f"  {answer.place}: {answer.said}")
    if found.candidates:
        terminal.say("servers, the best first:")
    for number, one in enumerate(found.candidates, 1):
        terminal.say(f"  {number}. {url(one.upstream)}, login {one.login_of(found.address)}")
        terminal.say(f"     named by {' and '.join(one.found)}")
        if one.outside:
            terminal.say(f"     needs your word: {one.outside}")
    if found.provider is not None and found.provider.note:
        terminal.say(f"{found.provider.name}: {found.provider.note}")


def _nothing(found: Discovery) -> str:
    if found.provider is not None:
        return f"{found.provider.name} has no server that mail programs reach from outside"
    return (
        f"nobody says where the mail of {found.address.domain} is, and it is not guessed; "
        'ask your provider, and write upstream = "imaps://…" with the name of its server'
    )


def by_token(candidates: Iterable[Candidate]) -> tuple[Candidate, ...]:
    able = tuple(evolve(one, ways=("oauth2",)) for one in candidates if "oauth2" in one.ways)
    if not able:
        raise CommandRefused("none of these servers is known to take OAuth2; try it without --oauth2")
    return able


async def _holds(
    candidate: Candidate,
    address: Address,
    wish: Wish,
    network: Network,
    terminal: Terminal,
    ask_password: AskPassword,
) -> bool:
    if not has_the_word(candidate, address, wish, terminal):
        return False
    if needs_token(candidate):
        terminal.say(f"{candidate.upstream.host} is reached by OAuth2, not by a password: log-in not tried")
        return True
    if not wish.log_in:
        terminal.say(f"{url(candidate.upstream)}: log-in not tried")
        return True
    kind = "App password" if candidate.ways[:1] == ("app password",) else "Password"
    password = ask_password(f"{kind} of {candidate.login_of(address)} at {candidate.upstream.host}")
    reactor = cast("Reactor", network.reactor)
    return await check_mailbox(_config(candidate, wish), reactor, terminal.say, str(address).encode(), password)


def has_the_word(candidate: Candidate, address: Address, wish: Wish, terminal: Terminal) -> bool:
    """The owner's, without which nothing is sent there."""
    host = candidate.upstream.host
    if not candidate.outside:
        return (
            wish.yes
            or not _asks(candidate, wish)
            or terminal.agrees(f"Log in at {url(candidate.upstream)} as {candidate.login_of(address)}?")
        )
    if host in wish.trusted:
        return True
    if wish.yes:
        terminal.say(f"{url(candidate.upstream)}: left out, for --yes is no word for it; --trust {host} would be")
        return False
    what = ", and may it have your password" if _asks(candidate, wish) else ""
    return terminal.agrees(f"{candidate.outside}. Is {host} the server of your mail{what}?")


def _asks(candidate: Candidate, wish: Wish) -> bool:
    """Whether anything would be sent there."""
    return wish.log_in and not needs_token(candidate)


def _config(candidate: Candidate, wish: Wish) -> Config:
    """As the lines that are printed would make it."""
    entry = PassThrough(
        upstream=candidate.upstream,
        login=candidate.login,
        delete=delete_of(candidate),
        uidl=UPSTREAM if candidate.upstream.protocol == "pop3" else "bridge",
        ca=wish.ca,
    )
    return Config(base=Path.cwd(), listeners=(), passthrough=(entry,))


def _write_down(candidate: Candidate, address: Address, wish: Wish, terminal: Terminal) -> None:
    if wish.pin is not None:
        pin = Pin(str(address), url(candidate.upstream), candidate.login_of(address), " and ".join(candidate.found))
        try:
            path = write_pin(wish.pin, pin)
        except (OSError, PinsUnreadable) as error:
            raise CommandRefused(f"not pinned: {error}") from None
        terminal.say(f'pinned in {path}: upstream = "auto" with login = "{address}" means {url(candidate.upstream)}')
    own = wish.own or wish.pin is not None or needs_token(candidate)
    lines = (
        account(candidate, address, wish.ca, pinned=wish.pin is not None)
        if own
        else passthrough(candidate, address, wish.ca)
    )
    terminal.say(f"to paste into popbridge.toml:\n\n{lines}\n")
