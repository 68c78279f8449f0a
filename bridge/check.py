"""`popbridge check`: is the configuration valid, can we listen and remember, do the upstreams answer, what holds there?

It changes nothing anywhere. With a login it also opens the mailbox and says what would become of DELE.
"""

import socket
from collections.abc import Callable
from fnmatch import fnmatchcase

from bridge.check_mailbox import check_mailbox, reached
from bridge.check_pop3 import capabilities
from bridge.check_secrets import check_secrets
from bridge.check_state import look_at_state
from bridge.config import Config, Endpoint, Listener, Settings, Upstream
from bridge.config.offers import offered
from bridge.credentials.vault_file import FileVault
from bridge.maildrop.errors import Trouble
from bridge.secret import Secret
from bridge.upstream.connect import Reactor

OF_INTEREST = ("IMAP4REV2", "UIDPLUS", "MOVE", "CONDSTORE", "QRESYNC", "ESEARCH", "SPECIAL-USE", "UTF8=ACCEPT")

BEARER = {"XOAUTH2", "OAUTHBEARER"}

Say = Callable[[str], None]


async def check(config: Config, reactor: Reactor, say: Say, login: bytes | None, password: Secret | None) -> bool:
    """True when nothing was found that would stop the bridge from serving."""
    fine = [_listens(listener, say) for listener in config.listeners]
    fine.append(_remembers(config, say))
    _passes_on(config, say)
    fine.append(await check_secrets(config, FileVault.at(config.vault, reactor.seconds), say))
    seen: set[Upstream] = set()
    for entry in (*config.passthrough, *(source for account in config.accounts for source in account.source)):
        if entry.upstream not in seen:
            seen.add(entry.upstream)
            fine.append(await _answers(entry, config, reactor, say))
    if login is not None:
        fine.append(await check_mailbox(config, reactor, say, login, password))
    elif all(fine):
        say("with --login NAME the mailbox is opened too, and you see what DELE would do there")
    return all(fine)


def _listens(listener: Listener, say: Say) -> bool:
    fine = True
    for endpoint, kind in ((listener.pop3, "POP3"), (listener.pop3s, "POP3 over TLS")):
        if endpoint is not None:
            trouble = why_taken(endpoint)
            say(f"listen {endpoint} ({kind}): {trouble or 'free'}")
            fine = fine and not trouble
    return fine


def why_taken(endpoint: Endpoint) -> str:
    """In words; "" where it is free."""
    host = endpoint.host or "::"
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind((host, endpoint.port))
            trial.listen()
    except OSError as error:
        return f"cannot be used: {error.strerror}" + (" (is the bridge running?)" if error.errno == 98 else "")
    return ""


def _passes_on(config: Config, say: Say) -> None:
    """Nothing wrong, and good to know: an account's name is found as it is written, and in no other way."""
    for entry in config.passthrough:
        if any(fnmatchcase(account.user, entry.users) for account in config.accounts):
            host = entry.upstream.host
            say(
                f'[[passthrough]] users = "{entry.users}" takes the names of accounts too, where they are typed '
                f"in another way, and sends their password to {host}; a narrower pattern keeps it here"
            )


def _remembers(config: Config, say: Say) -> bool:
    if config.state is None:
        say("state memory: nothing survives the process, and QUIT waits for upstream")
        return True
    found = look_at_state(config.state)
    if found.trouble:
        say(f"state: {found.trouble}")
    elif not found.exists:
        say(f"state {config.state}: not there yet, can be made")
    elif found.is_older:
        say(f"state {config.state}: of an older version; the bridge makes a copy and upgrades it at its start")
    else:
        say(f"state {config.state}: fine")
    return not found.trouble


async def _answers(entry: Settings, config: Config, reactor: Reactor, say: Say) -> bool:
    """Before a login: reachable, trusted, and what it says of itself."""
    upstream = entry.upstream
    try:
        ways, others = await _asked(entry, config, reactor)
    except Trouble as trouble:
        say(f"upstream {upstream}: {trouble}" + (f" ({trouble.detail})" if trouble.detail else ""))
        return False
    can = ", ".join(others) or "nothing more before the login"
    say(f"upstream {upstream}: answers; login by {', '.join(ways) or 'LOGIN'}; can {can}")
    announced = {
        mechanism
        for listener in config.listeners
        for mechanism in offered(listener, config.passthrough, config.accounts)
    }
    if announced & BEARER and not BEARER & set(ways):
        say('  it takes no OAuth2 tokens: with sasl = ["PLAIN", "LOGIN"] in the listener, none is offered to programs')
    return True


async def _asked(entry: Settings, config: Config, reactor: Reactor) -> tuple[list[str], list[str]]:
    """Ways to log in, and what else of interest there is."""
    if entry.upstream.protocol == "pop3":
        return await capabilities(config, reactor, entry)
    connection = await reached(config, reactor, entry)
    has = connection.client.capabilities
    connection.close()
    ways = sorted(name.removeprefix("AUTH=") for name in has if name.startswith("AUTH="))
    return ways, [name for name in OF_INTEREST if name in has]
